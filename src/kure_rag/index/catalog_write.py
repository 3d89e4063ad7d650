"""What changes a catalog. Each change is one transaction and, where searches see it, a new generation."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as with_fields
from typing import Any, Final

import numpy as np

from kure_rag.errors import KureIndexError
from kure_rag.index.catalog_read import CatalogReader
from kure_rag.index.fields import drop_document_fields, drop_fields, write_all, write_document_fields
from kure_rag.index.rows import (
    BODY_COLUMNS,
    CHUNK_COLUMNS,
    CHUNK_WIDTH,
    HEAD_COLUMNS,
    NewDocument,
    Vectors,
    checksum,
    checksum_gone,
    checksum_vector,
    chunk_values,
    document_body,
    document_head,
)
from kure_rag.index.schema import VIEWS
from kure_rag.types import Chunk, Document, Domain

_INSERT_DOCUMENT: Final = (
    f"INSERT INTO documents ({HEAD_COLUMNS}, crc, {BODY_COLUMNS}, text_crc) VALUES ({', '.join('?' * 13)})"
)
_INSERT_CHUNK: Final = (
    f"INSERT INTO chunks ({CHUNK_COLUMNS}, crc, terms, terms_crc) VALUES ({', '.join('?' * (CHUNK_WIDTH + 3))})"
)
_OWE: Final = "INSERT INTO pending (view, op, row, chunk_id, generation, crc) VALUES (?, ?, ?, ?, ?, ?)"


class CatalogWriter(CatalogReader):
    """Writing methods. The caller holds the writer's lock of the folder."""

    def add(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        terms: Sequence[Sequence[str]],
        vectors: Vectors,
        *,
        key: str = "",
        root: str = "",
    ) -> int:
        """:meth:`add_many` for one document."""
        return self.add_many([NewDocument(document, chunks, terms, vectors, key, root)])

    def add_many(self, items: Iterable[NewDocument | tuple[Any, ...]]) -> int:
        """Puts documents with their chunks, terms and vectors in one transaction, each in a generation of its own.

        In the same generation the documents that were there with its key, or with its id, are gone.

        Returns:
            The last generation.
        """
        with self._transaction() as db:
            generation = self._number(db, "generation")
            added = []
            for item in items:
                generation += 1
                new = item if isinstance(item, NewDocument) else NewDocument(*item)
                added.append((new.document, self._add_one(db, new, generation), new.chunks))
            write_all(db, added)
            self._settle(db, generation)
            return generation

    def _add_one(self, db: sqlite3.Connection, item: NewDocument, generation: int) -> range:
        old = "SELECT id FROM documents WHERE gone IS NULL AND (id = ? OR (key <> '' AND key = ?))"
        self._leave(db, [row[0] for row in db.execute(old, (item.document.id, item.key)).fetchall()], generation)
        head = document_head(item.document, generation, item.key, item.root)
        body = document_body(item.document)
        db.execute(_INSERT_DOCUMENT, (*head, checksum(*head), *body, checksum(*body)))

        last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
        first = (last[0] if last else 0) + 1
        chunks, vectors, owed = [], [], []
        for row, (chunk, terms, vector) in enumerate(zip(item.chunks, item.terms, item.vectors, strict=True), first):
            values = chunk_values(chunk, row, generation)
            joined = " ".join(terms)
            blob = np.asarray(vector, "<f4").tobytes()
            chunks.append((*values, checksum(*values), joined, checksum(row, joined)))
            vectors.append((row, checksum_vector(row, blob), blob))
            owed.append((row, chunk.id))
        db.executemany(_INSERT_CHUNK, chunks)
        db.executemany("INSERT INTO vectors (row, crc, vector) VALUES (?, ?, ?)", vectors)
        self._owe(db, "add", owed, generation)
        self._count(db, 1, len(chunks))
        return range(first, first + len(chunks))

    def delete(self, document_ids: Sequence[str]) -> int:
        """Lets documents go with all their chunks, in one generation; ids that are not there are passed over.

        The rows stay for searches that read at an older generation, until :meth:`purge`.

        Returns:
            The new generation.
        """
        with self._transaction() as db:
            generation = self._number(db, "generation") + 1
            self._leave(db, list(dict.fromkeys(document_ids)), generation)
            self._settle(db, generation)
            return generation

    def _leave(self, db: sqlite3.Connection, document_ids: Sequence[str], generation: int) -> None:
        for document_id in document_ids:
            found = db.execute(
                "SELECT generation, crc FROM documents WHERE id = ? AND gone IS NULL", (document_id,)
            ).fetchone()
            if found is None:
                continue
            born, crc = found
            self._check_numbers(crc)
            db.execute(
                "UPDATE documents SET gone = ?, crc = ? WHERE id = ? AND generation = ?",
                (generation, checksum_gone(crc, generation), document_id, born),
            )
            rows = db.execute(
                "SELECT row, id, crc FROM chunks WHERE document_id = ? AND generation = ?", (document_id, born)
            ).fetchall()
            self._check_numbers(*(crc for _, _, crc in rows))
            db.executemany(
                "UPDATE chunks SET gone = ?, crc = ? WHERE row = ?",
                [(generation, checksum_gone(crc, generation), row) for row, _, crc in rows],
            )
            self._owe(db, "delete", [(row, id_) for row, id_, _ in rows], generation)
            self._count(db, -1, -len(rows))

    def _check_numbers(self, *values: object) -> None:
        """Of columns that are carried on unread."""
        if not all(isinstance(value, int) for value in values):
            raise self._damaged("a checksum is no number")

    def set_metadata(
        self,
        document_id: str,
        *,
        title: str | None = None,
        domain: Domain | None = None,
        metadata: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> int:
        """Changes what is said about a document, in a new generation. No view has anything to do.

        Args:
            document_id: Which.
            title: A new title.
            domain: A new domain.
            metadata: Keys to set; a key set to ``None`` is removed.
            replace: Drop all keys that are not in ``metadata``.

        Returns:
            The new generation.

        Raises:
            KeyError: There is no such document.
        """
        with self._transaction() as db:
            document = self._alive(document_id)
            merged = {**({} if replace else document.metadata), **(metadata or {})}
            changed = with_fields(
                document,
                title=document.title if title is None else title,
                domain=document.domain if domain is None else domain,
                metadata={name: value for name, value in merged.items() if value is not None},
            )
            sql = "SELECT key, root FROM documents WHERE id = ? AND gone IS NULL"
            return self._say(db, changed, *db.execute(sql, (document_id,)).fetchone())

    def _say(self, db: sqlite3.Connection, document: Document, key: str, root: str) -> int:
        """What is said about a document, in a new generation."""
        drop_document_fields(db, [document.id])
        self._rewrite_head(db, document, key, root)
        write_document_fields(db, document)
        generation = self._number(db, "generation") + 1
        self._settle(db, generation)
        return generation

    def set_place(self, document_id: str, *, key: str, root: str, source: str | None = None) -> None:
        """Says what a later version of a document replaces it by, and which folder it is synchronised with.

        Args:
            document_id: Which.
            key: See :class:`~kure_rag.index.rows.NewDocument`.
            root: See there.
            source: A new name of its source, if it has one: in a new generation, since searches show it.

        Raises:
            KeyError: There is no such document.
        """
        with self._transaction() as db:
            document = self._alive(document_id)
            if source is None or source == document.source:
                self._rewrite_head(db, document, key, root)
            else:
                self._say(db, with_fields(document, source=source), key, root)

    def _alive(self, document_id: str) -> Document:
        document = self.document(document_id)
        if document is None:
            raise KeyError(document_id)
        return document

    @staticmethod
    def _rewrite_head(db: sqlite3.Connection, document: Document, key: str, root: str) -> None:
        [born] = db.execute("SELECT generation FROM documents WHERE id = ? AND gone IS NULL", (document.id,)).fetchone()
        head = document_head(document, born, key, root)
        db.execute(
            "UPDATE documents SET source = ?, title = ?, domain = ?, key = ?, root = ?, metadata = ?, crc = ? "
            "WHERE id = ? AND generation = ?",
            (*head[2:], checksum(*head), document.id, born),
        )

    def purge(self, generation: int) -> int:
        """Removes for good what went in a generation or before it, as far as all views have applied that.

        Returns:
            How many chunks were removed.
        """
        with self._transaction() as db:
            generation = min(generation, *(self._number(db, f"applied.{view}") for view in VIEWS))
            rows = [row for (row,) in db.execute("SELECT row FROM chunks WHERE gone <= ?", (generation,)).fetchall()]
            drop_fields(db, rows)
            db.executemany("DELETE FROM vectors WHERE row = ?", [(row,) for row in rows])
            db.execute("DELETE FROM chunks WHERE gone <= ?", (generation,))
            db.execute("DELETE FROM documents WHERE gone <= ?", (generation,))
            return len(rows)

    # What the views have to do

    def mark_applied(self, view: str, seq: int, **settings: Any) -> None:
        """Strikes a view's operations up to ``seq``; with none left the view stands at the catalog's generation."""
        with self._transaction() as db:
            db.execute("DELETE FROM pending WHERE view = ? AND seq <= ?", (view, seq))
            left = db.execute("SELECT min(generation) FROM pending WHERE view = ?", (view,)).fetchone()[0]
            self._set(db, {f"applied.{view}": self._number(db, "generation") if left is None else left - 1, **settings})

    def mark_rebuilt(self, view: str, **settings: Any) -> None:
        """Says that a view was made anew from the whole catalog: readers have to open it again."""
        with self._transaction() as db:
            db.execute("DELETE FROM pending WHERE view = ?", (view,))
            db.execute("DELETE FROM settings WHERE key = ?", (f"stale.{view}",))
            epoch = self._number(db, "epoch") + 1
            self._set(db, {f"applied.{view}": self._number(db, "generation"), "epoch": epoch, **settings})

    def mark_stale(self, *views: str) -> None:
        """Says that views have to be made anew before they are used: all of them where none is named."""
        with self._transaction() as db:
            for view in views or VIEWS:
                db.execute("DELETE FROM pending WHERE view = ?", (view,))
                self._set(db, {f"stale.{view}": True, f"applied.{view}": self._number(db, "generation")})

    @staticmethod
    def _owe(db: sqlite3.Connection, op: str, rows: Sequence[tuple[int, str]], generation: int) -> None:
        operations = ((view, op, row, id_, generation) for row, id_ in rows for view in VIEWS)
        db.executemany(_OWE, [(*operation, checksum(*operation)) for operation in operations])

    def _settle(self, db: sqlite3.Connection, generation: int) -> None:
        """Puts the generation down; a view that owes nothing is at it."""
        owing = {view for (view,) in db.execute("SELECT DISTINCT view FROM pending").fetchall()}
        self._set(
            db, {"generation": generation, **{f"applied.{view}": generation for view in VIEWS if view not in owing}}
        )

    def _count(self, db: sqlite3.Connection, documents: int, chunks: int) -> None:
        self._set(
            db,
            {
                "count.documents": self._number(db, "count.documents") + documents,
                "count.chunks": self._number(db, "count.chunks") + chunks,
            },
        )

    def vacuum(self) -> None:
        """Gives the room of purged rows back to the disk. Needs as much room again while it runs."""
        if self._db.in_transaction:
            raise KureIndexError(f"{self._file}: cannot be compacted within a snapshot; leave it first")
        with self._explained("written"):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
