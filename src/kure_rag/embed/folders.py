"""What a model's folder says of itself, read from its small files: no weights and no model library are loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.embed.files import MODULES, PROMPTS, Part, parts_of, prompts_in, read_json
from kure_rag.errors import EmbeddingError

_NO_LIMIT: Final = 1_000_000  # tokenizers without a limit store one as a number with thirty digits
_MOST_HEADER: Final = 100_000_000  # what the safetensors library itself allows


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """How a model without a card is used, and why.

    Attributes:
        architecture: As transformers names it, such as ``xlm-roberta``; ``None`` for other models.
        modules: The steps that ``modules.json`` names, such as ``Transformer``, ``Pooling``, ``Normalize``; empty for
            a plain checkpoint.
        pooling: How token vectors become one, such as ``mean`` or ``cls``.
        query_prefix: The stored prompt that is put before queries.
        passage_prefix: The stored prompt that is put before passages.
        dimension: Numbers in a vector, as far as the files say.
        max_tokens: Tokens of a text that are used, as far as the files say.
        assumed: What the files leave open, and what is done instead.
    """

    architecture: str | None
    modules: tuple[str, ...]
    pooling: str
    query_prefix: str
    passage_prefix: str
    dimension: int | None
    max_tokens: int | None
    assumed: tuple[str, ...]


def read_folder(folder: Path) -> FolderFacts:
    """Reads a model's folder.

    Args:
        folder: With ``modules.json`` (sentence-transformers) or ``config.json`` (a plain checkpoint).

    Raises:
        EmbeddingError: No model is there, or one of its files is broken.
    """
    config, plain = _json(folder / "config.json"), not (folder / MODULES).is_file()
    if plain and not config:
        raise EmbeddingError(
            f"{folder}: no model is here: neither {MODULES} nor config.json; give the folder that holds the weights"
        )
    parts = parts_of(folder / MODULES)
    assumed: list[str] = []
    query, passage = prompts_in(folder / PROMPTS)
    if not query and not passage:
        assumed.append("no prompts are stored, so nothing is put before queries and passages")
    if plain:
        assumed.append("a plain checkpoint says nothing of pooling, so the mean of its tokens is taken")
    limit = _max_tokens(folder, config)
    if limit is None and _part(parts, "StaticEmbedding") is None:
        assumed.append("no limit is stored, so texts are never cut")
    if not any(folder.glob("**/*.safetensors")):
        assumed.append("there are no safetensors, so it cannot be loaded: pickled weights are refused")
    architecture = config.get("model_type")
    return FolderFacts(
        architecture=str(architecture) if architecture else None,
        modules=() if plain else tuple(part.kind for part in parts),
        pooling="mean" if plain else _pooling(folder, parts),
        query_prefix=query,
        passage_prefix=passage,
        dimension=_dimension(folder, parts, config),
        max_tokens=limit,
        assumed=tuple(assumed),
    )


def _part(parts: Sequence[Part], kind: str) -> Part | None:
    """The last module of a kind, which is the one that decides."""
    return next((part for part in reversed(parts) if part.kind == kind), None)


def _pooling(folder: Path, parts: Sequence[Part]) -> str:
    part = _part(parts, "Pooling")
    if part is None:
        return "by its own modules"
    config = _json(folder / part.path / "config.json")
    if mode := config.get("pooling_mode"):
        return mode if isinstance(mode, str) else "+".join(map(str, mode))
    old = [key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on]
    return "+".join(name.removesuffix("_tokens").removesuffix("_token") for name in old) or "mean"


def _max_tokens(folder: Path, config: Mapping[str, Any]) -> int | None:
    limits = (
        _json(folder / "sentence_bert_config.json").get("max_seq_length"),
        _json(folder / "tokenizer_config.json").get("model_max_length"),
        config.get("max_position_embeddings"),
    )
    return next((int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT), None)


def _dimension(folder: Path, parts: Sequence[Part], config: Mapping[str, Any]) -> int | None:
    if dense := _part(parts, "Dense"):
        out = _json(folder / dense.path / "config.json").get("out_features")
        return out if isinstance(out, int) else None
    if static := _part(parts, "StaticEmbedding"):
        shapes = _shapes(folder / static.path / "model.safetensors")
        return next((shape[1] for name, shape in shapes.items() if name.endswith("weight") and len(shape) == 2), None)
    hidden = config.get("hidden_size") or config.get("d_model") or config.get("n_embd")
    return hidden if isinstance(hidden, int) else None


def _json(path: Path) -> dict[str, Any]:
    """An object from a settings file; an empty one where there is no file."""
    value = read_json(path) if path.is_file() else {}
    if not isinstance(value, dict):
        raise EmbeddingError(f"{path}: the model's settings are broken (no object); copy the file again")
    return value


def _shapes(path: Path) -> dict[str, list[int]]:
    """The shape of each tensor, from the header of a safetensors file alone."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MOST_HEADER:
                raise ValueError("its header is too long to be one")  # noqa: TRY301 - told as the others are
            header = json.loads(file.read(length))
        return {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise EmbeddingError(f"{path}: the weights are broken ({error}); copy the file again") from error
