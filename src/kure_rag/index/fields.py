"""The inverted table that filters are answered from: field, value → chunk rows.

For each value of a field the table holds the rows that have it, in blocks of 7,168 row numbers: as a list of 16-bit
offsets while they are few, as a bitmap where they are many. Half of an index is read in a fraction of a millisecond
that way, and costs a bit a chunk. The block comes first in the table's order: what is new is written side by side, and
a large index takes no longer to add to than a small one.

What a document says (source, title, domain, its metadata) is written for the rows of all its chunks, under names of
their own, so that it can be changed alone. Nothing here is ever the truth: it is made from ``chunks`` and
``documents``, in the transactions that change them, and :func:`migrate_fields` makes it anew.

In which order to call, within one transaction:

- adding: insert documents and chunks, then :func:`write_all`;
- a change of what a document says: :func:`drop_document_fields`, update ``documents``, :func:`write_document_fields`;
- purging: :func:`drop_fields`, then delete the rows, which it reads.

Rows that are only marked ``gone`` keep their entries, see :meth:`kure_rag.index.where.Where.rows`. An entry that stayed
behind for a row that is no more does no harm.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from unicodedata import is_normalized, normalize

import numpy as np

from kure_rag.index.callbacks import interruptible, noted
from kure_rag.index.where_blocks import BLOCK, Value, checksum, decode, encode, merge, sound
from kure_rag.index.where_dates import span_of
from kure_rag.types import ENTRY_KIND, Chunk, Document

FIELDS_DDL: Final = """
-- A name's values of chunks and of documents are apart, and so are its texts that are dates, as moments.
CREATE TABLE field_names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('chunk', 'document')),
    type TEXT NOT NULL CHECK (type IN ('value', 'date')),
    UNIQUE (name, level, type)
);

-- All rows there are. For rows see kure_rag.index.where_blocks.
CREATE TABLE field_blocks (block INTEGER PRIMARY KEY, crc INTEGER NOT NULL, rows BLOB NOT NULL);

-- No type for value: a number stays a number, a text a text.
CREATE TABLE fields (
    block INTEGER NOT NULL,
    name_id INTEGER NOT NULL REFERENCES field_names (id),
    value NOT NULL,
    crc INTEGER NOT NULL,
    rows BLOB NOT NULL,
    PRIMARY KEY (block, name_id, value)
) WITHOUT ROWID;

-- What a search at one generation does not see yet is found without reading the chunks.
CREATE INDEX IF NOT EXISTS chunks_generation ON chunks (generation);
"""

RESERVED: Final = frozenset(
    ("source", "title", "domain", "document_id", "chunk_id", "kind", "ordinal", "page", "pages", "breadcrumb")
)
"""Fields of chunks and documents themselves. Metadata under such a name has ``chunk_`` or ``document_`` before it.

