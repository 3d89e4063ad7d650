"""Kits for tests and examples: contracts that another adapter can inherit, and local stand-ins for paid services.

A contract is a class of pytest tests. An adapter for a further framework inherits it and says how it is asked; the
tests then compare what it gives with what the core gives:

    >>> from kure_rag.testing import Found, RetrieverContract
    >>> class TestMyRetriever(RetrieverContract):  # doctest: +SKIP
    ...     def retrieve(self, index, query, k, **search):
    ...         found = MyRetriever(index, top_k=k, **search).run(query)
    ...         return [Found(one.id, one.content, one.score, one.meta) for one in found]

The contracts need ``kure-rag[testing]``, and no network: their model is the bundled one. The stand-ins need nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kure_rag.testing.embedding import AsyncEmbeddingsContract, EmbeddingsContract
    from kure_rag.testing.material import Found, Piece, make_index
    from kure_rag.testing.reading import ReaderContract, SplitterContract
    from kure_rag.testing.reranking import AsyncRerankerContract, RerankerContract
    from kure_rag.testing.retrieval import AsyncRetrieverContract, RetrieverContract
    from kure_rag.testing.stores import VectorStoreContract

_HOMES = {
    "AsyncEmbeddingsContract": "embedding",
    "AsyncRerankerContract": "reranking",
    "AsyncRetrieverContract": "retrieval",
    "EmbeddingsContract": "embedding",
    "Found": "material",
    "Piece": "material",
    "ReaderContract": "reading",
    "RerankerContract": "reranking",
    "RetrieverContract": "retrieval",
    "SplitterContract": "reading",
    "VectorStoreContract": "stores",
    "make_index": "material",
}

__all__ = [
    "AsyncEmbeddingsContract",
    "AsyncRerankerContract",
    "AsyncRetrieverContract",
    "EmbeddingsContract",
    "Found",
    "Piece",
    "ReaderContract",
    "RerankerContract",
    "RetrieverContract",
    "SplitterContract",
    "VectorStoreContract",
    "make_index",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
