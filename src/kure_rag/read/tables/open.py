"""Partly ruled grids: columns and rows that are kept apart by space alone.

Many Korean reports rule the head and the foot of a table, or every group of rows, and align the numbers between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, islice, pairwise
from typing import Final

from kure_rag.read.tables.cells import Table, cells
from kure_rag.read.tables.glyphs import Glyph, Line, is_number, lines, squeezed, text, words
from kure_rag.read.tables.grid import Grid
from kure_rag.read.tables.rules import Ruling

_ROWS: Final = 3  # lines with numbers at the same places that make columns
_SHARE: Final = 0.4  # of the lines of a column: fewer lines of numbers are those of a chart in it
_SURE: Final = 4  # columns of numbers that may stand close to each other
_GAP: Final = 0.8  # of a character's height: between fewer columns
_FULL: Final = 0.8  # of the columns: a rule below so many ends a row of the whole table
_REGULAR: Final = 0.7  # of the lines: a column that has text on so many is part of every row
_NUMERIC: Final = 0.6  # of the values: columns that are numbers
_KEYS: Final = 5  # names at the left, each beside the first line of its value
_KEY: Final = 8  # characters of such a name
_SAME: Final = 0.4  # of a character's height: lines of neighbouring columns this near are one row


def split_columns(grid: Grid, glyphs: Sequence[Glyph]) -> None:
    """Cuts columns that hold several columns of numbers."""
    table = cells(grid, glyphs)
    single = grid.size[1] == 1
    for column in range(grid.size[1] - 1, -1, -1):  # from the right: places to the left stay
        left, right = grid.columns[column], grid.columns[column + 1]
        alone = {id(row[column]): row[column] for row in table if row[column].width == 1}
        held = [words(line) for cell in alone.values() for line in cell.lines]
        places = [place for place in number_columns(held, single=single) if left < place < right]
        before = [row[column] for row in table]
        for place in reversed(places):
            apart = [
                (cell.width == 1 or _has_gaps(cell.lines))
                and not any(_crosses(word, place) for line in cell.lines for word in words(line))
                for cell in before
            ]
            grid.split_column(column, place, apart)


def number_columns(held: Sequence[Sequence[Line]], *, single: bool) -> list[float]:
    """Places between columns of numbers that close several lines, and between them and the names before them.

    Args:
        held: Lines as words.
        single: Whether nothing else tells columns apart; then one column of numbers after names is enough.
    """
    counts = [_numbers_at_end(line) for line in held]
    usual = Counter(count for count in counts if count >= 2 or (count and single))
    if not usual:
        return []
    wanted, often = max(usual.items(), key=lambda item: (item[1] * item[0], item[0]))
    if often < _ROWS or often < 0.5 * sum(count > 0 for count in counts) or often < _SHARE * len(held):
        return []
    fitting = [line for line, count in zip(held, counts, strict=True) if count == wanted]
    spans = [
        (min(line[i - wanted][0].left for line in fitting), max(line[i - wanted][-1].right for line in fitting))
        for i in range(wanted)
    ]
    names = [max(glyph.right for word in line[:-wanted] for glyph in word) for line in fitting if len(line) > wanted]
    if len(names) >= 0.5 * len(fitting):
        spans.insert(0, (min(line[0][0].left for line in fitting), max(names)))
    elif wanted < 2:
        return []
    if len(spans) < 2 or any(right[0] - left[1] < -1 for left, right in pairwise(spans)):
        return []
    if wanted < _SURE and any(
        _narrow(left, right) for line in fitting for left, right in pairwise(line[-wanted - 1 :])
    ):
        return []  # one value of several words, such as 1일 2회
    if wanted == 1 and _are_pages([text(line[-1]) for line in fitting]):
        return []
    return [_between(left[1], right[0], held) for left, right in pairwise(spans)]


def _narrow(left: Line, right: Line) -> bool:
    return right[0].left - left[-1].right < _GAP * right[0].height


def _are_pages(values: Sequence[str]) -> bool:
    """Whether numbers after names are a table of contents' page numbers."""
    if not all(value.isdecimal() and len(value) <= 3 for value in values):
        return False
    return all(int(first) <= int(second) for first, second in pairwise(values))


