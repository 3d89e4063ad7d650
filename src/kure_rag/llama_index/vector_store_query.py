"""LlamaIndex's vector store queries → searches of ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreQuery
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from kure_rag.errors import SearchError
from kure_rag.llama_index.filters import of_document, to_where
from kure_rag.search import MmrSettings, SearchOptions
from kure_rag.search.options import options_of
from kure_rag.search.tops import TopFusion

Where = dict[str, Any]
Mode = VectorStoreQueryMode

_WITH_VECTOR: Final = (Mode.DEFAULT, Mode.HYBRID, Mode.MMR)
_WITH_WORDS: Final = (Mode.SPARSE, Mode.TEXT_SEARCH, Mode.HYBRID)
_MMR_WEIGHT: Final = 0.5  # LlamaIndex's own
_MMR_FACTOR: Final = 4.0  # candidates for each node that is asked for, as its Chroma store takes them


@dataclass(frozen=True, slots=True)
class Search:
    """What :meth:`kure_rag.KureIndex.search` is called with."""

    text: str
    vector: npt.NDArray[np.float32] | None
    options: SearchOptions


def asks_nothing(query: VectorStoreQuery) -> bool:
    """Whether a query only says which nodes, with neither embedding nor words."""
    return Mode(query.mode) is Mode.DEFAULT and query.query_embedding is None and not (query.query_str or "").strip()


def to_search(query: VectorStoreQuery, given: Mapping[str, Any], *, dense_weight: float) -> Search:
    """A query as a search, see :meth:`kure_rag.llama_index.KureVectorStore.query`.

    Args:
        query: LlamaIndex's.
        given: Further keywords of a search, and those of MMR.
        dense_weight: Of the dense leg where the query says nothing of it.

    Raises:
        ValueError: A mode that there is none of here, or both ways to say how many nodes MMR chooses from.
        SearchError: The query lacks what its mode needs, or a value makes no sense.
        FilterError: A filter's value cannot be compared with.
        TypeError: A keyword that a search does not take.
    """
    mode = Mode(query.mode)
    if mode not in (*_WITH_VECTOR, *_WITH_WORDS):
        known = ", ".join(repr(one.value) for one in dict.fromkeys((*_WITH_VECTOR, *_WITH_WORDS)))
        raise ValueError(f"KureVectorStore knows no mode {mode.value!r}; use one of {known}")
    _check_complete(query, mode)
    keywords = dict(given)
    for name in ("k", "mode", "vector"):
        if name in keywords:
            raise TypeError(f"{name} is said by the query itself; leave it out of the keywords")
    if mode is Mode.MMR:
        keywords["mmr"] = _mmr(query, keywords)
    keywords["where"] = restricted(query.filters, query.node_ids or None, query.doc_ids or None, keywords.get("where"))
    if mode is Mode.HYBRID:
        keywords |= _hybrid(query, dense_weight, keywords)
    else:
        keywords |= _dense(query) if mode in _WITH_VECTOR else _lexical(query)
    vector = np.asarray(query.query_embedding, dtype=np.float32) if mode in _WITH_VECTOR else None
    return Search(query.query_str or "", vector, options_of(None, keywords))


def restricted(
    filters: MetadataFilters | MetadataFilter | None = None,
    node_ids: Sequence[str] | None = None,
    doc_ids: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Where | None:
    """All that says which nodes are meant, as one filter of ours; ``None`` where nothing does.

    Args:
        filters: LlamaIndex's. ``ref_doc_id``, ``doc_id`` and ``document_id`` name the node's document.
        node_ids: Only these nodes.
        doc_ids: Only nodes of these documents.
        where: A filter of ours.
    """
    parts: list[Where] = []
    if filters is not None and (translated := to_where(filters, documents=True)):
        parts.append(translated)
    if node_ids is not None:
        parts.append({"chunk_id": {"$in": list(node_ids)}})
    if doc_ids is not None:
        parts.append(of_document({"$in": list(doc_ids)}))
    if where:
        parts.append(dict(where))
    return parts[0] if len(parts) == 1 else {"$and": parts} if parts else None


def _check_complete(query: VectorStoreQuery, mode: Mode) -> None:
    if mode in _WITH_VECTOR and (query.query_embedding is None or not len(query.query_embedding)):
        raise SearchError(
            f"mode {mode.value!r} searches by query_embedding, and there is none: ask through a VectorStoreIndex, "
            "which embeds the question, or with mode 'sparse' or 'text_search' by its words alone"
        )
    if mode in _WITH_WORDS and not (query.query_str or "").strip():
        raise SearchError(f"mode {mode.value!r} searches by the words of query_str, and it is empty")


def _dense(query: VectorStoreQuery) -> dict[str, Any]:
    return {"mode": "dense", "k": query.similarity_top_k}


def _lexical(query: VectorStoreQuery) -> dict[str, Any]:
    k = query.sparse_top_k if query.mode == Mode.SPARSE and query.sparse_top_k else query.similarity_top_k
    return {"mode": "lexical", "k": k}


def _hybrid(query: VectorStoreQuery, dense_weight: float, keywords: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": "hybrid", "k": query.hybrid_top_k or query.similarity_top_k}
    # similarity_top_k is how many the dense leg gives where hybrid_top_k says how many are wanted in the end.
    tops = (query.sparse_top_k, query.similarity_top_k if query.hybrid_top_k else None)
    if query.alpha is None and tops == (None, None):
        return found
    if keywords.get("fusion") is not None:
        raise SearchError("fusion and alpha, sparse_top_k or hybrid_top_k all say how the legs are fused: give one")
    weight = dense_weight if query.alpha is None else query.alpha
    try:
        found["fusion"] = TopFusion(weight=weight, normaliser="spread", lexical_top=tops[0], dense_top=tops[1])
    except ValueError as error:
        raise SearchError(str(error)) from None
    asked = keywords.get("candidates", SearchOptions().candidates)
    return found | {"candidates": max(asked, *(top for top in tops if top is not None), 1)}


def _mmr(query: VectorStoreQuery, keywords: dict[str, Any]) -> MmrSettings:
    """Takes MMR's own keywords out of the others."""
    threshold = keywords.pop("mmr_threshold", None)
    threshold = query.mmr_threshold if threshold is None else threshold
    count, factor = keywords.pop("mmr_prefetch_k", None), keywords.pop("mmr_prefetch_factor", None)
    if count is not None and factor is not None:
        raise ValueError("mmr_prefetch_k and mmr_prefetch_factor both say how many nodes to choose from: give one")
    if count is None:
        count = math.ceil((_MMR_FACTOR if factor is None else factor) * query.similarity_top_k)
    try:
        return MmrSettings(relevance_weight=_MMR_WEIGHT if threshold is None else threshold, candidates=count)
    except ValueError as error:
        raise SearchError(str(error)) from None
