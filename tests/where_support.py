"""A catalog with the real tables and as little in them as filters need."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from kure_rag.index.fields import migrate_fields
from kure_rag.index.migrate import create_tables
from kure_rag.types import Chunk, Document


def empty_catalog(file: str = ":memory:") -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    create_tables(db)
    migrate_fields(db)
    return db


def store(
    db: sqlite3.Connection, document: Document, chunks: Sequence[Chunk], *, generation: int = 1, gone: int | None = None
) -> list[int]:
    """Rows of the chunks, without entering their fields."""
    life = {"generation": generation, "gone": gone}
    values: dict[str, object] = {
        "id": document.id,
        "source": document.source,
        "title": document.title,
        "domain": document.domain,
        "metadata": _json(document.metadata),
    }
    _insert(db, "documents", [values | life])
    return _insert(db, "chunks", [_values(chunk) | life | {"document_id": document.id} for chunk in chunks])


def _values(chunk: Chunk) -> dict[str, object]:
    return {
        "id": chunk.id,
        "ordinal": chunk.ordinal,
        "kind": chunk.kind,
        "pages": _json(chunk.pages),
        "breadcrumb": _json(chunk.breadcrumb),
        "metadata": _json(chunk.metadata),
        "text": chunk.text,
    }


def begin_rows_at(db: sqlite3.Connection, row: int) -> None:
    """The next chunk gets this row number."""
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'chunks'")
    db.execute("INSERT INTO sqlite_sequence VALUES ('chunks', ?)", (row - 1,))


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, object]]) -> list[int]:
    """Columns that filters do not look at hold nothing."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    empty = {name: 0 if type_ == "INTEGER" else "" for _, name, type_, needed, _, _ in columns if needed}
    numbers = []
    for row in rows:
        filled = empty | row
        names, marks = ", ".join(f'"{name}"' for name in filled), ", ".join("?" * len(filled))
        cursor = db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(filled.values()))
        numbers.append(cursor.lastrowid or 0)
    return numbers


def _json(value: object) -> str:
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, ensure_ascii=False)
