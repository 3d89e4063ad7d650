"""A chunk profile that cuts each domain in its own way, as an ``ingest.yaml`` may ask for.

All that it does stands in its name, so that an index opened again, and every reading process, gets the same one:
``kure_rag.autorag.by_domain:finance=finance,600,1200;*=auto,400,800``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kure_rag.chunk import ChunkSettings, Passage, Profile, find_profile
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import DOMAINS, Document

_REST: Final = "*"


@dataclass(frozen=True, slots=True)
class ByDomain:
    """Settings for some domains, and for all others.

    Attributes:
        domains: Domain → how its documents are cut; ``*`` for those that are not named.
    """

    domains: Mapping[str, ChunkSettings]

    @property
    def name(self) -> str:
        """What :func:`__getattr__` makes the same profile of."""
        return ";".join(f"{key}={s.profile},{s.target},{s.longest}" for key, s in sorted(self.domains.items()))

    @property
    def version(self) -> str:
        """Of the profiles it calls."""
        return "+".join(f"{key}-{self._profile(key).version}" for key in sorted(self.domains))

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """Cuts a document by the settings of its domain."""
        own = self.domains.get(document.domain, self.domains[_REST])
        settings = replace(settings, target=own.target, longest=own.longest, profile=own.profile)
        return find_profile(own.profile, document.domain).passages(document, sentences, settings)

    def _profile(self, key: str) -> Profile:
        return find_profile(self.domains[key].profile, next((d for d in DOMAINS if d == key), "general"))


def settings_by_domain(rest: ChunkSettings, domains: Mapping[str, ChunkSettings]) -> ChunkSettings:
    """Settings whose profile cuts by domain.

    Args:
        rest: For the domains that are not named.
        domains: Domain → how its documents are cut.
    """
    profile = ByDomain({**domains, _REST: rest})
    longest = max(settings.longest for settings in profile.domains.values())
    return ChunkSettings(target=rest.target, longest=longest, profile=f"{__name__}:{profile.name}")


def __getattr__(name: str) -> ByDomain:
    """The profile of a name, as :func:`kure_rag.chunk.find_profile` asks a module for it."""
    domains: dict[str, ChunkSettings] = {}
    try:
        for part in name.split(";"):
            key, _, value = part.partition("=")
            profile, target, longest = value.rsplit(",", 2)
            domains[key] = ChunkSettings(profile=profile, target=int(target), longest=int(longest))
    except ValueError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    if _REST not in domains:
        raise AttributeError(f"{name!r} does not say how other domains are cut; add *=auto,400,800")
    return ByDomain(domains)
