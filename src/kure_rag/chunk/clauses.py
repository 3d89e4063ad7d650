"""Where a sentence that is too long is cut: where a clause ends, and not inside brackets or a quotation."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

_CLOSES: Final[Mapping[str, str]] = {
    ")": "(",
    "）": "（",
    "]": "[",
    "】": "【",
    "〕": "〔",
    "}": "{",
    "」": "「",
    "』": "『",
    "〉": "〈",
    "》": "《",
    "”": "“",
    "’": "‘",
}
_OPENS: Final = frozenset(_CLOSES.values())
_EITHER: Final = '"'
_BRACKET: Final = re.compile("[" + re.escape("".join((*_CLOSES, *_CLOSES.values(), _EITHER))) + "]")
_DEEPEST: Final = 32  # brackets that are looked for at once; the outermost of more are none
_PAST: Final = "".join(chr(code) for code in range(0xAC00, 0xD7A4) if (code - 0xAC00) % 28 == 20)  # 었, 했, 있, 겠 …
# 고 ends nouns too (원고, 피고, 신고, 선고), and 하고 있다 is one verb; 으나 and 거나 join clauses, 이나 nouns.
_CLAUSE: Final = re.compile(
    rf"(?:(?:[{_PAST}하되이않없같]고(?!\s+(?:있|싶|나서|보[면니]))|[가-힣](?:며|면서|지만|므로|더라도|으나)"
    r"|[가-힣]거나|[하이]되|(?:으|하|되|다)면),?|다\.[\"”’)]?|;)\s+(?=\S)"
    r"|\n\s*(?=\|)"  # between the rows of a table in a cell
)
_COMMA: Final = re.compile(r",\s+(?=[^\s\d])")  # not 2019다12345, 12346
_SPACE: Final = re.compile(r"(?<![,\s])\s+(?=\S)|\s+(?=[^\s\d])")


def bracketed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The outermost brackets and quotations between two offsets, in order; one that is not closed is none."""
    found: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for match in _BRACKET.finditer(text, start, end):
        char = match.group()
        opener = _CLOSES.get(char, char)
        depth = next((i for i in range(len(opened) - 1, -1, -1) if opened[i][0] == opener), None)
        if char in _OPENS or (char == _EITHER and depth is None):
            opened.append((char, match.start()))
            del opened[:-_DEEPEST]
        elif depth is not None:
            begin = opened[depth][1]
            del opened[depth:]
            while found and found[-1][0] > begin:
                found.pop()
            found.append((begin, match.end()))
    return found


def clause_seam(text: str, low: int, high: int, aim: int, brackets: Sequence[tuple[int, int]]) -> int | None:
    """The offset after ``low`` and up to ``high`` at which to cut, nearest to ``aim``; ``None`` without white space.

    The end of a clause comes before a comma, and a comma before other white space; what stands outside of ``brackets``
    comes before anything inside, see :func:`bracketed`.
    """
    places = [
        [match.end() for match in pattern.finditer(text, low, high + 4) if low < match.end() <= high]
        for pattern in (_CLAUSE, _COMMA, _SPACE)
    ]
    outside = [[place for place in found if not _inside(place, brackets)] for found in places]
    best = next((found for found in (*outside, *places) if found), None)
    return None if best is None else min(best, key=lambda place: abs(place - aim))


def _inside(place: int, brackets: Sequence[tuple[int, int]]) -> bool:
    i = bisect_right(brackets, (place, place)) - 1
    return i >= 0 and brackets[i][0] < place < brackets[i][1]
