"""Models exported for ONNX Runtime and OpenVINO: where they lie, what they say of themselves, and engines from them.

An export is a folder with a graph from token ids to pooled vectors, the tokenizer, and ``kure_export.json``. Using one
loads no torch, and nothing of the original model.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from kure_rag.embed.backends.base import Backend
from kure_rag.embed.backends.local import LocalBackend
from kure_rag.embed.backends.manifest import FORMAT, Manifest, Weights, is_export, read_manifest
from kure_rag.embed.backends.onnx_runner import OnnxRunner, check_onnx_precision, onnxruntime
from kure_rag.embed.backends.openvino_runner import OpenvinoRunner, check_openvino_precision, openvino
from kure_rag.embed.cards import find_card
from kure_rag.embed.loading import commit_of, local_revision
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings, Precision
from kure_rag.embed.tokens import TextTokenizer
from kure_rag.errors import EmbeddingError

_log = logging.getLogger(__name__)

_SEEN_AFTER: Final = 2.0  # seconds of waiting for another process before that is said
_LIBRARIES: Final = {
    "onnx": ("onnxruntime", "onnx", "torch", "transformers", "sentence-transformers"),
    "openvino": ("openvino", "nncf", "torch", "transformers", "sentence-transformers"),
}
_MAKERS: Final = frozenset({"nncf", "onnx"})


def exports_folder(settings: EmbedSettings) -> Path:
    """Where exports are kept: in ``cache_folder`` where one is set, otherwise in the user's cache folder.

    ``KURE_RAG_EXPORTS`` names another one.
    """
    if own := os.environ.get("KURE_RAG_EXPORTS"):
        return Path(own).expanduser()
    if settings.cache_folder:
        return Path(settings.cache_folder).expanduser() / "kure-rag-exports"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "kure-rag" / "exports"


def weights_of(settings: EmbedSettings) -> Weights:
    """Which weights a precision needs: fp32 ones serve all but int8."""
    return "int8" if settings.precision == "int8" else "fp32"


def source_revision(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> str:
    """Commit, or hash of a folder: what an export is made from. Loads no weights."""
    return commit_of(card.name, card.revision, settings) if folder is None else local_revision(folder)


def library_versions(backend: str) -> dict[str, str]:
    """Versions of what makes and runs an export, as far as it is installed."""
    found = {}
    for name in _LIBRARIES[backend]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def model_name(folder: Path | None, card: ModelCard) -> str:
    """A card's name, or the last part of a folder without a card: never a path on this machine."""
    return card.name if folder is None or find_card(card.name) is not None else folder.name


