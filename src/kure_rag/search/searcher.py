"""Searches one index: both legs over the same filter, then fusion, then the stages that were asked for."""

from __future__ import annotations

import contextvars
import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Unpack

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import EmbedderLike
from kure_rag.errors import SearchStoppedError
from kure_rag.index.rank_bm25 import Bm25Settings
from kure_rag.index.store import IndexStore
from kure_rag.index.views import Views
from kure_rag.index.where import Where, parse_where
from kure_rag.search.candidates import Candidates, Rows
from kure_rag.search.fusion import ConvexFusion, Fusion, convex
from kure_rag.search.given import check_dimension, check_options, check_vector, needs_words
from kure_rag.search.helpers import Asked, SpacedQuestion, ask, check_queries, query_vectors, questions
from kure_rag.search.keywords import RankBm25Cache
from kure_rag.search.legs import KeywordView, run_legs
from kure_rag.search.options import SearchKeywords, SearchOptions, options_of
from kure_rag.search.pools import Pool, pools_of
from kure_rag.search.ranking import Ranking, fused_queries, ranked
from kure_rag.search.relevance import Background
from kure_rag.search.rerank import Reranker, loaded
from kure_rag.search.stages import Query, Stages
from kure_rag.search.vectors import CatalogVectors, VectorSource, sample_of, stretch_of
from kure_rag.tokenize import Synonyms, Tokenizer
from kure_rag.tokenize.synonyms import Meaning
from kure_rag.types import Hit

_THREADS: Final = min(4, os.cpu_count() or 1)  # keyword legs at once, of all searches


@dataclass(frozen=True, slots=True)
class _Request:
    """What does not change when a search has to begin again."""

    options: SearchOptions
    asked: list[Asked]
    questions: Callable[[], list[SpacedQuestion]] | None
    vectors: npt.NDArray[np.float32] | None
    where: Where | None
    fusion: Fusion
    reranker: Reranker | None
    stop: threading.Event | None
    by_vector: bool

    def go_on(self) -> None:
        if self.stop is not None and self.stop.is_set():
            raise SearchStoppedError("the search was cancelled")


