"""A catalog written by an older version opens, keeps what it holds, and takes new documents."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from kure_rag.index.catalog import Catalog
from kure_rag.index.schema import DDL, VERSION
from kure_rag.types import Chunk, Document


def test_a_catalog_of_version_1_gains_the_lead(tmp_path: Path) -> None:
    old = DDL.replace(",\n    lead TEXT NOT NULL DEFAULT ''", "")
    assert old != DDL
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as db:
        db.executescript(old)
        first = {"version": 1, "generation": 1, "epoch": 0}
        db.executemany("INSERT INTO settings VALUES (?, ?)", [(key, str(value)) for key, value in first.items()])
        for view in ("lexical", "dense"):
            db.execute("INSERT INTO settings VALUES (?, '1')", (f"applied.{view}",))
            db.execute("INSERT INTO settings VALUES (?, '0')", (f"folder.{view}",))
        db.execute("INSERT INTO documents VALUES ('d', 'a.pdf', '제목', 'legal', '본문', '[]', '[]', '{}', 1)")
        db.execute(
            "INSERT INTO chunks VALUES (1, 'c', 'd', 0, 0, 2, '본문', '[]', '[]', 'text', NULL, NULL, '{}', '본문', 1)"
        )
    db.close()
    catalog = Catalog(tmp_path, create=False)
    assert catalog.get("version") == VERSION
    assert catalog.fetch([1], 1)[1].chunk == Chunk("c", "d", "본문", 0, 2, ())
    led = Chunk("c2", "e", "나", 0, 1, (), lead="다음 각 호")
    catalog.add_many([(Document("e", "b.pdf", "", "legal", "나"), [led], [["나"]], np.ones((1, 2), np.float32))])
    assert [item.chunk for item in catalog.chunks_of("e")] == [led]
    assert catalog.keywords([2])[2].text == "다음 각 호\n나"
    catalog.close()
    Catalog(tmp_path, create=False).close()  # a second opening has nothing left to do
