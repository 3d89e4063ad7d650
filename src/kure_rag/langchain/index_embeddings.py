"""An embedder of ours as a LangChain ``Embeddings``: the methods, and the model of an open index."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from kure_rag.embed import EmbedderLike

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex


class EmbedderMethods(Embeddings):
    """The methods of an ``Embeddings`` over an embedder of ours."""

    @property
    @abstractmethod
    def kure_embedder(self) -> EmbedderLike:
        """The embedder behind it; :meth:`kure_rag.KureIndex.open` uses it as it is."""

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query, with the query prefix.

        Raises:
            InvalidTextError: An empty text or a lone surrogate.
            ModelNotAvailableError: The weights cannot be reached.
        """
        vector: list[float] = self.kure_embedder.embed_queries([text])[0].tolist()
        return vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of passages, with the passage prefix; otherwise as :meth:`embed_query`."""
        if not texts:  # no text, no model
            return []
        vectors: list[list[float]] = self.kure_embedder.embed_passages(texts).tolist()
        return vectors

    async def aembed_query(self, text: str) -> list[float]:
        """:meth:`embed_query` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.embed_query, text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """:meth:`embed_documents` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.embed_documents, texts)


class IndexEmbeddings(EmbedderMethods):
    """What embeds an index's queries and passages, whatever it was opened with.

    Args:
        index: The index.
    """

    def __init__(self, index: KureIndex) -> None:
        self._index = index

    @property
    def kure_embedder(self) -> EmbedderLike:
        """The index's own embedder."""
        return self._index.embedder

    @property
    def model(self) -> str:
        """The model's name."""
        return self.kure_embedder.name
