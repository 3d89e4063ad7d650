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
    from kure_rag.embed.backends.processes import ProcessBackend, devices
    from kure_rag.embed.backends.static import StaticBackend, find_static

    if settings.backend == "remote":
        return _remote(card, settings)
    if len(devices(settings)) > 1:
        return ProcessBackend(folder, card, settings)
    if settings.backend in {"onnx", "openvino"}:
        from kure_rag.embed.backends.exported import exported_backend

        return exported_backend(folder, card, settings)
    if folder is not None and card.pooling == "stored" and (files := find_static(folder)):
        most = _limit(card.max_tokens, settings.max_tokens)
        return StaticBackend.from_files(files, max_tokens=most)  # before torch is imported
    from kure_rag.embed.backends.library import LibraryBackend
    from kure_rag.embed.backends.local import LocalBackend
    from kure_rag.embed.backends.precision import refuse_int8
    from kure_rag.embed.backends.torch_runner import TorchRunner
    from kure_rag.embed.loading import load_model
    from kure_rag.embed.tokens import TextTokenizer

    refuse_int8(settings.precision)
    model = load_model(folder, card, settings)
    if not _is_transformer(model):
        static = StaticBackend.from_library(model, max_tokens=_limit(card.max_tokens, settings.max_tokens))
        return static or LibraryBackend(model, max_tokens=settings.max_tokens)  # the card's limit is kept by loading
    tokenizer = TextTokenizer(model.tokenizer, _limit(model.max_seq_length, card.max_tokens, settings.max_tokens))
    runner = TorchRunner(model, tokenizer.pad_id, precision=settings.precision)
    return LocalBackend(tokenizer, runner, batch_tokens=settings.batch_tokens)


def _remote(card: ModelCard, settings: EmbedSettings) -> Backend:
    from kure_rag.embed.backends.remote import RemoteBackend, RemoteSettings

    given: dict[str, Any] = {
        "batch_size": settings.batch_texts,
        "batch_characters": settings.batch_tokens,  # without the model's tokenizer a character counts as a token
        "timeout": settings.timeout,
        "retries": settings.retries,
    }
    return RemoteBackend(
        settings.endpoint or "",
        card,
        revision=settings.revision,
        too_long=settings.too_long,
        settings=RemoteSettings(**{name: value for name, value in given.items() if value is not None}),
    )


def _is_transformer(model: Any) -> bool:
    return type(model[0]).__name__ == "Transformer" and model[0].model is not None


def _limit(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
