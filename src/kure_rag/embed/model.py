"""The embedder: a SentenceTransformer used as its model card says."""

from __future__ import annotations

import logging
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kure_rag.embed.base import Fingerprint, Vectors
from kure_rag.embed.cards import DEFAULT_MODEL, ModelCard, check_name, find_card
from kure_rag.embed.loading import bundled_path, load_model, local_revision, stored_prompts
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError, InvalidTextError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)


class Embedder:
    """Queries and passages → vectors, with the prefixes and pooling the model was trained with.

    Nothing is loaded or downloaded before the first text. One object can be shared between threads.

    Args:
        model: A name on the model hub, an alias such as ``static-ko``, or the folder of a local copy.
        settings: What to do differently from the model's card.
        card: The card to use instead of the one found by name, for a local copy under another name.

    Raises:
        UnknownModelError: The name can be no model.
    """

    def __init__(
        self, model: str = DEFAULT_MODEL, settings: EmbedSettings | None = None, *, card: ModelCard | str | None = None
    ) -> None:
        check_name(model)
        self._made_from = (model, settings, card)
        self.settings = settings or EmbedSettings()
        self._folder = Path(model).expanduser() if Path(model).expanduser().is_dir() else None
        found = self._given_card(card) or find_card(model)
        if card is not None and found is not None and self._folder is None and find_card(model) is not found:
            found = replace(found, name=model, revision=None)  # used as the card says, but the weights of its own name
        # A model without a card is used as it says itself: `None` prefixes mean its own stored prompts.
        self.card = _override(
            found or ModelCard(name=model, query_prefix=None, passage_prefix=None, normalize=True), self.settings
        )
        if self._folder is None:
            self._folder = bundled_path(self.card.name)
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None
        self._warned_prefix = False
        self._prompts: tuple[str, str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Frameworks copy their models: a copy is made from the same settings and loads its weights when it is used.
        return _remade, self._made_from

    @staticmethod
    def _given_card(card: ModelCard | str | None) -> ModelCard | None:
        if not isinstance(card, str):
            return card
        check_name(card)
        return find_card(card)

    @property
    def name(self) -> str:
        """The card's name, or the folder's last part for a local copy of an unknown model."""
        if self.card.name in (None, "") or (self._folder and find_card(self.card.name) is None):
            return self._folder.name if self._folder else self.card.name
        return self.card.name

    @property
    def dense_weight(self) -> float:
        """The card's weight beside keyword scores."""
        return self.card.dense_weight

    @property
    def prefixes(self) -> tuple[str, str]:
        """What is put before queries and before passages."""
        if self._prompts is None:
            stored = (
                stored_prompts(self._folder or self.card.name, self.card.revision, self.settings)
                if None in (self.card.query_prefix, self.card.passage_prefix)
                else ("", "")
            )
            query, passage = self.card.query_prefix, self.card.passage_prefix
            self._prompts = (stored[0] if query is None else query, stored[1] if passage is None else passage)
        return self._prompts

    @property
    def fingerprint(self) -> Fingerprint:
        """All that changes the vectors."""
        query, passage = self.prefixes
        return {
            "model": self.name,
            "revision": local_revision(self._folder) if self._folder else (self.card.revision or "newest"),
            "query_prefix": query,
            "passage_prefix": passage,
            "pooling": self.card.pooling,
            "normalize": self.card.normalize,
        }

    @property
    def dimension(self) -> int:
        """Numbers in a vector. Loads the model when its card does not say."""
        if self.card.dimension is not None:
            return self.card.dimension
        return int(self.load().get_embedding_dimension() or 0)

    def load(self) -> SentenceTransformer:
        """The model, loaded at the first call.

        Raises:
            ModelNotAvailableError: The weights cannot be reached; says the three things that help.
        """
        with self._lock:
            if self._model is None:
                self._model = load_model(self._folder, self.card, self.settings)
            return self._model

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries.

        Args:
            texts: Not empty strings; put in Unicode form NFC here.

        Returns:
            Shape (len(texts), dimension), float32.

        Raises:
            InvalidTextError: An empty text or a lone surrogate, with its position.
            ModelNotAvailableError: See :meth:`load`.
        """
        return self._embed(texts, self.prefixes[0])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of passages; otherwise as :meth:`embed_queries`."""
        return self._embed(texts, self.prefixes[1])

    def _embed(self, texts: Sequence[str], prefix: str) -> Vectors:
        checked = [prefix + self._without(prefix, _checked(text, i)) for i, text in enumerate(texts)]
        if not checked:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors: Any = self.load().encode(
            checked,
            prompt="",  # otherwise a stored default prompt would be put before our prefix
            batch_size=self.settings.batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=self.card.normalize,
        )
        out = np.ascontiguousarray(vectors, dtype=np.float32)
        if not np.isfinite(out).all():
            bad = int(np.flatnonzero(~np.isfinite(out).all(axis=1))[0])
            raise EmbeddingError(
                f"{self.name} gave a vector that is not finite for text {bad} ({texts[bad][:40]!r}); "
                "try device='cpu', or another revision of the model"
            )
        return out

    def _without(self, prefix: str, text: str) -> str:
        """The text without a prefix that a caller already put there."""
        if not prefix or not text.startswith(prefix):
            return text
        if not self._warned_prefix:
            self._warned_prefix = True
            _log.warning("%s: a text already begins with %r, which is not put twice", self.name, prefix)
        return text[len(prefix) :]


def _remade(model: str, settings: EmbedSettings | None, card: ModelCard | str | None) -> Embedder:
    return Embedder(model, settings, card=card)


def _checked(text: str, position: int) -> str:
    if not isinstance(text, str):
        raise InvalidTextError(f"text {position} is {type(text).__name__}, not str", position=position)
    if not text.strip():
        raise InvalidTextError(f"text {position} is empty; leave it out", position=position)
    if any("\ud800" <= char <= "\udfff" for char in text):
        at = next(i for i, char in enumerate(text) if "\ud800" <= char <= "\udfff")
        raise InvalidTextError(
            f"text {position} holds half a character (a lone surrogate) at {at}; decode its source as UTF-8 again",
            position=position,
        )
    return unicodedata.normalize("NFC", text)


def _override(card: ModelCard, settings: EmbedSettings) -> ModelCard:
    given = {
        key: value
        for key in ("revision", "query_prefix", "passage_prefix", "normalize", "dense_weight")
        if (value := getattr(settings, key)) is not None
    }
    return replace(card, **given)
