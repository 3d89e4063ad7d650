"""The catalog's tables. A change of meaning raises ``VERSION`` and brings a migration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

VERSION: Final = 2
VIEWS: Final = ("lexical", "dense")

DDL: Final = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    domain TEXT NOT NULL,
    text TEXT NOT NULL,
    pages TEXT NOT NULL,
    tables TEXT NOT NULL,
    metadata TEXT NOT NULL,
    generation INTEGER NOT NULL
);
CREATE INDEX documents_source ON documents (source);

-- A row number is never used again, so that a view can hold it in place of an id.
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    document_id TEXT NOT NULL REFERENCES documents (id),
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    text TEXT NOT NULL,
    pages TEXT NOT NULL,
    breadcrumb TEXT NOT NULL,
    kind TEXT NOT NULL,
    prev_id TEXT,
    next_id TEXT,
    metadata TEXT NOT NULL,
    terms TEXT NOT NULL,
    generation INTEGER NOT NULL,
    lead TEXT NOT NULL DEFAULT ''
);
CREATE INDEX chunks_document ON chunks (document_id, ordinal);

-- Apart from the chunks, so that reading those does not drag the vectors along. float32, little-endian.
CREATE TABLE vectors (row INTEGER PRIMARY KEY REFERENCES chunks (row), vector BLOB NOT NULL);

-- What a view has still to do. Emptied as the view catches up; whatever is left after a crash is done again.
CREATE TABLE pending (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    view TEXT NOT NULL,
    op TEXT NOT NULL CHECK (op IN ('add', 'delete')),
    row INTEGER NOT NULL,
    chunk_id TEXT NOT NULL,
    generation INTEGER NOT NULL
);
CREATE INDEX pending_view ON pending (view, seq);
"""

# From each older version to the next one. New columns stand last in the tables above too.
MIGRATIONS: Final[Mapping[int, Sequence[str]]] = {
    1: ("ALTER TABLE chunks ADD COLUMN lead TEXT NOT NULL DEFAULT ''",),
}
