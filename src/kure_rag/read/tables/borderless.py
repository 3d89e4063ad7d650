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
from kure_rag.read.tables.notes import unit_in
from kure_rag.read.tables.open import number_columns
from kure_rag.read.tables.wrapped_notes import has_wrapped_note

_COLUMNS: Final = 3  # of numbers; fewer need a line of names above, and one column a unit note too
_ROWS: Final = 3
_STEP: Final = 2.4  # line heights between lines of one table
_NAMED: Final = 0.6  # of the columns have a name in the line above the numbers
_NAME: Final = 12  # characters

_UNIT = re.compile(r"[(\[<〈【]\s*단\s*위|단\s*위\s*[:：]|[(\[<]\s*[Uu]nits?\s*[:：]")
_VALUES = re.compile(r"(?:^|[ \t])[-+−△▲(]?[\d,]+(?:\.\d+)?[%)]?(?=[ \t]|$)")


def has_number_lines(content_text: str) -> bool:
    """Whether a page's text has enough lines of numbers for a table: a cheap look before any geometry."""
    fewest = 1 if _UNIT.search(content_text) else 2
    found = 0
    for line in content_text.split("\n"):
        if len(_VALUES.findall(line.rstrip("\r"))) >= fewest:
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
        if counts[start] >= 1 and end - start >= _ROWS:
            above = held[start - 1] if start and _is_next(rows[start - 1], rows[start]) else None
            grid = _grid(held[start:end], above)
            if grid is not None and (counts[start] >= _COLUMNS or _is_headed(counts[start], grid, rows, start)):
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


def _is_headed(count: int, grid: Grid, rows: Sequence[Line], start: int) -> bool:
    """Whether what stands above one or two columns of numbers says that they are a table.

    Sentences and lists end in two numbers by chance; names above them, each over its column, are no chance.
    """
    head = rows[start - 1]
    above = rows[max(0, start - 3) : start]
    noted = any(unit_in(text(line)) for line in above) or has_wrapped_note(above)
    if count == 1 and not noted:
        return False
    if grid.box[3] < head[0].y:  # the line above holds no names
        return noted and count > 1
    inner = grid.columns[1:-1]
    gaps = [(left.right, right.left) for left, right in pairwise(head) if right.left - left.right >= right.height]
    return all(any(low <= place <= high for low, high in gaps) or place <= head[0].left for place in inner)


def _is_next(above: Line, below: Line) -> bool:
    return above[0].y - below[0].y <= _STEP * max(above[0].height, below[0].height)


def _grid(body: Sequence[Sequence[Line]], above: Sequence[Line] | None) -> Grid | None:
    count = _numbers_at_end(body[0])
    places = number_columns(body, single=count == 1)
    if len(places) < min(count, _COLUMNS):
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
