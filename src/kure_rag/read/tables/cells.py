"""A grid and the characters in it → cells: merged ones found, their text put together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kure_rag.read.tables.glyphs import Glyph, Line, hangs, lines, text
from kure_rag.read.tables.grid import Grid


@dataclass
class Cell:
    """One cell as printed, which may span several places of the grid; its lines and texts are made when asked for.

    ``marked`` are its texts with a mark in place of each table inside it.
    """

    row: int
    column: int
    height: int = 1
    width: int = 1
    glyphs: list[Glyph] = field(default_factory=list)
    marked: list[str] | None = None

    @cached_property
    def lines(self) -> list[Line]:
        """From top to bottom."""
        return lines(self.glyphs)

    @cached_property
    def texts(self) -> list[str]:
        """Its lines as text, without empty ones."""
        return [line for line in map(text, self.lines) if line]

    @property
    def text(self) -> str:
        """Its lines, joined by spaces."""
        return " ".join(self.texts)

    @property
    def printed(self) -> str:
        """Its lines as they stand."""
        return "\n".join(self.texts)


Table = list[list[Cell]]


def cells(grid: Grid, glyphs: Sequence[Glyph]) -> Table:
    """The cell at each place of the grid; one that spans several places is the same object at all of them."""
    table = merged_cells(grid)
    tops = [-place for place in grid.rows[1:-1]]
    edges = grid.columns[1:-1]
    column, before = 0, None
    for glyph in glyphs:
        if before is None or not hangs(before, glyph):  # a closing mark stays with what it closes
            column = bisect_right(edges, glyph.x)
        table[bisect_right(tops, -glyph.y)][column].glyphs.append(glyph)
        before = glyph
    return table


def distinct(table: Table) -> list[Cell]:
    """Each cell once, by row and column."""
    return list({id(cell): cell for row in table for cell in row}.values())


def merged_cells(grid: Grid) -> Table:
    """The cells of a grid before anything is read into them."""
    height, width = grid.size
    parent = list(range(height * width))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for r in range(height):
        for c in range(width):
            if c + 1 < width and not grid.walls[r][c]:
                parent[root(r * width + c + 1)] = root(r * width + c)
            if r + 1 < height and not grid.floors[r][c]:
                parent[root((r + 1) * width + c)] = root(r * width + c)
    found: dict[int, Cell] = {}
    table: Table = []
    for r in range(height):
        table.append([])
        for c in range(width):
            cell = found.setdefault(root(r * width + c), Cell(r, c))
            cell.height = max(cell.height, r - cell.row + 1)
            cell.width = max(cell.width, c - cell.column + 1)
            table[-1].append(cell)
    return table


def without_idle(grid: Grid, table: Table) -> bool:
    """Drops one row or column that has no cell of its own; tells whether there was one.

    Double rules, brackets and shading leave such rows and columns behind.
    """
    height, width = grid.size
    for c in range(width):
        column = [table[r][c] for r in range(height)]
        if width > 1 and all(cell.width > 1 or not cell.glyphs for cell in column):
            grid.drop_column(c)
            return True
    for r in range(height):
        if height > 1 and all(cell.height > 1 or not cell.glyphs for cell in table[r]):
            grid.drop_row(r)
            return True
    return False
