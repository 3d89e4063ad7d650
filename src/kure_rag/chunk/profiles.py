"""The profiles by name, and how one's own is found.

A profile of one's own is any object with ``name``, ``version`` and ``passages()`` (see
:class:`~kure_rag.chunk.base.Profile`) in a module that Python can import; its place goes into the settings::

    KureIndex.open("my-index", chunks=ChunkSettings(profile="my_package.minutes:MINUTES"))

Most of it can be data. ``Names`` says what the sections of such documents are called, ``Binding`` which lines belong
together, and ``Body`` does the rest: headings, lists, tables, lengths::

    NAMES = NameFinder((Names({"의결사항": ("의결사항", "의결 사항", "의안")}),))

    @dataclass(frozen=True, slots=True)
    class Minutes:
        name: str = "minutes"
        version: str = "1"

        def passages(self, document, sentences, settings):
            body = Body(document, sentences, settings, Binding(opens=re.compile("○")))
            return [p for s in body.sections(NAMES) for p in body.passages(s, (document.title, *s.headings))]

    MINUTES = Minutes()

``version`` is raised whenever the same document would be cut in another way: an index refuses to mix the two. A working
one with a test is in ``examples/custom_profile.py``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from kure_rag.chunk.base import Profile
from kure_rag.chunk.finance import Finance
from kure_rag.chunk.general import General
from kure_rag.chunk.legal import Legal
from kure_rag.chunk.medical import Medical
from kure_rag.types import Domain

PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile for profile in (General(), Finance(), Legal(), Medical())
}


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
