"""One index folder: the catalog, its two views, and how the views catch up.

Write: one catalog transaction, acknowledged; then the views are brought up to it. A crash anywhere leaves operations in
``pending``, and the next opening does them. Doing one twice changes nothing. A view that is made anew gets a folder of
its own (``dense-1`` after ``dense``), and one catalog transaction says that it is the one in use.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import FingerprintMismatchError, IndexCorruptError, IndexLockedError, IndexPathError
from kure_rag.index.catalog import Catalog, State
from kure_rag.index.dense import DenseView, seal
from kure_rag.index.lexical import LexicalView, remove
from kure_rag.index.lock import WriterLock
from kure_rag.index.probe import probe
from kure_rag.index.schema import VIEWS
from kure_rag.index.verify import Verification

_log = logging.getLogger(__name__)
_STEP: Final = 5_000  # operations a view does between two marks in the catalog
_SEAL: Final = "dense.seal"
Progress = Callable[[str, int, int], None]


class _OpenViews:
    """Both views as of one state; closed when they are out of date and the last search has let go of them."""

    def __init__(self, lexical: LexicalView, dense: DenseView, state: State) -> None:
        self.lexical = lexical
        self.dense = dense
        self.state = state
        self.users = 0
        self.retired = False

    def close_if_done(self) -> None:
        if self.retired and not self.users:
            self.lexical.close()
            self.dense.close()


class IndexStore:
    """An index folder, opened. Threads may share it.

    Args:
        folder: The index folder.
        create: Make a new index where there is none.

    Raises:
        KureIndexError: One of its kinds, when the folder cannot be used.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self.catalog = Catalog(folder, create=create)
        self._lock = WriterLock(folder)
        self._guard = threading.RLock()  # opening, replacing and closing of views
        self._current: _OpenViews | None = None
        try:
            if self._owes() or self._leftovers():
                self._tidy()
        except BaseException:
            self.close()
            raise

    def _tidy(self) -> None:
        """What a crash left behind: operations are done, folders that no view uses are removed."""
        try:
            with self._lock.held():
                self.catch_up()
                for folder in self._leftovers():
                    remove(folder)
        except (IndexLockedError, IndexPathError) as error:
            _log.info("%s: reading what is finished (%s)", self.folder, error)

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

    # Views

    @contextmanager
    def views(self) -> Iterator[tuple[LexicalView, DenseView, int]]:
        """Both views as of now, and the newest generation that both hold whole.

        They are opened again when another process has moved them; a search that began on the old ones ends on them.
        """
        with self._guard:
            current = self._up_to_date()
            current.users += 1
        try:
            yield current.lexical, current.dense, current.state.visible
        finally:
            with self._guard:
                current.users -= 1
                current.close_if_done()

    def _up_to_date(self) -> _OpenViews:
        state = self.catalog.state()
        if self._current is not None:
            if (self._current.state.applied, self._current.state.epoch) == (state.applied, state.epoch):
                return self._current
            self._retire()
        self._mend()
        state = self.catalog.state()
        lexical = LexicalView(self.view_folder("lexical"))
        self._current = _OpenViews(lexical, DenseView(self.view_folder("dense")), state)
        return self._current

    def _retire(self) -> None:
        if self._current is not None:
            self._current.retired = True
            self._current.close_if_done()
        self._current = None

    def _mend(self) -> None:
        """Rebuilds a view that is not as it was left: torn, lost, or short of rows."""
        if self._lexical_problems():
            self._look_after("lexical", self._lexical_problems)
        if (self.catalog.get(_SEAL) or {}) != seal(self.view_folder("dense")):
            self._look_after("dense", self._dense_problems)

    def _look_after(self, view: str, problems: Callable[[], list[str]]) -> None:
        try:
            with self._lock.held():  # now nobody else is writing
                if found := problems():
                    _log.warning("%s: %s; rebuilding the view from the catalog", self.folder, "; ".join(found))
                    self._rebuild(view, None)
                elif view == "dense":
                    self.catalog.set(**{_SEAL: seal(self.view_folder("dense"))})
        except (IndexLockedError, IndexPathError) as error:
            _log.info("%s: the %s view could not be looked after (%s)", self.folder, view, error)

    def _lexical_problems(self) -> list[str]:
        if self.catalog.pending_count("lexical"):
            return []  # rows may be missing until it has caught up
        try:
            view = LexicalView(self.view_folder("lexical"))
        except IndexCorruptError as error:
            return [str(error)]
        held, wanted = len(view), self.catalog.counts()[1]
        view.close()
        return [] if held == wanted else [f"lexical: {held} of {wanted} chunks"]

    def _dense_problems(self) -> list[str]:
        """A torn graph file crashes who opens it or answers wrongly, so a child process looks at changed ones."""
        return list(probe(self.folder, self.view_folder("dense")).problems)

    # Catching up

    def _owes(self) -> bool:
        return any(self.catalog.pending_count(view) for view in VIEWS)

    def catch_up(self, progress: Progress | None = None) -> None:
        """Does what the views still owe the catalog. The caller holds the writer's lock."""
        if not self._owes():
            return
        with self.views() as (lexical, dense, _):
            total = sum(self.catalog.pending_count(view) for view in VIEWS)
            done = 0
            while batch := self.catalog.pending("lexical", _STEP):
                lexical.apply(
                    self.catalog.keywords([p.row for p in batch if p.op == "add"]),
                    [p.row for p in batch if p.op == "delete"],
                )
                self.catalog.mark_applied("lexical", batch[-1].seq)
                done += len(batch)
                if progress is not None:
                    progress("indexing", done, total)
            while batch := self.catalog.pending("dense", _STEP):
                self.catalog.set(**{_SEAL: None})  # until it is whole again, the next opening looks closely
                adds = {p.row: p.chunk_id for p in batch if p.op == "add"}
                rows, vectors = self.catalog.vectors(list(adds))  # rows deleted since have no vector any more
                dense.add([adds[row] for row in rows], vectors)
                dense.delete([p.chunk_id for p in batch if p.op == "delete" and not self._is_back(p.chunk_id)])
                self.catalog.mark_applied("dense", batch[-1].seq, **{_SEAL: seal(dense.folder)})
                done += len(batch)
                if progress is not None:
                    progress("indexing", done, total)
            with self._guard:
                if self._current is not None and self._current.dense is dense:
                    self._current.state = self.catalog.state()  # we moved these views ourselves: they are up to date

    def _is_back(self, chunk_id: str) -> bool:
        """Whether a deleted chunk was added again since: its id is the same, and the view must keep it."""
        return bool(self.catalog.rows_of([chunk_id]))

    # Rebuilding and verifying

    def rebuild(self, view: str, progress: Progress | None = None) -> None:
        """Makes a view anew from the catalog; nothing is analysed or embedded again. Searches go on meanwhile.

        Args:
            view: ``lexical`` or ``dense``.
            progress: Called with a label, rows done and rows in all.
        """
        if view not in VIEWS:
            raise ValueError(f"no view named {view!r}; the views are 'lexical' and 'dense'")
        with self._lock.held():
            self._rebuild(view, progress)

    def _rebuild(self, view: str, progress: Progress | None) -> None:
        number = int(self.catalog.get(f"folder.{view}") or 0) + 1
        fresh = self.folder / f"{view}-{number}"
        remove(fresh)  # of a rebuild that was interrupted
        settings: dict[str, Any] = {f"folder.{view}": number}
        if view == "lexical":
            self._fill_lexical(fresh, progress)
        else:
            self._fill_dense(fresh, progress)
            settings[_SEAL] = seal(fresh)
        self.catalog.mark_rebuilt(view, **settings)  # from here on the new folder is the view

    def _fill_lexical(self, folder: Path, progress: Progress | None) -> None:
        view = LexicalView(folder)
        for rows, done, total in self._row_batches():
            view.apply(self.catalog.keywords(list(rows)), [])
            if progress is not None:
                progress("rebuilding lexical", done, total)
        view.close()

    def _fill_dense(self, folder: Path, progress: Progress | None) -> None:
        view = DenseView(folder)
        for rows, done, total in self._row_batches():
            found, vectors = self.catalog.vectors(list(rows))
            view.add([rows[row] for row in found], vectors)
            if progress is not None:
                progress("rebuilding dense", done, total)
        view.close()

    def _row_batches(self) -> Iterator[tuple[dict[int, str], int, int]]:
        rows = self.catalog.all_rows()
        for i in range(0, len(rows), _STEP):
            part = rows[i : i + _STEP]
            yield dict(part), i + len(part), len(rows)

    def verify(self) -> Verification:
        """Compares ids and counts in catalog and views, and asks sampled vectors for themselves in a child process.

        Mends nothing.
        """
        problems = self.catalog.integrity()
        for view in VIEWS:
            if owed := self.catalog.pending_count(view):
                problems.append(f"{view}: {owed} operations are pending")
        here = {row for row, _ in self.catalog.all_rows()}
        try:
            lexical = LexicalView(self.view_folder("lexical"))
            there = lexical.rows()
            lexical.close()
        except IndexCorruptError as error:
            problems.append(f"lexical: {error}")
        else:
            if missing := len(here - set(there)):
                problems.append(f"lexical: {missing} chunks are missing")
            if extra := len(there) - len(here & set(there)):
                problems.append(f"lexical: {extra} chunks are too many")
        problems += probe(self.folder, self.view_folder("dense")).problems
        documents, chunks = self.catalog.counts()
        return Verification(documents, chunks, tuple(problems))

    def close(self) -> None:
        """Lets go of all files. The store cannot be used afterwards."""
        with self._guard:
            self._retire()
            self.catalog.close()
