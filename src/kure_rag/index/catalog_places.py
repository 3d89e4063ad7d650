"""Where documents stand: the file or record that a later version replaces them by, and the folders it was found in.

A document lives as long as one place names it. A file that lies in two folders has a place in each; one that was found
through two folders, or through a folder and by its own name, has a place for each way, and those are one: what becomes
of the file becomes of all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from kure_rag.index.catalog_read import CatalogReader
from kure_rag.index.rows import PLACE_COLUMNS, PLACE_WIDTH, Standing, checksum

_INSERT: Final = f"INSERT OR REPLACE INTO places ({PLACE_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?)"


class CatalogPlaces(CatalogReader):
    """What a catalog knows of places, each row checked against its checksum."""

    def places(self, root: str | None = None) -> list[Standing]:
        """The places of one folder, or all, by key and folder."""
        return self._places() if root is None else self._places("root = ?", (root,))

    def places_of(self, document_id: str) -> list[Standing]:
        """Where a document stands, by key and folder."""
        return self._places("document_id = ?", (document_id,))

    def keys(self, root: str | None = None) -> dict[str, str]:
        """Key → id of the document that stands there; of one folder, or of all."""
        return {place.key: place.document_id for place in self.places(root)}

    def by_key(self, key: str, path: str = "") -> list[str]:
        """Ids of the documents that a new version at a place would take the place of; none for the empty key.

        Args:
            key: See :class:`~kure_rag.index.rows.NewDocument`.
            path: See there.
        """
        return list(dict.fromkeys(place.document_id for place in self._same(key, path))) if key else []

    def has_place(self, document_id: str) -> bool:
        """Whether a document stands anywhere."""
        return bool(self._rows("SELECT 1 FROM places WHERE document_id = ? LIMIT 1", (document_id,)))

    def _places(self, condition: str = "1", bound: Sequence[object] = ()) -> list[Standing]:
        sql = f"SELECT {PLACE_COLUMNS}, crc FROM places WHERE {condition} ORDER BY key, root"
        found = []
        for row in self._rows(sql, bound):
            if checksum(*row[:PLACE_WIDTH]) != row[PLACE_WIDTH]:
                raise self._damaged(f"a place of document {row[2]} ({row[3]!r}) does not have its checksum")
            found.append(Standing(*row[:PLACE_WIDTH]))
        return found

    def _same(self, key: str, path: str) -> list[Standing]:
        """All places of a file: under its key, and under other keys if they are of the same path."""
        return self._places("key = ? OR path = ?", (key, path)) if path else self._places("key = ?", (key,))

    def _stand(self, db: sqlite3.Connection, place: Standing) -> set[str]:
        """Puts a document at a place and at all others of the same file.

        Returns:
            Ids of the documents to whose places something was done, those that stood there before among them.
        """
        before = self._same(place.key, place.path)
        wanted = {(place.key, place.root): place}
        for old in before:
            wanted[old.key, old.root] = Standing(old.key, old.root, place.document_id, place.source, place.path)
        changed = [new for new in wanted.values() if new not in before]
        for new in changed:
            values = (new.key, new.root, new.document_id, new.source, new.path)
            db.execute(_INSERT, (*values, checksum(*values)))
        return {place.document_id, *(old.document_id for old in before)} if changed else set()

    def _drop_places(self, db: sqlite3.Connection, places: Iterable[Standing], *, whole: bool) -> set[str]:
        """Takes places away: where ``whole``, with all others of the same file.

        Returns:
            Ids of the documents that stood there.
        """
        affected = set()
        for place in places:
            for one in self._same(place.key, place.path) if whole else [place]:
                db.execute("DELETE FROM places WHERE key = ? AND root = ?", (one.key, one.root))
                affected.add(one.document_id)
        return affected
