"""Unit notes that a margin broke: ``…같습니다(단위: 백`` above ``만원).`` say 백만원, not 백."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from kure_rag.read.tables.glyphs import Glyph, Line, text
from kure_rag.read.tables.notes import is_open, opens_first, unit_note

_MOST: Final = 3  # lines of a note
_STEP: Final = 1.9  # line heights from a line to the next of its paragraph
# The bracket of a list's mark closes none: 「1) 항목」.
_COUNTED = re.compile(r"(?:\d{1,2}|[가나다라마바사아자차카타파하])\)\s*\w")


def parts(line: Line) -> list[Line]:
    """A line cut at wide gaps."""
    found: list[Line] = []
    for glyph in line:
        if found and glyph.left - found[-1][-1].right <= 2 * glyph.height:
            found[-1].append(glyph)
        else:
            found.append([glyph])
    return found


def parts_with_notes(rows: Sequence[Line]) -> list[list[Line]]:
    """The parts of lines, from the highest line to the lowest; a broken unit note is one part of its first line.

    Its characters stand in the order of reading, and :func:`said` reads them. A note whose bracket never closes stays
    as it is printed.
    """
    found = [parts(row) for row in rows]
    for i, row in enumerate(found):
        for p, part in enumerate(row):
            row[p] = _joined(part, found[i + 1 : i + _MOST])
    return [row for row in found if row]


def _joined(first: Line, below: Sequence[list[Line]]) -> Line:
    """A part with the rest of the unit note that it leaves open, which is taken from the lines below."""
    if not is_open(text(first)):
        return first
    taken: list[Line] = []
    whole = last = first
    for row in below:
        rest = next((part for part in row if _goes_on(last, part)), None)
        if rest is None:
            return first
        printed = len(said(whole))
        whole, last = [*whole, *rest], rest
        taken.append(rest)
        note = unit_note(said(whole))
        if note is not None and note.start() < len(text(first)) and note.end() > printed:
            for row_below, part in zip(below, taken, strict=False):
                row_below[:] = [other for other in row_below if other is not part]
            return whole
        if not is_open(said(whole)):
            return first
    return first


def _goes_on(upper: Line, lower: Line) -> bool:
    if upper[0].y - lower[0].y > _STEP * max(upper[0].height, lower[0].height):
        return False
    if opens_first(text(lower)) or _COUNTED.match(text(lower)):
        return False
    return lower[0].left < upper[-1].right and lower[-1].right > upper[0].left


def is_wrapped(part: Line) -> bool:
    """Whether the characters of a part stand on several lines."""
    return any(_turns(glyph, after) for glyph, after in pairwise(part))


def has_wrapped_note(rows: Sequence[Line]) -> bool:
    """Whether a unit note among lines, from the highest to the lowest, goes on on the next line."""
    return any(is_wrapped(part) for row in parts_with_notes(rows) for part in row)


def said(part: Line) -> str:
    """A part's characters, cleaned, as they read without the line ends in it."""
    pieces: list[Line] = [[]]
    for i, glyph in enumerate(part):
        if i and _turns(part[i - 1], glyph):
            pieces.append([])
        pieces[-1].append(glyph)
    value = ""
    for piece in pieces:
        value += " " * value.endswith((",", ";", ":", "，")) + text(piece)
    return value


def _turns(glyph: Glyph, after: Glyph) -> bool:
    """Whether the next character stands at the beginning of another line."""
    return after.left < glyph.left - glyph.height
