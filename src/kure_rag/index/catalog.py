"""The catalog: documents, chunks, terms and vectors in SQLite, and what the views have still to do.

One transaction puts a document's chunks, vectors and pending operations; nothing else is ever the truth.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.codec import to_page, to_table
from kure_rag.errors import (
    IndexCorruptError,
    IndexNotFoundError,
    IndexPathError,
    IndexVersionError,
    KureIndexError,
)
from kure_rag.index.schema import DDL, MIGRATIONS, VERSION, VIEWS
from kure_rag.types import Chunk, Document, Domain, contextualized

Vectors = npt.NDArray[np.float32]
_FILE: Final = "catalog.sqlite3"
_MANY: Final = 900  # bound parameters in one statement; SQLite builds allow 999 at the least


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as a listing shows it."""

    id: str
    source: str
    title: str
    domain: Domain
    pages: int
    chunks: int


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk with its row number and its document's name."""

    row: int
    chunk: Chunk
    source: str
    title: str
    domain: Domain


@dataclass(frozen=True, slots=True)
class Pending:
    """One operation that a view has still to do."""

    seq: int
    op: str
    row: int
    chunk_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Keywords:
    """What the keyword view indexes of a chunk.

    Attributes:
        terms: Morphemes, made when the chunk was, in one string with spaces.
        text: The contextualized text.
    """

    terms: str
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """How far the catalog and each view are. Equal states answer equally."""

    generation: int
    applied: Mapping[str, int]
    epoch: int

    @property
    def visible(self) -> int:
        """The newest generation that every view holds whole."""
        return min(self.applied.values())


