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
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kure_rag.chunk.base import Profile
from kure_rag.chunk.finance import Finance
from kure_rag.chunk.general import General
from kure_rag.chunk.legal import Legal
from kure_rag.chunk.medical import Medical
from kure_rag.errors import ConfigError
from kure_rag.types import Domain

PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile for profile in (General(), Finance(), Legal(), Medical())
}

_folders: list[str] = []


class ProfileError(ConfigError, ValueError):
    """No chunk profile has that name, or what the name points to is none."""


def look_for_profiles_in(folder: Path) -> None:
    """Has :func:`find_profile` look for modules of one's own in a folder first.

    A command needs it: Python looks into the working folder only for scripts that lie there. The folder goes into
    ``sys.path`` once a profile of one's own is asked for, not before: no other file of it should ever be imported.
    """
    _folders[:] = [str(folder)]


def find_profile(name: str, domain: Domain) -> Profile:
    """The profile for a document.

    Args:
        name: As in ``ChunkSettings.profile``.
        domain: The document's, which decides where the name is ``auto``.

    Raises:
        ProfileError: No profile has that name, or what the name points to is none. It is a ``ValueError``.
    """
    if name == "auto":
        return PROFILES.get(domain, PROFILES["general"])
    if name in PROFILES:
        return PROFILES[name]
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ProfileError(
            f"no chunk profile named {name!r}; choose auto, {', '.join(PROFILES)}, or package.module:NAME"
        )
    return _own(name, module, attribute)


def _own(name: str, module: str, attribute: str) -> Profile:
    if not module.startswith("kure_rag."):
        sys.path[:0] = [folder for folder in _folders if folder not in sys.path]
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            where = " and ".join([*_folders, "Python's own path"])
            what = f"there is no module {error.name} in {where}; check its name, or put its folder into PYTHONPATH"
        else:  # whatever the user's own code raises
            what = f"the module {module} cannot be imported ({type(error).__name__}: {error}); correct it"
        raise ProfileError(f"chunk profile {name!r}: {what}") from error
    try:
        found = getattr(imported, attribute)
    except AttributeError as error:
        raise ProfileError(f"chunk profile {name!r}: {error}; check the NAME after the colon") from error
    if isinstance(found, type):
        raise ProfileError(
            f"chunk profile {name!r}: {attribute} is a class; give an instance, such as NAME = {attribute}()"
        )
    if not isinstance(found, Profile):
        raise ProfileError(f"chunk profile {name!r} is no Profile: it needs name, version and passages()")
    return found
