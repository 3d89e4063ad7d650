"""The files of a model: which of them are read, whether they are safe to read, and what they say of prompts."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from kure_rag.embed.card_list import STATIC_KO
from kure_rag.errors import EmbeddingError

MODULES: Final = "modules.json"
PROMPTS: Final = "config_sentence_transformers.json"
KOBERT_TOKENIZER: Final = "tokenizer_78b3253a26.model"

_QUERY_PROMPTS: Final = ("query",)
_PASSAGE_PROMPTS: Final = ("passage", "document", "corpus")
_PICKLED: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
# Pickled files that training leaves behind and nothing here reads.
_LEFT_BY_TRAINING: Final = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")
_OTHER_WEIGHTS: Final = frozenset({".h5", ".msgpack", ".gguf", ".onnx", ".tflite"})
_WEIGHTS: Final = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_SHARD: Final = re.compile(r"model-\d+-of-\d+\.safetensors$")
_SMALL: Final = frozenset({".json", ".txt", ".model", ".jinja", ".tiktoken", ".vocab"})
_HASHED: Final = _SMALL | {".safetensors", ".py"}
_TOKENIZER: Final = frozenset({"tokenizer.json", "vocab.txt", "vocab.json", "tekken.json"})
# Modules of sentence-transformers that compute without weights.
_WEIGHTLESS: Final = frozenset(
    {"Pooling", "Normalize", "Dropout", "BoW", "WordWeights", "Router", "Asym", "SpladePooling", "MultiVectorMask"}
)


@dataclass(frozen=True, slots=True)
class Part:
    """One module of a model.

    Attributes:
        path: Its folder, relative to the model's, empty for the model's own.
        type: The class, as ``modules.json`` names it; empty for a plain checkpoint.
    """

    path: str
    type: str

    @property
    def kind(self) -> str:
        """The class without its package."""
        return self.type.rpartition(".")[2] or "Transformer"


def bundled_path(name: str) -> Path | None:
    """The folder of a model that comes with the package, or ``None``."""
    return Path(__file__).parent / "static_ko" if name == STATIC_KO else None


@functools.lru_cache(maxsize=32)
def _revision_of(folder: Path, _stamp: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in _HASHED and file.is_file():
            digest.update(str(file.relative_to(folder)).encode())
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"local-{digest.hexdigest()[:16]}"


def local_revision(folder: Path) -> str:
    """A revision for a folder: a hash of weights, tokenizer, settings and code, so that a changed model is another."""
    stamp = tuple(
        (str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns)
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    )
    return _revision_of(folder, stamp)


def refuse_revision(folder: Path, revision: str | None) -> None:
    """Raises where a revision is asked for that a folder is not: a folder has one, see :func:`local_revision`.

    Raises:
        EmbeddingError: Says which it has.
    """
    if revision is not None and not (own := local_revision(folder)).startswith(revision):
        raise EmbeddingError(
            f"{folder}: a local folder, whose revision is {own}, and revision={revision!r} was asked for; leave "
            "revision out, or give the model's name on the model hub"
        )


def names_in(folder: Path) -> frozenset[str]:
    """The files of a folder, relative to it, with ``/`` between their parts."""
    return frozenset(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def read_json(path: Path) -> Any:
    """What a settings file holds.

    Raises:
        EmbeddingError: It cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise EmbeddingError(f"{path}: the model's settings are broken ({reason}); copy the file again") from error


