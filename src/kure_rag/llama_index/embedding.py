"""Our embedder as a LlamaIndex ``BaseEmbedding``."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, field_serializer, field_validator

from kure_rag.embed import Embedder, EmbedSettings, ModelCard
from kure_rag.embed.cards import DEFAULT_MODEL
from kure_rag.embed.settings import BackendName, PoolingName, Precision
from kure_rag.llama_index.endpoints import refuse_hidden, without_key
from kure_rag.llama_index.keywords import refuse_unknown
from kure_rag.llama_index.vector_store_embedding import EmbedderMethods


class KureEmbedding(EmbedderMethods):
    """Korean embeddings, with the prefixes and pooling that each model was trained with.

    Nothing is loaded or downloaded before the first text. Every setting that changes vectors is a field, because
    ``to_dict()`` is the key of LlamaIndex's ingestion cache; these fields cannot be changed afterwards.

    Example:
        >>> from kure_rag.llama_index import KureEmbedding
        >>> embedding = KureEmbedding("nlpai-lab/KoE5", device="cpu")
        >>> embedding.get_query_embedding("연차휴가는 며칠인가요?")  # doctest: +SKIP

    Attributes:
        model_name: A name on the model hub, an alias such as ``static-ko``, or the folder of a local copy.
        embed_batch_size: Texts that LlamaIndex hands over at once; they are sorted by length and computed in batches of
            ``batch_tokens`` tokens.
        card: The model card to use, or the name of one, for a local copy under another name.
        revision: See :class:`kure_rag.embed.EmbedSettings`, as all below. ``None`` leaves a matter to the card.
        query_prefix: Put before each query.
        passage_prefix: Put before each passage.
        pooling: ``cls``, ``mean``, ``max``, ``lasttoken``, ``weightedmean`` or ``mean_sqrt_len_tokens``.
        normalize: Scale vectors to unit length.
        dense_weight: Weight beside keyword scores, from 0 to 1.
        dimension: Keep this many numbers of each vector.
        max_tokens: Tokens of a text that are used.
        too_long: ``warn`` once about texts over the limit and cut them, or ``raise``.
        backend: ``torch``, ``onnx``, ``openvino`` or ``remote``.
        precision: ``auto``, ``fp32``, ``bf16``, ``fp16``, ``int8``.
        device: ``cpu``, ``cuda``, ``mps``.
        batch_tokens: Tokens in one forward pass, or in one request to a server.
        endpoint: URL of an embedding server. Where it may hold a key, ``to_dict()`` says the server and its path alone;
            ``from_dict(..., endpoint="https://…?key=…")`` takes the whole of it again.
        batch_texts: Texts in one request to it.
        timeout: Seconds to wait for the server's answer.
        retries: How often a request to it is repeated.
        cache: Folder of a persistent cache of vectors.
        cache_bytes: Size the cache grows to.
        cache_folder: Where downloaded weights lie.
        local_files_only: Never go to the network.
        trust_remote_code: Run code that the model brings along.

    Raises:
        UnknownModelError: ``model_name`` can be no model.
        ValueError: ``embeddings_cache`` with a model that embeds queries and passages differently.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # the end of an endpoint may be a key

    model_name: str = Field(default=DEFAULT_MODEL, frozen=True)
    embed_batch_size: int = Field(default=512, gt=0, le=2048)
    card: ModelCard | str | None = Field(default=None, frozen=True)
    revision: str | None = Field(default=None, frozen=True)
    query_prefix: str | None = Field(default=None, frozen=True)
    passage_prefix: str | None = Field(default=None, frozen=True)
    pooling: PoolingName | None = Field(default=None, frozen=True)
    normalize: bool | None = Field(default=None, frozen=True)
    dense_weight: float | None = Field(default=None, frozen=True)
    dimension: int | None = Field(default=None, frozen=True)
    max_tokens: int | None = Field(default=None, frozen=True)
    too_long: Literal["warn", "raise"] = Field(default="warn", frozen=True)
    backend: BackendName = Field(default="torch", frozen=True)
    precision: Precision = Field(default="auto", frozen=True)
    device: str | None = Field(default=None, frozen=True)
    batch_tokens: int | None = Field(default=None, frozen=True)
    endpoint: str | None = Field(default=None, frozen=True, repr=False)  # its query string may hold a key
    batch_texts: int | None = Field(default=None, frozen=True)
    timeout: float | None = Field(default=None, frozen=True)
    retries: int | None = Field(default=None, frozen=True)
    cache: str | Path | None = Field(default=None, frozen=True)
    cache_bytes: int | None = Field(default=None, frozen=True)
    cache_folder: str | None = Field(default=None, frozen=True)
    local_files_only: bool = Field(default=False, frozen=True)
    trust_remote_code: bool = Field(default=False, frozen=True)

    _embedder: Embedder = PrivateAttr()

    @field_validator("cache", mode="before")
    @classmethod
    def _path_as_text(cls, cache: Any) -> Any:
        return os.fspath(cache) if isinstance(cache, os.PathLike) else cache  # JSON knows no paths

    @field_validator("endpoint")
    @classmethod
    def _whole_endpoint(cls, endpoint: str | None) -> str | None:
        refuse_hidden(endpoint, advice='from_dict(..., endpoint="https://…?key=…")')
        return endpoint

    @field_serializer("endpoint")
    def _endpoint_without_key(self, endpoint: str | None) -> Any:
        return without_key(endpoint)

    def __init__(self, model_name: str = DEFAULT_MODEL, **settings: Any) -> None:
        refuse_unknown(type(self), settings)
        super().__init__(model_name=model_name, **settings)

    def model_post_init(self, context: Any, /) -> None:
        """Makes the embedder, which checks the name and loads nothing."""
        settings = EmbedSettings(**{field.name: getattr(self, field.name) for field in fields(EmbedSettings)})
        self._embedder = Embedder(self.model_name, settings, card=self.card)
        if self.embeddings_cache is not None and len(set(self._embedder.prefixes)) > 1:
            raise ValueError(
                f"LlamaIndex's embeddings_cache keeps one vector for a text, but {self._embedder.name} has another for "
                "the text as a query than for the text as a passage; leave embeddings_cache out"
            )

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it in serialised form."""
        return "KureEmbedding"

    @property
    def kure_embedder(self) -> Embedder:
        """The embedder behind it; :meth:`kure_rag.KureIndex.open` uses it as it is."""
        return self._embedder
