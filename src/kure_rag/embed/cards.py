"""The card of each known model, found by name, alias or folder.

A model that has none works too: its stored prompts and pooling are used.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from kure_rag.embed.card_list import ALL_CARDS, DEFAULT_MODEL, STATIC_KO
from kure_rag.embed.model_card import USED_BY, Kind, ModelCard, Pooling, Reference
from kure_rag.errors import UnknownModelError

__all__ = [
    "CARDS",
    "DEFAULT_MODEL",
    "STATIC_KO",
    "USED_BY",
    "Kind",
    "ModelCard",
    "Pooling",
    "Reference",
    "check_name",
    "find_card",
    "folder_of",
]

CARDS: Final[dict[str, ModelCard]] = {card.name: card for card in ALL_CARDS}
_BY_NAME: Final = {name.lower(): card for card in ALL_CARDS for name in (card.name, *card.aliases)}


def find_card(name: str) -> ModelCard | None:
    """The card of a model by its name, an alias, or the folder of a local copy; ``None`` for a model without one.

    A copy in a folder named ``KoE5``, or in a hub cache's ``models--nlpai-lab--KoE5``, is KoE5 and needs its prefixes.
    """
    if card := _BY_NAME.get(name.lower()):
        return card
    for part in reversed(Path(name).parts if _looks_like_path(name) else ()):
        if part.startswith("models--"):
            return _BY_NAME.get(part.removeprefix("models--").replace("--", "/", 1).lower())
    last = Path(name).name.lower()
    return _BY_NAME.get(last) if _looks_like_path(name) else None


def folder_of(name: str) -> Path | None:
    """The folder that a name means, with ``~`` resolved; ``None`` where there is none, or no path could be so named."""
    if not name.strip():  # an empty path would be the folder we are in
        return None
    try:
        folder = Path(name).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long for a path, `~` and no such user, a NUL in it
        return None


def check_name(name: str) -> None:
    """Raises for a name that can be neither a card, a folder here, nor ``owner/name`` on a model hub.

    Raises:
        UnknownModelError: Names the nearest known models.
    """
    if name.lower() in _BY_NAME or folder_of(name) is not None:
        return
    if name.count("/") == 1 and not _looks_like_path(name) and all(name.split("/")):
        return
    near = difflib.get_close_matches(name.lower(), list(_BY_NAME), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(dict.fromkeys(_BY_NAME[n].name for n in near))}?" if near else ""
    raise UnknownModelError(
        f"No model named {name!r}: it is no known name, no folder here, and not of the form owner/name.{hint} "
        "`kure-rag models` lists the known ones."
    )


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1 or folder_of(name) is not None
