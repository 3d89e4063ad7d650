"""A table → text: pieces of Markdown, each to be understood by itself; rows that hold long prose as prose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from kure_rag.read.page import FoundTable
from kure_rag.read.tables.glyphs import Spacer, is_number
from kure_rag.read.tables.nested import MARK
from kure_rag.read.tables.wrapped import joined_cells

_LONGEST: Final = 800  # characters of a piece
_PROSE: Final = 160  # characters: a longer cell is text to be read, not a value to be looked up
_LINES: Final = 6  # the same for lines

Row = tuple[str, ...]
Piece = tuple[str, int, int]


def render_pieces(table: FoundTable, space_at: Spacer | None = None) -> list[Piece]:
    """Writes a table as text that can be cut between its pieces.

    Each piece begins with the caption, the unit note and the header, so that a number never stands without them::

        주요 계정
        (단위: 백만원)
        | 구분 | 제56기 > 3개월 | 제55기 > 3개월 |
        | --- | --- | --- |
        | 매출액 | 1,234 | △567 |

    A row with a long cell, as tables of reimbursement criteria have, is a piece of its own: its short cells on one
    line, then the long cell's lines. Marks of tables inside cells, see :mod:`kure_rag.read.tables.nested`, stay.

    Args:
        table: As found.
        space_at: Decides spaces where a line inside a cell was broken, see :func:`joined_cells`.

    Returns:
        (text, first row, row after the last) of each piece, which together hold every row once.
    """
    [table] = joined_cells([table], space_at)
    pieces: list[Piece] = []
    first = 0
    while first < len(table.rows):
        if _is_prose(table.rows[first]):
            pieces.append((_prose(table, table.rows[first]), first, first + 1))
            first += 1
            continue
        after = first
        while after < len(table.rows) and not _is_prose(table.rows[after]):
            after += 1
        pieces.extend(_markdown(table, first, after))
        first = after
    return pieces or [("\n".join(_head(table)), 0, 0)]


def _is_prose(row: Row) -> bool:
    return any(len(cell) > _PROSE or cell.count("\n") >= _LINES or MARK.search(cell) for cell in row)


def _markdown(table: FoundTable, first: int, after: int) -> list[Piece]:
    head = _head(table)
    room = _LONGEST - sum(len(line) + 1 for line in head)
    pieces: list[Piece] = []
    lines: list[str] = []
    start = first
    for number in range(first, after):
        line = _line(table.rows[number])
        if lines and sum(map(len, lines)) + len(lines) + len(line) > room:
            pieces.append(("\n".join([*head, *lines]), start, number))
            lines, start = [], number
        lines.append(line)
    pieces.append(("\n".join([*head, *lines]), start, after))
    return pieces


def _head(table: FoundTable) -> list[str]:
    # Markdown knows no table without a header: that of a form has empty cells.
    return [*_title(table), _line(table.header), "| " + " | ".join("---" for _ in table.header) + " |"]


def _title(table: FoundTable) -> list[str]:
    return [line for line in (table.caption, f"({table.unit})" if table.unit else "") if line]


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(_flat(cell).replace("|", "\\|") for cell in row) + " |"


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _prose(table: FoundTable, row: Row) -> str:
    """A row to be read: its short cells on one line, a number with its name, then each long cell below its name."""
    cells = [(c, cell) for c, cell in enumerate(row) if cell and (c == 0 or cell != row[c - 1])]
    short: list[str] = []
    long: list[str] = []
    for c, cell in cells:
        name = _name(table.header, row, c)
        if _is_prose((cell,)):
            long += [name, cell] if name else [cell]
        else:
            short.append(f"{name}: {_flat(cell)}" if name and c and is_number(_flat(cell)) else _flat(cell))
    return "\n".join([*_title(table), *([" | ".join(short)] if short else []), *long])


def _name(header: Row, row: Row, column: int) -> str:
    """The name of a cell's column; of one that reaches over several columns, what their names have in common."""
    after = column + 1
    while after < len(row) and row[after] == row[column]:
        after += 1
    if column == 0 and after == len(row) > 1:
        return ""  # a heading between rows
    names = [_flat(name).split(" > ") for name in header[column:after]]
    return " > ".join(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*names, strict=False)))
