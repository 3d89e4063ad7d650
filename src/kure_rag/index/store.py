"""One index folder: the catalog, its three views, and how the views catch up.

Write: one catalog transaction, acknowledged; then the views are brought up to it, each by itself. A crash anywhere
leaves operations in ``pending``, and the next opening does them. Doing one twice changes nothing.

What is deleted stays in catalog and views until every view has come past its generation: until then searches show the
generation before, whole. Then it is purged: announced in the catalog, deleted from the views, deleted from the catalog.
A search that began before may miss such rows and has to begin again, see :meth:`IndexStore.reading`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import IndexCorruptError, KureIndexError
from kure_rag.index import filling, lexical_seal
from kure_rag.index.dense import DenseSettings, DenseView, broken, drop, seal
from kure_rag.index.failpoints import failpoint
from kure_rag.index.filling import STEP
from kure_rag.index.lexical import KeywordViewError, LexicalView, remove
from kure_rag.index.matrix import MatrixView
from kure_rag.index.probe import probe
from kure_rag.index.reanalyse import TermsOf, discard, reanalyse
from kure_rag.index.schema import VIEWS
from kure_rag.index.store_views import DELETED, LEXICAL_SEAL, PURGED, SEAL, StoreViews
from kure_rag.index.verify import Verification, compare
from kure_rag.index.views import Views

_log = logging.getLogger(__name__)
Progress = filling.Progress
# Of the rows that a view holds. The graph's links still run over what was deleted; BM25 counts it as passages.
_MANY_DELETED: Final = 0.2
_MANY_PARTS: Final = 64  # of the keyword view: 300,000 rows made anew were in 13 at the most


class IndexStore(StoreViews):
    """An index folder, opened. Threads may share it.

    Args:
        folder: The index folder.
        create: Make a new index where there is none.
        dense: Where and how Chroma keeps the vectors; as the index was made when ``None``. Other settings than those
            have the vector view made anew.
        progress: Called with a label, rows done and rows in all while views are mended, now or later.

    Raises:
        KureIndexError: One of its kinds, when the folder cannot be used.
    """

    def __init__(
        self, folder: Path, *, create: bool, dense: DenseSettings | None = None, progress: Progress | None = None
    ) -> None:
        super().__init__(folder, create=create, progress=progress)
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
                self.catch_up(self._progress)
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

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[None]:
        """Holds the writer's lock, and brings the views up to the catalog at the end, whatever happened."""
        with self._lock.held(wait=wait):
            try:
                yield
            finally:
                self.catch_up()

    # Catching up

    def catch_up(self, progress: Progress | None = None) -> None:
        """Does what the views still owe the catalog, then purges. The caller holds the writer's lock."""
        if not self._owes():
            return
        failpoint("catch-up-begun")
        self._make_usable()
        try:
            self._bring_up(progress)
        except KeywordViewError as error:
            _log.warning("%s; rebuilding the view from the catalog", error)
            self._rebuild("lexical", self._progress)
            self._bring_up(progress)

    def _bring_up(self, progress: Progress | None) -> None:
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
            self._rebuild(name, self._progress)

    def _apply(self, name: str, views: Views, rows: dict[int, str], seq: int) -> None:
        if rows:
            if name == "dense":
                self._unseal()
            filling.add_to(self._to_write(name, views), self.catalog, rows)
            failpoint(f"{name}-applied")
        sealed = self._keywords_sealed(views) if name == "lexical" else {}
        with self._guard:  # we moved these views ourselves: nobody here has to open them again
            self.catalog.mark_applied(name, seq, **sealed)
            views.opened.state = self.catalog.state()
        failpoint(f"{name}-marked")

    def _to_write(self, name: str, views: Views) -> LexicalView | DenseView | MatrixView:
        view = views.opened.dense_to_write() if name == "dense" else getattr(views, name)
        if view is None:
            raise KureIndexError(f"{self.folder}: the {name} view cannot be used; run `kure-rag rebuild --view {name}`")
        return view

    def _keywords_sealed(self, views: Views) -> dict[str, Any]:
        return {LEXICAL_SEAL: lexical_seal.seal_of(views.lexical.folder, self.catalog.get(LEXICAL_SEAL))}

    def _unseal(self) -> None:
        """From here on until the vector view is sealed again, an opening looks closely at it."""
        if self.catalog.get(SEAL) is not None:
            self._sealed = self.catalog.get(SEAL)
            self.catalog.set(**{SEAL: None})
            failpoint("dense-unsealed")

    def _seal(self, view: DenseView) -> None:
        if self.catalog.get(SEAL) is None:
            view.flush()
            failpoint("dense-flushed")
            self.catalog.set(**{SEAL: seal(view.folder, self._sealed)})
            failpoint("dense-sealed")

    def _purge(self, views: Views, rows: dict[int, str]) -> None:
        """Removes rows for good that are gone by the generation that all views hold."""
        visible = self.catalog.state().visible
        self.catalog.set(**{PURGED: visible})  # searches at an older generation begin again from here on
        failpoint("purge-announced")
        for name in VIEWS:
            if name == "dense":
                self._unseal()
                self.catalog.set(**{DELETED: int(self.catalog.get(DELETED) or 0) + len(rows)})
            filling.delete_from(self._to_write(name, views), self.catalog, rows)
            failpoint(f"{name}-purged")
            if name == "lexical":
                self.catalog.set(**self._keywords_sealed(views))
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

    def reanalyse(self, terms_of: TermsOf, progress: Progress | None = None, **settings: Any) -> None:
        """Makes all terms anew, and the keyword view from them; nothing is embedded. Searches go on meanwhile.

        They see the old terms until all new ones are there. What was interrupted goes on where it was.

        Args:
            terms_of: A document and its chunks → terms of each chunk.
            progress: Called with a label, chunks done and chunks in all.
            **settings: Stored with the new terms, such as the fingerprint.
        """
        with self._lock.held():
            self.catch_up()
            number, fresh = self._fresh_folder("lexical")
            _log.warning("%s: analysing all texts again; nothing is embedded", self.folder)
            reanalyse(self.catalog, fresh, terms_of, progress, {**settings, "folder.lexical": number})
            self.catalog.set(**{LEXICAL_SEAL: lexical_seal.seal_of(fresh)})
            self._wanted = self._compared = None

    def compact(self, progress: Progress | None = None) -> None:
        """Gives back the room of what was deleted, in catalog and views. Searches go on meanwhile.

        The keyword view and the graph are made anew where more than a fifth of their rows were deleted.

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
        """The engine cannot be told to merge: with many deleted rows, or in many parts, the view is made anew."""
        with self.views() as views:
            held, deleted, parts = len(views.lexical), views.lexical.deleted, views.lexical.segments
        if deleted > _MANY_DELETED * held or parts > _MANY_PARTS:
            self._rebuild("lexical", None)

    def _compact_dense(self) -> None:
        if int(self.catalog.get(DELETED) or 0) > _MANY_DELETED * self.catalog.counts()[1]:
            self._rebuild("dense", None)

    def _remove_old(self) -> None:
        with self.views():  # opens the views that are in use now, and so lets go of those that are not
            pass
        self._sweep()
        discard(self.folder)

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
        lexical = self.view_folder("lexical")
        torn = lexical_seal.problems(lexical, self.catalog.get(LEXICAL_SEAL), owed=self._owes(), thorough=True)
        problems += [f"lexical: {problem}" for problem in torn]
        problems += compare(self.catalog, None if torn else lexical, self.view_folder("matrix"), alive, there)
        dense, sealed = self.view_folder("dense"), self.catalog.get(SEAL)
        whole = bool(sealed) and not broken(dense, sealed, thorough=True)
        problems += probe(self.folder, dense, self.dense_settings, sealed=whole).problems
        documents, chunks = self.catalog.counts()
        return Verification(documents, chunks, tuple(problems))
