"""Searches as a vector store has to answer them: the ``k`` best, also where few passages have to do with the query."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kure_rag.langchain.filters import to_where
from kure_rag.pipeline import KureIndex
from kure_rag.pipeline.lazy import LazyIndex
from kure_rag.search import SearchOptions
from kure_rag.search.options import options_of
from kure_rag.types import Hit, Mode

Vector = Sequence[float]
_NOT_OURS: Final = ("filter", "where", "verbose")  # the last is LangChain's own, which retrievers pass on


@dataclass(frozen=True, slots=True)
class StoreSearch:
    """A search of an index in the way of vector stores.

    A hybrid search finds what has words of the query or a cosine above zero with it. Vector stores are expected to give
    ``k`` documents as long as they hold so many: the nearest of the others follow, with a score of their cosine and at
    most 0. Not so where a threshold, a reranker, folding or grouping was asked for.

    Attributes:
        index: What is searched.
        mode: Used where a call names none; ``None`` for that of the options.
        options: Likewise, for all else; by default as the index was opened.
    """

    index: KureIndex
    mode: Mode | None
    options: SearchOptions | None

    def hits(self, query: str, given: Mapping[str, Any], vector: Vector | None = None) -> list[Hit]:
        """The hits of a query, best first.

        Args:
            query: Its words; may be empty beside a vector, in a ``dense`` search.
            given: What the call says: ``k``, ``filter`` and all keywords of :meth:`kure_rag.KureIndex.search`.
            vector: The query's, if it was made already.
        """
        options = self._options(given)
        if vector is None and _takes_vector(query, options):
            vector = self._embedded(query)
        hits = self.index.search(query, options=options, vector=vector)
        rest = _rest(options, hits, vector)
        return hits if rest is None else _with_rest(hits, self.index.search(query, options=rest, vector=vector), rest.k)

    async def ahits(self, query: str, given: Mapping[str, Any], vector: Vector | None = None) -> list[Hit]:
        """:meth:`hits`; an event loop goes on meanwhile, also where the index is opened first."""
        if isinstance(self.index, LazyIndex):
            await self.index.aload()  # the options may be those that it is opened with
        options = self._options(given)
        if vector is None and _takes_vector(query, options):
            vector = await asyncio.to_thread(self._embedded, query)
        hits = await self.index.asearch(query, options=options, vector=vector)
        rest = _rest(options, hits, vector)
        if rest is None:
            return hits
        return _with_rest(hits, await self.index.asearch(query, options=rest, vector=vector), rest.k)

    def _options(self, given: Mapping[str, Any]) -> SearchOptions:
        said = {name: value for name, value in given.items() if name not in _NOT_OURS}
        where = both_of(given.get("filter"), given.get("where"))
        if where is not None or "where" in given:
            said["where"] = where
        mode = {} if self.mode is None else {"mode": self.mode}
        return options_of(self.options or self.index.search_options, {**mode, **said})

    def _embedded(self, query: str) -> Vector:
        vector: Vector = self.index.embedder.embed_queries([query])[0]
        return vector


def both_of(filter_: Any, where: Any) -> dict[str, Any] | None:
    """Two filters as one of ours; ``None`` where neither says anything.

    Raises:
        FilterError: One breaks the grammar.
    """
    filters = [found for given in (filter_, where) if (found := to_where(given))]
    return {"$and": filters} if len(filters) > 1 else filters[0] if filters else None


def _takes_vector(query: str, options: SearchOptions) -> bool:
    """Whether the query's vector can stand for it: nothing but the query itself is embedded."""
    alone = options.multi_query is None and options.hyde is None
    return options.mode != "lexical" and alone and isinstance(query, str) and bool(query.strip())


def _rest(options: SearchOptions, hits: Sequence[Hit], vector: Vector | None) -> SearchOptions | None:
    """How to search for what is to follow the hits, if anything is."""
    chosen = (options.score_threshold or None, options.rerank, options.fold, options.group_by)
    enough = len(hits) >= options.k or any(choice is not None for choice in chosen)
    if options.mode != "hybrid" or vector is None or enough:
        return None
    return replace(options, mode="dense", fusion=None, mmr=None)


def _with_rest(hits: list[Hit], nearest: Sequence[Hit], k: int) -> list[Hit]:
    found = {hit.chunk.id for hit in hits}
    lowest = min([hit.score for hit in hits], default=0.0)
    rest = [hit for hit in nearest if hit.chunk.id not in found][: k - len(hits)]
    for hit in rest:
        score = min(hit.score, lowest, 0.0)
        hits.append(replace(hit, rank=len(hits) + 1, score=score, parts={"dense": score}))
    return hits