def _numbers_at_end(line: Sequence[Line]) -> int:
    count = 0
    for word in reversed(line):
        if not is_number(text(word)):
            break
        count += 1
    return count


def _between(low: float, high: float, held: Sequence[Sequence[Line]]) -> float:
    """A place between two columns that cuts as few words of the head as can be."""
    steps = [low + (high - low) * share for share in (0.5, 0.4, 0.6, 0.25, 0.75, 0.1, 0.9)]
    return min(steps, key=lambda place: sum(_crosses(word, place) for line in held for word in line))


def _crosses(word: Line, place: float) -> bool:
    slack = 0.15 * word[0].height
    return word[0].left + slack < place < word[-1].right - slack


def settle_columns(grid: Grid, glyphs: Sequence[Glyph]) -> None:
    """Puts the walls of the first rows into those below, where their values stand clearly on both sides.

    Some tables rule or shade the columns of their header only.
    """
    height, width = grid.size
    table = cells(grid, glyphs)
    for c in range(width - 1):
        ruled = next((r for r in range(min(3, height)) if grid.walls[r][c]), height)
        open_rows = [r for r in range(ruled, height) if not grid.walls[r][c]]
        if len(open_rows) < _ROWS:
            continue
        place = grid.columns[c + 1]
        parted = [r for r in open_rows if _is_parted(table[r][c].lines, place)]
        if len(parted) >= 0.8 * len(open_rows):
            for r in parted:
                grid.walls[r][c] = True


def _is_parted(held: Sequence[Line], place: float) -> bool:
    """Whether lines have words on both sides of a place and a wide gap at it."""
    if not held:
        return False
    for line in held:
        parts = words(line)
        left = [word for word in parts if word[-1].right <= place + 0.2 * word[-1].height]
        right = parts[len(left) :]
        if not left or not right:
            return False
        gap = right[0][0].left - left[-1][-1].right
        if gap < line[0].height and not (is_number(text(left[-1])) and is_number(text(right[0]))):
            return False
    return True


def split_rows(grid: Grid, glyphs: Sequence[Glyph]) -> None:
    """Cuts stretches between full rules into one row for each line, where columns of numbers or names show rows."""
    edges = [0, *(r + 1 for r, floor in enumerate(grid.floors[:-1]) if sum(floor) >= _FULL * len(floor)), grid.size[0]]
    for top, bottom in reversed(list(pairwise(edges))):
        inside = [g for g in glyphs if grid.rows[bottom] < g.y <= grid.rows[top]]
        if not inside or max(g.y for g in inside) - min(g.y for g in inside) < inside[0].height:
            continue  # one line
        by_column: list[list[Glyph]] = [[] for _ in range(grid.size[1])]
        for glyph in inside:
            by_column[bisect_right(grid.columns[1:-1], glyph.x)].append(glyph)
        places = _row_places(by_column, whole=len(inside) >= 0.6 * len(glyphs))
        if places:
            _replace_rows(grid, top, bottom, places)


def _row_places(by_column: Sequence[Sequence[Glyph]], *, whole: bool) -> list[float]:
    """Places between the rows of a stretch, top to bottom; empty where its lines are no rows."""
    held = [lines(glyphs) for glyphs in by_column if glyphs]
    levels = lines(glyph for column in by_column for glyph in column)
    if len(levels) < 2:
        return []
    if _has_number_rows(held, len(levels)):
        return [(_low(above) + _high(below)) / 2 for above, below in pairwise(levels)]
    if whole and len(held) == 2 and _has_keys(held):
        return [_high(key) + 0.1 * key[0].height for key in held[0][1:]]
    return []


def _low(line: Line) -> float:
    return min(glyph.y - glyph.height / 2 for glyph in line)


def _high(line: Line) -> float:
    return max(glyph.y + glyph.height / 2 for glyph in line)


