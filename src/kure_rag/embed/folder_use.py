"""How a model's folder is used where no card says it: by what its files store, and by what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from kure_rag.embed.cards import find_card
from kure_rag.embed.files import MODULES, PROMPTS, parts_of, prompts_in, read_object
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings, PoolingName
from kure_rag.errors import EmbeddingError

# BAAI's bge-m3 and all that was made from it, KURE-v1 and arctic-embed-l-v2.0 among them, have 8,194 positions and take
# the first token; XLM-RoBERTa itself and the E5 models, which take the mean, have 514.
_LONG_XLM_ROBERTA: Final = 8192
_NO_TRANSFORMER: Final = frozenset({None, "model2vec"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderUse:
    """How a local folder is used.

    Attributes:
        card: The card found, with the pooling that the folder needs.
        made_from: The known model that ``config.json`` names and a plain checkpoint is used as, where nothing else says
            what it is.
        guessed: Whether the pooling follows from the architecture alone.
        unprompted: The known model with prefixes that ``config.json`` names, where the folder has modules and stores
            none. Whether it still wants them only those know who trained it.
    """

    card: ModelCard
    made_from: str | None = None
    guessed: bool = False
    unprompted: str | None = None

    def assumed(self, folder: Path | str, settings: EmbedSettings, prefixes: tuple[str, str]) -> str | None:
        """What to say, once, of that which neither files nor settings tell; ``None`` for nothing.

        Args:
            folder: Or the name of a model from the hub, for the message.
            settings: As the user gave them.
            prefixes: What is put before queries and passages.
        """
        if self.made_from is not None:
            return (
                f"{folder} has no modules.json, and was made from {self.made_from}, as its config.json says: it is "
                f"used like that, with {settings.pooling or self.card.pooling} pooling and {prefixes[0]!r} before "
                f"queries and {prefixes[1]!r} before passages. If that is wrong, say so: pooling=, query_prefix=, "
                "passage_prefix=, or card=... for a known model"
            )
        if self.guessed and settings.pooling is None:
            return (
                f"{folder} stores no pooling; the first token's vector is taken, as of bge-m3 and the models made from "
                "it, which have its long positions. If it was trained with another, say so: pooling='mean', or "
                "card=... for a known model that is used alike"
            )
        if self.unprompted is not None and settings.query_prefix is None and settings.passage_prefix is None:
            return (
                f"{folder} stores no prompts, so nothing is put before queries and passages; it was made from "
                f"{self.unprompted}, as its config.json says, which has prefixes. If it needs them, say so: "
                f"card={self.unprompted!r}; if not: query_prefix=''"
            )
        return None


def folder_use(folder: Path, card: ModelCard, *, known: bool) -> FolderUse:
    """How a folder is used: as its card says, and a plain checkpoint also as its ``config.json`` lets see.

    Args:
        folder: A local copy.
        card: The card that its name or the caller gives, or one of a model that nothing is known of.
        known: Whether it is the first of these.
    """
    try:
        if (folder / MODULES).exists():
            return FolderUse(card=card, unprompted=None if known else unprompted(folder))
        config = read_object(folder / "config.json")
    except EmbeddingError:  # told when it is loaded
        return FolderUse(card=card)
    if card.pooling != "stored" or config.get("model_type") in _NO_TRANSFORMER:
        return FolderUse(card=card)
    if not known and (base := base_card(config)) is not None:
        # What was made from a model is used like it, but has weights and so scores of its own.
        used = replace(
            base,
            name=card.name,
            aliases=(),
            revision=None,
            pooling=pooled_as(base) or card.pooling,
            dimension=None,
            dimensions=(),
            published=(),
            reference=None,
            note="",
        )
        return FolderUse(card=used, made_from=base.name)
    if (pooling := pooled_as(card)) is not None:
        return FolderUse(card=replace(card, pooling=pooling))
    if (usual := assumed_pooling(config)) == "cls":
        return FolderUse(card=replace(card, pooling=usual), guessed=True)
    return FolderUse(card=card)  # loading assumes the rest, and says so


def hub_use(folder: Path, card: ModelCard) -> FolderUse:
    """How a model from the hub without a card is used: as its files say, plain or not, and never as another model.

    What it was made from is on the hub for all to see, but its prefixes cannot be known from that before it is here.

    Args:
        folder: Where its files lie, once they are here.
        card: The one made up for it.
    """
    try:
        return FolderUse(card=card, unprompted=_base_with_prefixes(folder))
    except EmbeddingError:  # told when it is loaded
        return FolderUse(card=card)


def base_card(config: Mapping[str, Any]) -> ModelCard | None:
    """The card of the model that a checkpoint was loaded from before it was saved.

    Transformers before version 5 wrote its name into ``config.json``, as ``_name_or_path``.
    """
    name = config.get("_name_or_path")
    card = find_card(name) if isinstance(name, str) and name else None
    return card if card is not None and card.kind == "dense" else None


def assumed_pooling(config: Mapping[str, Any]) -> PoolingName:
    """How a checkpoint that stores no pooling is pooled, by its architecture.

    Args:
        config: Its ``config.json``.
    """
    architectures = config.get("architectures") or [""]
    if str(architectures[0]).endswith("ForCausalLM") and config.get("is_causal", True) is not False:
        return "lasttoken"
    positions = config.get("max_position_embeddings")
    if config.get("model_type") == "xlm-roberta" and isinstance(positions, int) and positions >= _LONG_XLM_ROBERTA:
        return "cls"
    return "mean"


def unprompted(folder: Path) -> str | None:
    """The known model with prefixes that a model with modules was made from, where it stores no prompts itself."""
    return _base_with_prefixes(folder) if (folder / MODULES).is_file() else None


def _base_with_prefixes(folder: Path) -> str | None:
    """The known model with prefixes that a model without prompts was made from."""
    if any(prompts_in(folder / PROMPTS)):
        return None
    first = parts_of(folder / MODULES)[0]
    base = base_card(read_object(folder / first.path / "config.json")) if first.kind == "Transformer" else None
    return base.name if base is not None and (base.query_prefix or base.passage_prefix) else None


def pooled_as(card: ModelCard) -> PoolingName | None:
    """How a copy of a card's model is pooled that stores no modules; ``None`` where that is not known."""
    return card.plain_pooling if card.pooling == "stored" else card.pooling
