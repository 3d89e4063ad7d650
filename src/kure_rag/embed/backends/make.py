"""From a model's card and the user's settings to the engine that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kure_rag.embed.backends.base import Backend
from kure_rag.embed.cards import ModelCard
from kure_rag.embed.settings import EmbedSettings


def make_backend(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> Backend:
    """Loads a model on the engine that the settings name.

    Args:
        folder: A local copy, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: See :class:`~kure_rag.embed.settings.EmbedSettings`.

    Raises:
        ModelNotAvailableError: The weights cannot be reached.
        EmbeddingError: They are there and cannot be used.
        MissingExtraError: The engine is not installed.
    """
    from kure_rag.embed.backends.library import LibraryBackend
    from kure_rag.embed.backends.local import LocalBackend
    from kure_rag.embed.backends.torch_runner import TorchRunner
    from kure_rag.embed.loading import load_model
    from kure_rag.embed.tokens import TextTokenizer

    model = load_model(folder, card, settings)
    if not _is_transformer(model):
        return LibraryBackend(model)
    tokenizer = TextTokenizer(model.tokenizer, _limit(model.max_seq_length, card.max_tokens, settings.max_tokens))
    return LocalBackend(tokenizer, TorchRunner(model, tokenizer.pad_id), batch_tokens=settings.batch_tokens)


def _is_transformer(model: Any) -> bool:
    return type(model[0]).__name__ == "Transformer" and model[0].model is not None


def _limit(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
