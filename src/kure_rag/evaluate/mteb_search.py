"""BM25, hybrid and reranked retrieval under mteb's ``SearchProtocol``: the tasks that embedding models are scored on.

Documents go into an index of their own, streamed; it is removed when its questions were answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed import Embedder, KureReranker, as_embedder
from kure_rag.errors import ReadError, SearchError
from kure_rag.evaluate.mteb_folder import need_mteb
from kure_rag.evaluate.mteb_meta import search_meta
from kure_rag.evaluate.mteb_tasks import document_text, query_text
from kure_rag.evaluate.mteb_work import WorkFolder
from kure_rag.pipeline import KureIndex
from kure_rag.read import Record
from kure_rag.search import ConvexFusion, RerankSettings
from kure_rag.types import MODES, Hit, Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mteb.models import ModelMeta

    from kure_rag.search.fusion import Fusion
    from kure_rag.search.rerank import Reranker

_log = logging.getLogger(__name__)
_BATCH: Final = 64  # queries at once: a thousand hits of each are held meanwhile
_ANY_MODEL: Final = "static-ko"  # keyword search asks no vectors, but every document of an index has one

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How a pipeline ranks.

    Attributes:
        mode: ``lexical`` (BM25 over Kiwi's morphemes), ``dense`` or ``hybrid``.
        fusion: For ``hybrid``; by default as :class:`~kure_rag.search.SearchOptions` has it.
        reranker: A cross-encoder for the first candidates, or its name; ``None`` for none.
        rerank_candidates: How many it reads.
        head: Ranks that are searched for as a user would. mteb asks for a thousand hits, and how many are asked for
            decides how many candidates each leg brings, so that the first ten could be others than an application
            sees. The hits beyond these ranks are those of a search for as many as mteb wants. For ``hybrid`` without a
            reranker only: elsewhere it changes no rank.
        workers: Processes that analyse documents.

    Raises:
        SearchError: A value that makes no sense.
    """

    mode: Mode = "hybrid"
    fusion: Fusion | None = None
    reranker: Reranker | str | None = None
    rerank_candidates: int = 20
    head: int = 10
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SearchError(f"mode is {self.mode!r}; choose one of {', '.join(MODES)}")
        if self.fusion is not None and self.mode != "hybrid":
            raise SearchError(f"a fusion is for mode='hybrid', not {self.mode!r}")
        for name in ("rerank_candidates", "head"):
            if getattr(self, name) < 1:
                raise SearchError(f"{name} is {getattr(self, name)}; it must be 1 or more")


@dataclass(slots=True)
class _Open:
    """The index of the corpus that is being searched."""

    index: KureIndex
    place: WorkFolder
    ids: list[str] = field(default_factory=list)


