"""What a model's folder says of itself, read from its small files: no weights and no model library are loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.embed.backends.manifest import is_export, read_manifest
from kure_rag.embed.cards import find_card
from kure_rag.embed.files import MODULES, PROMPTS, Part, parts_of, prompts_in, read_object
from kure_rag.embed.folder_use import assumed_pooling, base_card, pooled_as, unprompted
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError

_COUNT_FROM_PADDING: Final = frozenset({"roberta", "xlm-roberta", "camembert"})
_WHY: Final[Mapping[str, str]] = {
    "cls": "so the first token's vector is taken, as of bge-m3 and models made from it, which have its long positions",
    "lasttoken": "so the last token's vector is taken: it generates text, and only that token has seen all others",
    "mean": "so the mean of its tokens is taken",
}
_UNPROMPTED: Final = "it was made from {0}, as config.json says, which has prefixes: card='{0}' puts them"
_NO_LIMIT: Final = 1_000_000  # tokenizers without a limit store one as a number with thirty digits
_MOST_HEADER: Final = 100_000_000  # what the safetensors library itself allows


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """How a model without a card is used, and why.

    Attributes:
        architecture: As transformers names it, such as ``xlm-roberta``; ``None`` for other models.
        made_from: The known model that ``config.json`` names, as which a plain checkpoint is used; of an export, the
            model that it was made from.
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
    made_from: str | None
    modules: tuple[str, ...]
    pooling: str
    query_prefix: str
    passage_prefix: str
    dimension: int | None
    max_tokens: int | None
    assumed: tuple[str, ...]


def read_folder(folder: Path, settings: EmbedSettings | None = None, *, from_hub: bool = False) -> FolderFacts:
    """Reads a model's folder.

    Args:
        folder: With ``modules.json`` (sentence-transformers), ``config.json`` (a plain checkpoint) or
            ``kure_export.json`` (a model exported for ONNX Runtime or OpenVINO).
        settings: What they say of pooling and prefixes is neither read nor assumed.
        from_hub: Whether it is the hub's copy, which is never used as the model that it was made from.

    Raises:
        EmbeddingError: No model is there, or one of its files is broken.
    """
    if is_export(folder):
        return _export_facts(folder)
    config, plain = read_object(folder / "config.json"), not (folder / MODULES).is_file()
    if plain and not config:
        raise EmbeddingError(
            f"{folder}: no model is here: neither {MODULES} nor config.json; give the folder that holds the weights"
        )
    parts = parts_of(folder / MODULES)
    assumed: list[str] = []
    told = settings or EmbedSettings()
    base = base_card(config) if plain and not from_hub else None
    if base is not None:
        assumed.append(f"it was made from {base.name}, as config.json says, and is used as that model's card says")
        query, passage = base.query_prefix or "", base.passage_prefix or ""
        pooling = str(pooled_as(base) or assumed_pooling(config))
    else:
        query, passage = prompts_in(folder / PROMPTS)
        if not query and not passage and told.query_prefix is None and told.passage_prefix is None:
            assumed.append("no prompts are stored, so nothing is put before queries and passages")
            if (made_from := unprompted(folder)) is not None:
                assumed.append(_UNPROMPTED.format(made_from))
        pooling = str(assumed_pooling(config)) if plain else _pooling(folder, parts)
        if plain and told.pooling is None:
            assumed.append(f"a plain checkpoint says nothing of pooling, {_WHY[pooling]}")
    limit = _max_tokens(folder, config, base)
    if limit is None and _part(parts, "StaticEmbedding") is None:
        assumed.append("no limit is stored, so texts are never cut")
    if not any(folder.glob("**/*.safetensors")):
        assumed.append("there are no safetensors, so it cannot be loaded: pickled weights are refused")
    architecture = config.get("model_type")
    return FolderFacts(
        architecture=str(architecture) if architecture else None,
        made_from=base.name if base is not None else None,
        modules=() if plain else tuple(part.kind for part in parts),
        pooling=told.pooling or pooling,
        query_prefix=query if told.query_prefix is None else told.query_prefix,
        passage_prefix=passage if told.passage_prefix is None else told.passage_prefix,
        dimension=_dimension(folder, parts, config),
        max_tokens=limit,
        assumed=tuple(assumed),
    )


