"""Filters over many chunks: how long one takes, what their table costs on disk and while ingesting.

    python benchmarks/where_speed.py [--chunks 100000] [--rounds 200]

Chunks as the legal chunker makes them: 100 a document, with pages, breadcrumb, article, chapter, dates of amendment,
references; documents with source, title, domain, publisher, the time they were changed. ``first`` is the first filter
on a new connection, ``p50`` and ``p99`` are of repetitions on one connection, ``CPU`` is their mean in this process's
own time, milliseconds; nothing is kept between evaluations. ``scan`` is what the same filter takes with SQLite's
``json_each`` over the metadata of all chunks, where a line has one. Inserting is measured in transactions of one
document, without vectors, with ``synchronous=FULL``.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from where_support import store  # noqa: E402

from kure_rag.index.fields import migrate_fields, write_all  # noqa: E402
from kure_rag.index.migrate import create_tables  # noqa: E402
from kure_rag.index.where import parse_where  # noqa: E402
from kure_rag.types import Chunk, Document  # noqa: E402

_A_DOCUMENT = 100
_TEXT = "사용자는 1년간 80퍼센트 이상 출근한 근로자에게 15일의 유급휴가를 주어야 한다. " * 12
_LAWS = [
    f"{name}법" for name in ("민", "상", "형", "근로기준", "의료", "은행", "보험업", "자본시장", "약사", "국민건강보험")
]


def make_document(number: int, rng: random.Random) -> tuple[Document, list[Chunk]]:
    metadata = {
        "publisher": f"기관 {number % 100}",
        "modified": f"202{rng.randrange(6)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}T09:30:00+09:00",
        "page_count": rng.randrange(3, 60),
    }
    name, domain = f"규정_{number:05}.pdf", "legal" if number % 2 else "finance"
    document = Document(f"{number:064x}", name, f"{number}번 규정", domain, "", metadata=metadata)
    return document, [_chunk(number, i, rng) for i in range(_A_DOCUMENT)]


def _chunk(number: int, i: int, rng: random.Random) -> Chunk:
    chapter = f"제{i // 12 + 1}장 {'휴가' if i // 12 == 2 else '총칙'}"
    metadata: dict[str, Any] = {"part": "본칙", "article": f"제{i + 1}조", "title": f"조문 {i}", "chapter": chapter}
    if rng.random() < 0.4:
        dates = sorted(f"{rng.randrange(2000, 2026)}.{rng.randrange(1, 13)}.{rng.randrange(1, 29)}" for _ in range(3))
        metadata["amended"] = dates[: rng.randrange(1, 4)]
    if rng.random() < 0.3:
        metadata["references"] = [
            f"{rng.choice(_LAWS)} 제{rng.randrange(1, 120)}조" for _ in range(rng.randrange(1, 4))
        ]
    if rng.random() < 0.3:
        metadata["paragraph"] = f"①-{rng.choice('②③④⑤')}"
    return Chunk(
        id=f"{number:032x}{i:032x}",
        document_id=f"{number:064x}",
        text=_TEXT,
        start=0,
        end=len(_TEXT),
        pages=(i // 5 + 1,) if i % 3 else (i // 5 + 1, i // 5 + 2),
        breadcrumb=(f"{number}번 규정", chapter, f"제{i + 1}조(조문 {i})"),
        kind="article" if rng.random() < 0.95 else "table",
        ordinal=i,
        metadata=metadata,
    )


def filters(documents: int) -> Mapping[str, tuple[dict[str, Any], str]]:
    """Filters by what they select, and the condition of a scan that says the same."""
    some = [f"규정_{n:05}.pdf" for n in range(0, documents, max(1, documents // 50))][:50]
    article = "EXISTS (SELECT 1 FROM json_each(c.metadata, '$.article') WHERE value = '제7조')"
    return {
        "50 rows: sources, article": (
            {"source": {"$in": some}, "article": "제7조"},
            f"d.source IN ({','.join(repr(name) for name in some)}) AND {article}",
        ),
        "1 per document: article": ({"article": "제7조"}, article),
        "1%: publisher": ({"publisher": "기관 7"}, ""),
        "50%: domain": ({"domain": "legal"}, "d.domain = 'legal'"),
        "50%: page range": ({"page": {"$lte": 10}}, "EXISTS (SELECT 1 FROM json_each(c.pages) WHERE value <= 10)"),
        "99%: not": ({"$not": {"article": "제7조"}}, f"NOT {article}"),
        "dates of chunks": ({"amended": {"$gte": "2020-01-01"}}, ""),
        "dates of documents": ({"modified": {"$gte": "2023-01-01", "$lt": "2024-01-01"}}, ""),
        "part of a text": ({"breadcrumb": {"$contains": "휴가"}}, ""),
        "part, any case": ({"chapter": {"$icontains": "휴가"}}, ""),
        "any of two, and": ({"$or": [{"kind": "table"}, {"page": 1}], "domain": "legal"}, ""),
        "one chunk by id": ({"chunk_id": f"{1:032x}{7:032x}"}, ""),
        "one document by id": ({"document_id": f"{1:064x}"}, ""),
    }


def connect(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


def fill(file: Path, documents: int, *, fields: bool) -> tuple[float, float]:
    """Seconds in transactions of one document, by the clock and of this process."""
    rng = random.Random(7)
    db = connect(file)
    create_tables(db)
    migrate_fields(db)
    seconds, worked = 0.0, 0.0
    for number in range(documents):
        document, chunks = make_document(number, rng)
        start, busy = time.perf_counter(), time.process_time()
        db.execute("BEGIN IMMEDIATE")
        rows = store(db, document, chunks)
        if fields:
            write_all(db, [(document, rows, chunks)])
        db.execute("COMMIT")
        seconds, worked = seconds + time.perf_counter() - start, worked + time.process_time() - busy
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return seconds, worked


def milliseconds(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] * 1000


def measure(file: Path, where: Mapping[str, Any], scan: str, rounds: int) -> tuple[int, list[float]]:
    """Rows that were found, and what the columns of the table say."""
    first = []
    for _ in range(5):
        db = connect(file)
        db.execute("SELECT count(*) FROM settings").fetchone()
        start = time.perf_counter()
        rows = parse_where(where).rows(db, 1)
        first.append(time.perf_counter() - start)
        db.close()
    db = connect(file)
    times, busy = [], time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        parse_where(where).rows(db, 1)
        times.append(time.perf_counter() - start)
    worked = (time.process_time() - busy) / rounds * 1000
    scanned = float("nan")
    if scan:
        sql = "SELECT c.row FROM chunks c JOIN documents d ON (d.id, d.generation) = (c.document_id, c.generation)"
        start = time.perf_counter()
        found = [row for (row,) in db.execute(f"{sql} WHERE {scan} ORDER BY c.row")]
        scanned = (time.perf_counter() - start) * 1000
        assert found == rows.tolist()
    db.close()
    repeated = [milliseconds(times, 0.5), milliseconds(times, 0.99)]
    return len(rows), [statistics.median(first) * 1000, *repeated, worked, scanned]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    documents = options.chunks // _A_DOCUMENT
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "with.sqlite3")
        with_fields = fill(file, documents, fields=True)
        without = fill(Path(folder, "without.sqlite3"), documents, fields=False)
        extra = file.stat().st_size - Path(folder, "without.sqlite3").stat().st_size
        chunks = documents * _A_DOCUMENT
        print(f"{chunks} chunks in {documents} documents")
        print(f"on disk: {extra / chunks:.0f} bytes a chunk ({file.stat().st_size / chunks:.0f} with everything)")
        for name, whole, bare in zip(("clock", "CPU"), with_fields, without, strict=True):
            added = (whole - bare) / chunks * 1e6
            print(f"inserting a chunk, {name}: {whole / chunks * 1e6:.0f} µs, of which fields {added:.0f} µs")
        print(f"\n{'filter':<28} {'rows':>7} {'first':>8} {'p50':>8} {'p99':>8} {'CPU':>8} {'scan':>9}")
        for name, (where, scan) in filters(documents).items():
            rows, (first, p50, p99, worked, scanned) = measure(file, where, scan, options.rounds)
            print(f"{name:<28} {rows:>7} {first:>8.2f} {p50:>8.2f} {p99:>8.2f} {worked:>8.2f} {scanned:>9.1f}")


if __name__ == "__main__":
    main()