def read_object(path: Path) -> dict[str, Any]:
    """An object from a settings file; an empty one where there is no file.

    Raises:
        EmbeddingError: It cannot be read, or holds no object.
    """
    value = read_json(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise EmbeddingError(f"{path}: the model's settings are broken (no object); copy the file again")
    return value


def parts_of(modules: Path | None) -> tuple[Part, ...]:
    """The modules that a ``modules.json`` lists; a transformer alone where there is no such file.

    Raises:
        EmbeddingError: The file is broken or leads out of the model's folder.
    """
    if modules is None or not modules.is_file():
        return (Part("", ""),)
    listed = read_json(modules)
    try:
        parts = tuple(Part(str(entry["path"]).strip("/"), str(entry["type"])) for entry in listed)
    except (TypeError, KeyError) as error:
        raise EmbeddingError(f"{modules}: lists no modules with a path and a type; copy the file again") from error
    for part in parts:
        if ".." in PurePosixPath(part.path.replace("\\", "/")).parts or ":" in part.path:
            raise EmbeddingError(f"{modules}: {part.path!r} leads out of the model's folder; do not use this model")
    if not parts:
        raise EmbeddingError(f"{modules}: lists no modules; copy the file again")
    return parts


def needed(names: Collection[str], parts: Sequence[Part], *, code: bool) -> list[str]:
    """The files of a model that loading reads, weights last: where they are, the others are.

    Other formats of the same weights, checkpoints of the training and pickled files are left out.

    Args:
        names: All files, as :func:`names_in` gives them.
        parts: See :func:`parts_of`.
        code: Whether Python files that the model brings along are read.
    """
    wanted = [
        name
        for name in names
        if _is_part(name, parts) and (_is_small(name, code=code) or _WEIGHTS.fullmatch(PurePosixPath(name).name))
    ]
    whole = {str(PurePosixPath(name).parent) for name in wanted if PurePosixPath(name).name == "model.safetensors"}
    wanted = [name for name in wanted if str(PurePosixPath(name).parent) not in whole or not _SHARD.search(name)]
    return sorted(wanted, key=lambda name: (name.endswith(".safetensors"), name))


def _is_small(name: str, *, code: bool) -> bool:
    suffix = PurePosixPath(name).suffix
    return suffix in _SMALL or (code and suffix == ".py")


def _is_part(name: str, parts: Sequence[Part]) -> bool:
    parent = str(PurePosixPath(name).parent)
    folder = "" if parent == "." else parent
    return folder == "" or any(_within(folder, part) for part in parts)


def _within(folder: str, part: Part) -> bool:
    # A router keeps its own modules in folders below its own.
    return folder == part.path or (part.kind in {"Router", "Asym"} and folder.startswith(part.path and f"{part.path}/"))


def refuse_unsafe(where: str, names: Collection[str], parts: Sequence[Part]) -> None:
    """Raises unless all weights that would be read are safetensors.

    The library would read a Dense module's or a static embedding's pickled weights whatever it is told.

    Args:
        where: Folder or name on the hub, for the message.
        names: See :func:`names_in`.
        parts: See :func:`parts_of`.

    Raises:
        EmbeddingError: Weights are pickled, missing, or in a format that is not read.
    """
    folders = _folders(names)
    refuse_pickled(where, names, parts)
    if "adapter_config.json" in folders.get(parts[0].path, ()):
        raise EmbeddingError(
            f"{where}: an adapter (PEFT) without its base model; merge the two and save the result as safetensors"
        )
    for part in parts:
        if part.kind not in _WEIGHTLESS:
            _require_weights(where, part, folders.get(part.path, set()))


def refuse_pickled(where: str, names: Collection[str], parts: Sequence[Part]) -> None:
    """The first half of :func:`refuse_unsafe`: raises for pickled weights that nothing safe stands beside."""
    for part in parts:
        for folder, files in _folders(names).items():
            if _within(folder, part):
                _refuse_pickled(where, folder, files, part)


def _folders(names: Collection[str]) -> dict[str, set[str]]:
    folders: dict[str, set[str]] = {}
    for name in names:
        parent = str(PurePosixPath(name).parent)
        folders.setdefault("" if parent == "." else parent, set()).add(PurePosixPath(name).name)
    return folders


def _has_weights(files: Collection[str]) -> bool:
    return "model.safetensors" in files or "model.safetensors.index.json" in files


def _refuse_pickled(where: str, folder: str, files: Collection[str], part: Part) -> None:
    pickled = sorted(
        name for name in files if PurePosixPath(name).suffix in _PICKLED and not name.startswith(_LEFT_BY_TRAINING)
    )
    if not pickled or _has_weights(files) or part.kind in _WEIGHTLESS - {"Router", "Asym"}:
        return
    raise EmbeddingError(
        f"{where}: {PurePosixPath(folder) / pickled[0]} is pickled, which can run any code, and only safetensors are "
        "loaded. On the model hub a pull request may hold the converted weights: revision='refs/pr/1', for example. Or "
        "convert them once, in a copy of the whole folder, whose other files must stay as they are:\n"
        f"{_conversion(where, folder, pickled)}\n"
        "and give that folder, with card='owner/name' where the model has a card and the folder another name"
    )


def _conversion(where: str, folder: str, pickled: Sequence[str]) -> str:
    """Code that puts the same tensors beside the pickled ones, whatever class they are of; it runs no code of theirs.

    Saving the model with a library instead would store a pooling that library assumes, and lose what it does not know.
    """
    here = (Path(where) if Path(where).is_dir() else Path("FOLDER")) / folder
    files = [name for name in pickled if "-of-" in name] if "-of-" in pickled[0] else pickled[:1]
    return (
        "    import torch; from safetensors.torch import save_file\n"
        f"    files = {[str(here / name) for name in files]}\n"
        "    parts = [torch.load(file, weights_only=True, map_location='cpu') for file in files]\n"
        "    weights = {name: tensor.contiguous().clone() for part in parts for name, tensor in part.items()}\n"
        f"    save_file(weights, {str(here / 'model.safetensors')!r}, {{'format': 'pt'}})"
    )


def _require_weights(where: str, part: Part, files: Collection[str]) -> None:
    if _has_weights(files):
        return
    at = f"{part.path or 'the folder'} holds" if files else f"there is no {part.path or 'file at all'}:"
    others = sorted(name for name in files if PurePosixPath(name).suffix in _OTHER_WEIGHTS)
    found = f" (only {others[0]}, a format that is not read)" if others else ""
    raise EmbeddingError(
        f"{where}: {at} no model.safetensors{found}; copy or download the model again, or convert its weights"
    )


def check_folder(folder: Path, *, code: bool) -> tuple[Part, ...]:
    """The modules of a model's folder, once it is known that all can be loaded.

    Args:
        folder: The model's.
        code: Whether code that the model brings along may run.

    Raises:
        EmbeddingError: What is missing, pickled, or would need code of the model's own.
    """
    names = names_in(folder)
    parts = parts_of(folder / MODULES)
    if not names & {MODULES, "config.json"}:
        raise EmbeddingError(
            f"{folder}: no model here, neither config.json nor modules.json; give the folder that holds them, or, if "
            "it is an export, the backend that it was made for"
        )
    refuse_unsafe(str(folder), names, parts)
    for part in parts:
        here = folder / part.path
        _check_shards(here)
        if not code:
            _refuse_code(folder, part)
        if part.kind in {"Transformer", "Pooling", "Dense"} and not (here / "config.json").is_file():
            raise EmbeddingError(f"{here}: config.json is missing; copy or download the model again")
        if part.kind in {"Transformer", "StaticEmbedding"} and not _has_tokenizer(here):
            raise EmbeddingError(f"{here}: no tokenizer (such as tokenizer.json); copy or download the model again")
    return parts


def _has_tokenizer(folder: Path) -> bool:
    return any(f.name in _TOKENIZER or f.suffix in {".model", ".tiktoken"} for f in folder.iterdir())


def _check_shards(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.is_file() or (folder / "model.safetensors").is_file():
        return
    shards = read_json(index)
    shards = shards.get("weight_map") if isinstance(shards, dict) else None
    if not isinstance(shards, Mapping):
        raise EmbeddingError(f"{index}: names no files of weights; copy the file again")
    for shard in sorted(set(map(str, shards.values()))):
        if not (folder / shard).is_file():
            raise EmbeddingError(f"{folder}: {shard} is missing; copy or download the model again")


def _refuse_code(folder: Path, part: Part) -> None:
    if part.type and not part.type.startswith("sentence_transformers."):
        raise EmbeddingError(
            f"{folder}: the module {part.type} is code that the model brings along; read it, and if you trust it, "
            "pass trust_remote_code=True"
        )
    config = folder / part.path / "config.json"
    if part.kind != "Transformer" or not config.is_file():
        return
    settings = read_json(config)
    if not isinstance(settings, dict):
        raise EmbeddingError(f"{config}: the model's settings are broken (no object); copy the file again")
    if settings.get("auto_map") and not _in_library(str(settings.get("model_type"))):
        raise EmbeddingError(
            f"{folder}: transformers has no class for {settings.get('model_type')!r}, only code that the model brings "
            "along; read it, and if you trust it, pass trust_remote_code=True"
        )


def _in_library(model_type: str) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def prompts_in(path: Path) -> tuple[str, str]:
    """The prompts that ``config_sentence_transformers.json`` stores for queries and passages, empty where none.

    Raises:
        EmbeddingError: The file is broken.
    """
    if not path.is_file():
        return "", ""
    stored = read_json(path)
    prompts = (stored.get("prompts") or {}) if isinstance(stored, dict) else None
    if not isinstance(prompts, dict) or not all(isinstance(p, str | None) for p in prompts.values()):
        raise EmbeddingError(f"{path}: the model's settings are broken (prompts are no strings); copy the file again")

    def first(keys: tuple[str, ...]) -> str:
        return next((str(prompts[key]) for key in keys if prompts.get(key)), "")

    return first(_QUERY_PROMPTS), first(_PASSAGE_PROMPTS)
