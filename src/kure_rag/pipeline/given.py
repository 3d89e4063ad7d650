"""What a caller gave, refused where Python would take it for something else."""

from __future__ import annotations

import os
from dataclasses import astuple, is_dataclass
from typing import Any, Final

STORE_WAIT: Final = 10.0
"""Seconds that a framework's store waits for another process that is writing."""


def refuse_text(name: str, given: object) -> None:
    """Refuses a text where a list of them is meant: it would be taken letter by letter.

    Args:
        name: What the caller calls it.
        given: What was given.

    Raises:
        TypeError: It is a text.
    """
    if isinstance(given, str | bytes):
        raise TypeError(f"{name} is a list, and {given!r:.60} is one text; put it into brackets: [{given!r:.60}]")


def dictionary_as_json(given: Any) -> str | list[Any]:
    """A user dictionary as JSON has it: its file's path, or its entries, each a word or a list.

    Args:
        given: See :data:`kure_rag.tokenize.user_dictionary.Dictionary`.
    """
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    return [_entry(word) for word in given]


def _entry(word: Any) -> Any:
    if is_dataclass(word) and not isinstance(word, type):
        return list(astuple(word))
    return list(word) if isinstance(word, tuple) else word
