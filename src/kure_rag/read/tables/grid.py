"""A ruling → a grid: column and row edges, and which neighbouring cells a rule keeps apart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from kure_rag.read.page import Box
from kure_rag.read.tables.rules import Rule, Ruling, clustered

_NEAR: Final = 3.5  # points: a rule this near an edge belongs to it
_COVERED: Final = 0.5  # of a cell's side: a rule this long is its wall
_LONG: Final = 0.5  # of the ruling: a rule this long counts even where its ends meet nothing
_MOST: Final = 8000  # places: a drawing has more
_OPEN: Final = 8.0  # points: a table reaches beyond its outermost rule when crossing rules go on this far


@dataclass(slots=True)
class Grid:
    """Cells between edges.

    Attributes:
        columns: Places of the column edges, ascending.
        rows: Places of the row edges, descending: from top to bottom.
        walls: For each row and column, whether a rule stands at the column's right side; the last is the outside.
        floors: The same for the lower side.
        ceiling: For each column, whether a rule stands above the first row.
    """

    columns: list[float]
    rows: list[float]
    walls: list[list[bool]] = field(default_factory=list)
    floors: list[list[bool]] = field(default_factory=list)
    ceiling: list[bool] = field(default_factory=list)

    @property
    def box(self) -> Box:
        """The grid's outline."""
        return (self.columns[0], self.rows[-1], self.columns[-1], self.rows[0])

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows) - 1, len(self.columns) - 1

    def cell_at(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of a point; points outside fall into the nearest."""
        return bisect_right([-place for place in self.rows[1:-1]], -y), bisect_right(self.columns[1:-1], x)

    def split_column(self, column: int, place: float, apart: Sequence[bool]) -> None:
        """Cuts a column in two; ``apart`` tells for each row whether its cell is cut too."""
        self.columns.insert(column + 1, place)
        for row, walls in enumerate(self.walls):
            walls.insert(column, apart[row])
            self.floors[row].insert(column, self.floors[row][column])
        self.ceiling.insert(column, self.ceiling[column])

    def split_row(self, row: int, place: float, apart: Sequence[bool]) -> None:
        """Cuts a row in two; ``apart`` tells for each column whether its cell is cut too."""
        self.rows.insert(row + 1, place)
        self.walls.insert(row, list(self.walls[row]))
        self.floors.insert(row, list(apart))

    def drop_column(self, column: int) -> None:
        """Gives a column's place to its neighbour."""
        del self.columns[column + 1 if column < self.size[1] - 1 else column]
        for row, walls in enumerate(self.walls):
            del walls[column]
            del self.floors[row][column]
        del self.ceiling[column]

    def drop_row(self, row: int) -> None:
        """Gives a row's place to its neighbour."""
        last = row == self.size[0] - 1
        del self.rows[row if last else row + 1]
        del self.walls[row]
        del self.floors[row - 1 if last and row else row]

    def cut(self, top: int, bottom: int, left: int, right: int) -> None:
        """Keeps rows ``top`` to ``bottom`` and columns ``left`` to ``right`` only."""
        self.columns = self.columns[left : right + 1]
        self.rows = self.rows[top : bottom + 1]
        self.walls = [wall[left:right] for wall in self.walls[top:bottom]]
        self.floors = [floor[left:right] for floor in self.floors[top:bottom]]
        self.ceiling = self.ceiling[left:right]


def grid_of(ruling: Ruling) -> Grid | None:
    """The cells of a ruling, or nothing where its rules bound fewer than two."""
    across, down = _bounding(ruling)
    if len(across) < 2:
        return None
    left, bottom, right, top = Ruling(across, down).box
    columns = clustered([rule.at for rule in down])
    rows = clustered([rule.at for rule in across])[::-1]
    columns = _with_open_sides(columns, left, right)
    if top - rows[0] > _OPEN:
        rows.insert(0, top)
    if rows[-1] - bottom > _OPEN:
        rows.append(bottom)
    if len(columns) < 2 or len(rows) < 2 or len(columns) * len(rows) > _MOST:
        return None
    grid = Grid(columns, rows)
    spans_down = list(zip(rows[1:], rows, strict=False))
    spans_across = list(pairwise(columns))
    walls = [_cover(edge, down, spans_down) for edge in columns[1:]]
    floors = [_cover(edge, across, spans_across) for edge in rows[1:]]
    grid.walls = [[wall[r] for wall in walls] for r in range(len(rows) - 1)]
    grid.floors = floors
    grid.ceiling = _cover(rows[0], across, spans_across)
    return grid


def _with_open_sides(columns: list[float], left: float, right: float) -> list[float]:
    if not columns:
        return [left, right]
    if columns[0] - left > _OPEN:
        columns = [left, *columns]
    if right - columns[-1] > _OPEN:
        columns = [*columns, right]
    return columns


def _bounding(ruling: Ruling) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Rules that bound cells: they meet two others, or they are long; the rest are parts of glyphs and marks."""
    left, bottom, right, top = ruling.box
    across, down = ruling.across, ruling.down
    down = tuple(rule for rule in down if rule.length >= _LONG * (top - bottom) or _meets_two(rule, across))
    if not down:
        return across, ()
    across = tuple(rule for rule in across if rule.length >= _LONG * (right - left) or _meets_two(rule, down))
    return across, down


def _meets_two(rule: Rule, others: Sequence[Rule]) -> bool:
    met = (
        other
        for other in others
        if other.start - _NEAR <= rule.at <= other.end + _NEAR and rule.start - _NEAR <= other.at <= rule.end + _NEAR
    )
    return next(met, None) is not None and next(met, None) is not None


def _cover(edge: float, rules: Sequence[Rule], spans: Sequence[tuple[float, float]]) -> list[bool]:
    near = [rule for rule in rules if abs(rule.at - edge) <= _NEAR]
    found = []
    for low, high in spans:
        covered = max((min(rule.end, high) - max(rule.start, low) for rule in near), default=0.0)
        if covered < _COVERED * (high - low):
            covered = _union([(max(rule.start, low), min(rule.end, high)) for rule in near])
        found.append(covered >= _COVERED * (high - low))
    return found


def _union(pieces: list[tuple[float, float]]) -> float:
    total, reach = 0.0, float("-inf")
    for start, end in sorted(piece for piece in pieces if piece[1] > piece[0]):
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total
