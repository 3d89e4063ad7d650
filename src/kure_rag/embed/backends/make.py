"""From a model's card and the user's settings to the engine that runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.embed.backends.base import Backend
from kure_rag.embed.backends.manifest import is_export, read_manifest
from kure_rag.embed.cards import ModelCard
from kure_rag.embed.files import refuse_revision
from kure_rag.embed.machine import check_device, named_devices
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError

if TYPE_CHECKING:
    from kure_rag.embed.backends.static import StaticFiles


def check_engine(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> None:
    """Raises for an engine or a device that is not here, before a weight is read or the network is asked for one.

    Args:
        folder: As :func:`make_backend` takes it, as all others.
        card: How the model is used.
        settings: What is asked for.

    Raises:
        MissingExtraError: The engine is not installed.
        EmbeddingError: There is no such device, or the engine does not run on it or in that precision; or the settings
            ask for another revision than a folder's.
    """
    if settings.backend == "remote":
        return  # its devices are the server's
    if folder is not None and not is_export(folder):  # an export has the revision of what it was made from
        refuse_revision(folder, settings.revision)
    names = named_devices(settings.device)
    if settings.backend in {"onnx", "openvino"}:
        from kure_rag.embed.backends.exported import check_engine as check_exported

        for name in names or (settings.device,):
            check_exported(replace(settings, device=name))
        return
    if folder is not None and is_export(folder):
        engine = read_manifest(folder).backend
        raise EmbeddingError(f"{folder}: exported for {engine}; use backend={engine!r}")
    if len(names) > 1 or _static_files(folder, card) is None:  # which one process computes without torch
        check_device(settings.device)


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
    from kure_rag.embed.backends.processes import ProcessBackend
    from kure_rag.embed.backends.static import StaticBackend

    if settings.backend == "remote":
        return _remote(card, settings)
    names = named_devices(settings.device)
    if len(names) > 1:
        return ProcessBackend(folder, card, settings)
    if names:
        settings = replace(settings, device=names[0])  # without the white space and commas about it
    if settings.backend in {"onnx", "openvino"}:
        from kure_rag.embed.backends.exported import exported_backend

        return exported_backend(folder, card, settings)
    if files := _static_files(folder, card):
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


def _static_files(folder: Path | None, card: ModelCard) -> StaticFiles | None:
    """The files of a model that looks vectors up and computes nothing; ``None`` for all others."""
    from kure_rag.embed.backends.static import find_static

    return find_static(folder) if folder is not None and card.pooling == "stored" else None


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