class Searcher:
    """Queries → hits. Threads may share it.

    Args:
        store: The index.
        tokenizer: The one the index was made with.
        embedder: The one the index was made with.
        synonyms: What else words of a question may mean.
        options: How to search where a search does not say otherwise.
    """

    def __init__(
        self,
        store: IndexStore,
        tokenizer: Tokenizer,
        embedder: EmbedderLike,
        synonyms: Synonyms | None = None,
        options: SearchOptions | None = None,
    ) -> None:
        self._store = store
        self._tokenizer = tokenizer
        self._embedder = embedder
        self._synonyms = synonyms
        self.options = options or SearchOptions()
        self._rank_bm25 = RankBm25Cache(store.catalog)
        self._guard = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._stretch: tuple[object, int, float] | None = None
        self._rerankers: dict[str, Reranker] = {}

    def search(
        self,
        query: str,
        *,
        options: SearchOptions | None = None,
        vector: npt.ArrayLike | None = None,
        **given: Unpack[SearchKeywords],
    ) -> list[Hit]:
        """:meth:`search_batch` for one query.

        Args:
            query: Its words; may be empty where a vector is given and nothing else looks at them.
            options: How to search.
            vector: The query's, shape (dimension,), made by the index's model; the query is not embedded then. With
                ``mode="dense"`` the nearest chunks are hits however far they are, also those of a cosine below zero.
            **given: As :meth:`search_batch` takes them.

        Raises:
            SearchError: Also a vector of another dimension, or beside ``mode="lexical"``, ``multi_query`` or ``hyde``.
        """
        return self._run([query], options_of(options or self.options, given), None, vector)[0]

    def search_batch(
        self, queries: Sequence[str], *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[list[Hit]]:
        """The best chunks for each query.

        A heading that stands alone (``kind`` ``heading``, such as 제1장 총칙) answers nothing: it is found only by a
        filter that names ``kind``.

        Args:
            queries: In any language; Korean is what the keyword leg analyses.
            options: How to search.
            **given: Options that stand in the place of those, also in short forms: ``rerank="a model's name"``,
                ``fold=True``, ``mmr=0.7``, ``group_by="document"`` with ``per_group=2``, ``expand=1`` or
                ``expand="section"``.

        Returns:
            One list a query, best first. Equal scores are ordered by chunk id, so that results repeat.

        Raises:
            SearchError: An empty query, or an option that makes no sense.
            FilterError: ``where`` breaks its grammar.
        """
        return self._run(queries, options_of(options or self.options, given), None)

    async def asearch(
        self,
        query: str,
        *,
        options: SearchOptions | None = None,
        vector: npt.ArrayLike | None = None,
        **given: Unpack[SearchKeywords],
    ) -> list[Hit]:
        """:meth:`search` in a thread, see :meth:`asearch_batch`."""
        return (await self._arun([query], options_of(options or self.options, given), vector))[0]

    async def asearch_batch(
        self, queries: Sequence[str], *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[list[Hit]]:
        """:meth:`search_batch` in a thread, so that an event loop goes on.

        Cancelling it returns at once, and ends the work in the thread at its next step.
        """
        return await self._arun(queries, options_of(options or self.options, given))

    def pools(
        self,
        queries: Sequence[str],
        *,
        options: SearchOptions | None = None,
        vectors: npt.NDArray[np.float32] | None = None,
    ) -> list[Pool]:
        """What the legs find for each query, for :func:`~kure_rag.search.pools.rank_pool` to rank.

        Args:
            queries: As for :meth:`search_batch`.
            options: Of which the engines, the filter and the number of candidates count.
            vectors: The queries', shape (queries, dimension); they are embedded where it is left out.
        """
        check_queries(queries)
        if not queries:
            return []
        request = self._prepared(queries, options or self.options, None, vectors)
        return self._store.reading(functools.partial(self._pools, request))

    def close(self) -> None:
        """Ends the threads. The index stays open."""
        with self._guard:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)

    # One search

    async def _arun(
        self, queries: Sequence[str], options: SearchOptions, vector: npt.ArrayLike | None = None
    ) -> list[list[Hit]]:
        import asyncio  # a tenth of what a command-line search imports, which never needs it

        stop = threading.Event()
        work = functools.partial(contextvars.copy_context().run, self._run, queries, options, stop, vector)
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work)
        except asyncio.CancelledError:
            stop.set()
            raise

    def _run(
        self,
        queries: Sequence[str],
        options: SearchOptions,
        stop: threading.Event | None,
        vector: npt.ArrayLike | None = None,
    ) -> list[list[Hit]]:
        if vector is not None:
            check_options(options)
        if vector is None or needs_words(options):
            check_queries(queries)
        if not queries:
            return []
        given = None if vector is None else check_vector(vector)
        request = self._prepared(queries, options, stop, given)
        return self._store.reading(functools.partial(self._answers, request))

    def _prepared(
        self,
        queries: Sequence[str],
        options: SearchOptions,
        stop: threading.Event | None,
        given: npt.NDArray[np.float32] | None,
    ) -> _Request:
        where = parse_where(options.where) if options.where else None
        asked = ask(queries, options.multi_query)
        texts = [text for one in asked for text in one.texts]
        vectors = None
        if options.mode != "lexical" and self._store.catalog.counts()[1]:
            if given is not None:
                check_dimension(given, self._store.catalog.get("dimension"))
            vectors = query_vectors(self._embedder, texts, options.hyde) if given is None else given
        return _Request(
            options=options,
            asked=asked,
            questions=self._questions(texts, options),
            vectors=vectors,
            where=where,
            fusion=options.fusion or convex(self._embedder.dense_weight if options.mode == "hybrid" else 0.0),
            reranker=self._reranker(options),
            stop=stop,
            by_vector=given is not None,
        )

    def _questions(self, texts: Sequence[str], options: SearchOptions) -> Callable[[], list[SpacedQuestion]] | None:
        """Makes them when they are asked for, once: the dense leg is at work by then."""
        wanted = options.mode != "dense" or options.highlight
        return functools.cache(functools.partial(questions, self._tokenizer, texts, self._synonyms)) if wanted else None

    def _reranker(self, options: SearchOptions) -> Reranker | None:
        if options.rerank is None:
            return None
        model = options.rerank.model
        if not isinstance(model, str):
            return loaded(model)
        with self._guard:
            if model not in self._rerankers:
                self._rerankers[model] = loaded(model)
            return self._rerankers[model]

    def _answers(self, request: _Request, views: Views) -> list[list[Hit]]:
        request.go_on()
        catalog, options = self._store.catalog, request.options
        source: VectorSource = views.matrix if views.matrix is not None else CatalogVectors(catalog, views.visible)
        with catalog.snapshot():
            allowed = None if request.where is None else catalog.matching(request.where, views.visible)
            rankings = self._rankings(request, views, source, allowed)
            stages = Stages(catalog, views.visible, source, self._tokenizer, options, request.reranker, request.stop)
            sample = sample_of(source) if _is_measured(options) and request.vectors is not None else None
            headings = request.where is not None and request.where.names("kind")
            out, at = [], 0
            for one in request.asked:
                request.go_on()
                fused = fused_queries(rankings[at : at + len(one.texts)])
                query = self._query(request, one, at, source, sample)
                out.append(stages.hits(query, fused, headings=headings))
                at += len(one.texts)
        return out

    def _pools(self, request: _Request, views: Views) -> list[Pool]:
        catalog = self._store.catalog
        source: VectorSource = views.matrix if views.matrix is not None else CatalogVectors(catalog, views.visible)
        with catalog.snapshot():
            allowed = None if request.where is None else catalog.matching(request.where, views.visible)
            found = self._candidates(request, views, source, allowed)
            rows = np.unique(np.concatenate([some.rows for some in found]))
            stored = catalog.fetch(rows.tolist(), views.visible)
        return pools_of(found, {row: item.chunk for row, item in stored.items()})

    def _rankings(self, request: _Request, views: Views, source: VectorSource, allowed: Rows | None) -> list[Ranking]:
        """One for each text."""
        return [
            ranked(candidates, request.options.mode, request.fusion, nearest=request.by_vector)
            for candidates in self._candidates(request, views, source, allowed)
        ]

    def _candidates(
        self, request: _Request, views: Views, source: VectorSource, allowed: Rows | None
    ) -> list[Candidates]:
        """What the legs say, for each text."""
        options, vectors = request.options, request.vectors
        legs = run_legs(
            self._store.catalog,
            views,
            self._keywords(options, views),
            source,
            (request.questions if options.mode != "dense" else None, vectors),
            options,
            options.depth,
            allowed,
            self._threads(),
        )
        stretch = self._stretch_of(request, source)
        out = []
        for i in range(sum(len(one.texts) for one in request.asked)):
            candidates = Candidates.of(legs.of(i), stretch)
            if vectors is not None and options.mode == "hybrid":
                # Candidates that only the keyword leg found have their cosine too: the vectors are at hand.
                candidates.scored("dense", *source.score(vectors[i], candidates.unsaid("dense")))
            out.append(candidates)
        return out

    def _keywords(self, options: SearchOptions, views: Views) -> KeywordView:
        if options.lexical == "tantivy" or options.mode == "dense":
            return views.lexical
        return self._rank_bm25.of(views, options.bm25 or Bm25Settings())

    def _query(self, request: _Request, asked: Asked, at: int, source: VectorSource, sample: Rows | None) -> Query:
        background = None
        if sample is not None and request.vectors is not None:
            background = Background.of(source.score(request.vectors[at], sample)[1])
        text = asked.texts[0]
        if request.questions is None:
            return Query(text, None, background)
        found = request.questions()
        every = found[at : at + len(asked.texts)]
        marked = frozenset(term for one in every for term in (*one.terms, *one.optional))
        own = found[at]
        meanings: list[Meaning] = []
        if self._synonyms is not None:
            meanings = self._synonyms.meanings(own.terms) + self._synonyms.meanings(own.respaced)
        return Query(text, own if request.options.mode != "dense" else None, background, meanings, marked)

    def _stretch_of(self, request: _Request, source: VectorSource) -> float:
        fusion = request.fusion
        if request.options.mode != "hybrid" or not isinstance(fusion, ConvexFusion) or fusion.normaliser != "spread":
            return 1.0
        known = self._stretch
        if known is None or known[0] is not source or known[1] != len(source):
            known = (source, len(source), stretch_of(source, sample_of(source)))
            self._stretch = known
        return known[2]

    def _threads(self) -> ThreadPoolExecutor:
        with self._guard:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="kure-rag-search")
            return self._executor


def _is_measured(options: SearchOptions) -> bool:
    return options.mode != "lexical" and (options.relevance or options.score_threshold is not None)
