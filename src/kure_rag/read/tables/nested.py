"""Tables inside cells of other tables: in a cell's text a mark stands for each, until the page's text is put together.

Lines of a cell are joined, rows are joined over pages, and both would mix a table's rows with the prose around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from kure_rag.read.page import Box, FoundTable
from kure_rag.read.tables.cells import Cell, Table, distinct
from kure_rag.read.tables.glyphs import Glyph, lines, text
from kure_rag.read.tables.grid import Grid

# Noncharacters: Unicode keeps them for use inside a program, and no text holds them.
MARK: Final = re.compile("\ufdd0[^\ufdd0\ufdd1\n]*\ufdd1")

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Inner:
    """A table inside a cell.

    Attributes:
        mark: What stands for it in the cell's text, as a line of its own.
        page: 1-based.
        table: The table.
        lines: Its caption, unit, header and rows as lines, each merged cell once: how the outer cell's text says it.
    """

    mark: str
    page: int
    table: FoundTable
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OuterTable(FoundTable):
    """A table with tables in its cells.

    Attributes:
        marked: Its rows with a mark in place of each inner table's lines, until :func:`with_marks` puts them in the
            place of ``rows``.
        inner: The inner tables, from top to bottom.
    """

    marked: Rows = ()
    inner: tuple[Inner, ...] = ()


def inner_of(table: FoundTable) -> tuple[Inner, ...]:
    """The tables in a table's cells."""
    return table.inner if isinstance(table, OuterTable) else ()


def with_marks(table: FoundTable) -> FoundTable:
    """The same table, marks standing in its rows for the tables in them."""
    if not isinstance(table, OuterTable):
        return table
    inner = tuple(replace(one, table=with_marks(one.table)) for one in table.inner)
    return replace(table, rows=table.marked, inner=inner)


def with_inner(table: FoundTable, inner: Sequence[Inner], marked: Rows = ()) -> FoundTable:
    """A table whose cells hold these tables."""
    if not inner and not isinstance(table, OuterTable):
        return table
    values = {each.name: getattr(table, each.name) for each in fields(FoundTable)}
    return OuterTable(**values, marked=marked, inner=tuple(inner))


def with_marked(found: FoundTable, table: Table, inner: Sequence[Inner]) -> FoundTable:
    """A table as found, from its cells, with the tables in them."""
    body = table[len(table) - len(found.rows) :]
    marked = tuple(tuple("\n".join(cell.marked or cell.texts) for cell in row) for row in body)
    held = tuple(one for one in inner if any(one.mark in cell for row in marked for cell in row))
    return with_inner(found, held, marked)


def without_marks(rows: Rows, inner: Sequence[Inner]) -> Rows:
    """Rows with the lines of inner tables in place of their marks."""
    said = {one.mark: "\n".join(one.lines) for one in inner}
    if not said:
        return rows
    return tuple(tuple(MARK.sub(lambda mark: said.get(mark[0], ""), cell) for cell in row) for row in rows)


def is_mark(line: str) -> bool:
    """Whether a line of a cell stands for a table."""
    return MARK.fullmatch(line) is not None


def cell_box(grid: Grid, cell: Cell) -> Box:
    """Where a cell of a grid stands."""
    return (
        grid.columns[cell.column],
        grid.rows[cell.row + cell.height],
        grid.columns[cell.column + cell.width],
        grid.rows[cell.row],
    )


def put_inside(grid: Grid, table: Table, inner: Sequence[Inner]) -> list[Inner]:
    """Sets the text of the cells that hold tables, and says which of them do."""
    held: dict[int, list[Inner]] = {}
    for one in inner:
        left, bottom, right, top = one.table.body
        row, column = grid.cell_at((left + right) / 2, (bottom + top) / 2)
        held.setdefault(id(table[row][column]), []).append(one)
    found: list[Inner] = []
    for cell in distinct(table):
        if some := sorted(held.get(id(cell), ()), key=lambda one: (-one.table.box[3], one.table.box[0])):
            _put(cell, some)
            found += some
    return found


def _put(cell: Cell, inner: Sequence[Inner]) -> None:
    between: list[list[Glyph]] = [[] for _ in range(len(inner) + 1)]
    for glyph in cell.glyphs:
        if not any(_holds(one.table.box, glyph) for one in inner):
            between[sum(glyph.y <= one.table.box[3] for one in inner)].append(glyph)
    printed = [list(filter(None, map(text, lines(glyphs)))) for glyphs in between]
    cell.texts = [
        *printed[0],
        *(line for one, after in zip(inner, printed[1:], strict=True) for line in (*one.lines, *after)),
    ]
    cell.marked = [
        *printed[0],
        *(line for one, after in zip(inner, printed[1:], strict=True) for line in (one.mark, *after)),
    ]


def _holds(box: Box, glyph: Glyph) -> bool:
    return box[0] <= glyph.x <= box[2] and box[1] <= glyph.y <= box[3]


def said_lines(found: FoundTable, table: Table) -> tuple[str, ...]:
    """A table's caption and unit, and its rows as lines, each cell once."""
    head = [line for line in (found.caption, f"({found.unit})" if found.unit else "") if line]
    return (*head, *_flat_rows(table))


def _flat_rows(table: Table) -> Iterator[str]:
    seen: set[int] = set()
    for row in table:
        fresh = [cell for cell in {id(cell): cell for cell in row}.values() if id(cell) not in seen]
        seen.update(map(id, fresh))
        if line := " ".join(cell.text for cell in fresh if cell.texts):
            yield line
