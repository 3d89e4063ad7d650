"""Texts made ready for a model: checked, in NFC, with the role's prefix exactly once."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from kure_rag.errors import InvalidTextError

# For the log, with the model's name, how many texts, of how many, and the prefix.
DOUBLED: Final = "%s: %d of %d texts already begin with %r or the like, which is not put twice"
OTHER_PREFIX: Final = (
    "%s: %d of %d texts begin with %r, the prefix of the other role, which stays in the text; queries and passages "
    "have a method each, which puts the prefix (said once)"
)

# Of E5 models and those made alike; what follows "Instruct:" is the task, which is the caller's to choose.
_INSTRUCTION: Final = re.compile(r"\s*Instruct:[^\n]*\n\s*Query:", re.IGNORECASE)


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

    A text that begins with the prefix is taken as prefixed by the caller: the prefix is not put twice. Where it is a
    marker, such as ``query:``, neither case nor white space counts, and several of them are taken for one. Where it is
    an instruction, ``Instruct: …`` and ``Query:`` in the next line, a text that begins with another keeps its own.

    Raises:
        InvalidTextError: See :func:`checked`. A text that is a prefix and nothing else is empty, too. One string in
            place of several.
    """
    if isinstance(texts, str):
        raise InvalidTextError("texts is one string, whose characters would each be a text; give [text]", position=0)
    out: list[str] = []
    doubled = 0
    for i, text in enumerate(texts):
        ready = checked(text, i)
        if (bare := _without(ready, prefix)) is not None:
            doubled += 1
            ready = prefix + checked(bare, i)
        elif (own := _own_instruction(ready, prefix)) is not None:
            doubled += 1
            checked(ready[own.end() :], i)
        else:
            ready = prefix + ready
        out.append(ready)
    return out, doubled


def count_other_prefix(ready: Sequence[str], prefix: str, other: str) -> int:
    """How many texts begin with the prefix of the other role, in any form that :func:`prefixed` takes for a prefix.

    It is most likely a mistake, as a query that was put among the passages. But it may be the text's own beginning, so
    it stays there, and the caller is warned.

    Args:
        ready: As :func:`prefixed` returns them.
        prefix: What stands before each of them.
        other: What the other role's texts begin with.
    """
    if not other or other == prefix:
        return 0
    bare = (text.removeprefix(prefix) for text in ready)
    return sum(_without(text, other) is not None or _own_instruction(text, other) is not None for text in bare)


def _own_instruction(text: str, prefix: str) -> re.Match[str] | None:
    """The instruction that a text begins with, where the prefix is one, too; ``None`` otherwise."""
    return _INSTRUCTION.match(text) if _INSTRUCTION.match(prefix) else None


def _without(text: str, prefix: str) -> str | None:
    """What follows the prefix; ``None`` for a text that does not begin with it."""
    if (marker := _marker(prefix)) is not None:
        found = marker.match(text)
        return text[found.end() :] if found else None
    # Words alone may be the text's own: only the very same ones count, once, and no beginning of a longer word.
    rest = text[len(prefix) :]
    if not prefix or not text.startswith(prefix) or (prefix[-1].isalnum() and rest[:1].isalnum()):
        return None
    return rest


@functools.lru_cache(maxsize=64)
def _marker(prefix: str) -> re.Pattern[str] | None:
    """Finds a prefix of words that ends in a sign, such as ``query:`` or ``[Q]``, once or more; ``None`` for others."""
    words = prefix.split()
    if not words or words[-1][-1].isalnum() or not any(map(str.isalnum, prefix)):
        return None
    one = r"\s+".join(map(re.escape, words))
    return re.compile(rf"(?:\s*{one})+\s*", re.IGNORECASE)
