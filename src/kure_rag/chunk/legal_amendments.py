"""New wordings of other laws, quoted: 제3조를 다음과 같이 한다. 제3조(…) …. Their articles head nothing in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kure_rag.chunk.legal_marks import Key, Mark

_MOST: Final = 100  # articles that one announcement names by its first and last
_ANNOUNCED: Final = re.compile(r"다음과\s?같이\s?(?:각각\s?)?(?:한다|하고|신설|개정|정한다|변경)")
_NAMED: Final = re.compile(r"제\s*(\d+)\s*조(?:\s*의\s*(\d+))?")


def not_quoted(text: str, marks: Sequence[Mark], start: int) -> list[Mark]:
    """The articles of addenda that are not the new wording of another law.

    Args:
        text: The document's.
        marks: Articles of the addenda, in order.
        start: Offset where the addenda's text begins.
    """
    out: list[Mark] = []
    pending: set[Key] = set()
    for mark in marks:
        pending |= _announced(text, start, mark.start)
        start = mark.end
        key = (mark.key[0], mark.key[2])
        if key in pending or follows_announcement(text, mark):
            pending.discard(key)
        else:
            pending.clear()
            out.append(mark)
    return out


def _announced(text: str, start: int, end: int) -> set[Key]:
    """Numbers of the articles whose new wording is announced between two offsets."""
    keys: set[Key] = set()
    for match in _ANNOUNCED.finditer(text, start, end):
        sentence = text[max(start, text.rfind("\n", start, match.start()) + 1) : match.start()]
        named = [(int(number), int(branch or 0)) for number, branch in _NAMED.findall(sentence)]
        keys.update(named)
        if len(named) == 2 and re.search(r"부터|내지", sentence):
            keys.update((number, 0) for number in range(named[0][0], min(named[1][0], named[0][0] + _MOST)))
    return keys


def follows_announcement(text: str, mark: Mark) -> bool:
    """Whether the line above a mark announces a new wording."""
    line = text[max(0, mark.start - 200) : mark.start].rstrip().rpartition("\n")[2]
    return _ANNOUNCED.search(line[-40:]) is not None