def cached_place(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> Path:
    """The folder in which the export that settings ask for is kept, made or not."""
    # What only makes exports need not be installed where they are used.
    versions = {k: v for k, v in library_versions(settings.backend).items() if k not in _MAKERS}
    key = {
        "format": FORMAT,
        "model": model_name(folder, card),
        "revision": source_revision(folder, card, settings),
        "pooling": card.pooling,
        "tokenizer": card.tokenizer,
        "max_tokens": card.max_tokens,
        "versions": versions,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in Path(model_name(folder, card)).name)[:60]
    return exports_folder(settings) / f"{name}-{settings.backend}-{weights_of(settings)}-{digest}"


def exported_backend(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> Backend:
    """The engine for an exported model: the folder itself, the one in the cache, or one that is made now.

    Args:
        folder: An export, a local copy of the model, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: With ``backend="onnx"`` or ``"openvino"``.

    Raises:
        ModelNotAvailableError: There is no export and the weights cannot be reached.
        EmbeddingError: The export is broken, was made for another engine, or is too far from the original.
        MissingExtraError: The engine is not installed.
    """
    check_engine(settings)
    if folder is not None and is_export(folder):
        manifest = read_manifest(folder)
        _check_fits(folder, manifest, card, settings)
        return _backend(folder, manifest, card, settings)
    place = cached_place(folder, card, settings)
    try:
        return _backend(place, ensure_export(place, folder, card, settings), card, settings)
    except EmbeddingError as error:
        if not is_export(place):
            raise
        _log.warning("%s: %s", card.name, error)
    return _backend(place, ensure_export(place, folder, card, settings, anew=True), card, settings)


def ensure_export(
    place: Path, folder: Path | None, card: ModelCard, settings: EmbedSettings, *, anew: bool = False
) -> Manifest:
    """The manifest of a whole export at a place, which is made if it is not there; one process makes it, others wait.

    Args:
        place: Where it belongs.
        folder: A local copy of the model, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: Backend and precision.
        anew: Whether one that is there and looks whole is replaced.
    """
    if not anew and (found := _whole(place)):
        return found
    with locked(place):
        if not anew and (found := _whole(place)):
            return found
        from kure_rag.embed.backends.export import write_export

        return write_export(place, folder, card, settings)


@contextmanager
def locked(place: Path, *, keep: bool = True) -> Iterator[None]:
    """Holds the right to write one export.

    Args:
        place: Where the export belongs; the lock is a file beside it.
        keep: Whether that file stays. It must where several processes may want the same export, as in the cache; a
            folder of the user's is left without it.

    Raises:
        EmbeddingError: The folder it lies in cannot be written.
    """
    lock = FileLock(place.parent / f".{place.name}.lock")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_SEEN_AFTER)
        except Timeout:
            _log.warning("%s: another process is making this export; waiting for it", place)
            lock.acquire()
    except OSError as error:
        raise EmbeddingError(
            f"{place.parent}: exported models cannot be kept there ({error.strerror or error}); set cache_folder, or "
            "the variable KURE_RAG_EXPORTS, to a folder you may write"
        ) from error
    try:
        yield
    finally:
        if not keep:
            with suppress(OSError):  # Windows removes it by itself, and not while it is held
                Path(lock.lock_file).unlink()
        lock.release()


def make_runner(folder: Path, manifest: Manifest, precision: Precision) -> OnnxRunner | OpenvinoRunner:
    """The engine for an export that is whole.

    Raises:
        EmbeddingError: The graph cannot be read.
        MissingExtraError: The engine is not installed.
    """
    engine = OnnxRunner if manifest.backend == "onnx" else OpenvinoRunner
    return engine(
        folder / manifest.graph,
        dimension=manifest.dimension,
        pad_id=manifest.pad_id,
        precision="int8" if manifest.weights == "int8" else precision,
    )


def _backend(folder: Path, manifest: Manifest, card: ModelCard, settings: EmbedSettings) -> Backend:
    limits = [limit for limit in (manifest.max_tokens, card.max_tokens, settings.max_tokens) if limit is not None]
    tokenizer = TextTokenizer(_tokenizer(folder, manifest), min(limits, default=None))
    runner = make_runner(folder, manifest, settings.precision)
    return LocalBackend(tokenizer, runner, batch_tokens=settings.batch_tokens, pass_tokens=runner.pass_tokens)


@dataclass(frozen=True, slots=True)
class _FastTokenizer:
    """A ``tokenizer.json`` without transformers, whose import takes longer than loading most models."""

    backend_tokenizer: Any
    pad_token_id: int
    unk_token_id: int | None
    truncation_side: str
    special: int

    def num_special_tokens_to_add(self) -> int:
        return self.special


def _tokenizer(folder: Path, manifest: Manifest) -> Any:
    try:
        if manifest.tokenizer == "fast":
            from tokenizers import Tokenizer

            return _FastTokenizer(
                Tokenizer.from_file(str(folder / "tokenizer.json")),
                manifest.pad_id,
                manifest.unk_id,
                manifest.truncation_side,
                manifest.special_tokens,
            )
        if manifest.tokenizer == "kobert":
            from kure_rag.embed.kobert import KoBertTokenizer

            return KoBertTokenizer(folder)
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except EmbeddingError:
        raise
    except Exception as error:  # tokenizers raises it bare for broken files
        raise EmbeddingError(f"{folder}: the tokenizer cannot be read ({error}); export the model again") from error


def _whole(place: Path) -> Manifest | None:
    if not is_export(place):
        return None
    try:
        return read_manifest(place)
    except EmbeddingError as error:
        _log.warning("%s", error)
        return None


def check_engine(settings: EmbedSettings) -> None:
    """Fails before anything is loaded or exported for nothing.

    Raises:
        MissingExtraError: The engine is not installed.
        EmbeddingError: It has not the device or the precision that settings ask for.
    """
    if settings.device not in {None, "cpu"}:
        raise EmbeddingError(
            f"backend={settings.backend!r} runs on the processor, and device={settings.device!r} was asked for; "
            "use backend='torch' there, or leave device out"
        )
    if settings.backend == "onnx":
        onnxruntime()
        check_onnx_precision(settings.precision)
    else:
        openvino()
        check_openvino_precision(settings.precision)


def _check_fits(folder: Path, manifest: Manifest, card: ModelCard, settings: EmbedSettings) -> None:
    """An export is one model with one pooling: what is asked for beyond that would not be computed."""
    if manifest.backend != settings.backend:
        raise EmbeddingError(f"{folder}: exported for {manifest.backend}; use backend={manifest.backend!r}")
    if settings.precision != "auto" and weights_of(settings) != manifest.weights:
        raise EmbeddingError(
            f"{folder}: exported with {manifest.weights} weights, and precision={settings.precision!r} was asked for; "
            "leave precision out, or export the model again"
        )
    if find_card(card.name) is not None and card.name != manifest.model:
        raise EmbeddingError(
            f"{folder}: exported from {manifest.model}, and used as {card.name}, as its name or card=... says; "
            "rename the folder, or export the model that is meant"
        )
    if settings.revision is not None and not manifest.revision.startswith(settings.revision):
        raise EmbeddingError(
            f"{folder}: exported from revision {manifest.revision}, and revision={settings.revision!r} was asked for; "
            "leave revision out, or export that one"
        )
    if card.pooling not in {"stored", manifest.pooling}:
        raise EmbeddingError(
            f"{folder}: exported with {manifest.pooling} pooling, and {card.pooling!r} was asked for; leave pooling "
            "out, or export the model again"
        )
