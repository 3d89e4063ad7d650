"""The tables of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kure_rag.read.page import Box, FoundTable, PageContent
from kure_rag.read.tables.borderless import borderless, has_number_lines
from kure_rag.read.tables.captions import label_above
from kure_rag.read.tables.cells import Table, cells, distinct, without_idle
from kure_rag.read.tables.glyphs import Glyphs, is_number
from kure_rag.read.tables.grid import Grid
from kure_rag.read.tables.headers import flattened, header_depth
from kure_rag.read.tables.nested import Inner, cell_box, put_inside, said_lines, with_marked, with_marks
from kure_rag.read.tables.notes import date_in, unit_in, with_date
from kure_rag.read.tables.open import group_heads, settle_columns, split_columns, split_rows
from kure_rag.read.tables.regions import grids
from kure_rag.read.tables.rules import Ruling, rulings

_FILLED: Final = 0.2  # of the cells of a table hold text; a chart's or a drawing's do not
_FEWEST: Final = 4  # characters
_SMALLEST: Final = 4.0  # points: smaller print is part of a picture
_TITLE: Final = 80  # characters of a first row that is one cell: a title; a longer one is content
_AXIS: Final = 6  # numbers in a cell as high as the table: a chart's axis
_SLACK: Final = 6.0  # points: rules of a table may stand on those of the cell around it
_ANYWHERE: Final = 1e9
_NOTE = re.compile(r"\s*(?:※|\*|[주자]\s*[:)]|자료\s*:|출처)")

Found = tuple[Grid, Table]


def find_tables(content: PageContent) -> list[FoundTable]:
    """The tables of a page, ruled, partly ruled and borderless, from top to bottom.

    Cells hold their printed lines; :func:`joined_cells` joins those that the cell's width broke. A table inside a cell
    of another is found too; its text is also in that cell, a line for each row. The page is left at once where it has
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
    tables = _bound_all(found, ruled, glyphs, content)
    return sorted(tables, key=lambda table: -table.box[3])


def _ruled(groups: Sequence[Ruling], glyphs: Glyphs) -> list[Found]:
    """From the smallest to the largest."""
    parts = [part for group in groups for part in grids(group)]
    read = ((grid, _read(grid, ruling, glyphs)) for grid, ruling in sorted(parts, key=lambda part: _area(part[0].box)))
    return [(grid, table) for grid, table in read if table is not None]


def _bound_all(found: Sequence[Found], ruled: int, glyphs: Glyphs, content: PageContent) -> list[FoundTable]:
    """Tables with captions, units and headers, the inner ones before those that hold them.

    Args:
        found: Ruled ones from the smallest to the largest, then the others.
        ruled: How many are ruled.
        glyphs: Of the page.
        content: The page.
    """
    boxes = [grid.box for grid, _ in found]
    inside: dict[int, list[Inner]] = {}
    tables: list[FoundTable] = []
    for i, (grid, table) in enumerate(found):
        place = _place_of(i, found[:ruled]) if i < ruled else None
        left, _, right, top = place[1] if place else (0.0, 0.0, _ANYWHERE, _ANYWHERE)
        room = (left, grid.box[3], right, min(top, _ceiling(grid.box, boxes)))
        held = put_inside(grid, table, inside.get(i, ()))
        bound = _bound(grid, table, glyphs, room, content.height)
        if bound is None:
            continue
        one, rest = bound
        one = with_marked(one, rest, held)
        tables.append(one)
        if place:
            mark = f"\ufdd0{content.number}.{i}\ufdd1"
            inside.setdefault(place[0], []).append(Inner(mark, content.number, one, said_lines(one, rest)))
    return tables


def _place_of(i: int, found: Sequence[Found]) -> tuple[int, Box] | None:
    """The smallest table that holds a table in one of its cells, and that cell's box."""
    body = found[i][0].box
    for j in range(i + 1, len(found)):
        grid, table = found[j]
        if _is_inside(body, grid.box):
            row, column = grid.cell_at((body[0] + body[2]) / 2, (body[1] + body[3]) / 2)
            cell = cell_box(grid, table[row][column])
            slack = (cell[0] - _SLACK, cell[1] - _SLACK, cell[2] + _SLACK, cell[3] + _SLACK)
            return (j, cell) if _is_inside(body, slack) else None
    return None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def outermost(tables: Sequence[FoundTable]) -> list[FoundTable]:
    """The tables that are in no cell of another: a page's text says each thing once.

    A mark stands in the cells of these for each table inside, see :mod:`kure_rag.read.tables.nested`.
    """
    outer = [
        one for one in tables if not any(other is not one and _is_inside(one.body, other.body) for other in tables)
    ]
    return [with_marks(one) for one in outer]


def _is_inside(inner: Box, outer: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _read(grid: Grid, ruling: Ruling, glyphs: Glyphs) -> Table | None:
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


def _bound(grid: Grid, table: Table, glyphs: Glyphs, room: Box, height: float) -> tuple[FoundTable, Table] | None:
    """A table with its caption, unit and header, and its cells without those of a title.

    ``room`` is where lines above may belong to it.
    """
    body = grid.box
    table, caption, unit = _without_title(table)
    if len(table) < 2:
        return None
    box = (body[0], body[1], max(body[2], *(glyph.x for glyph in glyphs.inside(body))), body[3])
    if not (caption and unit):
        label = label_above(glyphs, body, room, height, named=bool(caption))
        caption, unit = caption or label.caption, unit or label.unit
        if label.box is not None:
            box = _around(box, label.box)
    depth = header_depth(table)
    header = flattened(table, depth) if depth else ("",) * len(table[0])
    rows = tuple(tuple(cell.printed for cell in row) for row in table[depth:])
    return FoundTable(box, body, tuple(grid.columns), caption, unit, header, rows), table


def _without_title(table: Table) -> tuple[Table, str, str]:
    """First rows that are one cell as wide as the table are its title and unit."""
    whole, caption, unit = table, "", ""
    while len(table) > 2 and len({id(cell) for cell in table[0]}) == 1 and len(table[0][0].text) <= _TITLE:
        cell = table[0][0]
        found = unit_in(cell.text)
        unit, rest = found or (unit, cell.text)
        if date := date_in(rest):
            unit, rest = with_date(date, unit), ""
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
