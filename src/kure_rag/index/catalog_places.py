"""Where documents stand: the file or record that a later version replaces them by, and the folders it was found in.

A document lives as long as one place names it. A file that lies in two folders has a place in each; one that was found
through two folders, or through a folder and by its own name, has a place for each way, and those are one: what becomes
of the file becomes of all of them.

A document that was added without a place lives until it is deleted. It needs no row for that as long as it stands
nowhere; beside other places it has one of its own, which nothing takes away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from kure_rag.index.catalog_read import CatalogReader
from kure_rag.index.rows import PLACE_COLUMNS, PLACE_WIDTH, Standing, checksum

_INSERT: Final = f"INSERT OR REPLACE INTO places ({PLACE_COLUMNS}, crc) VALUES (?, ?, ?, ?, ?, ?)"
_ALONE: Final = "document:"  # keys of places are digests otherwise


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

    def _leaving_from(self, key: str, path: str) -> list[str]:
        """Ids of the documents that stand at a file's places and nowhere else."""
        same = self._same(key, path) if key else []
        ids = dict.fromkeys(place.document_id for place in same)
        return [id_ for id_ in ids if all(place in same for place in self.places_of(id_))]

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

    def _stand(self, db: sqlite3.Connection, place: Standing) -> list[Standing]:
        """Puts a document at a place and at all others of the same file.

        Returns:
            The place, and who stood at all of them before; none if nothing was to be done.
        """
        before = self._same(place.key, place.path)
        wanted = {(place.key, place.root): place}
        for old in before:
            wanted[old.key, old.root] = Standing(old.key, old.root, place.document_id, place.source, place.path)
        changed = [new for new in wanted.values() if new not in before]
        for new in changed:
            self._write_place(db, new)
        return [place, *before] if changed else []

    def _stand_alone(self, db: sqlite3.Connection, document_id: str, source: str) -> None:
        """Gives a document a place of its own: whatever becomes of its other places, it lives until it is deleted."""
        self._write_place(db, Standing(f"{_ALONE}{document_id}", "", document_id, source))

    @staticmethod
    def _write_place(db: sqlite3.Connection, place: Standing) -> None:
        values = (place.key, place.root, place.document_id, place.source, place.path)
        db.execute(_INSERT, (*values, checksum(*values)))

    def _drop_places(self, db: sqlite3.Connection, places: Iterable[Standing], *, whole: bool) -> list[Standing]:
        """Takes places away: where ``whole``, with all others of the same file.

        Returns:
            Who stood there.
        """
        dropped = []
        for place in places:
            for one in self._same(place.key, place.path) if whole else [place]:
                db.execute("DELETE FROM places WHERE key = ? AND root = ?", (one.key, one.root))
                dropped.append(one)
        return dropped