def stated_dimension(folder: Path) -> int | None:
    """Numbers in a vector, where the files of a folder say so for certain.

    Raises:
        EmbeddingError: One of them is broken.
    """
    return _dimension(folder, parts_of(folder / MODULES), read_object(folder / "config.json"))


def _part(parts: Sequence[Part], kind: str) -> Part | None:
    """The last module of a kind, which is the one that decides."""
    return next((part for part in reversed(parts) if part.kind == kind), None)


def _pooling(folder: Path, parts: Sequence[Part]) -> str:
    return "+".join(_modes(folder, parts)) or "by its own modules"


def _modes(folder: Path, parts: Sequence[Part]) -> list[str]:
    """The poolings that a Pooling module does side by side; none where there is no such module."""
    part = _part(parts, "Pooling")
    if part is None:
        return []
    config = read_object(folder / part.path / "config.json")
    if mode := config.get("pooling_mode"):
        return [mode] if isinstance(mode, str) else [str(one) for one in mode]
    old = [key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on]
    return [name.removesuffix("_tokens").removesuffix("_token") for name in old] or ["mean"]


def _export_facts(folder: Path) -> FolderFacts:
    """What an export's own file says, and the card of the model that it was made from."""
    made = read_manifest(folder)
    card = find_card(made.model)
    stored = prompts_in(folder / PROMPTS)
    query, passage = (None, None) if card is None else (card.query_prefix, card.passage_prefix)
    limits = [limit for limit in (made.max_tokens, None if card is None else card.max_tokens) if limit is not None]
    return FolderFacts(
        architecture=None,
        made_from=made.model,
        modules=(),
        pooling=made.pooling,
        query_prefix=stored[0] if query is None else query,
        passage_prefix=stored[1] if passage is None else passage,
        dimension=made.dimension,
        max_tokens=min(limits, default=None),
        assumed=(f"it is an export with {made.weights} weights, for backend={made.backend!r} alone",),
    )


def _max_tokens(folder: Path, config: Mapping[str, Any], base: ModelCard | None) -> int | None:
    """The smallest of the limits that are stated. Of the two files, the library's own wins over the tokenizer's."""
    own = (
        read_object(folder / "sentence_bert_config.json") if (folder / MODULES).is_file() else {}
    )  # not read without it
    longest = _limit(own.get("max_seq_length")) or _limit(
        read_object(folder / "tokenizer_config.json").get("model_max_length")
    )
    limits = (longest, _limit(_positions(config)), None if base is None else base.max_tokens)
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 < value < _NO_LIMIT else None


def _positions(config: Mapping[str, Any]) -> Any:
    """Places for tokens: of RoBERTa's 514, say, those up to the padding token's id are not used."""
    positions, pad = config.get("max_position_embeddings"), config.get("pad_token_id")
    if config.get("model_type") in _COUNT_FROM_PADDING and isinstance(positions, int) and isinstance(pad, int):
        return positions - pad - 1
    return positions


def _dimension(folder: Path, parts: Sequence[Part], config: Mapping[str, Any]) -> int | None:
    if dense := _part(parts, "Dense"):
        out = read_object(folder / dense.path / "config.json").get("out_features")
        return out if isinstance(out, int) else None
    if static := _part(parts, "StaticEmbedding"):
        shapes = _shapes(folder / static.path / "model.safetensors")
        return next((shape[1] for name, shape in shapes.items() if name.endswith("weight") and len(shape) == 2), None)
    if len(_modes(folder, parts)) > 1:
        return None  # vectors of several side by side
    hidden = next((config[key] for key in ("hidden_size", "d_model", "n_embd", "dim") if config.get(key)), None)
    return hidden if isinstance(hidden, int) else None


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
