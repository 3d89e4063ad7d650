"""The searches of a LangChain ``VectorStore``, sync and async, over one way to search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from kure_rag.langchain.convert import to_stored
from kure_rag.langchain.store_search import StoreSearch
from kure_rag.pipeline import KureIndex
from kure_rag.search.mmr import MmrSettings
from kure_rag.types import Hit

Scored = list[tuple[Document, float]]
_FETCH_K = 20  # LangChain's own defaults
_LAMBDA = 0.5


class StoreSearches(VectorStore):
    """What a vector store answers. Every method takes ``filter`` and the keywords of a search of ours."""

    _search: StoreSearch
    index: KureIndex

    def similarity_search(self, query: str, k: int = 4, filter: Any = None, **given: Any) -> list[Document]:  # noqa: A002
        """The best documents for a query.

        Args:
            query: In words.
            k: How many.
            filter: In LangChain's grammar or in ours, see :mod:`kure_rag.langchain.filters`.
            **given: Keywords of :meth:`kure_rag.KureIndex.search`, such as ``mode="dense"``.

        Raises:
            SearchError: An empty query, or an option that makes no sense.
            FilterError: The filter breaks its grammar.
        """
        return _documents(self._search.hits(query, {**given, "k": k, "filter": filter}))

    def similarity_search_with_score(self, query: str, k: int = 4, filter: Any = None, **given: Any) -> Scored:  # noqa: A002
        """:meth:`similarity_search`, with scores: higher is better, within one search."""
        return _scored(self._search.hits(query, {**given, "k": k, "filter": filter}))

    def similarity_search_with_relevance_scores(self, query: str, k: int = 4, **given: Any) -> Scored:
        """:meth:`similarity_search`, with relevances.

        Args:
            query: In words.
            k: How many.
            **given: As for :meth:`similarity_search`; with ``score_threshold``, only documents of at least this
                relevance.

        Returns:
            Documents with their relevance from 0 to 1, in the order of the search.
        """
        return _relevant(self._search.hits(query, {**given, "k": k, "relevance": True}))

    def similarity_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> list[Document]:
        """The documents that are nearest to a vector, see :meth:`similarity_search`."""
        return _documents(self._search.hits("", _near(k, filter, given), embedding))

    def similarity_search_with_score_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> Scored:
        """:meth:`similarity_search_by_vector`, with cosines."""
        return _scored(self._search.hits("", _near(k, filter, given), embedding))

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = _FETCH_K,
        lambda_mult: float = _LAMBDA,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> list[Document]:
        """The best documents that are unlike each other, see :mod:`kure_rag.search.mmr`.

        Args:
            query: In words.
            k: How many; no more than ``fetch_k``.
            fetch_k: How many of the best to choose from.
            lambda_mult: 1 looks at relevance alone, 0 at difference alone.
            filter: See :meth:`similarity_search`.
            **given: Likewise.
        """
        asked = {**given, **_unlike(k, fetch_k, lambda_mult), "filter": filter}
        return _documents(self._search.hits(query, asked))

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = _FETCH_K,
        lambda_mult: float = _LAMBDA,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> list[Document]:
        """:meth:`max_marginal_relevance_search` of what is nearest to a vector."""
        asked = _near(k, filter, {**given, **_unlike(k, fetch_k, lambda_mult)})
        return _documents(self._search.hits("", asked, embedding))

    # The same, and an event loop goes on meanwhile

    async def asimilarity_search(self, query: str, k: int = 4, filter: Any = None, **given: Any) -> list[Document]:  # noqa: A002
        """See :meth:`similarity_search`."""
        return _documents(await self._search.ahits(query, {**given, "k": k, "filter": filter}))

    async def asimilarity_search_with_score(self, query: str, k: int = 4, filter: Any = None, **given: Any) -> Scored:  # noqa: A002
        """See :meth:`similarity_search_with_score`."""
        return _scored(await self._search.ahits(query, {**given, "k": k, "filter": filter}))

    async def asimilarity_search_with_relevance_scores(self, query: str, k: int = 4, **given: Any) -> Scored:
        """See :meth:`similarity_search_with_relevance_scores`."""
        return _relevant(await self._search.ahits(query, {**given, "k": k, "relevance": True}))

    async def asimilarity_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> list[Document]:
        """See :meth:`similarity_search_by_vector`."""
        return _documents(await self._search.ahits("", _near(k, filter, given), embedding))

    async def asimilarity_search_with_score_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> Scored:
        """See :meth:`similarity_search_with_score_by_vector`."""
        return _scored(await self._search.ahits("", _near(k, filter, given), embedding))

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = _FETCH_K,
        lambda_mult: float = _LAMBDA,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> list[Document]:
        """See :meth:`max_marginal_relevance_search`."""
        asked = {**given, **_unlike(k, fetch_k, lambda_mult), "filter": filter}
        return _documents(await self._search.ahits(query, asked))

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = _FETCH_K,
        lambda_mult: float = _LAMBDA,
        filter: Any = None,  # noqa: A002
        **given: Any,
    ) -> list[Document]:
        """See :meth:`max_marginal_relevance_search_by_vector`."""
        asked = _near(k, filter, {**given, **_unlike(k, fetch_k, lambda_mult)})
        return _documents(await self._search.ahits("", asked, embedding))

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """A score of a search → from 0 to 1, in the same order.

        Ours are not made from scores: :meth:`similarity_search_with_relevance_scores` has the search estimate them.
        """
        return _squeezed


def _near(k: int, filter_: Any, given: dict[str, Any]) -> dict[str, Any]:
    return {"mode": "dense", "k": k, "filter": filter_, **given}


def _unlike(k: int, fetch_k: int, lambda_mult: float) -> dict[str, Any]:
    return {"k": min(k, fetch_k), "mmr": MmrSettings(relevance_weight=lambda_mult, candidates=fetch_k)}


def _squeezed(score: float) -> float:
    return (1 + score / (1 + abs(score))) / 2


def _documents(hits: Iterable[Hit]) -> list[Document]:
    return [to_stored(hit) for hit in hits]


def _scored(hits: Iterable[Hit]) -> Scored:
    return [(to_stored(hit), hit.score) for hit in hits]


def _relevant(hits: Iterable[Hit]) -> Scored:
    return [(to_stored(hit), hit.relevance or 0.0) for hit in hits]
