"""Texts made ready for a model: checked, in NFC, with the role's prefix exactly once."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from kure_rag.errors import InvalidTextError

# For the log, with the model's name, how many texts, of how many, and the prefix.
DOUBLED: Final = "%s: %d of %d texts already begin with %r, which is not put twice"


def checked(text: str, position: int) -> str:
    """A text in Unicode form NFC, as tokenizers were trained on.

    Raises:
        InvalidTextError: No string, an empty one or a lone surrogate, with its position.
    """
    if not isinstance(text, str):
        raise InvalidTextError(f"text {position} is {type(text).__name__}, not str", position=position)
    if not text.strip():
        raise InvalidTextError(f"text {position} is empty; leave it out", position=position)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidTextError(
            f"text {position} holds half a character (a lone surrogate) at {error.start}; "
            "decode its source as UTF-8 again",
            position=position,
        ) from error
    return unicodedata.normalize("NFC", text)


def prefixed(texts: Sequence[str], prefix: str) -> tuple[list[str], int]:
    """Checked texts with the prefix put before each, and how many of them already had it.

    A text that begins with the prefix is taken as prefixed by the caller: the prefix is not put twice.

    Raises:
        InvalidTextError: See :func:`checked`. A text that is a prefix and nothing else is empty, too.
    """
    out: list[str] = []
    doubled = 0
    for i, text in enumerate(texts):
        ready = checked(text, i)
        if prefix and ready.startswith(prefix):
            doubled += 1
            ready = checked(ready[len(prefix) :], i)
        out.append(prefix + ready)
    return out, doubled
