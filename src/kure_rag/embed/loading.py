"""Getting a model into memory: safetensors only, offline or pinned, and one clear error when its weights are away."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.embed.cards import STATIC_KO, ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError, ModelNotAvailableError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_CONFIG: Final = "config_sentence_transformers.json"
_QUERY_PROMPTS: Final = ("query",)
_PASSAGE_PROMPTS: Final = ("passage", "document", "corpus")


def bundled_path(name: str) -> Path | None:
    """The folder of a model that comes with the package, or ``None``."""
    return Path(__file__).parent / "static_ko" if name == STATIC_KO else None


@functools.lru_cache(maxsize=32)
def _revision_of(folder: Path, _stamp: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".safetensors", ".json", ".model", ".txt"} and file.is_file():
            digest.update(str(file.relative_to(folder)).encode())
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"local-{digest.hexdigest()[:16]}"


def local_revision(folder: Path) -> str:
    """A revision for a folder: a hash of weights, tokenizer and settings, so that a retrained model is another one."""
    stamp = tuple(
        (str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns)
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    )
    return _revision_of(folder, stamp)


def stored_prompts(where: Path | str, revision: str | None, settings: EmbedSettings) -> tuple[str, str]:
    """The prompts a model stores for queries and passages, each empty where it stores none."""
    path = Path(where) / _CONFIG
    if isinstance(where, str):
        _no_telemetry()
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            path = Path(
                hf_hub_download(
                    where,
                    _CONFIG,
                    revision=revision,
                    cache_dir=settings.cache_folder,
                    local_files_only=settings.local_files_only,
                )
            )
        except EntryNotFoundError as error:
            if type(error).__name__ == "LocalEntryNotFoundError":
                raise _not_available(where, error) from error
            return "", ""
        except (OSError, ValueError) as error:
            raise _not_available(where, error) from error
    if not path.is_file():
        return "", ""
    try:
        prompts: dict[str, str] = json.loads(path.read_text(encoding="utf-8")).get("prompts") or {}
    except (OSError, ValueError, AttributeError) as error:
        raise EmbeddingError(
            f"{path}: the model's settings are broken ({_first_line(error)}); copy it again"
        ) from error

    def first(names: tuple[str, ...]) -> str:
        return next((prompts[name] for name in names if prompts.get(name)), "")

    return first(_QUERY_PROMPTS), first(_PASSAGE_PROMPTS)


def load_model(folder: Path | None, card: ModelCard, settings: EmbedSettings) -> SentenceTransformer:
    """Loads the model of a card, from a folder or from the model hub.

    Raises:
        ModelNotAvailableError: The weights cannot be reached.
        EmbeddingError: They are there and cannot be used.
    """
    _no_telemetry()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from sentence_transformers import SentenceTransformer

    if folder is not None:
        _refuse_pickle(folder)
    where = str(folder) if folder else card.name
    common: dict[str, Any] = {
        "revision": None if folder else card.revision,
        "cache_folder": settings.cache_folder,
        "local_files_only": settings.local_files_only or folder is not None,
        "trust_remote_code": settings.trust_remote_code,
    }
    try:
        if card.pooling == "stored":
            model = SentenceTransformer(where, device=settings.device, model_kwargs={"use_safetensors": True}, **common)
        else:
            model = _pooled(where, card, settings, common)
    except Exception as error:  # tokenizers and safetensors raise it bare for broken files
        if folder is None and _out_of_reach(error):
            raise _not_available(card.name, error) from error
        raise EmbeddingError(f"{where}: the model could not be loaded ({_first_line(error)})") from error
    longest = model.max_seq_length  # infinite, and not to be set, for static vectors
    if card.max_tokens is not None and isinstance(longest, int) and longest > card.max_tokens:
        model.max_seq_length = card.max_tokens
    return model.eval()


def _refuse_pickle(folder: Path) -> None:
    """Modules such as StaticEmbedding and Dense would read pickled weights whatever they are told."""
    for file in folder.rglob("*.bin"):
        if file.stem.startswith(("pytorch_model", "model")) and not any(file.parent.glob("*.safetensors")):
            raise EmbeddingError(
                f"{folder}: {file.relative_to(folder)} is pickled, and only safetensors are loaded; "
                "convert it with model.save_pretrained(folder, safe_serialization=True)"
            )


def _pooled(where: str, card: ModelCard, settings: EmbedSettings, common: dict[str, Any]) -> SentenceTransformer:
    """A plain checkpoint with the pooling its card names; left alone, the library would take the mean."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    hub = {key: value for key, value in common.items() if key != "cache_folder"}
    hub["cache_dir"] = settings.cache_folder
    transformer = Transformer(
        where,
        model_kwargs={**hub, "use_safetensors": True},
        processor_kwargs=hub,
        config_kwargs=hub,
    )
    dimension = transformer.get_embedding_dimension()
    return SentenceTransformer(
        modules=[transformer, Pooling(dimension, pooling_mode=card.pooling)], device=settings.device
    )


def _no_telemetry() -> None:
    """The Hugging Face libraries read this once, when they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _out_of_reach(error: BaseException) -> bool:
    """Whether weights were not found or not fetched, as opposed to found and broken."""
    names = {cls.__name__ for e in _chain(error) for cls in type(e).__mro__}
    told = " ".join(str(e) for e in _chain(error)).lower()
    return bool(
        names & {"LocalEntryNotFoundError", "HfHubHTTPError", "OfflineModeIsEnabled", "ConnectError", "ConnectionError"}
    ) or any(
        clue in told for clue in ("couldn't connect", "can't load", "is not a local folder", "offline", "not found")
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    out: list[BaseException] = []
    while error is not None and len(out) < 10:
        out.append(error)
        error = error.__cause__ or error.__context__
    return out


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _not_available(name: str, error: BaseException) -> ModelNotAvailableError:
    return ModelNotAvailableError(
        f"The weights of {name} cannot be reached ({_first_line(error)}). Three ways on: "
        f"(1) download them once on a machine with a connection: `hf download {name}`; "
        "(2) give the folder of a local copy instead of the name, for example model='/models/KURE-v1'; "
        "(3) use the small model that comes with kure-rag: model='static-ko'."
    )
