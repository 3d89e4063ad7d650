"""One index folder: the catalog, its three views, and how the views catch up.

Write: one catalog transaction, acknowledged; then the views are brought up to it, each by itself. A crash anywhere
leaves operations in ``pending``, and the next opening does them. Doing one twice changes nothing.

What is deleted stays in catalog and views until every view has come past its generation: until then searches show the
generation before, whole. Then it is purged: announced in the catalog, deleted from the views, deleted from the catalog.
A search that began before may miss such rows and has to begin again, see :meth:`IndexStore.reading`.

A view that is made anew gets a folder of its own (``dense-1`` after ``dense``), and one catalog transaction says that
it is the one in use.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from kure_rag.errors import (
    FingerprintMismatchError,
    IndexCorruptError,
    IndexLockedError,
    IndexPathError,
    KureIndexError,
)
from kure_rag.index import filling
from kure_rag.index.catalog import Catalog
from kure_rag.index.dense import DenseSettings, DenseView, broken, drop, seal
from kure_rag.index.failpoints import failpoint
from kure_rag.index.filling import STEP
from kure_rag.index.lexical import LexicalView, remove
from kure_rag.index.lock import WriterLock
from kure_rag.index.matrix import MatrixView
from kure_rag.index.probe import probe
from kure_rag.index.schema import VIEWS
from kure_rag.index.verify import Verification, compare
from kure_rag.index.views import OpenViews, Views, open_lexical, open_matrix

_log = logging.getLogger(__name__)
_SEAL: Final = "dense.seal"
_DELETED: Final = "dense.deleted"  # rows deleted from the graph since it was made
_PURGED: Final = "purged"  # the generation up to which rows may be missing from views
_TRIES: Final = 100
_MANY_DELETED: Final = 0.2  # of the graph's rows: its links still run over what was deleted
Progress = filling.Progress
_T = TypeVar("_T")


class IndexStore:
    """An index folder, opened. Threads may share it.

    Args:
        folder: The index folder.
        create: Make a new index where there is none.
        dense: Where and how Chroma keeps the vectors; as the index was made when ``None``. Other settings than those
            have the vector view made anew.

    Raises:
        KureIndexError: One of its kinds, when the folder cannot be used.
    """

    def __init__(self, folder: Path, *, create: bool, dense: DenseSettings | None = None) -> None:
        self.folder = folder
        self.catalog = Catalog(folder, create=create)
        self._lock = WriterLock(folder)
        self._guard = threading.RLock()  # opening, replacing and closing of views
        self._current: OpenViews | None = None
        self._warned: set[str] = set()
        self._sealed: dict[str, Any] | None = None  # the last seal; spares checksums of what did not change
        try:
            self.dense_settings = self._settled(dense)
            if self._owes() or self._leftovers():
                self._tidy()
        except BaseException:
            self.close()
            raise

    def _settled(self, dense: DenseSettings | None) -> DenseSettings:
        known = self.catalog.get("dense")
        if dense is None:
            return DenseSettings(**(known or {}))
        if dense.to_dict() != (known or DenseSettings().to_dict()):
            with self._lock.held():
                self.catalog.set(dense=dense.to_dict())
                self.catalog.mark_stale("dense")
        return dense

    def _tidy(self) -> None:
        """What a crash left behind: operations are done, folders that no view uses are removed."""
        try:
            with self._lock.held(mending=True):
                self.catch_up()
                self._sweep()
        except (KureIndexError, OSError) as error:  # a full disk, say: what was finished can be read all the same
            _log.info("%s: reading what is finished (%s)", self.folder, error)

    def _sweep(self) -> None:
        for folder in self._leftovers():
            if folder.name.startswith("dense"):
                with contextlib.suppress(KureIndexError):  # the server is away: its collection stays there
                    drop(folder, self.dense_settings)
            remove(folder)

    def _leftovers(self) -> list[Path]:
        used = {self.view_folder(view) for view in VIEWS}
        return [path for view in VIEWS for path in self.folder.glob(f"{view}*") if path.is_dir() and path not in used]

    def view_folder(self, view: str) -> Path:
        """The folder of a view that is in use."""
        number = self.catalog.get(f"folder.{view}")
        return self.folder / (f"{view}-{number}" if number else view)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the writer's lock, and brings the views up to the catalog at the end, whatever happened."""
        with self._lock.held():
            try:
                yield
            finally:
                self.catch_up()

    def check_fingerprint(self, wanted: Mapping[str, Any]) -> None:
        """Compares settings with those the index was made with, if it was made with any yet.

        Raises:
            FingerprintMismatchError: Names each difference.
        """
        old = self.catalog.get("fingerprint")
        if old is None:
            return
        keys = {**old, **wanted}
        differences = {key: (old.get(key), wanted.get(key)) for key in keys if old.get(key) != wanted.get(key)}
        if differences:
            raise FingerprintMismatchError(self.folder, differences)

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
        return int(self.catalog.get(_PURGED) or 0) <= views.visible

    def reading(self, search: Callable[[Views], _T]) -> _T:
        """Searches, and again when rows that the search should have seen were purged meanwhile.

        Args:
            search: Called with the views; it must have left its catalog snapshot when it returns.
        """
        for _ in range(_TRIES):
            with self.views() as views:
                found = search(views)
            if self.is_whole(views):
                return found
        raise KureIndexError(f"{self.folder}: the index changes faster than it can be searched; try again")

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
        lexical, problems = self._open_checked("lexical", open_lexical, "lexical" in state.stale)
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

    def _dense_has_its_sizes(self) -> bool:
        """A first look, which costs next to nothing; the files are read when the view is opened."""
        folder = self.view_folder("dense")
        sealed: dict[str, list[int]] = self.catalog.get(_SEAL) or {}
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
        if broken(self.view_folder("dense"), self.catalog.get(_SEAL)) and not self._look_after(
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
        if self.catalog.pending_count(name):
            return []  # rows may be missing until it has caught up
        alive, dying = self.catalog.counts()[1], len(self.catalog.deleted(2**62))
        return [] if alive <= held <= alive + dying else [f"{name}: {held} of {alive} chunks"]

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
                    self._rebuild(view, None)
                elif view == "dense":
                    self.catalog.set(**{_SEAL: seal(self.view_folder("dense"))})
        except (IndexLockedError, IndexPathError, OSError) as error:
            _log.info("%s: the %s view could not be looked after (%s)", self.folder, view, error)
            return False
        return True

    # Catching up

    def _owes(self) -> bool:
        state = self.catalog.state()
        return bool(
            state.stale
            or any(self.catalog.pending_count(view) for view in VIEWS)
            or self.catalog.deleted(state.visible)
        )

    def catch_up(self, progress: Progress | None = None) -> None:
        """Does what the views still owe the catalog, then purges. The caller holds the writer's lock."""
        if not self._owes():
            return
        failpoint("catch-up-begun")
        self._make_usable()
        with self.views() as views:
            total = sum(self.catalog.pending_count(view) for view in VIEWS)
            done = 0
            for name in VIEWS:
                while batch := self.catalog.pending(name, STEP):
                    self._apply(name, views, filling.added(batch), batch[-1].seq)
                    done += len(batch)
                    if progress is not None:
                        progress("indexing", done, total)
            rows = filling.gone(self.catalog, self.catalog.state().visible)
            if rows:
                self._purge(views, rows)
            self._seal(views.opened.dense_to_write())

    def _make_usable(self) -> None:
        """Rebuilds what is found to be torn only when it is opened."""
        with self.views() as views:
            torn = [] if views.matrix is not None else ["matrix"]
            try:
                views.opened.dense_to_write()
            except IndexCorruptError:
                torn.append("dense")
        for name in torn:
            self._rebuild(name, None)

    def _apply(self, name: str, views: Views, rows: dict[int, str], seq: int) -> None:
        if rows:
            if name == "dense":
                self._unseal()
            filling.add_to(self._to_write(name, views), self.catalog, rows)
            failpoint(f"{name}-applied")
        with self._guard:  # we moved these views ourselves: nobody here has to open them again
            self.catalog.mark_applied(name, seq)
            views.opened.state = self.catalog.state()
        failpoint(f"{name}-marked")

    def _to_write(self, name: str, views: Views) -> LexicalView | DenseView | MatrixView:
        view = views.opened.dense_to_write() if name == "dense" else getattr(views, name)
        if view is None:
            raise KureIndexError(f"{self.folder}: the {name} view cannot be used; run `kure-rag rebuild {name}`")
        return view

    def _unseal(self) -> None:
        """From here on until the vector view is sealed again, an opening looks closely at it."""
        if self.catalog.get(_SEAL) is not None:
            self._sealed = self.catalog.get(_SEAL)
            self.catalog.set(**{_SEAL: None})
            failpoint("dense-unsealed")

    def _seal(self, view: DenseView) -> None:
        if self.catalog.get(_SEAL) is None:
            view.flush()
            failpoint("dense-flushed")
            self.catalog.set(**{_SEAL: seal(view.folder, self._sealed)})
            failpoint("dense-sealed")

    def _purge(self, views: Views, rows: dict[int, str]) -> None:
        """Removes rows for good that are gone by the generation that all views hold."""
        visible = self.catalog.state().visible
        self.catalog.set(**{_PURGED: visible})  # searches at an older generation begin again from here on
        failpoint("purge-announced")
        for name in VIEWS:
            if name == "dense":
                self._unseal()
                self.catalog.set(**{_DELETED: int(self.catalog.get(_DELETED) or 0) + len(rows)})
            filling.delete_from(self._to_write(name, views), self.catalog, rows)
            failpoint(f"{name}-purged")
        self.catalog.purge(visible)
        failpoint("catalog-purged")

    # Rebuilding, compacting and verifying

    def rebuild(self, view: str, progress: Progress | None = None) -> None:
        """Makes a view anew from the catalog; nothing is analysed or embedded again. Searches go on meanwhile.

        Args:
            view: ``lexical``, ``dense`` or ``matrix``.
            progress: Called with a label, rows done and rows in all.
        """
        if view not in VIEWS:
            raise ValueError(f"no view named {view!r}; the views are {', '.join(map(repr, VIEWS))}")
        with self._lock.held():
            self._rebuild(view, progress)

    def _rebuild(self, view: str, progress: Progress | None) -> None:
        number = int(self.catalog.get(f"folder.{view}") or 0) + 1
        fresh = self.folder / f"{view}-{number}"
        remove(fresh)  # of a rebuild that was interrupted
        filling.fill(view, fresh, self.catalog, self.dense_settings, progress)
        failpoint(f"{view}-rebuilt")
        settings: dict[str, Any] = {f"folder.{view}": number}
        if view == "dense":
            settings |= {_SEAL: seal(fresh), _DELETED: 0}
        self.catalog.mark_rebuilt(view, **settings)  # from here on the new folder is the view
        failpoint(f"{view}-exchanged")

    def compact(self, progress: Progress | None = None) -> None:
        """Gives back the room of what was deleted, in catalog and views. Searches go on meanwhile.

        Args:
            progress: Called with a label, steps done and steps in all.
        """
        steps: list[tuple[str, Callable[[], None]]] = [
            ("catching up", self.catch_up),
            ("compacting matrix", self._compact_matrix),
            ("compacting lexical", self._compact_lexical),
            ("compacting dense", self._compact_dense),
            ("compacting catalog", self.catalog.vacuum),
            ("removing old files", self._remove_old),
        ]
        with self._lock.held():
            for i, (label, step) in enumerate(steps):
                if progress is not None:
                    progress(label, i, len(steps))
                step()
                failpoint(f"compacted-{i}")
        if progress is not None:
            progress("compacted", len(steps), len(steps))

    def _compact_matrix(self) -> None:
        with self.views() as views:
            if views.matrix is not None:
                views.matrix.compact()

    def _compact_lexical(self) -> None:
        with self.views() as views:
            merge: Callable[[], None] | None = getattr(views.lexical, "compact", None)
            if merge is not None:
                merge()

    def _compact_dense(self) -> None:
        if int(self.catalog.get(_DELETED) or 0) > _MANY_DELETED * self.catalog.counts()[1]:
            self._rebuild("dense", None)

    def _remove_old(self) -> None:
        with self.views():  # opens the views that are in use now, and so lets go of those that are not
            pass
        self._sweep()

    def verify(self) -> Verification:
        """Compares ids and counts in catalog and views, and asks sampled vectors for themselves in a child process.

        Mends nothing.
        """
        problems = self.catalog.integrity()
        state = self.catalog.state()
        problems += [f"{view}: not made yet" for view in VIEWS if view in state.stale]
        for view in VIEWS:
            if owed := self.catalog.pending_count(view):
                problems.append(f"{view}: {owed} operations are pending")
        alive, there = {row for row, _ in self.catalog.all_rows()}, set(filling.stored(self.catalog))
        problems += compare(self.catalog, self.view_folder("lexical"), self.view_folder("matrix"), alive, there)
        problems += probe(self.folder, self.view_folder("dense"), self.dense_settings).problems
        documents, chunks = self.catalog.counts()
        return Verification(documents, chunks, tuple(problems))

    def close(self) -> None:
        """Lets go of all files. The store cannot be used afterwards."""
        with self._guard:
            self._retire()
            self.catalog.close()
