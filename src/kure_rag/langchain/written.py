"""What ``langchain_core.load.dumps`` writes of our objects, and what ``loads`` makes of it.

LangChain writes an object as its class and the keywords to make it with, in JSON. Ours are settings and the place of an
index; texts, vectors and keys are never among them. What has no such form (a model object of one's own, a function) has
the whole object written as ``not_implemented``, which ``loads`` refuses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from langchain_core.load.serializable import Serializable, SerializedConstructor, SerializedNotImplemented

from kure_rag.embed import Embedder
from kure_rag.embed.backends.plain_http import may_hold_key
from kure_rag.index.rank_bm25 import Bm25Settings
from kure_rag.pipeline import KureIndex
from kure_rag.pipeline.lazy import LazyIndex
from kure_rag.pipeline.opening import Opening
from kure_rag.search import (
    ConvexFusion,
    ExpandSettings,
    FoldSettings,
    GroupSettings,
    MmrSettings,
    RerankSettings,
    RrfFusion,
    SearchOptions,
)
from kure_rag.search.tops import TopFusion

_KIND: Final = "kind"
_KINDS: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (
        Bm25Settings,
        ConvexFusion,
        ExpandSettings,
        FoldSettings,
        GroupSettings,
        MmrSettings,
        RerankSettings,
        RrfFusion,
        SearchOptions,
        TopFusion,
    )
}
FILTERS: Final = ("where", "filter")  # a user's own names: nothing in them stands for settings
_OPENING: Final = ("embeddings", "embed_settings", "synonyms", "config")


class NotWritableError(Exception):
    """Something has no form in JSON. Never leaves the adapters."""


class Written(Serializable):
    """An object that is written as its class and keywords."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """``loads(text, allowed_objects=[...], valid_namespaces=["kure_rag"])`` makes it again.

        ``allowed_objects`` names its class and those of the objects in it, such as ``KureEmbeddings``.
        """
        return True

    def _keywords(self) -> dict[str, Any]:
        """Keywords to make it with, beside its fields.

        Raises:
            NotWritableError: There are none.
        """
        return {}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What LangChain writes in the place of fields, or beside them."""
        return self._keywords()

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """As LangChain writes it; ``not_implemented`` where something has no form in JSON."""
        try:
            return super().to_json()
        except NotWritableError:
            return self.to_json_not_implemented()


class WrittenObject(Written):
    """One that is no set of fields to its users: two are never equal, and each can be hashed."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def written(value: Any) -> Any:
    """A value as JSON: settings of ours as a mapping that says which, paths as text.

    Raises:
        NotWritableError: It has none.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: written(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    if _KINDS.get(type(value).__name__) is type(value):
        return {_KIND: type(value).__name__, **{name: written(item) for name, item in _own(value).items()}}
    if isinstance(value, Serializable) and value.to_json()["type"] == "constructor":
        return value
    raise NotWritableError(type(value).__name__)


def revived(value: Any) -> Any:
    """The other way of :func:`written`, for settings; anything else stays as it is."""
    if not isinstance(value, Mapping) or value.get(_KIND) not in _KINDS:
        return value
    given = {name: item if name in FILTERS else revived(item) for name, item in value.items() if name != _KIND}
    return _KINDS[value[_KIND]](**given)


def revived_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of a search, of which some are settings that :func:`written` wrote."""
    return {name: item if name in FILTERS else revived(item) for name, item in given.items()}


def opening_of(index: KureIndex) -> dict[str, Any]:
    """Keywords that :func:`to_open` opens an index with again.

    Raises:
        NotWritableError: What it was opened with has no form in JSON, or is a secret.
    """
    opening = index.opened_with
    if opening is None or opening.secrets or has_secret(opening.embed_settings):
        raise NotWritableError("the index")
    given = {
        "embeddings": _model(opening.embeddings),
        "embed_settings": written(dict(opening.embed_settings or {})),
        "synonyms": written(opening.synonyms),
        "config": written(opening.config),
    }
    return {"path": str(index.path), **{name: value for name, value in given.items() if value}}


def to_open(given: dict[str, Any]) -> LazyIndex:
    """Takes what :func:`opening_of` gives out of some keywords: an index that is opened with its first use."""
    return LazyIndex(given.pop("path"), Opening(**{name: given.pop(name) for name in _OPENING if name in given}))


def has_secret(settings: Mapping[str, Any] | None) -> bool:
    """Whether an embedding server's address among some settings may hold a key."""
    return may_hold_key((settings or {}).get("endpoint"))


def _model(embeddings: object) -> Any:
    from kure_rag.langchain.embeddings import KureEmbeddings

    embedder = getattr(embeddings, "kure_embedder", embeddings)
    if isinstance(embedder, Embedder) and not isinstance(embeddings, KureEmbeddings):
        model, settings, card = embedder.__reduce__()[1]
        return KureEmbeddings(model, card=card, **_own(settings) if settings else {})
    return written(embeddings)


def _own(settings: Any) -> dict[str, Any]:
    """Fields that differ from what they are by default, by name."""
    values = {field.name: (getattr(settings, field.name), field.default) for field in fields(settings)}
    return {name: value for name, (value, default) in values.items() if default is MISSING or value != default}
