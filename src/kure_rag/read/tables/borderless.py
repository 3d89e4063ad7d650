"""Tables without rules: several lines that end in numbers, below each other.

Text alone is never taken for a table: a false table is worse than a missed one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from kure_rag.read.page import Box
from kure_rag.read.tables.glyphs import Glyph, Glyphs, Line, is_number, lines, text, words
from kure_rag.read.tables.grid import Grid
from kure_rag.read.tables.open import number_columns

_COLUMNS: Final = 3  # of numbers
_ROWS: Final = 3
_STEP: Final = 2.4  # line heights between lines of one table
_NAMED: Final = 0.6  # of the columns have a name in the line above the numbers
_NAME: Final = 12  # characters

_VALUES = re.compile(r"(?:^|[ \t])[-+−△▲(]?[\d,]+(?:\.\d+)?[%)]?(?=[ \t]|$)")


def has_number_lines(content_text: str) -> bool:
    """Whether a page's text has enough lines of numbers for a table: a cheap look before any geometry."""
    found = 0
    for line in content_text.split("\n"):
        if len(_VALUES.findall(line.rstrip("\r"))) >= _COLUMNS:
            found += 1
            if found >= _ROWS:
                return True
    return False


def borderless(glyphs: Glyphs, page: Box, taken: Sequence[Box]) -> list[Grid]:
    """Grids of number lines outside the tables that are known already."""
    free = [
        glyph
        for glyph in glyphs.inside(page)
        if not any(box[0] <= glyph.x <= box[2] and box[1] <= glyph.y <= box[3] for box in taken)
    ]
    rows = lines(free)
    held = [words(row) for row in rows]
    counts = [_numbers_at_end(line) for line in held]
    found = []
    start = 0
    while start < len(rows):
        end = start + 1
        while end < len(rows) and counts[end] == counts[start] and _is_next(rows[end - 1], rows[end]):
            end += 1
        if counts[start] >= _COLUMNS and end - start >= _ROWS:
            grid = _grid(held[start:end], held[start - 1] if start and _is_next(rows[start - 1], rows[start]) else None)
            if grid is not None:
                found.append(grid)
        start = end
    return found


def _numbers_at_end(line: Sequence[Line]) -> int:
    count = 0
    for word in reversed(line):
        if not is_number(text(word)):
            break
        count += 1
    return count if count < len(line) else count - 1


def _is_next(above: Line, below: Line) -> bool:
    return above[0].y - below[0].y <= _STEP * max(above[0].height, below[0].height)


def _grid(body: Sequence[Sequence[Line]], above: Sequence[Line] | None) -> Grid | None:
    places = number_columns(body, single=False)
    if len(places) < _COLUMNS:
        return None
    head = _head(above, places) if above else None
    if head is None and len(body) <= _ROWS:
        return None
    every = [*([above] if head and above else []), *body]
    glyphs = [glyph for line in every for word in line for glyph in word]
    levels = [[glyph for word in line for glyph in word] for line in every]
    columns = [min(g.left for g in glyphs) - 1, *places, max(g.right for g in glyphs) + 1]
    between = [(min(map(_low, a)) + max(map(_high, b))) / 2 for a, b in pairwise(levels)]
    rows = [max(map(_high, levels[0])), *between, min(map(_low, levels[-1]))]
    width, height = len(columns) - 1, len(rows) - 1
    if any(right <= left for left, right in pairwise(columns)) or any(low >= high for high, low in pairwise(rows)):
        return None
    return Grid(
        columns, rows, [[True] * width for _ in range(height)], [[True] * width for _ in range(height)], [True] * width
    )


def _head(above: Sequence[Line], places: Sequence[float]) -> Sequence[Line] | None:
    """The line above as names of the columns, or nothing."""
    names = [""] * len(places)
    for word in above:
        for glyph in word:
            column = sum(glyph.x > place for place in places)
            if column:
                names[column - 1] += glyph.char
    filled = sum(bool(name) for name in names)
    return above if filled >= _NAMED * len(names) and max(map(len, names)) <= _NAME else None


def _low(glyph: Glyph) -> float:
    return glyph.y - 0.45 * glyph.height


def _high(glyph: Glyph) -> float:
    return glyph.y + 0.45 * glyph.height
