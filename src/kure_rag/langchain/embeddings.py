"""Our embedder as a LangChain ``Embeddings``."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

from langchain_core.load.serializable import Serializable
from pydantic import ConfigDict, Field, PrivateAttr, field_validator

from kure_rag.embed import Embedder, EmbedSettings, ModelCard
from kure_rag.embed.backends.plain_http import may_hold_key
from kure_rag.embed.cards import DEFAULT_MODEL
from kure_rag.embed.settings import BackendName, PoolingName, Precision
from kure_rag.langchain.index_embeddings import EmbedderMethods


class KureEmbeddings(Serializable, EmbedderMethods):
    """Korean embeddings, with the prefixes and pooling that each model was trained with.

    Nothing is loaded or downloaded before the first text. Settings cannot be changed afterwards: an index remembers
    what its vectors were made with.

    Example:
        >>> from kure_rag import KureEmbeddings
        >>> embeddings = KureEmbeddings("nlpai-lab/KoE5", device="cpu")
        >>> embeddings.embed_query("연차휴가는 며칠인가요?")  # doctest: +SKIP
        >>> embeddings.embed_documents(["연차휴가는 15일로 한다."])  # doctest: +SKIP

    Attributes:
        model: A name on the model hub, an alias such as ``static-ko``, or the folder of a local copy.
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
        endpoint: URL of an embedding server.
        batch_texts: Texts in one request to it.
        timeout: Seconds to wait for the server's answer.
        retries: How often a request to it is repeated.
        cache: Folder of a persistent cache of vectors.
        cache_bytes: Size the cache grows to.
        cache_folder: Where downloaded weights lie.
        local_files_only: Never go to the network.
        trust_remote_code: Run code that the model brings along.

    Raises:
        UnknownModelError: ``model`` can be no model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # an endpoint may hold a key

    model: str = DEFAULT_MODEL
    card: ModelCard | str | None = None
    revision: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    pooling: PoolingName | None = None
    normalize: bool | None = None
    dense_weight: float | None = None
    dimension: int | None = None
    max_tokens: int | None = None
    too_long: Literal["warn", "raise"] = "warn"
    backend: BackendName = "torch"
    precision: Precision = "auto"
    device: str | None = None
    batch_tokens: int | None = None
    endpoint: str | None = Field(default=None, repr=False)  # its query string may hold a key
    batch_texts: int | None = None
    timeout: float | None = None
    retries: int | None = None
    cache: str | Path | None = None
    cache_bytes: int | None = None
    cache_folder: str | None = None
    local_files_only: bool = False
    trust_remote_code: bool = False

    _embedder: Embedder = PrivateAttr()

    @field_validator("cache", mode="before")
    @classmethod
    def _path_as_text(cls, cache: Any) -> Any:
        return os.fspath(cache) if isinstance(cache, os.PathLike) else cache  # JSON knows no paths

    def __init__(self, model: str = DEFAULT_MODEL, **settings: Any) -> None:
        super().__init__(model=model, **settings)

    def model_post_init(self, context: Any, /) -> None:
        """Makes the embedder, which checks the name and loads nothing."""
        settings = EmbedSettings(**{field.name: getattr(self, field.name) for field in fields(EmbedSettings)})
        self._embedder = Embedder(self.model, settings, card=self.card)

    @property
    def kure_embedder(self) -> Embedder:
        """The embedder behind it; :meth:`kure_rag.KureIndex.open` uses it as it is."""
        return self._embedder

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Settings only: ``loads(text, allowed_objects=[KureEmbeddings], valid_namespaces=["kure_rag"])``."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """An endpoint that may hold a key is not written, only named.

        ``loads(text, secrets_map={"KURE_EMBEDDINGS_ENDPOINT": "https://…?key=…"}, ...)`` puts it back. The key in
        ``KURE_EMBEDDINGS_API_KEY`` is read from the environment with each request, and is no setting.
        """
        return {"endpoint": "KURE_EMBEDDINGS_ENDPOINT"} if may_hold_key(self.endpoint) else {}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """LangChain's JSON knows no dataclass: a card is written as a dictionary."""
        return {"card": asdict(self.card)} if isinstance(self.card, ModelCard) else {}