class Catalog:
    """The catalog of one index folder.

    Threads may share it: each has a connection of its own. Readers see whole transactions only.

    Args:
        folder: The index folder.
        create: Make folder and catalog where there are none.

    Raises:
        IndexNotFoundError: There is no catalog, and none was to be made.
        IndexPathError: The folder cannot be made or written.
        IndexVersionError: It was written by a newer version.
        IndexCorruptError: The file is no SQLite database, or a torn one.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self._file = folder / _FILE
        self._local = threading.local()
        self._open: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        self._closed = False
        if not self._has_tables():
            if not create:
                raise IndexNotFoundError(
                    f"{folder}: no index there; make one with `kure-rag ingest PATH --index {folder}`"
                )
            self._create()
        self._check_version()

    def _has_tables(self) -> bool:
        """Whether the catalog was ever finished: a crash while it was made leaves a file without tables."""
        return self._file.is_file() and bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'settings'"))

    def _create(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._transaction() as db:
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'settings'").fetchone():
                    for statement in DDL.split(";\n"):
                        db.execute(statement)
                    first = {
                        "version": VERSION,
                        "generation": 0,
                        "epoch": 0,
                        **{f"{key}.{v}": 0 for v in VIEWS for key in ("applied", "folder")},
                    }
                    db.executemany("INSERT INTO settings VALUES (?, ?)", [(k, json.dumps(v)) for k, v in first.items()])
        except (OSError, sqlite3.OperationalError) as error:
            raise IndexPathError(
                f"{self.folder}: the index folder cannot be made or written ({error}); "
                "choose another folder, or get the right to write there"
            ) from error

    def _check_version(self) -> None:
        version = self.get("version")
        if not isinstance(version, int):
            raise IndexCorruptError(
                f"{self._file}: the catalog has no version; restore it from a backup or ingest anew"
            )
        if version > VERSION:
            raise IndexVersionError(
                f"{self.folder}: written by a newer kure-rag (format {version}, this one reads up to {VERSION}); "
                "upgrade with `pip install -U kure-rag`"
            )
        if version < VERSION:
            self._migrate()

    def _migrate(self) -> None:
        """Brings a catalog of an older version up to this one, in one transaction; a second opener finds it done."""
        with self._transaction() as db:
            version = json.loads(db.execute("SELECT value FROM settings WHERE key = 'version'").fetchone()[0])
            for statement in (step for old in range(version, VERSION) for step in MIGRATIONS[old]):
                db.execute(statement)
            self._set(db, {"version": VERSION})

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if self._closed:
            raise KureIndexError(f"{self.folder}: this index object is closed; open the folder again")
        if db is None:
            db = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")  # an acknowledged file survives a power cut
            db.execute("PRAGMA foreign_keys=ON")
            self._local.db = db
            with self._guard:
                for thread in [thread for thread in self._open if not thread.is_alive()]:
                    self._open.pop(thread).close()
                self._open[threading.current_thread()] = db
        return db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and self._file.exists():
                raise IndexPathError(
                    f"{self._file}: cannot be written ({error}); make room or get the right to write there. "
                    "What was stored before is whole"
                ) from error
            raise

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise IndexPathError(f"{self._file}: cannot be read ({error})") from error
            raise IndexCorruptError(
                f"{self._file}: the catalog is damaged ({error}); restore it from a backup or ingest anew"
            ) from error

    def close(self) -> None:
        """Closes every thread's connection, for good."""
        with self._guard:
            self._closed = True
            for db in self._open.values():
                db.close()
            self._open.clear()

    # Settings and state

    def get(self, key: str) -> Any:
        """A setting, decoded from JSON; ``None`` where there is none."""
        rows = self._rows("SELECT value FROM settings WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else None

    def set(self, **values: Any) -> None:
        """Stores settings as JSON, all in one transaction."""
        with self._transaction() as db:
            self._set(db, values)

    @staticmethod
    def _set(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
        rows = [(key, json.dumps(value, ensure_ascii=False, sort_keys=True)) for key, value in values.items()]
        db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)

    def state(self) -> State:
        """Generation of the catalog and of each view."""
        found = dict(
            self._rows("SELECT key, value FROM settings WHERE key IN ('generation', 'epoch') OR key LIKE 'applied.%'")
        )
        applied = {view: int(found[f"applied.{view}"]) for view in VIEWS}
        return State(int(found["generation"]), applied, int(found["epoch"]))

    # Writing

    def add(self, document: Document, chunks: Sequence[Chunk], terms: Sequence[Sequence[str]], vectors: Vectors) -> int:
        """Puts a document with its chunks, terms and vectors in one transaction.

        Args:
            document: Not yet in the catalog.
            chunks: Its chunks in order.
            terms: Index terms of each chunk; none may hold white space.
            vectors: Shape (len(chunks), dimension).

        Returns:
            The new generation.
        """
        with self._transaction() as db:
            return self._add_one(db, document, chunks, terms, vectors)

    def add_many(self, items: Iterable[tuple[Document, Sequence[Chunk], Sequence[Sequence[str]], Vectors]]) -> int:
        """Puts several documents in one transaction, each with a generation of its own; returns the last."""
        with self._transaction() as db:
            generation = self._generation(db)
            for item in items:
                generation = self._add_one(db, *item)
            return generation

    def _add_one(
        self,
        db: sqlite3.Connection,
        document: Document,
        chunks: Sequence[Chunk],
        terms: Sequence[Sequence[str]],
        vectors: Vectors,
    ) -> int:
        generation = self._generation(db) + 1
        db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*_document_values(document), generation)
        )
        for chunk, words, vector in zip(chunks, terms, vectors, strict=True):
            row = db.execute(
                "INSERT INTO chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*_chunk_values(chunk), " ".join(words), generation, chunk.lead),
            ).lastrowid
            db.execute("INSERT INTO vectors VALUES (?, ?)", (row, np.asarray(vector, "<f4").tobytes()))
            self._owe(db, "add", [(row, chunk.id)], generation)
        self._set(db, {"generation": generation})
        return generation

    def delete(self, document_ids: Sequence[str]) -> int:
        """Removes documents with all their chunks in one transaction; returns the new generation."""
        with self._transaction() as db:
            generation = self._generation(db) + 1
            for document_id in document_ids:
                rows = db.execute("SELECT row, id FROM chunks WHERE document_id = ?", (document_id,)).fetchall()
                self._owe(db, "delete", rows, generation)
                db.executemany("DELETE FROM vectors WHERE row = ?", [(row,) for row, _ in rows])
                db.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
                db.execute("DELETE FROM documents WHERE id = ?", (document_id,))
            self._set(db, {"generation": generation})
            return generation

    @staticmethod
    def _owe(db: sqlite3.Connection, op: str, rows: Sequence[tuple[Any, str]], generation: int) -> None:
        db.executemany(
            "INSERT INTO pending VALUES (NULL, ?, ?, ?, ?, ?)",
            [(view, op, row, chunk_id, generation) for row, chunk_id in rows for view in VIEWS],
        )

    @staticmethod
    def _generation(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT value FROM settings WHERE key = 'generation'").fetchone()[0])

    # What the views have to do

    def pending(self, view: str, limit: int) -> list[Pending]:
        """The oldest operations a view has still to do."""
        sql = "SELECT seq, op, row, chunk_id, generation FROM pending WHERE view = ? ORDER BY seq LIMIT ?"
        return [Pending(*row) for row in self._rows(sql, (view, limit))]

    def pending_count(self, view: str) -> int:
        """How many operations a view has still to do."""
        return int(self._rows("SELECT count(*) FROM pending WHERE view = ?", (view,))[0][0])

    def mark_applied(self, view: str, seq: int, **settings: Any) -> None:
        """Strikes a view's operations up to ``seq``; with none left the view stands at the catalog's generation."""
        with self._transaction() as db:
            db.execute("DELETE FROM pending WHERE view = ? AND seq <= ?", (view, seq))
            left = db.execute("SELECT min(generation) FROM pending WHERE view = ?", (view,)).fetchone()[0]
            self._set(db, {f"applied.{view}": self._generation(db) if left is None else left - 1, **settings})

    def mark_rebuilt(self, view: str, **settings: Any) -> None:
        """Says that a view was made anew from the whole catalog: readers have to open it again."""
        with self._transaction() as db:
            db.execute("DELETE FROM pending WHERE view = ?", (view,))
            epoch = int(db.execute("SELECT value FROM settings WHERE key = 'epoch'").fetchone()[0]) + 1
            self._set(db, {f"applied.{view}": self._generation(db), "epoch": epoch, **settings})

    # Reading

    def has_document(self, document_id: str) -> bool:
        """Whether a document with this id is there."""
        return bool(self._rows("SELECT 1 FROM documents WHERE id = ?", (document_id,)))

    def document(self, document_id: str) -> Document | None:
        """A document with its text, or ``None``."""
        sql = "SELECT id, source, title, domain, text, pages, tables, metadata FROM documents WHERE id = ?"
        rows = self._rows(sql, (document_id,))
        return _document(rows[0]) if rows else None

    def documents(self) -> Iterator[DocumentRow]:
        """Every document, by source and id."""
        sql = """SELECT d.id, d.source, d.title, d.domain, json_array_length(d.pages),
                 (SELECT count(*) FROM chunks c WHERE c.document_id = d.id) FROM documents d ORDER BY d.source, d.id"""
        return (DocumentRow(*row) for row in self._rows(sql))

    def find_documents(self, name: str) -> list[str]:
        """Ids of the documents with this id or source."""
        return [row[0] for row in self._rows("SELECT id FROM documents WHERE id = ? OR source = ?", (name, name))]

    def counts(self) -> tuple[int, int]:
        """Numbers of documents and chunks."""
        documents, chunks = self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM chunks)")[0]
        return documents, chunks

    def fetch(self, rows: Sequence[int], visible: int) -> dict[int, StoredChunk]:
        """Chunks by row number, without those newer than the generation that all views hold."""
        sql = """SELECT c.row, c.id, c.document_id, c.ordinal, c.start, c."end", c.text, c.pages, c.breadcrumb, c.kind,
                 c.prev_id, c.next_id, c.metadata, c.lead, d.source, d.title, d.domain
                 FROM chunks c JOIN documents d ON d.id = c.document_id WHERE c.generation <= ? AND c.row IN ({})"""
        found = (row for part in _parts(rows) for row in self._rows(sql.format(_marks(part)), (visible, *part)))
        return {row[0]: StoredChunk(row[0], _chunk(row[1:14]), *row[14:]) for row in found}

    def ids(self, rows: Sequence[int]) -> dict[int, str]:
        """Chunk ids by row number."""
        sql = "SELECT row, id FROM chunks WHERE row IN ({})"
        return {row: id_ for part in _parts(rows) for row, id_ in self._rows(sql.format(_marks(part)), part)}

    def rows_of(self, chunk_ids: Sequence[str]) -> dict[str, int]:
        """Row numbers by chunk id."""
        sql = "SELECT id, row FROM chunks WHERE id IN ({})"
        return {id_: row for part in _parts(chunk_ids) for id_, row in self._rows(sql.format(_marks(part)), part)}

    def vectors(self, rows: Sequence[int]) -> tuple[list[int], Vectors]:
        """Row numbers that have a vector, ascending, and the vectors in that order."""
        sql = "SELECT row, vector FROM vectors WHERE row IN ({})"
        found = sorted((row, blob) for part in _parts(rows) for row, blob in self._rows(sql.format(_marks(part)), part))
        return [row for row, _ in found], _matrix([blob for _, blob in found])

    def keywords(self, rows: Sequence[int]) -> dict[int, Keywords]:
        """What the keyword view indexes, by row number."""
        sql = "SELECT row, terms, breadcrumb, text, lead FROM chunks WHERE row IN ({})"
        found = (row for part in _parts(rows) for row in self._rows(sql.format(_marks(part)), part))
        return {
            row: Keywords(terms, contextualized(json.loads(crumb), text, lead))
            for row, terms, crumb, text, lead in found
        }

    def matching(self, condition: str, parameters: Sequence[object]) -> list[int]:
        """Row numbers for which a condition made by :mod:`kure_rag.index.where` holds, ascending."""
        sql = f"SELECT c.row FROM chunks c JOIN documents d ON d.id = c.document_id WHERE {condition} ORDER BY c.row"
        return [row[0] for row in self._rows(sql, parameters)]

    def all_rows(self) -> list[tuple[int, str]]:
        """Row number and id of every chunk, ascending."""
        return [(row, id_) for row, id_ in self._rows("SELECT row, id FROM chunks ORDER BY row")]

    def chunks_of(self, document_id: str) -> list[StoredChunk]:
        """All chunks of a document, in order."""
        rows = self._rows("SELECT row FROM chunks WHERE document_id = ? ORDER BY ordinal", (document_id,))
        found = self.fetch([row[0] for row in rows], self.state().generation)
        return [found[row[0]] for row in rows]

    def integrity(self) -> list[str]:
        """What SQLite itself and the offsets say is wrong; empty for a sound catalog."""
        problems = [f"catalog: {row[0]}" for row in self._rows("PRAGMA quick_check") if row[0] != "ok"]
        sql = """SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id
                 WHERE substr(d.text, c.start + 1, c."end" - c.start) <> c.text LIMIT 10"""
        problems += [f"catalog: chunk {row[0][:12]} is not its document's text" for row in self._rows(sql)]
        lone = self._rows("SELECT count(*) FROM chunks WHERE row NOT IN (SELECT row FROM vectors)")[0][0]
        return problems + ([f"catalog: {lone} chunks have no vector"] if lone else [])


