"""The tables of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kure_rag.read.page import Box, FoundTable, PageContent
from kure_rag.read.tables.borderless import borderless, has_number_lines
from kure_rag.read.tables.captions import label_above, unit_in
from kure_rag.read.tables.cells import Nested, Table, cells, distinct, flat_rows, without_idle
from kure_rag.read.tables.glyphs import Glyphs, is_number
from kure_rag.read.tables.grid import Grid
from kure_rag.read.tables.headers import flattened, header_depth
from kure_rag.read.tables.open import group_heads, settle_columns, split_columns, split_rows
from kure_rag.read.tables.regions import grids
from kure_rag.read.tables.rules import Ruling, rulings

_FILLED: Final = 0.2  # of the cells of a table hold text; a chart's or a drawing's do not
_FEWEST: Final = 4  # characters
_SMALLEST: Final = 4.0  # points: smaller print is part of a picture
_TITLE: Final = 80  # characters of a first row that is one cell: a title; a longer one is content
_AXIS: Final = 6  # numbers in a cell as high as the table: a chart's axis
_NOTE = re.compile(r"\s*(?:※|\*|[주자]\s*[:)]|자료\s*:|출처)")

Found = tuple[Grid, Table]


def find_tables(content: PageContent) -> list[FoundTable]:
    """The tables of a page, ruled, partly ruled and borderless, from top to bottom.

    Cells hold their printed lines; :func:`joined_cells` joins those that the cell's width broke. A table inside a cell
    of another is found too; its text is also in that cell. The page is left at once where it has
    too few rules to bound one and no lines of numbers.
    """
    if not content.text:
        return []
    groups = rulings(content.rules, content.width, content.height) if len(content.rules) >= 3 else []
    numbers = has_number_lines(content.text)
    if not groups and not numbers:
        return []
    glyphs = Glyphs(content)
    found = _ruled(groups, glyphs)
    ruled = len(found)
    if numbers:
        page = (0.0, 0.0, content.width, content.height)
        for grid in borderless(glyphs, page, [grid.box for grid, _ in found]):
            table = cells(grid, glyphs.inside(grid.box))
            if _is_table(table):
                found.append((grid, table))
    boxes = [grid.box for grid, _ in found]
    tables = [
        _bound(grid, table, glyphs, boxes, content.height, ruled=i < ruled) for i, (grid, table) in enumerate(found)
    ]
    return sorted((t for t in tables if t is not None), key=lambda table: -table.box[3])


def _ruled(groups: Sequence[Ruling], glyphs: Glyphs) -> list[Found]:
    """Small ones first, so that an outer table knows those in its cells."""
    found: list[Found] = []
    parts = [part for group in groups for part in grids(group)]
    for grid, ruling in sorted(parts, key=lambda part: _area(part[0].box)):
        inner = [(other.box, flat_rows(table)) for other, table in found if _is_inside(other.box, grid.box)]
        if (table := _read(grid, ruling, glyphs, inner)) is not None:
            found.append((grid, table))
    return found


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def outermost(tables: Sequence[FoundTable]) -> list[FoundTable]:
    """The tables that are in no cell of another: a page's text says each thing once.

    What a table inside a cell says is said by the cell, a line for each of its rows.
    """
    return [one for one in tables if not any(other is not one and _is_inside(one.box, other.body) for other in tables)]


def _is_inside(inner: Box, outer: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _read(grid: Grid, ruling: Ruling, glyphs: Glyphs, inner: Sequence[Nested]) -> Table | None:
    inside = glyphs.inside(grid.box)
    if len(inside) < _FEWEST or inside[len(inside) // 2].height < _SMALLEST:
        return None
    split_columns(grid, inside)
    if grid.size[1] < 2:
        return None
    settle_columns(grid, inside)
    split_rows(grid, inside)
    group_heads(grid, ruling, cells(grid, inside))
    table = cells(grid, inside)
    while without_idle(grid, table) or _without_surroundings(grid, table):
        inside = glyphs.inside(grid.box)
        table = cells(grid, inside)
    if inner:
        table = cells(grid, inside, inner)
    return table if _is_table(table) else None


def _without_surroundings(grid: Grid, table: Table) -> bool:
    """Takes away a chart beside a table or a note below it that its rules take in; tells whether there was one."""
    height, width = grid.size
    if height < 3 or width < 3:
        return False
    if len({id(cell) for cell in table[-1]}) == 1 and _NOTE.match(table[-1][0].text):
        grid.cut(0, height - 1, 0, width)
        return True
    for column, part in ((0, (1, width)), (width - 1, (0, width - 1))):
        if len({id(row[column]) for row in table}) == 1 and _is_axis(table[0][column].text):
            grid.cut(0, height, *part)
            return True
    return False


def _is_axis(text: str) -> bool:
    words = text.split()
    numbers = sum(map(is_number, words))
    return numbers >= _AXIS and numbers >= 0.6 * len(words)


def _is_table(table: Table) -> bool:
    if len(table) < 2 or len(table[0]) < 2:
        return False
    whole = distinct(table)
    filled = [cell for cell in whole if cell.glyphs]
    return (
        len(filled) >= max(3, _FILLED * len(whole))
        and len({cell.row for cell in filled}) > 1
        and len({cell.column for cell in filled}) > 1
    )


def _bound(
    grid: Grid, table: Table, glyphs: Glyphs, boxes: Sequence[Box], height: float, *, ruled: bool
) -> FoundTable | None:
    """A table with its caption, unit and header."""
    body = grid.box
    table, caption, unit = _without_title(table)
    if len(table) < 2:
        return None
    box = (body[0], body[1], max(body[2], *(glyph.x for glyph in glyphs.inside(body))), body[3])
    if not (caption and unit):
        label = label_above(glyphs, body, _ceiling(body, boxes), height, ruled=ruled)
        caption, unit = caption or label.caption, unit or label.unit
        if label.box is not None:
            box = _around(box, label.box)
    depth = header_depth(table)
    header = flattened(table, depth) if depth else ("",) * len(table[0])
    rows = tuple(tuple(cell.printed for cell in row) for row in table[depth:])
    return FoundTable(box, body, tuple(grid.columns), caption, unit, header, rows)


def _without_title(table: Table) -> tuple[Table, str, str]:
    """First rows that are one cell as wide as the table are its title and unit."""
    whole, caption, unit = table, "", ""
    while len(table) > 2 and len({id(cell) for cell in table[0]}) == 1 and len(table[0][0].text) <= _TITLE:
        cell = table[0][0]
        found = unit_in(cell.text)
        unit, rest = found or (unit, cell.text)
        caption = f"{caption} {rest}".strip()
        table = table[cell.height :]
    # In a list, a row that is one cell is the heading of the rows below it.
    return (table, caption, unit) if table is whole or unit or header_depth(table) else (whole, "", "")


def _ceiling(body: Box, boxes: Sequence[Box]) -> float:
    """The lowest foot of the tables above."""
    feet = (box[1] for box in boxes if box[1] >= body[3] - 2 and box[0] < body[2] and box[2] > body[0])
    return min(feet, default=float("inf"))


def _around(box: Box, other: Box) -> Box:
    return (min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3]))