Not so that of entries (:mod:`kure_rag.ingest.entries`), who know of no chunks.
"""

SAME: Final = {"pages": "page"}
"""Two names of one field."""

OPAQUE: Final = b""
"""Stands for a value that compares with nothing, such as a mapping: it only exists."""

_MANY: Final = 900  # bound parameters in one statement; SQLite builds allow 999 at the least
_BATCH: Final = 8192  # chunks whose entries are held in memory while an index is migrated

Name = tuple[str, str, str]
Entry = tuple[Name, Value]
Entries = dict[Entry, list[int]]

_ALL: Final[Entry] = (("", "", ""), 1)  # every row has this one, which goes into a table of its own


def write_all(db: sqlite3.Connection, added: Iterable[tuple[Document, Sequence[int], Sequence[Chunk]]]) -> None:
    """Enters documents with all their chunks: the fast way, since a value common to many is written once.

    Args:
        db: In a transaction.
        added: Each document with the rows of its chunks, and the chunks.
    """
    entries: Entries = {}
    for document, rows, chunks in added:
        for row, chunk in zip(rows, chunks, strict=True):
            _enter(entries, _of_chunk(chunk.kind, chunk.ordinal, chunk.pages, chunk.breadcrumb, chunk.metadata), [row])
        _enter(entries, _of_document(document.source, document.title, document.domain, document.metadata), rows)
    _write(db, entries)


def write_fields(db: sqlite3.Connection, row: int, document_id: str, chunk: Chunk) -> None:
    """Enters what one chunk says itself. ``document_id`` is not used: ``chunks`` knows it already."""
    entries: Entries = {}
    _enter(entries, _of_chunk(chunk.kind, chunk.ordinal, chunk.pages, chunk.breadcrumb, chunk.metadata), [row])
    _write(db, entries)


def write_document_fields(db: sqlite3.Connection, document: Document) -> None:
    """Enters what a document says, for the chunks of its version that is not gone."""
    entries: Entries = {}
    said = _of_document(document.source, document.title, document.domain, document.metadata)
    _enter(entries, said, _rows_of(db, document.id))
    _write(db, entries)


def drop_fields(db: sqlite3.Connection, rows: Sequence[int]) -> None:
    """Takes chunks out: what they say themselves and what their documents say of them. Both must still be stored."""
    entries: Entries = {_ALL: list(rows)}
    for part in _parts(rows):
        _read(db, entries, f"c.row IN ({_marks(part)})", part)
    _drop(db, entries)


def drop_document_fields(db: sqlite3.Connection, document_ids: Sequence[str]) -> None:
    """Takes out what documents say, in their versions that are not gone, as ``documents`` holds it now."""
    entries: Entries = {}
    for document_id in document_ids:
        sql = "SELECT source, title, domain, metadata FROM documents WHERE id = ? AND gone IS NULL"
        for source, title, domain, metadata in db.execute(sql, (document_id,)).fetchall():
            said = _of_document(source, title, domain, json.loads(metadata))
            _enter(entries, said, _rows_of(db, document_id))
    _drop(db, entries)


def migrate_fields(db: sqlite3.Connection) -> None:
    """Makes the tables if there are none, and fills them from ``chunks`` and ``documents``, whatever they held."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'fields'").fetchone() is None:
        for statement in FIELDS_DDL.split(";\n"):
            db.execute(statement)
    for table in ("fields", "field_names", "field_blocks"):
        db.execute(f"DELETE FROM {table}")
    newest = db.execute("SELECT coalesce(max(row), 0) FROM chunks").fetchone()[0]
    for first in range(0, newest + 1, _BATCH):
        entries: Entries = {}
        _read(db, entries, "c.row >= ? AND c.row < ?", (first, first + _BATCH))
        _write(db, entries)


# What is entered


def nfc(text: str) -> str:
    """A text composed, as every value and operand is compared."""
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def _of_chunk(
    kind: str, ordinal: int, pages: Sequence[int], breadcrumb: Sequence[str], metadata: Mapping[str, Any]
) -> Iterator[Entry]:
    yield _ALL
    yield ("kind", "chunk", "value"), nfc(kind)
    yield ("ordinal", "chunk", "value"), ordinal
    for page in pages:
        yield ("page", "chunk", "value"), page
    for heading in breadcrumb:
        yield ("breadcrumb", "chunk", "value"), nfc(heading)
    yield from _of_metadata("chunk", metadata, own=kind == ENTRY_KIND)


def _of_document(source: str, title: str, domain: str, metadata: Mapping[str, Any]) -> Iterator[Entry]:
    for name, text in (("source", source), ("title", title), ("domain", domain)):
        yield (name, "document", "value"), nfc(text)
    yield from _of_metadata("document", metadata)


def _of_metadata(level: str, metadata: Mapping[str, Any], *, own: bool = False) -> Iterator[Entry]:
    """Metadata's values; with ``own`` each under its own name, also where a passage has a field of that name."""
    for key, value in metadata.items():
        key = key if isinstance(key, str) else json.dumps(key)  # as JSON stores {1: "가"}
        name = SAME.get(key, nfc(key)) if own or key not in RESERVED else f"{level}_{key}"
        for item in value if isinstance(value, list | tuple) else (value,):
            if item is None:
                continue
            kept = _value(item)
            yield (name, level, "value"), kept
            if isinstance(kept, str) and (span := span_of(kept)):
                yield (name, level, "date"), span[0]


def _value(item: Any) -> Value:
    if isinstance(item, str):
        return nfc(item)
    if isinstance(item, int):
        return int(item) if -(2**63) <= item < 2**63 else _beyond(item)
    return item if isinstance(item, float) and item == item else OPAQUE