def _has_number_rows(held: Sequence[Sequence[Line]], levels: int) -> bool:
    regular = [column for column in held[1:] if len(column) >= _REGULAR * levels]
    if len(held) < 3 or len(regular) < _REGULAR * (len(held) - 1) or len(held[0]) < _REGULAR * levels:
        return False
    values = [text(line) for column in regular for line in column]
    return sum(map(is_number, values)) >= _NUMERIC * len(values)


def _has_keys(held: Sequence[Sequence[Line]]) -> bool:
    keys, values = held[0], held[1]
    if len(keys) < _KEYS or len(values) < len(keys) or any(len(squeezed(text(key))) > _KEY for key in keys):
        return False
    if keys[-1][0].y > values[0][0].y - 0.7 * (values[0][0].y - values[-1][0].y):
        return False  # one name broken over lines, beside a longer text
    reach = max(value[-1].right for value in values) - 1.5 * values[0][0].height
    if sum(value[-1].right > reach for value in values) > 0.5 * len(values):
        return False  # a paragraph
    return all(any(abs(key[0].y - value[0].y) <= _SAME * key[0].height for value in values) for key in keys)


def _replace_rows(grid: Grid, top: int, bottom: int, places: Sequence[float]) -> None:
    """Gives rows ``top`` to ``bottom`` new edges, with a rule at each."""
    places = [place for place in places if grid.rows[bottom] < place < grid.rows[top]]
    walls = [max((grid.walls[r] for r in range(top, bottom)), key=sum)] * (len(places) + 1)
    width = grid.size[1]
    last = grid.floors[bottom - 1]
    grid.rows[top + 1 : bottom] = places
    grid.walls[top:bottom] = [list(wall) for wall in walls]
    grid.floors[top:bottom] = [*([True] * width for _ in places), last]


def _has_gaps(held: Sequence[Line]) -> bool:
    """Whether a line has parts far from each other, as names of groups of columns have."""
    return any(right.left - left.right > 2 * left.height for line in held for left, right in pairwise(line))


def group_heads(grid: Grid, ruling: Ruling, table: Table) -> None:
    """Joins the cells above a rule that underlines several columns: the name above it is the group's.

    Where one rule underlines several groups, each name stands in the middle of its own.
    """
    for r in range(min(2, grid.size[0] - 1)):
        segments = [rule for rule in ruling.across if abs(rule.at - grid.rows[r + 1]) <= 3.5]
        for rule in segments if len(segments) > 1 else []:
            under = [c for c in range(grid.size[1]) if rule.start - 3 <= _middle(grid, c, c) <= rule.end + 3]
            named = [cell for cell in {id(table[r][c]): table[r][c] for c in under}.values() if cell.texts]
            if len(under) < 2 or not named or len(named) == len(under):
                continue
            centres = [(cell.lines[0][0].left + cell.lines[0][-1].right) / 2 for cell in named]
            for first, last in _parts(grid, under, centres):
                for c in range(first, last + 1):
                    grid.walls[r][c] = c == last


def _parts(grid: Grid, under: Sequence[int], centres: Sequence[float]) -> list[tuple[int, int]]:
    """Cuts neighbouring columns into as many runs as there are names, each name nearest to the middle of its run."""
    best: tuple[float, list[tuple[int, int]]] = (float("inf"), [])
    for cuts in islice(combinations(range(1, len(under)), len(centres) - 1), 2000):
        edges = [0, *cuts, len(under)]
        runs = [(under[a], under[b - 1]) for a, b in pairwise(edges)]
        misfit = sum(abs(_middle(grid, *run) - centre) for run, centre in zip(runs, centres, strict=True))
        best = min(best, (misfit, runs))
    width = (grid.columns[under[-1] + 1] - grid.columns[under[0]]) / len(under)
    return best[1] if best[0] <= 0.6 * width * len(centres) else []


def _middle(grid: Grid, first: int, last: int) -> float:
    return (grid.columns[first] + grid.columns[last + 1]) / 2