def _parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for i in range(0, len(keys), _MANY):
        yield keys[i : i + _MANY]


def _marks(keys: Sequence[Any]) -> str:
    return ",".join("?" * len(keys))


def _matrix(blobs: Sequence[bytes]) -> Vectors:
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), -1).astype(np.float32, copy=False)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _document_values(d: Document) -> tuple[object, ...]:
    pages, tables = [asdict(p) for p in d.pages], [asdict(t) for t in d.tables]
    return (d.id, d.source, d.title, d.domain, d.text, _json(pages), _json(tables), _json(dict(d.metadata)))


def _document(row: Sequence[Any]) -> Document:
    pages = tuple(to_page(page) for page in json.loads(row[5]))
    tables = tuple(to_table(table) for table in json.loads(row[6]))
    id_, source, title, domain, text = row[:5]
    return Document(id_, source, title, domain, text, pages, tables, json.loads(row[7]))


def _chunk_values(c: Chunk) -> tuple[object, ...]:
    place = (c.id, c.document_id, c.ordinal, c.start, c.end, c.text)
    return (*place, _json(c.pages), _json(c.breadcrumb), c.kind, c.prev_id, c.next_id, _json(dict(c.metadata)))


def _chunk(row: Sequence[Any]) -> Chunk:
    id_, document_id, ordinal, start, end, text, pages, breadcrumb, kind, prev_id, next_id, metadata, lead = row
    return Chunk(
        id=id_,
        document_id=document_id,
        text=text,
        start=start,
        end=end,
        pages=tuple(json.loads(pages)),
        breadcrumb=tuple(json.loads(breadcrumb)),
        kind=kind,
        ordinal=ordinal,
        prev_id=prev_id,
        next_id=next_id,
        lead=lead,
        metadata=json.loads(metadata),
    )
