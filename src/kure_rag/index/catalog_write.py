"""What changes a catalog. Each change is one transaction and, where searches see it, a new generation."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as with_fields
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from kure_rag.errors import KureIndexError, MetadataError
from kure_rag.index.catalog_said import CatalogSaid
from kure_rag.index.fields import drop_document_fields, drop_fields, write_all, write_document_fields
from kure_rag.index.rows import (
    BODY_COLUMNS,
    CHUNK_COLUMNS,
    CHUNK_WIDTH,
    HEAD_COLUMNS,
    NewDocument,
    Standing,
    Vectors,
    checksum,
    checksum_gone,
    checksum_vector,
    chunk_values,
    document_body,
    document_head,
)
from kure_rag.index.said import GROUP_FIELD, Said
from kure_rag.index.schema import VIEWS
from kure_rag.types import Chunk, Document, Domain

_INSERT_DOCUMENT: Final = (
    f"INSERT INTO documents ({HEAD_COLUMNS}, crc, {BODY_COLUMNS}, text_crc) VALUES ({', '.join('?' * 11)})"
)
_INSERT_CHUNK: Final = (
    f"INSERT INTO chunks ({CHUNK_COLUMNS}, crc, terms, terms_crc) VALUES ({', '.join('?' * (CHUNK_WIDTH + 3))})"
)
_OWE: Final = "INSERT INTO pending (view, op, row, chunk_id, generation, crc) VALUES (?, ?, ?, ?, ?, ?)"


class CatalogWriter(CatalogSaid):
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
        path: str = "",
    ) -> int:
        """:meth:`add_many` for one document."""
        return self.add_many([NewDocument(document, chunks, terms, vectors, key, root, path)])

    def add_many(self, items: Iterable[NewDocument | tuple[Any, ...]], *, together: bool = False) -> int:
        """Puts documents with their chunks, terms and vectors in one transaction, each in a generation of its own.

        Each takes the places of its file or record over from the documents that stood there. In the same generation
        these are gone, if no other place names them, and what the user said of them is said of it. So is an older
        document with the same id.

        Args:
            items: Documents.
            together: All in one generation: no search sees a part of them. No id may occur twice, then.

        Returns:
            The last generation.
        """
        with self._transaction() as db:
            generation = self._number(db, "generation")
            added = []
            for i, item in enumerate(items):
                generation += 0 if together and i else 1
                new = item if isinstance(item, NewDocument) else NewDocument(*item)
                added.append((*self._add_one(db, new, generation), new.chunks))
            write_all(db, added)
            self._settle(db, generation)
            return generation

    def _add_one(self, db: sqlite3.Connection, item: NewDocument, generation: int) -> tuple[Document, range]:
        id_ = item.document.id
        place = Standing(item.key, item.root, id_, item.document.source, item.path)
        said = self.said(id_) or self.said_at(item.key, item.path, but=id_)
        if self.has_document(id_):
            self._keep_alone(db, place)
            self._leave(db, [id_], generation)
        document = self._put_said(db, item.document, said)
        head, body = document_head(document, generation), document_body(document)
        db.execute(_INSERT_DOCUMENT, (*head, checksum(*head), *body, checksum(*body)))
        if item.key:
            stood = self._stand(db, place)
            self._let_go(db, [other for other in stood if other.document_id != id_], generation)

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
        return document, range(first, first + len(chunks))

    def delete(self, document_ids: Sequence[str]) -> int:
        """Lets documents go with all their chunks, in one generation; ids that are not there are passed over.

        The rows stay for searches that read at an older generation, until :meth:`purge`.

        Returns:
            The new generation.
        """
        with self._transaction() as db:
            generation = self._number(db, "generation") + 1
            self._forget(db, list(dict.fromkeys(document_ids)), generation)
            self._settle(db, generation)
            return generation

    def settle_places(
        self,
        standing: Iterable[Standing] = (),
        *,
        left: Iterable[Standing] = (),
        gone: Iterable[Standing] = (),
    ) -> dict[str, str]:
        """Says where documents stand now, all at once: files may have been renamed, copied and exchanged.

        Documents that stood somewhere and stand nowhere after all of this are gone, in one generation. What the user
        said of them is said of those that stand in their places, where nothing was said of these. One whose source is
        no longer the name of a file that holds it gets the name of one that does.

        Args:
            standing: Places with their documents, which are in the catalog. Other places of the same file follow. With
                an empty key: the document lives until it is deleted, wherever else it stands.
            left: Places that are given up although the file may still be there.
            gone: Places whose file is not there any more: other places of the same file go with them.

        Returns:
            Source by id of the documents that went.

        Raises:
            KeyError: There is no such document.
        """
        with self._transaction() as db:
            standing, stood = list(standing), list[Standing]()
            for place in standing:
                if not self.has_document(place.document_id):
                    raise KeyError(place.document_id)
                self._keep_alone(db, place)
            for place in standing:
                stood += self._stand(db, place) if place.key else []
            stood += self._drop_places(db, left, whole=False) + self._drop_places(db, gone, whole=True)
            generation = self._number(db, "generation") + 1
            went, renamed = self._let_go(db, stood, generation)
            if went or renamed:
                self._settle(db, generation)
            return went

    def set_place(self, document_id: str, *, key: str, root: str = "") -> None:
        """Gives a document one place, instead of all that it has.

        Args:
            document_id: Which.
            key: See :class:`~kure_rag.index.rows.NewDocument`.
            root: See there.

        Raises:
            KeyError: There is no such document.
        """
        with self._transaction() as db:
            place = Standing(key, root, document_id, self._alive(document_id).source)
            self._drop_places(db, self.places_of(document_id), whole=False)
            generation = self._number(db, "generation") + 1
            if self._let_go(db, self._stand(db, place), generation)[0]:
                self._settle(db, generation)

    def _keep_alone(self, db: sqlite3.Connection, place: Standing) -> None:
        """Before a document that is there comes to a place: if it was added without one, or is now, that still holds.

        A file that stands nowhere is one of an index from before there were places: it follows its file from now on.
        """
        is_file = bool(place.root or place.path)
        if not is_file and bool(place.key) != self.has_place(place.document_id):
            self._stand_alone(db, place.document_id, self._source(place.document_id))

    def _source(self, document_id: str) -> str:
        found = self._rows("SELECT source FROM documents WHERE id = ? AND gone IS NULL", (document_id,))
        if not found:
            raise self._damaged(f"document {document_id} stands somewhere and is not there")
        return str(found[0][0])

    def _let_go(
        self, db: sqlite3.Connection, stood: Sequence[Standing], generation: int
    ) -> tuple[dict[str, str], list[str]]:
        """Lets documents go that stand nowhere any more, and names the others by a file that holds them.

        Args:
            db: In a transaction.
            stood: Where documents stood before.
            generation: The new one.

        Returns:
            Source by id of those that went, and ids of those with a new name.
        """
        went, renamed = {}, []
        for id_ in sorted({place.document_id for place in stood}):
            places, source = self.places_of(id_), self._source(id_)
            if not places:
                went[id_] = source
            elif all(place.source != source for place in places):
                self._rename(db, id_, min(places, key=lambda place: place.source), generation)
                renamed.append(id_)
        for id_ in went:
            self._hand_on(db, id_, [place.key for place in stood if place.document_id == id_], generation)
        self._forget(db, list(went), generation)
        return went, renamed

    def _rename(self, db: sqlite3.Connection, document_id: str, place: Standing, generation: int) -> None:
        """Names a document by a file that holds it, also in a title that was taken from the name of the one before."""
        shown = self._alive(document_id)
        read = self._as_read(shown)
        if place.path and read.title == PurePath(shown.source).stem and not _has_line(read.text, read.title):
            read = with_fields(read, title=PurePath(place.source).stem)
        shown = self._put_said(db, with_fields(read, source=place.source), self.said(document_id))
        self._say(db, shown, generation)

    def _hand_on(self, db: sqlite3.Connection, document_id: str, keys: Iterable[str], generation: int) -> None:
        """What the user said of a document that goes: those in its places have it, unless they have words of their own.

        Args:
            db: In a transaction.
            document_id: Which goes.
            keys: Where it stood.
            generation: The new one.
        """
        said = self.said(document_id)
        for heir in sorted({heir for key in keys for heir in self.by_key(key)}) if said else ():
            if self.said(heir) is None:
                self._say(db, self._put_said(db, self._alive(heir), said), generation)

    def _forget(self, db: sqlite3.Connection, document_ids: Sequence[str], generation: int) -> None:
        """Lets documents go, with their places and what was said of them."""
        self._leave(db, document_ids, generation)
        for table in ("places", "said"):
            db.executemany(f"DELETE FROM {table} WHERE document_id = ?", [(id_,) for id_ in document_ids])

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
        """Changes what is said about a document, in a new generation. What its file says is kept beside it.

        Of the views only a Chroma collection that holds texts too has something to do.

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
            MetadataError: A value cannot be stored; names it.
        """
        said = Said(title=title, domain=domain, metadata={} if metadata is None else metadata, replace=replace)
        said.check()
        if GROUP_FIELD in said.metadata:
            raise MetadataError(GROUP_FIELD, "is the index's own name; put the entry again to give it another group")
        with self._transaction() as db:
            read = self._as_read(self._alive(document_id))
            generation = self._number(db, "generation") + 1
            shown = self._put_said(db, read, (self.said(document_id) or Said()).then(said))
            self._say(db, shown, generation)
            self._settle(db, generation)
            return generation

    def _say(self, db: sqlite3.Connection, document: Document, generation: int) -> None:
        """Changes what a document shows, and the filters and the collection that hold it too."""
        drop_document_fields(db, [document.id])
        [born] = db.execute("SELECT generation FROM documents WHERE id = ? AND gone IS NULL", (document.id,)).fetchone()
        head = document_head(document, born)
        db.execute(
            "UPDATE documents SET source = ?, title = ?, domain = ?, metadata = ?, crc = ? "
            "WHERE id = ? AND generation = ?",
            (*head[2:], checksum(*head), document.id, born),
        )
        write_document_fields(db, document)
        if (self.get("dense") or {}).get("chroma_text"):
            rows = db.execute("SELECT row, id FROM chunks WHERE document_id = ? AND gone IS NULL", (document.id,))
            self._owe(db, "add", rows.fetchall(), generation, ("dense",))

    def _alive(self, document_id: str) -> Document:
        document = self.document(document_id)
        if document is None:
            raise KeyError(document_id)
        return document

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
            self._made_anew(db, view, settings)

    def _made_anew(self, db: sqlite3.Connection, view: str, settings: Mapping[str, Any]) -> None:
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
    def _owe(
        db: sqlite3.Connection,
        op: str,
        rows: Sequence[tuple[int, str]],
        generation: int,
        views: Sequence[str] = VIEWS,
    ) -> None:
        operations = ((view, op, row, id_, generation) for row, id_ in rows for view in views)
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


def _has_line(text: str, title: str) -> bool:
    """Whether a title that is also the file's name was printed in the file."""
    return any(" ".join(line.split()) == title for line in text.splitlines())
