"""Lines inside cells → text: lines that the cell's width broke join, those of lists stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from kure_rag.read.lines import STARTS_PARAGRAPH, visual_width
from kure_rag.read.page import FoundTable
from kure_rag.read.tables.glyphs import Spacer
from kure_rag.read.tables.nested import inner_of, is_mark, with_inner

_ITEM = re.compile(r"\s*(?:\d{1,2}|[가나다라마바사아자차카타파하])[.)](?=[가-힣A-Z])")  # 2.좌측, without the space
_CONTINUES = re.compile(r"(?:\(\d+\)|<[^<>]{1,12}>?|\[[^\[\]]{1,12}\]?)$")  # (3) below a name: no item of a list
_ENDS_IN_NUMBER = re.compile(r"[A-Za-z][^\s가-힣]*\d$")
_CODE = re.compile(r"[A-Z]{2,}\d")
_STOPS = re.compile(r"[.?!:]$")
_FULL: Final = 0.95  # of the column: fonts are not quite as wide as counted
_USUAL: Final = 0.85
_MANY: Final = 8  # lines

Row = tuple[str, ...]


def joined_cells(tables: Sequence[FoundTable], space_at: Spacer | None = None) -> list[FoundTable]:
    """Puts together the lines in cells that were broken because the cell was too narrow.

    A line feed stays where the author broke the line: before an item of a list, and after a line that had room for
    more.

    Args:
        tables: As found, with the cells' printed lines.
        space_at: Decides for pairs (line, next line) whether a space belongs between them; asked once for all tables.
            Without it a space is put at every break.

    Returns:
        The same tables with whole lines in their cells.
    """
    held = [inner_of(table) for table in tables]
    if any(held):
        inner = iter(joined_cells([one.table for some in held for one in some], space_at))
        tables = [
            with_inner(table, [replace(one, table=next(inner)) for one in some])
            for table, some in zip(tables, held, strict=True)
        ]
    cells = sorted({cell for table in tables for row in (table.header, *table.rows) for cell in row if "\n" in cell})
    if not cells:
        return list(tables)
    widths = _widths(tables)
    breaks = [(cell, i) for cell in cells for i in _margin_breaks(cell, widths[cell])]
    split = {cell: cell.split("\n") for cell in cells}
    pairs = [(split[cell][i], split[cell][i + 1]) for cell, i in breaks]
    answers = space_at(pairs) if space_at and pairs else [True] * len(pairs)
    between = {
        place: " " if (spaced and not _is_upright(*pair)) or _are_codes(*pair) else ""
        for place, pair, spaced in zip(breaks, pairs, answers, strict=True)
    }
    joined = {
        cell: lines[0] + "".join(between.get((cell, i), "\n") + line for i, line in enumerate(lines[1:]))
        for cell, lines in split.items()
    }

    def put(row: Row) -> Row:
        return tuple(joined.get(cell, cell) for cell in row)

    return [replace(table, header=put(table.header), rows=tuple(map(put, table.rows))) for table in tables]


def _widths(tables: Sequence[FoundTable]) -> dict[str, int]:
    """For each cell the width of its column in print, as the lines in it show."""
    widths: dict[str, int] = {}
    for table in tables:
        printed: dict[tuple[int, int], list[int]] = {}
        held: list[tuple[tuple[int, int], str]] = []
        for row in (table.header, *table.rows):
            first = 0
            for c in range(1, len(row) + 1):
                if c < len(row) and row[c] == row[first]:
                    continue  # one cell over several columns
                place, cell = (first, c), row[first]
                printed.setdefault(place, []).extend(
                    visual_width(line) for line in cell.split("\n") if not is_mark(line)
                )
                held.append((place, cell))
                first = c
        columns = {place: _usual_widest(lines) for place, lines in printed.items()}
        for place, cell in held:
            widths[cell] = min(widths.get(cell, columns[place]), columns[place])
    return widths


def _usual_widest(widths: list[int]) -> int:
    """The widest, but not the few that are far wider."""
    return sorted(widths)[int(_USUAL * (len(widths) - 1))] if len(widths) >= _MANY else max(widths, default=0)


def _margin_breaks(cell: str, width: int) -> list[int]:
    """Lines of a cell that end because the next word had no room."""
    found = []
    for i, (line, following) in enumerate(pairwise(cell.split("\n"))):
        if _begins_item(following) or is_mark(line) or is_mark(following):
            continue
        word = following.split(" ", 1)[0]
        full = visual_width(line) + visual_width(word) + 1 > _FULL * width
        if full and not (_STOPS.search(line) and visual_width(line) < 0.8 * width):
            found.append(i)
    return found


def _begins_item(line: str) -> bool:
    return bool(_ITEM.match(line) or (STARTS_PARAGRAPH.match(line) and not _CONTINUES.match(line)))


def _are_codes(line: str, following: str) -> bool:
    """A number, and below it a code that begins with letters: AWS A5.28 above ER90S-G."""
    return bool(_ENDS_IN_NUMBER.search(line) and _CODE.match(following))


def _is_upright(line: str, following: str) -> bool:
    """Names in very narrow columns are written from top to bottom, one syllable a line."""
    return len(line) == len(following) == 1 and "가" <= line <= "힣"
