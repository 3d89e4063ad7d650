"""The keyword leg's second engine: rank-bm25, made of what the catalog holds."""

from __future__ import annotations

import threading

from kure_rag.index.catalog import Catalog
from kure_rag.index.rank_bm25 import Bm25Settings, RankBm25View
from kure_rag.index.views import Views


class RankBm25Cache:
    """The view of the state that was searched last.

    Making one reads and counts every passage: one or two seconds and 160 MB for 10,000 passages of 150 morphemes.

    Args:
        catalog: The index's.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._guard = threading.Lock()
        self._made: tuple[tuple[object, int, Bm25Settings], RankBm25View] | None = None

    def of(self, views: Views, settings: Bm25Settings) -> RankBm25View:
        """The view of all rows that are visible now. Called within the catalog's snapshot."""
        key = (views.opened.state.epoch, views.visible, settings)
        with self._guard:
            made = self._made
            if made is None or made[0] != key:
                self._made = None  # never two in memory
                rows = [row for row, _ in self._catalog.all_rows(views.visible)]
                made = self._made = (key, RankBm25View(self._catalog.keywords(rows), settings))
            return made[1]
