"""What the catalog keeps of the user's word on documents, apart from what their files say."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

from kure_rag.index.catalog_places import CatalogPlaces
from kure_rag.index.rows import checksum, to_json
from kure_rag.index.said import Said
from kure_rag.types import Document


class CatalogSaid(CatalogPlaces):
    """Reads and writes the table ``said``; ``documents`` holds what comes of it."""

    def said(self, document_id: str) -> Said | None:
        """What the user said of a document; ``None`` where its file alone speaks."""
        found = self._said(document_id)
        return Said(**json.loads(found[0])) if found else None

    def said_at(self, key: str, path: str = "", *, but: str = "") -> Said | None:
        """What the user said of the document that goes when a new version takes its place; it is said of that then.

        Args:
            key: See :class:`~kure_rag.index.rows.NewDocument`.
            path: See there.
            but: Id of a document that does not go.
        """
        leaving = (id_ for id_ in self._leaving_from(key, path) if id_ != but)
        return next(filter(None, map(self.said, leaving)), None)

    def _said(self, document_id: str) -> tuple[str, str] | None:
        rows = self._rows("SELECT document_id, said, read, crc FROM said WHERE document_id = ?", (document_id,))
        if not rows:
            return None
        if checksum(*rows[0][:3]) != rows[0][3]:
            raise self._damaged(f"what was said of document {document_id} does not have its checksum")
        return rows[0][1], rows[0][2]

    def _as_read(self, document: Document) -> Document:
        """A document as its file says it, from what is shown."""
        found = self._said(document.id)
        return replace(document, **json.loads(found[1])) if found else document

    @staticmethod
    def _put_said(db: sqlite3.Connection, read: Document, said: Said | None) -> Document:
        """Stores what is said of a document, beside what its file says.

        Returns:
            The document as it is to be shown.
        """
        if said is None or said == Said():
            db.execute("DELETE FROM said WHERE document_id = ?", (read.id,))
            return read
        users = {"title": said.title, "domain": said.domain, "metadata": dict(said.metadata), "replace": said.replace}
        files = {"title": read.title, "domain": read.domain, "metadata": dict(read.metadata)}
        values = (read.id, to_json(users), to_json(files))
        db.execute(
            "INSERT OR REPLACE INTO said (document_id, said, read, crc) VALUES (?, ?, ?, ?)",
            (*values, checksum(*values)),
        )
        return said.over(read)
