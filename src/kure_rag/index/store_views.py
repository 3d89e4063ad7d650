"""The views of one index folder: opened when they are asked for and again when they moved, mended when they are torn.

A view that is made anew gets a folder of its own (``dense-1`` after ``dense``), and one catalog transaction says that
it is the one in use.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from kure_rag.errors import IndexCorruptError, IndexLockedError, IndexPathError, KureIndexError
from kure_rag.index import filling, lexical_seal
from kure_rag.index.catalog import Catalog
from kure_rag.index.dense import DenseSettings, DenseView, broken, seal
from kure_rag.index.failpoints import failpoint
from kure_rag.index.fingerprint import compare as compare_made
from kure_rag.index.lexical import LexicalView, remove
from kure_rag.index.lock import WriterLock
from kure_rag.index.probe import probe
from kure_rag.index.schema import VIEWS
from kure_rag.index.views import OpenViews, Views, open_lexical, open_matrix

_log = logging.getLogger(__name__)
SEAL: Final = "dense.seal"
LEXICAL_SEAL: Final = "lexical.seal"
DELETED: Final = "dense.deleted"  # rows deleted from the graph since it was made
PURGED: Final = "purged"  # the generation up to which rows may be missing from views
_TRIES: Final = 100
Progress = filling.Progress
_T = TypeVar("_T")


class StoreViews:
    """The catalog of an index folder and its views. Threads may share it.

    Args:
        folder: The index folder.
        create: Make a new index where there is none.
        progress: Called with a label, rows done and rows in all while a view is mended.
    """

    dense_settings: DenseSettings

    def __init__(self, folder: Path, *, create: bool, progress: Progress | None = None) -> None:
        self.folder = folder
        self.catalog = Catalog(folder, create=create)
        self._lock = WriterLock(folder)
        self._guard = threading.RLock()  # opening, replacing and closing of views
        self._current: OpenViews | None = None
        self._warned: set[str] = set()
        self._progress = progress
        self._wanted: dict[str, Any] | None = None  # fingerprint; another process may replace the index's terms
        self._compared: int | None = None  # the epoch whose fingerprint was found to be the one that is wanted

    def view_folder(self, view: str) -> Path:
        """The folder of a view that is in use."""
        number = self.catalog.get(f"folder.{view}")
        return self.folder / (f"{view}-{number}" if number else view)

    def check_fingerprint(self, wanted: Mapping[str, Any]) -> None:
        """Compares settings with those the index was made with, if it was made with any yet.

        Raises:
            FingerprintMismatchError: Names each difference.
        """
        self._wanted, self._compared = dict(wanted), None
        compare_made(self.folder, self.catalog.get("fingerprint"), wanted)

    # Reading

    @contextmanager
    def views(self) -> Iterator[Views]:
        """The views as of now, and the newest generation that all of them hold whole.

        They are opened again when another process has moved them; a search that began on the old ones ends on them.
        """
        with self._guard:
            current = self._up_to_date()
            current.users += 1
            state = current.state
        try:
            yield Views(current.lexical, current.matrix, state.visible, state.generation, current)
        finally:
            with self._guard:
                current.users -= 1
                current.close_if_done()

    def is_whole(self, views: Views) -> bool:
        """Whether no row that these views' generation shows was purged up to now.

        Asked after a search, and outside of any :meth:`Catalog.snapshot`, which would show the time before.
        """
        return int(self.catalog.get(PURGED) or 0) <= views.visible

    def reading(self, search: Callable[[Views], _T]) -> _T:
        """Searches, and again when rows that the search should have seen were purged meanwhile.

        Args:
            search: Called with the views; it must have left its catalog snapshot when it returns.

        Raises:
            FingerprintMismatchError: The index was made anew with other settings than this store was opened for.
        """
        for _ in range(_TRIES):
            with self.views() as views:
                self._compare(views)
                found = search(views)
            if self.is_whole(views):
                return found
        raise KureIndexError(f"{self.folder}: the index changes faster than it can be searched; try again")

    def _compare(self, views: Views) -> None:
        """Looks whether another process has replaced the terms; a question analysed for the old ones finds nonsense.

        After the views were opened, since they are no newer than what the catalog says then.
        """
        epoch = views.opened.state.epoch
        if self._wanted is not None and self._compared != epoch:
            compare_made(self.folder, self.catalog.get("fingerprint"), self._wanted)
            self._compared = epoch

    def _up_to_date(self) -> OpenViews:
        state = self.catalog.state()
        if self._current is not None:
            if (self._current.state.applied, self._current.state.epoch) == (state.applied, state.epoch):
                self._current.state = state
                return self._current
            self._retire()
        self._current = self._opened()
        return self._current

    def _retire(self) -> None:
        if self._current is not None:
            self._current.retired = True
            self._current.close_if_done()
        self._current = None

    def _opened(self) -> OpenViews:
        """Opens the views; one that is not as it was left (torn, lost, short of rows) is rebuilt first, if that may be.

        Raises:
            IndexCorruptError: The keyword view is torn and cannot be rebuilt now.
        """
        state = self.catalog.state()
        lexical, problems = self._open_checked("lexical", self._open_lexical, "lexical" in state.stale)
        if lexical is None:
            raise IndexCorruptError("; ".join(problems))
        matrix, problems = self._open_checked("matrix", open_matrix, "matrix" in state.stale)
        if matrix is None:
            self._warn_once("matrix", "; ".join(problems))
        if "dense" in state.stale or not self._dense_has_its_sizes():
            self._look_after("dense", self._dense_problems)
        # As it was before they were opened: another process may have moved on since, and rows that it added after a
        # view was opened are not in that view. Rows that are in it too early are not visible yet.
        return OpenViews(lexical, matrix, self._open_dense, state)

    def _open_lexical(self, folder: Path) -> tuple[LexicalView | None, list[str]]:
        """The keyword view, or why it cannot be opened; looked into again while another process changes it."""
        found: list[str] = []
        for _ in range(_TRIES):
            known, owes = self.catalog.get(LEXICAL_SEAL), self._owes()
            folder = self.view_folder("lexical")
            found = [f"lexical: {one}" for one in lexical_seal.problems(folder, known, owed=owes)]
            if not found:
                return open_lexical(folder)
            if (known, owes) == (self.catalog.get(LEXICAL_SEAL), self._owes()):
                break
        return None, found

    def _owes(self) -> bool:
        """Whether views are behind the catalog."""
        state = self.catalog.state()
        return bool(
            state.stale
            or any(self.catalog.pending_count(view) for view in VIEWS)
            or self.catalog.deleted(state.visible)
        )

    def _dense_has_its_sizes(self) -> bool:
        """A first look, which costs next to nothing; the files are read when the view is opened."""
        folder = self.view_folder("dense")
        sealed: dict[str, list[int]] = self.catalog.get(SEAL) or {}
        if not isinstance(sealed, dict) or not all(isinstance(entry, list) for entry in sealed.values()):
            return False  # of an older version
        if not sealed:
            return not any(folder.rglob("*"))  # not made before it is first written to
        files = {name: folder / name for name in sealed}
        return all(f.is_file() and f.stat().st_size == sealed[name][0] for name, f in files.items())

    def _open_dense(self) -> DenseView:
        """Opens the vector view; looks closely first when its files are not as they were left.

        Raises:
            KureIndexError: That cannot be done now.
        """
        if broken(self.view_folder("dense"), self.catalog.get(SEAL)) and not self._look_after(
            "dense", self._dense_problems
        ):
            raise KureIndexError(f"{self.view_folder('dense')}: not as it was left, and another writer is at work")
        return DenseView(self.view_folder("dense"), self.dense_settings)

    def _warn_once(self, view: str, why: str) -> None:
        if view not in self._warned:
            self._warned.add(view)
            _log.warning("%s: searching without the %s view for now (%s)", self.folder, view, why)

    def _open_checked(
        self, name: str, opener: Callable[[Path], tuple[Any, list[str]]], stale: bool
    ) -> tuple[Any, list[str]]:
        """A view that holds what it should, rebuilt if need be; ``None`` and why, when that cannot be done now."""

        def problems() -> list[str]:
            view, found = opener(self.view_folder(name))
            if view is not None:
                found = self._count_problems(name, len(view))
                view.close()
            return found

        view, found = (None, [f"{name}: not made yet"]) if stale else opener(self.view_folder(name))
        if view is not None:
            found = self._count_problems(name, len(view))
            if not found:
                return view, []
        if self._look_after(name, problems):
            if view is not None:
                view.close()
            return opener(self.view_folder(name))
        return view, found  # short of rows is better than nothing

    def _count_problems(self, name: str, held: int) -> list[str]:
        alive, dying = self.catalog.counts()[1], len(self.catalog.deleted(2**62))
        owed = self.catalog.pending_count(name)  # so many rows may be missing until it has caught up
        return [] if alive - owed <= held <= alive + dying else [f"{name}: {held} of {alive} chunks"]

    def _dense_problems(self) -> list[str]:
        """A torn graph file crashes who opens it or answers wrongly, so a child process looks at changed ones."""
        return list(probe(self.folder, self.view_folder("dense"), self.dense_settings).problems)

    def _look_after(self, view: str, problems: Callable[[], list[str]]) -> bool:
        """Rebuilds a view when it needs that; whether it can be used now."""
        try:
            with self._lock.held(mending=True):  # now nobody else is writing
                found = ["not made yet"] if view in self.catalog.state().stale else problems()
                if found:
                    _log.warning("%s: %s; rebuilding the view from the catalog", self.folder, "; ".join(found))
                    self._rebuild(view, self._progress)
                elif view == "dense":
                    self.catalog.set(**{SEAL: seal(self.view_folder("dense"))})
        except (IndexLockedError, IndexPathError, OSError) as error:
            _log.info("%s: the %s view could not be looked after (%s)", self.folder, view, error)
            return False
        return True

    # Making anew

    def _rebuild(self, view: str, progress: Progress | None) -> None:
        number, fresh = self._fresh_folder(view)
        filling.fill(view, fresh, self.catalog, self.dense_settings, progress)
        failpoint(f"{view}-rebuilt")
        settings: dict[str, Any] = {f"folder.{view}": number}
        if view == "dense":
            settings |= {SEAL: seal(fresh), DELETED: 0}
        if view == "lexical":
            settings |= {LEXICAL_SEAL: lexical_seal.seal_of(fresh)}
        self.catalog.mark_rebuilt(view, **settings)  # from here on the new folder is the view
        failpoint(f"{view}-exchanged")

    def _fresh_folder(self, view: str) -> tuple[int, Path]:
        """For a view that is made anew: its number, and its folder without what an interrupted rebuild left."""
        number = int(self.catalog.get(f"folder.{view}") or 0) + 1
        fresh = self.folder / f"{view}-{number}"
        remove(fresh)
        return number, fresh

    def close(self) -> None:
        """Lets go of all files. The store cannot be used afterwards."""
        with self._guard:
            self._retire()
            self.catalog.close()
