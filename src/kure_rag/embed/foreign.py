"""Embedding objects of other makes, used as they are: LangChain's and LlamaIndex's, by their methods alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from kure_rag.embed.base import EmbedderLike, Fingerprint, Vectors
from kure_rag.embed.cards import DEFAULT_MODEL
from kure_rag.embed.model import Embedder
from kure_rag.errors import EmbeddingError


class ForeignEmbedder:
    """An object with ``embed_query`` and ``embed_documents`` (or LlamaIndex's pair) behind our interface.

    What it does inside cannot be seen, so its fingerprint is its class and the model name it carries.
    """

    def __init__(
        self, made_by: object, query: Callable[[str], Sequence[float]], passages: Callable[[list[str]], Any]
    ) -> None:
        self._made_by = made_by
        self._query = query
        self._passages = passages

    @property
    def name(self) -> str:
        """The model name the object carries, or its class."""
        for attribute in ("model_name", "model", "model_id"):
            value = getattr(self._made_by, attribute, None)
            if isinstance(value, str) and value:
                return Path(value).name if Path(value).is_absolute() else value  # an index stores no folders
        return type(self._made_by).__qualname__

    @property
    def fingerprint(self) -> Fingerprint:
        """Class and model name."""
        kind = type(self._made_by)
        return {"model": self.name, "class": f"{kind.__module__}.{kind.__qualname__}"}

    @property
    def dense_weight(self) -> float:
        """Half: nothing is known of the model."""
        return 0.5

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries, one by one as these interfaces have it."""
        return _matrix([self._query(text) for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages."""
        return _matrix(self._passages(list(texts))) if texts else _matrix([])


def as_embedder(model: object = None) -> EmbedderLike:
    """Whatever a user may pass for a model → an embedder.

    Args:
        model: ``None`` for the default model, a name or folder, one of our own embedders or adapters, or any LangChain
            ``Embeddings`` or LlamaIndex ``BaseEmbedding``.

    Raises:
        UnknownModelError: A name that can be no model.
        EmbeddingError: An object that embeds nothing.
    """
    if model is None:
        return Embedder(DEFAULT_MODEL)
    if isinstance(model, str):
        return Embedder(model)
    for candidate in (getattr(model, "kure_embedder", None), model):
        if _is_embedder(candidate):
            return candidate
    for query, passages in (("embed_query", "embed_documents"), ("get_query_embedding", "get_text_embedding_batch")):
        if hasattr(model, query) and hasattr(model, passages):
            return ForeignEmbedder(model, getattr(model, query), getattr(model, passages))
    raise EmbeddingError(
        f"{type(model).__name__} is no embedding model: give a model name, KureEmbeddings(...), "
        "or an object with embed_query and embed_documents"
    )


def _is_embedder(candidate: object) -> TypeGuard[EmbedderLike]:
    """Looks at the class alone: asking the object would compute its fingerprint, which may need its files."""
    kind = type(candidate)
    return hasattr(kind, "embed_queries") and hasattr(kind, "embed_passages")


def _matrix(vectors: Any) -> Vectors:
    """Rows scaled to unit length, so that the dense leg's cosine is what the model meant."""
    matrix = np.asarray(vectors, dtype=np.float32).reshape(len(vectors), -1)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.ascontiguousarray(matrix / np.where(lengths == 0, 1, lengths))


class RecordedEmbedder:
    """Stands for the model an index was made with when that model cannot be made from its name alone.

    Keyword search needs no model; anything that does raises and says what to pass.
    """

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.fingerprint = fingerprint
        self.name = str(fingerprint["model"])
        self.dense_weight = 0.5

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Raises: there is no model here."""
        raise EmbeddingError(
            f"this index was made with {self.name!r}, which is a local folder or an object of your own: pass it as "
            "embeddings=..., or its folder as --model, or search with mode='lexical'"
        )

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Raises: there is no model here."""
        return self.embed_queries(texts)
