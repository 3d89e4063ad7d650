"""An embedder of ours as a LlamaIndex ``BaseEmbedding``: the methods, and the model of an open index."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import Field, PrivateAttr

from kure_rag.embed import EmbedderLike


class EmbedderMethods(BaseEmbedding):
    """The methods of a ``BaseEmbedding`` over an embedder of ours."""

    @property
    @abstractmethod
    def kure_embedder(self) -> EmbedderLike:
        """The embedder behind it; :meth:`kure_rag.KureIndex.open` uses it as it is."""

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self.kure_embedder.embed_queries([query])[0].tolist()
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.kure_embedder.embed_passages(texts).tolist()
        return vectors

    # LlamaIndex's own asynchronous versions of the last two run on the event loop and stop it.

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)


class IndexEmbedding(EmbedderMethods):
    """What embeds an index's questions and passages, whatever it was opened with.

    It belongs to an open index and is not written down: ``from_dict()`` makes none of it.

    Attributes:
        model_name: The model's name.
        embed_batch_size: Texts that LlamaIndex hands over at once.
        fingerprint: All that changes vectors, because ``to_dict()`` is the key of LlamaIndex's ingestion cache.
    """

    embed_batch_size: int = Field(default=512, gt=0, le=2048)
    fingerprint: dict[str, Any] = Field(default_factory=dict, frozen=True)

    _embedder: EmbedderLike = PrivateAttr()

    def __init__(self, embedder: EmbedderLike) -> None:
        fields: dict[str, Any] = {"model_name": embedder.name, "fingerprint": dict(embedder.fingerprint)}
        super().__init__(**fields)
        self._embedder = embedder

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it in serialised form."""
        return "KureIndexEmbedding"

    @property
    def kure_embedder(self) -> EmbedderLike:
        """The index's own embedder."""
        return self._embedder
