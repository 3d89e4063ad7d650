"""One index folder: the catalog, its two views, and how the views catch up.

Write: one catalog transaction, acknowledged; then the views are brought up to it. A crash anywhere leaves operations in
``pending``, and the next opening does them. Doing one twice changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import FingerprintMismatchError, IndexCorruptError, IndexLockedError
from kure_rag.index.catalog import Catalog, State
from kure_rag.index.dense import DenseView, seal
from kure_rag.index.lexical import LexicalView, remove
from kure_rag.index.lock import WriterLock
from kure_rag.index.probe import probe
from kure_rag.index.verify import Verification

_log = logging.getLogger(__name__)
_STEP: Final = 5_000  # operations a view does between two marks in the catalog
_SEAL: Final = "dense.seal"
Progress = Callable[[str, int, int], None]


class IndexStore:
    """An index folder, opened.

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
        self._guard = threading.RLock()  # opening, swapping and closing of views
        self._views: tuple[LexicalView, DenseView] | None = None
        self._seen: State | None = None
        if self._owes():
            try:
                with self._lock.held():
                    self.catch_up()
            except IndexLockedError:
                _log.info("%s: another process is writing; reading what it has finished", folder)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the writer's lock, and brings the views up to the catalog at the end, whatever happened."""
        with self._lock.held():
            try:
                yield
            finally:
                self.catch_up()

    # Fingerprint

    def check_fingerprint(self, wanted: Mapping[str, Any]) -> None:
        """Compares settings with those the index was made with; a new index takes them as its own.

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

    def views(self) -> tuple[LexicalView, DenseView, int]:
        """Both views, opened again when another process moved them, and the newest generation that both hold."""
        with self._guard:
            state = self.catalog.state()
            if self._views is None:
                self._open_views()
            elif self._seen is None or state.epoch != self._seen.epoch:
                self._close_views()
                self._open_views()
            elif state.applied != self._seen.applied:
                lexical, dense = self._views
                lexical.reload()
                dense.close()
                self._views = (lexical, DenseView(dense.folder))
            self._seen = state
            if self._views is None:
                raise IndexCorruptError(f"{self.folder}: the views are closed")
            return (*self._views, state.visible)

    def _open_views(self) -> None:
        if (self.catalog.get(_SEAL) or {}) != seal(self.folder / "dense"):
            self._mend_dense()
        try:
            lexical = LexicalView(self.folder / "lexical")
        except IndexCorruptError as error:
            _log.warning("%s; rebuilding it from the catalog", error)
            with self._lock.held():
                self._rebuild_lexical(None)
            lexical = LexicalView(self.folder / "lexical")
        self._views = (lexical, DenseView(self.folder / "dense"))

    def _mend_dense(self) -> None:
        """The graph files are not as they were left: look in from a child process, and rebuild what does not answer."""
        try:
            with self._lock.held():
                found = probe(self.folder)
                if found.torn or (found.problems and not self.catalog.pending_count("dense")):
                    _log.warning("%s: %s; rebuilding the view from the catalog", self.folder, "; ".join(found.problems))
                    self._rebuild_dense(None)
                else:
                    self.catalog.set(**{_SEAL: seal(self.folder / "dense")})
        except IndexLockedError:
            _log.info("%s: another process is writing the vector view", self.folder)

    def _close_views(self) -> None:
        if self._views is not None:
            for view in self._views:
                view.close()
        self._views = None

    # Catching up

    def _owes(self) -> bool:
        return any(self.catalog.pending_count(view) for view in ("lexical", "dense"))

    def catch_up(self, progress: Progress | None = None) -> None:
        """Does what the views still owe the catalog. The caller holds the writer's lock."""
        if not self._owes():
            return
        with self._guard:
            lexical, dense, _ = self.views()
            total = self.catalog.pending_count("lexical") + self.catalog.pending_count("dense")
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
            self._seen = self.catalog.state()

    def _is_back(self, chunk_id: str) -> bool:
        """Whether a deleted chunk was added again since: its id is the same, and the view must keep it."""
        return bool(self.catalog.rows_of([chunk_id]))

    # Rebuilding and verifying

    def rebuild(self, view: str, progress: Progress | None = None) -> None:
        """Makes a view anew from the catalog; nothing is analysed or embedded again.

        Args:
            view: ``lexical`` or ``dense``.
            progress: Called with a label, rows done and rows in all.
        """
        with self._lock.held(), self._guard:
            self._close_views()
            if view == "lexical":
                self._rebuild_lexical(progress)
            elif view == "dense":
                self._rebuild_dense(progress)
            else:
                raise ValueError(f"no view named {view!r}; the views are 'lexical' and 'dense'")

    def _rebuild_lexical(self, progress: Progress | None) -> None:
        fresh = self.folder / "lexical.new"
        remove(fresh)
        view = LexicalView(fresh)
        for rows, done, total in self._row_batches():
            view.apply(self.catalog.keywords(list(rows)), [])
            if progress is not None:
                progress("rebuilding lexical", done, total)
        view.close()
        self._swap("lexical", fresh)
        self.catalog.mark_rebuilt("lexical")

    def _rebuild_dense(self, progress: Progress | None) -> None:
        fresh = self.folder / "dense.new"
        remove(fresh)
        view = DenseView(fresh)
        for rows, done, total in self._row_batches():
            ids = dict(rows)
            found, vectors = self.catalog.vectors(list(ids))
            view.add([ids[row] for row in found], vectors)
            if progress is not None:
                progress("rebuilding dense", done, total)
        view.close()
        self._swap("dense", fresh)
        self.catalog.mark_rebuilt("dense", **{_SEAL: seal(self.folder / "dense")})

    def _row_batches(self) -> Iterator[tuple[dict[int, str], int, int]]:
        rows = self.catalog.all_rows()
        for i in range(0, len(rows), _STEP):
            part = rows[i : i + _STEP]
            yield dict(part), i + len(part), len(rows)

    def _swap(self, view: str, fresh: Path) -> None:
        old = self.folder / f"{view}.old"
        remove(old)
        if (self.folder / view).exists():
            (self.folder / view).rename(old)
        fresh.rename(self.folder / view)
        remove(old)

    def verify(self) -> Verification:
        """Compares ids and counts in catalog and views, and asks sampled vectors for themselves in a child process."""
        problems = self.catalog.integrity()
        for view in ("lexical", "dense"):
            if owed := self.catalog.pending_count(view):
                problems.append(f"{view}: {owed} operations are pending")
        lexical, _, _ = self.views()
        here, there = {row for row, _ in self.catalog.all_rows()}, lexical.rows()
        if missing := len(here - set(there)):
            problems.append(f"lexical: {missing} chunks are missing")
        if extra := len(there) - len(here & set(there)):
            problems.append(f"lexical: {extra} chunks are too many")
        problems += probe(self.folder).problems
        documents, chunks = self.catalog.counts()
        return Verification(documents, chunks, tuple(problems))

    def close(self) -> None:
        """Lets go of all files. The store cannot be used afterwards."""
        with self._guard:
            self._close_views()
            self.catalog.close()
