"""The catalog's tables. A change of meaning raises ``VERSION`` and brings a migration (:mod:`kure_rag.index.migrate`).

``gone`` is the generation in which a row was deleted or replaced: a row is seen at generation ``g`` when
``generation <= g AND (gone IS NULL OR gone > g)``. ``crc`` columns tell a rotten row from a sound one, see
:mod:`kure_rag.index.rows`. In each table what is long stands last: SQLite reads a row from its start.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 4
VIEWS: Final = ("lexical", "dense", "matrix")

DOCUMENTS: Final = """
-- One row for each version of a document that somebody may still see; one of them at the most is not gone.
CREATE TABLE documents (
    id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    gone INTEGER,
    crc INTEGER NOT NULL,
    text_crc INTEGER NOT NULL,
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    domain TEXT NOT NULL,
    metadata TEXT NOT NULL,
    pages TEXT NOT NULL,
    tables TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (id, generation)
)"""
DOCUMENTS_INDEXES: Final = """
CREATE UNIQUE INDEX documents_alive ON documents (id) WHERE gone IS NULL;
CREATE INDEX documents_source ON documents (source);
CREATE INDEX documents_gone ON documents (gone) WHERE gone IS NOT NULL"""

# A document stands where its file was found, or under its record's id: it lives as long as one place names it. One that
# was added without a place lives until it is deleted. Paths and names are digests, see kure_rag.ingest.places.
PLACES: Final = """
-- One file has a place for each folder that it was found through; all places of a key name the same document.
CREATE TABLE places (
    key TEXT NOT NULL,
    root TEXT NOT NULL,
    document_id TEXT NOT NULL,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (key, root)
) WITHOUT ROWID;
CREATE INDEX places_document ON places (document_id);
CREATE INDEX places_root ON places (root);
CREATE INDEX places_path ON places (path) WHERE path <> '';

-- What the user said of a document, and what its file says: documents holds the one laid over the other.
CREATE TABLE said (
    document_id TEXT PRIMARY KEY,
    crc INTEGER NOT NULL,
    said TEXT NOT NULL,
    read TEXT NOT NULL
) WITHOUT ROWID"""

DDL: Final = f"""
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
{DOCUMENTS};
{DOCUMENTS_INDEXES};
{PLACES};

-- A row number is never used again, so that a view can hold it in place of an id.
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    kind TEXT NOT NULL,
    generation INTEGER NOT NULL,
    gone INTEGER,
    crc INTEGER NOT NULL,
    terms_crc INTEGER NOT NULL,
    prev_id TEXT,
    next_id TEXT,
    pages TEXT NOT NULL,
    breadcrumb TEXT NOT NULL,
    metadata TEXT NOT NULL,
    lead TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL,
    terms TEXT NOT NULL,
    UNIQUE (id, generation),
    FOREIGN KEY (document_id, generation) REFERENCES documents (id, generation)
);
CREATE INDEX chunks_document ON chunks (document_id, generation, ordinal);
CREATE INDEX chunks_gone ON chunks (gone) WHERE gone IS NOT NULL;

-- Apart from the chunks, so that reading those does not drag the vectors along. float32, little-endian.
CREATE TABLE vectors (
    row INTEGER PRIMARY KEY REFERENCES chunks (row),
    crc INTEGER NOT NULL,
    vector BLOB NOT NULL
);

-- What a view has still to do. Emptied as the view catches up; whatever is left after a crash is done again.
CREATE TABLE pending (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    view TEXT NOT NULL,
    op TEXT NOT NULL CHECK (op IN ('add', 'delete')),
    row INTEGER NOT NULL,
    chunk_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    crc INTEGER NOT NULL
);
CREATE INDEX pending_view ON pending (view, seq);
"""
