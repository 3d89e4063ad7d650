"""The embedder of an index that was made before, or is made now: what is asked for, over what the index remembers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from kure_rag.embed.base import EmbedderLike
from kure_rag.embed.cards import DEFAULT_MODEL, find_card, folder_of
from kure_rag.embed.engine import Engine, moved, settings_like
from kure_rag.embed.files import bundled_path
from kure_rag.embed.foreign import RecordedEmbedder, as_embedder
from kure_rag.embed.model import Embedder
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import PoolingName
from kure_rag.errors import KureIndexError

_log = logging.getLogger(__name__)
_NOT_THE_MODELS = ("tokenizer", "chunker")  # what else an index's fingerprint holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What an index remembers of its model.

    Attributes:
        fingerprint: ``None`` for an index without vectors.
        engine: See :func:`~kure_rag.embed.engine.engine_record`; ``None`` where it was not kept.
        dense_weight: The model's weight beside keyword scores.
    """

    fingerprint: Mapping[str, Any] | None = None
    engine: Engine | None = None
    dense_weight: float | None = None

    @property
    def model(self) -> dict[str, Any]:
        """The model's part of the fingerprint."""
        return {key: value for key, value in (self.fingerprint or {}).items() if key not in _NOT_THE_MODELS}


def embedder_for(
    path: Path, embeddings: object, settings: Mapping[str, Any] | None, remembered: Remembered
) -> EmbedderLike:
    """The embedder to open an index with.

    Args:
        path: The index folder, for messages.
        embeddings: ``None`` for the index's own model, a name, a folder, or an object that embeds.
        settings: Keywords of ``KureEmbeddings`` beside a name. What is left out is as the index was made, for a folder
            too, which may be a copy of its model.
        remembered: What the index remembers.

    Raises:
        UnknownModelError: ``embeddings`` names no model.
        EmbeddingError: An object that embeds nothing.
        ValueError: Settings beside an object, or such as make no sense.
        KureIndexError: The index names no model.
    """
    if embeddings is not None and not isinstance(embeddings, str):
        if settings:
            raise ValueError(f"embed_settings= go with a model's name; give them to {type(embeddings).__name__} itself")
        embedder = as_embedder(embeddings)
    else:
        embedder = _named(embeddings, settings or {}, remembered)
    if isinstance(embedder, Embedder) and (change := moved(remembered.engine, embedder.engine)):
        _log.warning("%s: %s", path, change)
    return embedder


def _named(name: str | None, settings: Mapping[str, Any], remembered: Remembered) -> EmbedderLike:
    given = dict(settings)
    card = given.pop("card", None)
    own = remembered.model
    if not own:
        return Embedder(name or DEFAULT_MODEL, settings_like(None, given), card=card)
    if not (model := str(own.get("model", ""))):
        raise KureIndexError("the index does not say which model it was made with; pass embeddings=...")
    if name is None and _is_elsewhere(own):
        return RecordedEmbedder(own)
    folder = None if name is None else folder_of(name)
    if "class" in own or (name is not None and folder is None and _full_name(name) != model):
        return Embedder(str(name), settings_like(remembered.engine, given), card=card)  # its fingerprint will not fit
    # A folder is taken for the index's own: if it holds another model, its hash is not the one in the fingerprint.
    if folder is not None and card is None and find_card(str(name)) is None and find_card(model) is not None:
        card = model
    asked = card.name if isinstance(card, ModelCard) else card
    others = {} if asked is not None and _full_name(asked) != model else _settings_of(own, remembered.dense_weight)
    return Embedder(name or model, settings_like(remembered.engine, given, **others), card=card)


def _is_elsewhere(own: Mapping[str, Any]) -> bool:
    """Whether a model is an object or a folder of the user's, which its name is not enough to find."""
    local = str(own.get("revision", "")).startswith("local-")
    return "class" in own or (local and bundled_path(str(own["model"])) is None)


def _full_name(name: str) -> str:
    card = find_card(name)
    return name if card is None else card.name


def _settings_of(own: Mapping[str, Any], dense_weight: float | None) -> dict[str, Any]:
    """The settings a model had when an index was made with it."""
    revision = str(own.get("revision", ""))
    return {
        "revision": None if revision == "newest" or revision.startswith("local-") else revision,
        "query_prefix": own["query_prefix"],
        "passage_prefix": own["passage_prefix"],
        "pooling": _given_pooling(str(own["model"]), own.get("pooling")),
        "normalize": own["normalize"],
        "dense_weight": dense_weight,
        "dimension": own.get("dimension"),
        "max_tokens": own.get("max_tokens"),
    }


def _given_pooling(model: str, pooling: Any) -> PoolingName | None:
    """The pooling an index was made with, where it is another than the card's own."""
    card = find_card(model)
    if card is not None and card.pooling == pooling:
        return None
    return next((choice for choice in get_args(PoolingName) if choice == pooling), None)
