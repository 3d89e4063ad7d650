"""The profiles by name, and how one's own is found."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from kure_rag.chunk.base import Profile
from kure_rag.chunk.general import General
from kure_rag.types import Domain

PROFILES: Final[Mapping[str, Profile]] = {profile.name: profile for profile in (General(),)}


def find_profile(name: str, domain: Domain) -> Profile:
    """The profile for a document.

    Args:
        name: As in ``ChunkSettings.profile``.
        domain: The document's, which decides where the name is ``auto``.

    Raises:
        ValueError: No profile has that name, or what the name points to is none.
    """
    if name == "auto":
        return PROFILES.get(domain, PROFILES["general"])
    if name in PROFILES:
        return PROFILES[name]
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"no chunk profile named {name!r}; choose auto, {', '.join(PROFILES)}, or package.module:NAME")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"chunk profile {name!r}: {error}") from error
    if not isinstance(found, Profile):
        raise ValueError(f"chunk profile {name!r} is no Profile: it needs name, version and passages()")  # noqa: TRY004 - a setting's value is wrong, whatever its type
    return found
