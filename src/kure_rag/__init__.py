"""kure-rag: Korean documents in, cited passages out, inside LangChain and LlamaIndex.

The names below are the public surface; everything heavy is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kure_rag._version import __version__

if TYPE_CHECKING:
    from kure_rag.embed import CARDS, Embedder, EmbedSettings, KureReranker, ModelCard
    from kure_rag.langchain import KureEmbeddings, KureRetriever
    from kure_rag.pipeline import Entry, KureIndex
    from kure_rag.search import ConvexFusion, RrfFusion
    from kure_rag.types import Chunk, Document, Hit, Leg, Page, Table

_HOMES = {
    "CARDS": "kure_rag.embed",
    "Chunk": "kure_rag.types",
    "ConvexFusion": "kure_rag.search",
    "Document": "kure_rag.types",
    "EmbedSettings": "kure_rag.embed",
    "Embedder": "kure_rag.embed",
    "Entry": "kure_rag.pipeline",
    "Hit": "kure_rag.types",
    "KureEmbeddings": "kure_rag.langchain",
    "KureIndex": "kure_rag.pipeline",
    "KureReranker": "kure_rag.embed",
    "KureRetriever": "kure_rag.langchain",
    "Leg": "kure_rag.types",
    "ModelCard": "kure_rag.embed",
    "Page": "kure_rag.types",
    "RrfFusion": "kure_rag.search",
    "Table": "kure_rag.types",
}

__all__ = [
    "CARDS",
    "Chunk",
    "ConvexFusion",
    "Document",
    "EmbedSettings",
    "Embedder",
    "Entry",
    "Hit",
    "KureEmbeddings",
    "KureIndex",
    "KureReranker",
    "KureRetriever",
    "Leg",
    "ModelCard",
    "Page",
    "RrfFusion",
    "Table",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