def _beyond(number: int) -> float:
    """A whole number that SQLite has no integer for, as it reads such a number in JSON."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _read(db: sqlite3.Connection, entries: Entries, condition: str, bound: Sequence[object]) -> None:
    """Entries of the chunks for which a condition holds, as they are stored."""
    sql = f"SELECT c.row, kind, ordinal, pages, breadcrumb, metadata FROM chunks c WHERE {condition}"
    for row, kind, ordinal, pages, breadcrumb, metadata in db.execute(sql, bound):
        said = _of_chunk(kind, ordinal, json.loads(pages), json.loads(breadcrumb), json.loads(metadata))
        _enter(entries, said, [row])
    sql = f"""SELECT c.document_id, c.generation, c.row FROM chunks c WHERE {condition} ORDER BY 1, 2"""
    for version, group in groupby(db.execute(sql, bound).fetchall(), key=lambda found: found[:2]):
        sql = "SELECT source, title, domain, metadata FROM documents WHERE id = ? AND generation = ?"
        for source, title, domain, metadata in db.execute(sql, version).fetchall():
            _enter(entries, _of_document(source, title, domain, json.loads(metadata)), [row for *_, row in group])


def _rows_of(db: sqlite3.Connection, document_id: str) -> list[int]:
    sql = "SELECT row FROM chunks WHERE document_id = ? AND gone IS NULL"
    return [row for (row,) in db.execute(sql, (document_id,))]


def _enter(entries: Entries, said: Iterable[Entry], rows: Sequence[int]) -> None:
    for entry in said:
        entries.setdefault(entry, []).extend(rows)


# How it is stored


def _put(table: str, key: str, names: str) -> str:
    """Enters rows of a block, together with those that are there, which must have their checksum."""
    merged = f"rows_merged({names}, crc, rows, excluded.rows)"
    return (
        f"INSERT INTO {table} ({key}, crc, rows) VALUES ({'?, ' * len(key.split(','))}?, ?) "
        f"ON CONFLICT ({key}) DO UPDATE SET rows = {merged}, crc = rows_checksum({names}, {merged})"
    )


def _write(db: sqlite3.Connection, entries: Entries) -> None:
    db.create_function("rows_checksum", 4, noted(checksum), deterministic=True)
    db.create_function("rows_merged", 6, noted(_merged), deterministic=True)
    every = [(block, encode(offsets)) for block, offsets in _by_block(entries.pop(_ALL, ()))]
    signed = [(block, checksum(block, 0, 0, blob), blob) for block, blob in every]
    with interruptible():
        db.executemany(_put("field_blocks", "block", "block, 0, 0"), signed)
    ids = _ids(db, {name for name, _ in entries}, make=True)
    changed = []
    for (name, value), rows in entries.items():
        id_ = ids[name]
        for block, offsets in _by_block(rows):
            blob = encode(offsets)
            changed.append((block, id_, value, checksum(block, id_, value, blob), blob))
    with interruptible():
        db.executemany(_put("fields", "block, name_id, value", "block, name_id, value"), changed)


def _merged(block: int, name: int, value: Value, crc: int, old: bytes, new: bytes) -> bytes:
    return merge(sound(block, name, value, crc, old), new)


def _drop(db: sqlite3.Connection, entries: Entries) -> None:
    for block, offsets in _by_block(entries.pop(_ALL, ())):
        _drop_from(db, "field_blocks", "block = ?", (block,), offsets)
    ids = _ids(db, {name for name, _ in entries}, make=False)
    for (name, value), rows in entries.items():
        for block, offsets in _by_block(rows) if name in ids else ():
            key = (block, ids[name], value)
            _drop_from(db, "fields", "block = ? AND name_id = ? AND value = ?", key, offsets)


def _drop_from(db: sqlite3.Connection, table: str, place: str, key: tuple[Any, ...], offsets: Sequence[int]) -> None:
    names = "block, name_id, value" if len(key) > 1 else "block, 0, 0"
    old = db.execute(f"SELECT {names}, crc, rows FROM {table} WHERE {place}", key).fetchone()
    if old is None:
        return
    left = np.setdiff1d(decode(sound(*old)), offsets)
    if left.size:
        block, name, value, _, _ = old
        blob = encode(left.tolist())
        changed = (checksum(block, name, value, blob), blob)
        db.execute(f"UPDATE {table} SET crc = ?, rows = ? WHERE {place}", (*changed, *key))
    else:
        db.execute(f"DELETE FROM {table} WHERE {place}", key)


def _ids(db: sqlite3.Connection, names: Iterable[Name], *, make: bool) -> dict[Name, int]:
    ids = {}
    for name in sorted(names):
        sql = "SELECT id FROM field_names WHERE name = ? AND level = ? AND type = ?"
        if found := db.execute(sql, name).fetchone():
            ids[name] = int(found[0])
        elif make:
            ids[name] = int(db.execute("INSERT INTO field_names VALUES (NULL, ?, ?, ?)", name).lastrowid or 0)
    return ids


def _by_block(rows: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Offsets, ascending and each once, by block."""
    if len(rows) == 1:  # most values of most fields
        yield rows[0] // BLOCK, [rows[0] % BLOCK]
        return
    for block, group in groupby(sorted(set(rows)), key=BLOCK.__rfloordiv__):
        yield block, [row - block * BLOCK for row in group]


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for i in range(0, len(keys), _MANY):
        yield keys[i : i + _MANY]


def _marks(keys: Sequence[Any]) -> str:
    return ",".join("?" * len(keys))
