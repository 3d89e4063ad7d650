"""Settings of a catalog, and how far it and its views are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog_file import CatalogFile
from kure_rag.index.migrate import write_settings
from kure_rag.index.rows import checksum
from kure_rag.index.schema import VIEWS

_STATE: Final = (
    "generation",
    "epoch",
    *(f"applied.{view}" for view in VIEWS),
    *(f"stale.{view}" for view in VIEWS),
)
_STATE_SQL: Final = f"SELECT key, value, crc FROM settings WHERE key IN ({', '.join(repr(key) for key in _STATE)})"


@dataclass(frozen=True, slots=True)
class State:
    """How far the catalog and each view are. Equal states answer equally.

    Attributes:
        generation: Of the catalog: one more with each change.
        applied: The generation that each view holds whole.
        epoch: One more each time a view was made anew.
        stale: Views that have to be made anew before they are used: of a migrated or restored catalog.
    """

    generation: int
    applied: Mapping[str, int]
    epoch: int
    stale: frozenset[str] = frozenset()

    @property
    def visible(self) -> int:
        """The newest generation that every view holds whole."""
        return min(self.applied.values())


class CatalogState(CatalogFile):
    """Settings by key, as JSON."""

    def get(self, key: str) -> Any:
        """A setting, decoded from JSON; ``None`` where there is none."""
        rows = self._rows("SELECT key, value, crc FROM settings WHERE key = ?", (key,))
        return self._setting(rows[0]) if rows else None

    def set(self, **values: Any) -> None:
        """Stores settings as JSON, all in one transaction."""
        with self._transaction() as db:
            self._set(db, values)

    @staticmethod
    def _set(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
        write_settings(db, values)

    def _setting(self, row: tuple[str, str, int]) -> Any:
        if checksum(*row[:2]) != row[2]:
            raise self._damaged(f"the setting {row[0]!r} does not have its checksum")
        return json.loads(row[1])

    def state(self) -> State:
        """Generation of the catalog and of each view."""
        found = {row[0]: self._setting(row) for row in self._rows(_STATE_SQL)}
        try:
            applied = {view: found[f"applied.{view}"] for view in VIEWS}
            stale = frozenset(view for view in VIEWS if found.get(f"stale.{view}"))
            return State(found["generation"], applied, found["epoch"], stale)
        except KeyError as error:
            raise self._damaged(f"the setting {error} is missing") from None

    @staticmethod
    def _number(db: sqlite3.Connection, key: str) -> int:
        """A setting that is a number, within a transaction."""
        row = db.execute("SELECT key, value, crc FROM settings WHERE key = ?", (key,)).fetchone()
        if row is None or checksum(*row[:2]) != row[2]:
            raise IndexCorruptError(
                f"the catalog's setting {key!r} is damaged; restore the index from a backup or ingest anew"
            )
        return int(row[1])
