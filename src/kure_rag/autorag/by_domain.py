"""A chunk profile that cuts each domain and file type in its own way, as an ``ingest.yaml`` may ask for.

All that it does stands in its name, so that an index opened again, and every reading process, gets the same one:
``kure_rag.autorag.by_domain:finance=finance,600,1200;md/*=general,300,600;*=auto,400,800``. Before ``=`` stands what a
document must be: ``type/domain``, ``type/*``, ``domain`` or ``*``. The first of these, in this order, that it is
decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kure_rag.chunk import ChunkSettings, Passage, Profile, find_profile
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import DOMAINS, Document, Domain

REST: Final = "*"
_PDF: Final = "pdf"  # what a document is that does not say: only text files do


@dataclass(frozen=True, slots=True)
class ByDomain:
    """Settings for some kinds of documents, and for all others.

    Attributes:
        kinds: Kind, see :func:`kind_of` → how its documents are cut; ``*`` for those that are not named.
    """

    kinds: Mapping[str, ChunkSettings]

    @property
    def name(self) -> str:
        """What :func:`__getattr__` makes the same profile of."""
        return ";".join(f"{key}={s.profile},{s.target},{s.longest}" for key, s in sorted(self.kinds.items()))

    @property
    def version(self) -> str:
        """Of the profiles it calls."""
        return "+".join(f"{key}-{self._profile(key).version}" for key in sorted(self.kinds))

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """Cuts a document by the settings of its type and domain."""
        own = self._settings(str(document.metadata.get("file_type", _PDF)), document.domain)
        settings = replace(settings, target=own.target, longest=own.longest, profile=own.profile)
        return find_profile(own.profile, document.domain).passages(document, sentences, settings)

    def _settings(self, file_type: str, domain: Domain) -> ChunkSettings:
        kinds = (kind_of(file_type, domain), kind_of(file_type), kind_of(None, domain), REST)
        return next(self.kinds[kind] for kind in kinds if kind in self.kinds)

    def _profile(self, key: str) -> Profile:
        domain = key.rpartition("/")[2]
        return find_profile(self.kinds[key].profile, next((d for d in DOMAINS if d == domain), "general"))


def kind_of(file_type: str | None = None, domain: Domain | None = None) -> str:
    """How documents of a file type and a domain are called in the profile's name; ``None`` stands for any."""
    return (f"{file_type}/" if file_type else "") + (domain or REST)


def settings_by_kind(rest: ChunkSettings, kinds: Mapping[str, ChunkSettings]) -> ChunkSettings:
    """Settings whose profile cuts by file type and domain.

    Args:
        rest: For the kinds that are not named.
        kinds: Kind, see :func:`kind_of` → how its documents are cut.
    """
    profile = ByDomain({**kinds, REST: rest})
    longest = max(settings.longest for settings in profile.kinds.values())
    return ChunkSettings(target=rest.target, longest=longest, profile=f"{__name__}:{profile.name}")


def __getattr__(name: str) -> ByDomain:
    """The profile of a name, as :func:`kure_rag.chunk.find_profile` asks a module for it."""
    kinds: dict[str, ChunkSettings] = {}
    try:
        for part in name.split(";"):
            key, _, value = part.partition("=")
            profile, target, longest = value.rsplit(",", 2)
            kinds[key] = ChunkSettings(profile=profile, target=int(target), longest=int(longest))
    except ValueError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    if REST not in kinds:
        raise AttributeError(f"{name!r} does not say how other documents are cut; add *=auto,400,800")
    return ByDomain(kinds)
