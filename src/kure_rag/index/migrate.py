"""A catalog of an older version → one of this version, in one transaction that the caller holds.

A fixture of every released version (``tests/index/fixtures``) opens for ever.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Final

from kure_rag.errors import IndexCorruptError
from kure_rag.index.rows import (
    BODY_COLUMNS,
    CHUNK_COLUMNS,
    HEAD_COLUMNS,
    PLACE_COLUMNS,
    checksum,
    checksum_gone,
    checksum_vector,
)
from kure_rag.index.schema import DDL, DOCUMENTS, DOCUMENTS_INDEXES, PLACES, VIEWS

_HEAD_3: Final = "id, generation, source, title, domain, key, root, metadata"
_OLD: Final = ("vectors", "chunks", "documents", "settings", "pending")


def create_tables(db: sqlite3.Connection) -> None:
    """Makes the tables of this version."""
    run(db, DDL)


def run(db: sqlite3.Connection, script: str) -> None:
    """Executes statements one by one: ``executescript`` would end the transaction."""
    for statement in script.split(";\n"):
        db.execute(statement)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Brings the tables up to this version. Foreign keys must not be enforced meanwhile."""
    db.create_function("checksum", -1, checksum, deterministic=True)
    db.create_function("checksum_gone", 2, checksum_gone, deterministic=True)
    db.create_function("checksum_vector", 2, checksum_vector, deterministic=True)
    if version < 2:
        db.execute("ALTER TABLE chunks ADD COLUMN lead TEXT NOT NULL DEFAULT ''")
    if version < 3:
        _from_2(db)
    else:
        _from_3(db)


def _from_3(db: sqlite3.Connection) -> None:
    """Places get a table of their own: a document had one at the most, as columns."""
    old = f"checksum_gone(checksum({_HEAD_3}), gone)"
    if rotten := db.execute(f"SELECT id, source FROM documents WHERE crc IS NOT {old}").fetchone():
        raise IndexCorruptError(
            f"the catalog is damaged (document {rotten[0]} ({rotten[1]!r}) does not have its checksum); "
            "restore it from a backup or ingest anew"
        )
    for index in ("documents_alive", "documents_source", "documents_key", "documents_gone"):
        db.execute(f"DROP INDEX {index}")
    run(db, DOCUMENTS.replace("CREATE TABLE documents", "CREATE TABLE documents_4"))
    rest = f"text_crc, {BODY_COLUMNS}"
    db.execute(
        f"INSERT INTO documents_4 ({HEAD_COLUMNS}, gone, crc, {rest}) "
        f"SELECT {HEAD_COLUMNS}, gone, checksum_gone(checksum({HEAD_COLUMNS}), gone), {rest} FROM documents"
    )
    run(db, PLACES)
    # A crash between two changes of places could leave two documents with one key: the newer one has it.
    keyed = "SELECT key, root, id, source FROM documents WHERE key <> '' AND gone IS NULL ORDER BY generation"
    standing = {key: (key, root, id_, source, "") for key, root, id_, source in db.execute(keyed).fetchall()}
    db.executemany(
        f"INSERT INTO places ({PLACE_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?)",
        [(*values, checksum(*values)) for values in standing.values()],
    )
    # Dropped and renamed in this order: the chunks' references stay those to a table named documents.
    db.execute("DROP TABLE documents")
    db.execute("ALTER TABLE documents_4 RENAME TO documents")
    run(db, DOCUMENTS_INDEXES)


def _from_2(db: sqlite3.Connection) -> None:
    """Keys, soft deletion and checksums. Tables are made anew: what was unique alone is now unique in a generation."""
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
    for index in ("documents_source", "chunks_document", "pending_view"):
        db.execute(f"DROP INDEX {index}")
    for table in _OLD:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    create_tables(db)

    settings = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM old_settings")}
    documents = db.execute("SELECT count(*) FROM old_documents").fetchone()[0]
    chunks = db.execute("SELECT count(*) FROM old_chunks").fetchone()[0]
    for view in VIEWS:
        if f"applied.{view}" not in settings:  # a view that is new has to be made from the catalog
            settings |= {f"applied.{view}": settings["generation"], f"folder.{view}": 0, f"stale.{view}": True}
    write_settings(db, {**settings, "count.documents": documents, "count.chunks": chunks})

    db.execute(
        f"INSERT INTO documents ({HEAD_COLUMNS}, crc, {BODY_COLUMNS}, text_crc) "
        f"SELECT {HEAD_COLUMNS}, checksum({HEAD_COLUMNS}), "
        f"{BODY_COLUMNS}, checksum({BODY_COLUMNS}) FROM old_documents"
    )
    db.execute(
        f"INSERT INTO chunks ({CHUNK_COLUMNS}, crc, terms, terms_crc) "
        f"SELECT {CHUNK_COLUMNS}, checksum({CHUNK_COLUMNS}), terms, checksum(row, terms) FROM old_chunks"
    )
    db.execute("INSERT INTO vectors SELECT row, checksum_vector(row, vector), vector FROM old_vectors")
    db.execute(
        "INSERT INTO pending SELECT seq, view, op, row, chunk_id, generation, "
        "checksum(view, op, row, chunk_id, generation) "
        "FROM old_pending WHERE op = 'delete' OR row IN (SELECT row FROM chunks)"
    )
    for table in _OLD:
        db.execute(f"DROP TABLE old_{table}")
    if last:  # the last row may have been deleted since, and its number must not come back
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'chunks'")
        db.execute("INSERT INTO sqlite_sequence VALUES ('chunks', ?)", last)


def write_settings(db: sqlite3.Connection, values: Mapping[str, object]) -> None:
    """Stores settings as JSON with their checksums."""
    rows = [(key, json.dumps(value, ensure_ascii=False, sort_keys=True)) for key, value in values.items()]
    db.executemany(
        "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", [(key, value, checksum(key, value)) for key, value in rows]
    )
