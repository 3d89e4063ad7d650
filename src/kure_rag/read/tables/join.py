"""A table that goes on at the top of the next page → one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from kure_rag.read.page import FoundTable
from kure_rag.read.tables.glyphs import squeezed
from kure_rag.read.tables.nested import Inner, inner_of, with_inner

if TYPE_CHECKING:
    from kure_rag.read.layout import Line

_DRIFT: Final = 4.0  # points by which the column edges of the two parts may differ
_FOOT: Final = 0.35  # of the height at which the next part begins: higher up, a table ended before the page did

Row = tuple[str, ...]


def join_continued(first: FoundTable, second: FoundTable) -> FoundTable | None:
    """Joins the last table of a page with the first of the next where it goes on.

    It does where the columns stand at the same places and the second part has no caption of its own and the same header
    or none. A row that the page break cut is put together again, and a merged cell that reaches over the break is
    filled. The place of the joined table is the first part's.

    Returns:
        The joined table, or nothing where the second is a table of its own.
    """
    rows = _continuing_rows(first, second)
    return None if rows is None else _joined(first, second, rows)


def _joined(first: FoundTable, second: FoundTable, rows: Sequence[Row]) -> FoundTable:
    joined = list(first.rows)
    inner = [*inner_of(first), *inner_of(second)]
    for number, row in enumerate(rows):
        if number == 0 and joined and _is_cut(joined, rows):
            joined[-1] = tuple(_put_together(above, below) for above, below in zip(joined[-1], row, strict=True))
            joined[-1], inner = _with_whole_inner(joined[-1], inner)
        else:
            joined.append(_filled(joined[-1], row) if joined else row)
    return with_inner(replace(first, rows=tuple(joined), unit=first.unit or second.unit), inner)


def _with_whole_inner(row: Row, inner: Sequence[Inner]) -> tuple[Row, list[Inner]]:
    """A row that the page break cut, and all inner tables: one that the break cut too is put together."""
    cells = list(row)
    by_mark = {one.mark: one for one in inner}
    for cell in row:
        marks = [by_mark[line] for line in cell.split("\n") if line in by_mark]
        for one, following in pairwise(marks):
            if f"{one.mark}\n{following.mark}" not in cell or one.page == following.page:
                continue
            if following.table.caption or following.table.unit:
                continue
            if (whole := join_continued(one.table, following.table)) is not None:
                cells = [other.replace(f"{one.mark}\n{following.mark}", following.mark) for other in cells]
                lines = (*one.lines, *following.lines)
                by_mark[following.mark] = replace(following, page=one.page, table=whole, lines=lines)
                by_mark.pop(one.mark, None)
    return tuple(cells), [by_mark[mark] for mark in by_mark]


def join_halves(lines: Sequence[Line]) -> list[Line]:
    """Joins a table with the one that follows it on the same sheet where two pages were printed on one.

    There the second repeats the header and begins in the middle of a row.
    """
    out: list[Line] = []
    for line in lines:
        above = out[-1].table if out else None
        if above is not None and line.table is not None and _is_second_half(above, line.table):
            joined = _joined(above, line.table, list(line.table.rows))
            (x0, _, x1, top), foot = above.body, line.table.body[1]
            out[-1] = replace(out[-1], table=replace(joined, body=(x0, foot, x1, top)), bottom=line.bottom)
        else:
            out.append(line)
    return out


def _is_second_half(first: FoundTable, second: FoundTable) -> bool:
    return (
        any(first.header)
        and _squeezed(first.header) == _squeezed(second.header)
        and not (second.caption or second.unit)
        and _places(first, second) == list(range(len(first.columns) - 1))
        and second.body[3] < first.body[1]
        and bool(second.rows and first.rows)
        and not second.rows[0][0]
    )


def _continuing_rows(first: FoundTable, second: FoundTable) -> list[Row] | None:
    """The rows of the second part below its repeated header, or nothing where it is no part of the first."""
    places = _places(first, second)
    if places is None or first.body[1] > _FOOT * second.body[3]:
        return None
    second = replace(
        second,
        header=tuple(second.header[c] for c in places),
        rows=tuple(tuple(row[c] for c in places) for row in second.rows),
    )
    if second.unit and squeezed(second.unit) != squeezed(first.unit):
        return None
    if second.caption and "계속" not in second.caption and squeezed(second.caption) != squeezed(first.caption):
        return None
    header = _squeezed(first.header)
    if any(second.header):
        if _squeezed(second.header) == header:
            return list(second.rows)
        if second.caption or _is_head_like(first, second.header):
            return None
        return [second.header, *second.rows]  # a first row that only looked like a header
    if _begins_again(first, second):
        return None
    repeated = header if any(header) else _squeezed(first.rows[0]) if first.rows else ()
    if second.rows and _squeezed(second.rows[0]) == repeated:
        return list(second.rows[1:])
    return None if second.caption else list(second.rows)


def _begins_again(first: FoundTable, second: FoundTable) -> bool:
    """Whether a form is filled in once more: the same name at its beginning, and another value.

    Where the first value is the same too, as that of a class of requirements is, the name below it tells. A first row
    that is alike in both parts and has other names below it is a header that was not known as one.
    """
    if any(first.header) or not first.rows or not second.rows:
        return False
    top, again = _squeezed(first.rows[0]), _squeezed(second.rows[0])
    if not top[0] or top[0] != again[0]:
        return False
    if top != again:
        return True
    names = [_squeezed(part.rows[1])[0] for part in (first, second) if len(part.rows) > 1]
    return len(names) == 2 and bool(names[0]) and names[0] == names[1] and names[0] != top[0]


def _places(first: FoundTable, second: FoundTable) -> list[int] | None:
    """For each column of the first part the column of the second that lies there, or nothing where edges differ.

    The second part may lack columns that none of its cells ends at: those are merged there.
    """
    shift = second.columns[0] - first.columns[0]  # odd and even pages may have different margins
    edges = [place - shift for place in second.columns]
    if abs(edges[-1] - first.columns[-1]) > _DRIFT or len(edges) > len(first.columns):
        return None
    if any(min(abs(edge - place) for place in first.columns) > _DRIFT for edge in edges):
        return None
    return [
        sum(edge <= place + _DRIFT for edge in edges[1:-1]) if len(edges) > 2 else 0 for place in first.columns[:-1]
    ]


def _is_head_like(first: FoundTable, header: Row) -> bool:
    """A header with groups, or beside a first part that has one and other names, begins a table."""
    return any(" > " in name for name in header) or (any(first.header) and len(set(header)) == len(header))


def _squeezed(row: Row) -> tuple[str, ...]:
    return tuple(map(squeezed, row))


def _is_cut(above: Sequence[Row], below: Sequence[Row]) -> bool:
    """Whether a row is the rest of the one before: nothing stands in its first cell, and it adds to filled ones."""
    last, row = above[-1], below[0]
    filled = [c for c, value in enumerate(row) if value]
    if not filled or row[0] or not all(last[c] for c in filled):
        return False
    # Below a merged first cell, rows begin with nothing too; then only what leaves most cells out is a rest.
    merged = (len(above) > 1 and above[-2][0] == last[0]) or (len(below) > 1 and not below[1][0])
    return not merged or len(filled) <= len(row) / 2


def _put_together(above: str, below: str) -> str:
    return f"{above}\n{below}".strip() if above != below else above


def _filled(above: Row, row: Row) -> Row:
    """Leading empty cells take the merged cell's text from the row above."""
    cells = list(row)
    for c, value in enumerate(cells[:-1]):
        if value:
            break
        cells[c] = above[c]
    return tuple(cells)
