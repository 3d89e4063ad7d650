"""What mteb is told of a model or a pipeline: whose results these are, and what would make them other results.

mteb keeps results by name and revision, and by settings (``experiment_kwargs``) where a model is run in another way
than its own. What changes scores is therefore all in those three: a finished task is then only taken for finished
where it would be run again in the same way.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from kure_rag._version import __version__
from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.hub import commit_of
from kure_rag.embed.two_roles import TwoRoles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mteb.models import ModelMeta

    from kure_rag.embed import EmbedderLike

BM25_NAME: Final = "kure-rag/bm25-kiwi"

_OF_VECTORS: Final = (
    "query_prefix",
    "passage_prefix",
    "pooling",
    "normalize",
    "dimension",
    "max_tokens",
    "backend",
    "precision",
)
_DEFAULTS: Final = EmbedSettings()


def encoder_meta(embedder: EmbedderLike | TwoRoles) -> ModelMeta:
    """Of a model whose vectors alone are evaluated: one for each text, sparse ones, or one for each token.

    Raises:
        ModelNotAvailableError: Its commit on the hub is not known and cannot be asked.
    """
    return _meta(
        embedder, model_name(embedder), revision_of(embedder), settings_of(embedder), kinds=[kind_of(embedder)]
    )


def search_meta(embedder: EmbedderLike | None, mode: str, settings: Mapping[str, Any]) -> ModelMeta:
    """Of a pipeline: keywords, vectors or both, and it may be a reranker.

    Its revision holds the version of this package, and that of the morphological analyser where there are keywords.

    Args:
        embedder: Makes the vectors; ``None`` for keywords alone.
        mode: ``lexical``, ``dense`` or ``hybrid``.
        settings: What else makes the ranking, by name: fusion, weight, reranker.
    """
    parts = [] if embedder is None else [revision_of(embedder)]
    parts.append(f"kure-rag-{__version__}")
    if mode != "dense":
        parts.append(f"kiwipiepy-{version('kiwipiepy')}")
    name = BM25_NAME if embedder is None else model_name(embedder)
    pipeline = f"{mode}+rerank" if "reranker" in settings else mode
    own = {} if embedder is None else settings_of(embedder)
    kinds = {"lexical": ["sparse"], "dense": ["dense"], "hybrid": ["hybrid"]}[mode]
    return _meta(embedder, name, "+".join(parts), {"pipeline": pipeline, **settings, **own}, kinds=kinds)


def kind_of(embedder: EmbedderLike | TwoRoles) -> str:
    """``dense``, ``sparse`` or ``late-interaction``, as cards and mteb both call them."""
    return embedder.kind if isinstance(embedder, TwoRoles) else "dense"


def model_name(embedder: EmbedderLike | TwoRoles) -> str:
    """The model's name as mteb wants it, ``owner/name``; one without an owner is ``local/…``."""
    return embedder.name if "/" in embedder.name.strip("/") else f"local/{embedder.name.strip('/') or 'model'}"


def revision_of(embedder: EmbedderLike | TwoRoles) -> str:
    """Its commit on the hub, or a digest of its folder's files; ``unknown`` for an object that does not say."""
    if isinstance(embedder, TwoRoles):
        if embedder.folder is None:
            return commit_of(embedder.card.name, embedder.card.revision, embedder.settings)
        return embedder.revision
    return str(embedder.fingerprint.get("revision") or "unknown")


def settings_of(embedder: EmbedderLike | TwoRoles) -> dict[str, Any]:
    """What of a model's use is not as its card has it, by name."""
    if not isinstance(embedder, Embedder | TwoRoles):
        return {"class": str(embedder.fingerprint.get("class", type(embedder).__name__))}
    found = {
        name: value
        for name in _OF_VECTORS
        if (value := getattr(embedder.settings, name)) not in (None, getattr(_DEFAULTS, name))
    }
    if isinstance(embedder, Embedder) and embedder.settings.endpoint is not None:
        found["endpoint"] = embedder.engine["endpoint"]
    return found


def _meta(
    embedder: EmbedderLike | TwoRoles | None, name: str, revision: str, settings: Mapping[str, Any], *, kinds: list[Any]
) -> ModelMeta:
    from mteb.models import ModelMeta
    from mteb.models.model_meta import ScoringFunction

    card = embedder.card if isinstance(embedder, Embedder | TwoRoles) else None
    prefixed = any(embedder.prefixes) if isinstance(embedder, Embedder) else bool(card and card.query_prefix)
    scores = {
        "dense": ScoringFunction.COSINE,
        "sparse": ScoringFunction.DOT_PRODUCT,
        "late-interaction": ScoringFunction.MAX_SIM,
    }
    return ModelMeta(
        loader=None,
        name=name,
        revision=revision,
        release_date=None,
        languages=["kor-Hang"],
        n_parameters=None,
        memory_usage_mb=None,
        max_tokens=None if card is None else card.max_tokens,
        embed_dim=None if card is None else card.dimension,
        license=None,
        open_weights=None,
        public_training_code=None,
        public_training_data=None,
        framework=[],
        similarity_fn_name=None if embedder is None else scores[kind_of(embedder)],
        use_instructions=prefixed,
        training_datasets=None,
        model_type=kinds,
        experiment_kwargs=dict(settings) or None,
    )