class KureSearch:
    """What ``mteb.evaluate`` takes for a search engine.

    Example:
        >>> import mteb
        >>> from kure_rag.evaluate.mteb_search import KureSearch, SearchSettings
        >>> from kure_rag.evaluate.mteb_tasks import find_tasks
        >>> engine = KureSearch("KURE-v1", SearchSettings(mode="hybrid"))  # doctest: +SKIP
        >>> mteb.evaluate(engine, find_tasks(["Ko-StrategyQA"]))  # doctest: +SKIP

    Args:
        model: As :meth:`kure_rag.KureIndex.open` takes ``embeddings``; ``None`` for ``lexical``, which has no use for
            one.
        settings: How it ranks.
        work: Folder for the index. There it outlives an interruption, and the next run of the same task goes on where
            this one was; what killed runs of other settings have left there is removed. Otherwise it is in the system's
            temporary folder and always removed.
        progress: Called while documents are indexed and queries answered.

    Raises:
        MissingExtraError: mteb is not installed.
        SearchError: A model for ``lexical``, or none for another mode.
    """

    def __init__(
        self,
        model: object = None,
        settings: SearchSettings | None = None,
        *,
        work: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        need_mteb()
        self.settings = settings or SearchSettings()
        if (model is None) != (self.settings.mode == "lexical"):
            raise SearchError(
                "mode='lexical' ranks by words alone: leave the model out"
                if model is not None
                else f"mode={self.settings.mode!r} needs a model, such as static-ko; or choose mode='lexical'"
            )
        self._embedder = as_embedder(model or _ANY_MODEL)
        self._reranker = _named(self.settings.reranker)
        self._work = work
        self.progress = progress
        self._open: _Open | None = None
        self._meta: ModelMeta | None = None

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """Name, revision and settings, under which mteb keeps the results."""
        if self._meta is None:
            lexical = self.settings.mode == "lexical"
            self._meta = search_meta(None if lexical else self._embedder, self.settings.mode, self._described())
        return self._meta

    def index(
        self, corpus: Any, *, task_metadata: Any, hf_split: str, hf_subset: str, num_proc: int | None = None, **_: Any
    ) -> None:
        """Indexes a corpus, document by document; a title stands before its text, as mteb gives it to models.

        Args:
            corpus: mteb's data set with ``id``, ``text`` and, it may be, ``title``.
            task_metadata: The task's.
            hf_split: Which split this is.
            hf_subset: Which subset.
            num_proc: Processes that analyse, where the settings do not say.

        Raises:
            ReadError: A document cannot be indexed, so no score would be right.
            ConfigError: Another process is at this task with these settings.
        """
        self._close(remove=True)
        label = f"{task_metadata.name}: documents"
        name = f"{task_metadata.name}-{hf_subset}-{hf_split}-{str(task_metadata.revision)[:12]}"
        place = WorkFolder(self._work, name, self.mteb_model_meta)
        try:
            self._open = _Open(KureIndex.open(place.path / "index", embeddings=self._embedder), place)
        except BaseException:
            place.close(remove=self._work is None)
            raise
        opened, total, progress = self._open, len(corpus), self.progress
        try:
            report = opened.index.add_records(
                _records(corpus, opened.ids),
                workers=self.settings.workers or num_proc,
                progress=None if progress is None else lambda done, _total, _name: progress(done, total, label),
            )
        except BaseException:
            self._close(remove=self._work is None)
            raise
        if lost := [row for row in report.rows if row.status == "rejected"]:
            self._close(remove=True)
            id_ = opened.ids[int(lost[0].source)]
            raise ReadError(
                f"{task_metadata.name}, document {id_!r}",
                f"{lost[0].reason} ({len(lost)} documents could not be indexed: no score would be right)",
            )
        if empty := total - len(report.rows):
            _log.warning("%s: %d of %d documents are empty; nothing finds them", task_metadata.name, empty, total)

    def search(
        self,
        queries: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """Answers the queries of the corpus that was indexed last, and removes its index.

        Args:
            queries: mteb's data set with ``id`` and ``text``.
            task_metadata: The task's.
            hf_split: Not used.
            hf_subset: Not used.
            top_k: Documents for each query, at most.
            top_ranked: Query id → the documents that are to be ranked, in tasks of reranking.

        Returns:
            Query id → document id → score. Scores of a query differ, so that trec_eval, which orders equal ones by
            their ids, scores this ranking and no other.

        Raises:
            SearchError: Nothing was indexed.
        """
        if self._open is None:
            raise SearchError("nothing was indexed yet; mteb calls index() before search()")
        try:
            return self._answers(self._open, queries, task_metadata.name, top_k, top_ranked)
        except BaseException:
            self._close(remove=self._work is None)
            raise
        finally:
            self._close(remove=True)

    def close(self) -> None:
        """Lets go of an index whose queries were not asked, and removes it."""
        self._close(remove=True)

    def _answers(
        self, opened: _Open, queries: Any, task: str, top_k: int, top_ranked: Mapping[str, Sequence[str]] | None
    ) -> dict[str, dict[str, float]]:
        asked = [(str(row["id"]), query_text(row)) for row in queries]
        found: dict[str, dict[str, float]] = {query: {} for query, _ in asked}
        full = [(query, text) for query, text in asked if text.strip()]
        if len(full) < len(asked):
            _log.warning("%s: %d of %d queries are empty; they find nothing", task, len(asked) - len(full), len(asked))
        place = {id_: str(i) for i, id_ in enumerate(opened.ids)} if top_ranked is not None else {}
        size = _BATCH if top_ranked is None else 1
        for first in range(0, len(full), size):
            batch = full[first : first + size]
            where = None
            if top_ranked is not None:
                wanted = [place[id_] for id_ in top_ranked.get(batch[0][0], ()) if id_ in place]
                where = {"source": {"$in": wanted}}
            for (query, _), hits in zip(batch, self._hits(opened, [t for _, t in batch], top_k, where), strict=True):
                best = ((opened.ids[int(source)], score) for source, score in hits)
                found[query] = dict(decreasing(_once(best), top_k))
            if self.progress is not None:
                self.progress(first + len(batch), len(full), f"{task}: queries")
        return found

    def _hits(
        self, opened: _Open, texts: Sequence[str], top_k: int, where: Mapping[str, Any] | None
    ) -> list[list[tuple[str, float]]]:
        """For each query (source, score): the first ranks as a user's search gives them, then all others."""
        settings = self.settings
        search = opened.index.search_batch
        every = search(texts, k=top_k, mode=settings.mode, fusion=settings.fusion, where=where)
        if self._reranker is None and settings.mode != "hybrid":
            return [_pairs(hits) for hits in every]  # how many are asked for changes no rank
        rerank = None
        head = settings.head
        if self._reranker is not None:
            head = settings.rerank_candidates
            rerank = RerankSettings(model=self._reranker, candidates=head, fall_back=False)
        heads = search(
            texts, k=min(head, top_k), mode=settings.mode, fusion=settings.fusion, where=where, rerank=rerank
        )
        return [_pairs(first) + _pairs(rest) for first, rest in zip(heads, every, strict=True)]

    def _close(self, *, remove: bool) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.index.close()
            opened.place.close(remove=remove)

    def _described(self) -> dict[str, Any]:
        """What makes the ranking, by name, as far as it is not the default."""
        found: dict[str, Any] = {}
        fusion = self.settings.fusion
        if fusion is not None:
            found["fusion"] = "convex" if isinstance(fusion, ConvexFusion) else type(fusion).__name__.lower()[:3]
            found |= {name: getattr(fusion, name) for name in getattr(type(fusion), "__slots__", ())}
        elif self.settings.mode == "hybrid" and isinstance(self._embedder, Embedder):
            weight = self._embedder.settings.dense_weight
            found |= {} if weight is None else {"weight": weight}
        if self._reranker is not None:
            found["reranker"] = getattr(self._reranker, "name", type(self._reranker).__name__)
            found["rerank_candidates"] = self.settings.rerank_candidates
        elif self.settings.mode == "hybrid" and self.settings.head != SearchSettings().head:
            found["head"] = self.settings.head
        return found


def _named(reranker: Reranker | str | None) -> Reranker | None:
    return KureReranker(reranker) if isinstance(reranker, str) else reranker


def _records(corpus: Any, ids: list[str]) -> Iterator[Record]:
    """Documents under their places, whose ids are kept aside: mteb's may be any strings, and may be there twice."""
    for place, row in enumerate(corpus):
        ids.append(str(row["id"]))
        if text := document_text(row):
            yield Record(str(place), "", text)


def _pairs(hits: Sequence[Hit]) -> list[tuple[str, float]]:
    return [(hit.source, hit.score) for hit in hits]


def _once(pairs: Iterator[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Each document at its best rank."""
    best: dict[str, float] = {}
    for id_, score in pairs:
        best.setdefault(id_, score)
    yield from best.items()


def decreasing(pairs: Iterable[tuple[str, float]], count: int) -> Iterator[tuple[str, float]]:
    """The first of a ranking, with scores that fall from each to the next by at least what single precision sees.

    trec_eval reads them as such, and equal ones come about with equal texts, and where a reranker's scores end and
    those of the fusion go on.

    Args:
        pairs: (Document id, score), best first.
        count: How many are wanted.
    """
    before = np.float32(np.inf)
    for _, (id_, score) in zip(range(count), pairs, strict=False):
        value = np.float32(score)
        before = value if value < before else np.nextafter(before, np.float32(-np.inf))
        yield id_, float(before)
