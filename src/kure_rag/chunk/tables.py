"""Tables → passages: each piece by itself, with its rows as sentences beside it.

A search for 제56기 매출액 has to meet the number and the name of its row and column at one place; in a grid they are
apart. So each row of numbers is also said as a line, 「매출액 | 제56기 3개월 = 1,234 (백만원)」, that goes along with
the passage for search and embedding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings
from kure_rag.chunk.lists import find_units
from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.nested_tables import tables_in
from kure_rag.chunk.pack import Unit, pack_units, visible
from kure_rag.chunk.row_units import takes_unit
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import Document, Table

_NUMBER: Final = re.compile(
    r"[△▲▼▽+\-–−(]{0,3}\s?[.,]?\d[\d,.]*\s?(?:[%원주건명개배조억만천백]|%p|bp|만원|억원|백만원|천원)?\)?"
)
_EMPTY: Final = re.compile(r"[-–—―\s.·]*")
_UNIT: Final = re.compile(r"단\s*위\s*[:：]?\s*|\b[Uu]nits?\s*[:：]\s*")
_DATED: Final = re.compile(r".*\d.*(?:기준|현재)|(?:기준|작성|조회|평가|결산|집계)\s?(?:일자?|시점)\s*[:：].*")
_UNITS_APART: Final = re.compile(r"[,;/、·]|\s및\s")
_NOTE: Final = re.compile(r"(?:※|\*{1,3}\s?[가-힣\w]|주\s?\d*\s?[):]|(?:자료|출처)\s?\d*\s?:)")
_LONGEST_NOTES: Final = 400
_FAR: Final = 2  # times the limit
_MANY: Final = 0.3  # of the cells beside row names: with fewer numbers a table is text in columns
_LONGEST_LEAD: Final = 2_000  # characters of rows as lines; a piece whose rows say more is cut between them
_LONGEST_OPENING: Final = 400
_LONGEST_ITEM: Final = 120
_UNSAID: Final = re.compile(r"[<〈(].{0,12}[>〉)]|[-\s]*")  # <신설>, (생략)
_NO_NAMES: Final = re.compile(r"[|\s-]*")  # the header line of a table without names, and the line below one
_BREAKS_OFF: Final = re.compile(r"[^\s.?!>)\]다음함됨임것]\s*$")


@dataclass(frozen=True, slots=True)
class TablePart:
    """A passage of a table.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        lead: As in :class:`~kure_rag.chunk.base.Passage`.
        rows: Which rows of the table it holds: the first, and the one after the last.
        metadata: ``caption``, ``unit`` and ``header``, where the table has them.
    """

    start: int
    end: int
    lead: str
    rows: tuple[int, int]
    metadata: dict[str, Any]


def table_parts(
    document: Document, table: Table, sentences: Sentences, settings: ChunkSettings, *, far: int = _FAR
) -> Iterator[TablePart]:
    """The passages of a table, in order.

    A piece that is a grid stays whole, since cut it could not be read; one far over the limit, or whose rows say more
    than a lead should hold, is cut between its rows. A piece that is a row of text, as in a list of reimbursement
    criteria, is cut like text where it is long. What stands above goes along with each part: caption, unit and header,
    or short cells, the column, and the item of the text that the part stands under. A table in a cell of a row of text
    is cut between its rows where it is cut, and its rows are said as lines too.

    Args:
        document: It holds the table.
        table: One of its tables.
        sentences: Of its text.
        settings: Lengths.
        far: A grid of over so many times the limit is cut.
    """
    about = _about(table)
    inner = tables_in(table, document.tables)
    pieces = table.pieces or ((table.start, table.end, 0, len(table.rows)),)
    for start, end, first, last in pieces:
        start, end = visible(document.text, start, end)
        lines = document.text[start:end].split("\n")
        held = [one for one in inner if start <= one.start < end]
        prose = bool(held) or (last - first <= 1 and len(lines) > 1 and "|" not in lines[-1])
        whole = TablePart(start, end, "" if prose else row_lines(table, first, last), (first, last), about)
        said = [part for one in held for part in table_parts(document, one, sentences, settings, far=1)]
        if prose and end - start > settings.longest:
            parts = _prose_parts(whole, table, document.text, sentences, settings, said)
        elif prose and said:
            parts = iter([replace(whole, lead="\n".join(part.lead for part in said if part.lead))])
        elif prose:
            parts = iter([whole])
        elif end - start > far * settings.longest or len(whole.lead) > _LONGEST_LEAD:
            parts = _grid_parts(whole, table, lines, settings, far)
        else:
            parts = iter([whole])
        carried = _carried(table, first) if prose else ""
        yield from (_below(carried, part) for part in parts)


def _prose_parts(
    whole: TablePart,
    table: Table,
    text: str,
    sentences: Sentences,
    settings: ChunkSettings,
    inner: Sequence[TablePart],
) -> Iterator[TablePart]:
    opening, cells = _cells(whole, table, text)
    for start, body, end in cells:
        name = [_flat(text[start:body].strip().rpartition("\n")[2])] if start > whole.start or body > start else []
        name = [line for line in name if line not in opening]
        for unit in _packed(text, (start, body, end), sentences, settings, inner):
            above = [] if unit.start == whole.start else opening if unit.start == start else [*opening, *name]
            said = [line for part in inner if _is_in(part, unit) for line in part.lead.split("\n")]
            lead = "\n".join(dict.fromkeys(line for line in (*above, *unit.lead.split("\n"), *said) if line))
            yield TablePart(unit.start, unit.end, lead, whole.rows, whole.metadata)


def _is_in(part: TablePart, unit: Unit) -> bool:
    return unit.start <= part.start and part.end <= unit.end


def _announced(text: str, at: int, start: int) -> int:
    """Where the short line above a table in a cell begins, which says what it shows; else where the table does."""
    first, last = visible(text, at, start)
    line = max(first, text.rfind("\n", first, last) + 1)
    return line if line < last and last - line <= _LONGEST_ITEM else start


def _packed(
    text: str, cell: tuple[int, int, int], sentences: Sentences, settings: ChunkSettings, inner: Sequence[TablePart]
) -> Iterator[Unit]:
    """A long cell's text; what it begins with, up to its second offset, goes with the first part."""
    start, body, end = cell
    room = replace(settings, target=max(1, settings.target - (body - start)))
    room = room if body - start < settings.target // 2 else settings
    units: list[Unit] = []
    at = body
    for part in inner:
        if at <= part.start and part.end <= end:
            above = _announced(text, at, part.start)
            units += find_units(text, sentences.within(at, above), room)
            units.append(Unit(above, part.end))
            at = part.end
    units += find_units(text, sentences.within(at, end), room)
    if units:
        units[0] = replace(units[0], start=start)
    yield from pack_units(text, units or [Unit(start, end)], settings)


def _carried(table: Table, row: int) -> str:
    """The item that a row of text goes on with where a page cut its cell: the last one of the row above."""
    if not 0 < row < len(table.rows):
        return ""
    pairs = list(zip(table.rows[row - 1], table.rows[row], strict=False))
    if any(not _is_long(cell) and not _UNSAID.fullmatch(cell) and cell != above for above, cell in pairs):
        return ""  # another entry
    for above, cell in reversed(pairs):
        if _is_long(cell) and find_marker(cell.lstrip()) is None and _BREAKS_OFF.search(above):
            last = next((line for line in reversed(above.split("\n")) if find_marker(line.strip()) is not None), "")
            marker = find_marker(last.strip())  # items behind bullets may end with any noun
            return _flat(last)[:_LONGEST_ITEM] if marker is not None and marker.number else ""
    return ""


def _is_long(cell: str) -> bool:
    return "\n" in cell.strip() or len(cell) > _LONGEST_ITEM


def _below(carried: str, part: TablePart) -> TablePart:
    return replace(part, lead="\n".join(line for line in (carried, part.lead) if line)) if carried else part


def _cells(whole: TablePart, table: Table, text: str) -> tuple[list[str], list[tuple[int, int, int]]]:
    """The lines that a row of text begins with, and its long cells: each with its name, its text and its end."""
    lines = list(_lines(text, whole.start, whole.end))
    opening = _opening(table, whole.rows[0], [text[a:b] for a, b in lines])
    columns = _columns(table.header)
    named = [i for i in range(len(opening), len(lines)) if _flat(text[slice(*lines[i])]) in columns]
    begins = [0, *(i for i in named if i > len(opening))]
    out = []
    for i, after in zip(begins, [*begins[1:], len(lines)], strict=True):
        body = max(i, len(opening)) + (max(i, len(opening)) in named)
        end = lines[after - 1][1]
        out.append((lines[i][0], lines[body][0] if body < after else end, end))
    return opening, out


def _opening(table: Table, row: int, lines: Sequence[str]) -> list[str]:
    """The lines that a row of text begins with: caption and unit, and its short cells on one line."""
    titles = {*map(_flat, table.caption.split("\n")), f"({table.unit})"}
    out = list(takewhile(lambda line: _flat(line) in titles, lines))
    first = next(iter(lines[len(out) :]), "")
    cells = {_flat(cell) for cell in table.rows[row]} if row < len(table.rows) else set()
    said = first.split(" | ")
    if len(lines) > len(out) + 1 and (len(said) > 1 or first in cells) and len(first) <= _LONGEST_OPENING:
        out.append(first)
    return [_flat(line) for line in out]


def _columns(header: Sequence[str]) -> set[str]:
    """What may name the column of a long cell: 「개정 > 세부인정사항」, or 「개정」 of one over several columns."""
    names = [_flat(name).split(" > ") for name in header]
    return {" > ".join(parts[:depth]) for parts in names for depth in range(1, len(parts) + 1)} - {""}


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        yield start, stop
        start = stop + 1


def _grid_parts(
    whole: TablePart, table: Table, lines: Sequence[str], settings: ChunkSettings, far: int
) -> Iterator[TablePart]:
    first, last = whole.rows
    above = max(0, len(lines) - (last - first))  # caption, unit and header, if each row is a line
    opening = "\n".join(line for line in lines[:above] if not _NO_NAMES.fullmatch(line))
    most = settings.target if whole.end - whole.start > far * settings.longest else whole.end - whole.start
    at = start = whole.start
    row = first
    said = 0  # characters of the rows as lines
    for i, line in enumerate(lines):
        end = at + len(line)
        own = len(row_lines(table, first + i - above, first + i - above + 1)) if i >= above else 0
        if i > above and (end - start > most or said + own > _LONGEST_LEAD):
            yield _rows_part(whole, table, (start, at - 1), (row, first + i - above), opening)
            start, row, said = at, first + i - above, 0
        at = end + 1
        said += own + 1
    yield _rows_part(whole, table, (start, whole.end), (row, last), opening)


def _rows_part(whole: TablePart, table: Table, span: tuple[int, int], rows: tuple[int, int], opening: str) -> TablePart:
    said = row_lines(table, *rows) if rows[0] < rows[1] <= len(table.rows) else ""
    lead = "\n".join(part for part in (opening if span[0] > whole.start else "", said) if part)
    return TablePart(*span, lead, rows, whole.metadata)


def notes_end(text: str, start: int, limit: int) -> int:
    """The offset after the notes (주: 자료: ※ *) that stand directly under a table ending at ``start``."""
    end = at = start
    while at < limit:
        stop = text.find("\n", at, limit)
        stop = limit if stop < 0 else stop
        line = text[at:stop].strip()
        if line and not _NOTE.match(line):
            break
        if line:
            if stop - start > _LONGEST_NOTES:
                break
            end = stop
        at = stop + 1
    return end


def row_lines(table: Table, first: int = 0, last: int | None = None) -> str:
    """Rows as lines: row name, then each column with its value and unit; empty where the table holds few numbers.

    Args:
        table: Its header names the columns.
        first: The first row.
        last: The row after the last.
    """
    names = name_columns(table)
    values = [cell for row in table.rows for cell in row[names:] if not _EMPTY.fullmatch(cell)]
    if not names or not any(table.header) or sum(map(is_number, values)) < _MANY * max(1, len(values)):
        return ""
    unit, shared = _unit(table.unit)
    lines = (_row_line(table.header, row, names, unit) for row in table.rows[first:last])
    return "\n".join(f"{line} ({shared})" if shared else line for line in lines if line)


def _row_line(header: Sequence[str], row: Sequence[str], names: int, unit: str) -> str:
    name: list[str] = []
    for cell in map(_name, row[:names]):
        if cell and cell not in name:
            name.append(cell)
    said = []
    for column, value in zip(header[names:], map(_flat, row[names:]), strict=False):
        if _EMPTY.fullmatch(value):
            continue
        column = _flat(column)
        value = f"{value} ({unit})" if takes_unit(unit, name, column, value) else value
        said.append(f"{column} = {value}" if column else value)
    if not said:
        return ""
    return " | ".join((*name, ", ".join(said)))


def name_columns(table: Table) -> int:
    """How many columns at the left name the rows: those before the first that mostly holds numbers, 0 if none."""
    width = len(table.header) or max(map(len, table.rows), default=0)
    for column in range(width):
        cells = [row[column] for row in table.rows if column < len(row) and not _EMPTY.fullmatch(row[column])]
        if cells and 2 * sum(map(is_number, cells)) >= len(cells) and not _counts(cells):
            return column
    return 1 if width > 1 else 0


def _counts(cells: Sequence[str]) -> bool:
    """Whether a column only numbers the rows."""
    return len(cells) > 1 and [cell.strip(" .") for cell in cells] == [str(i) for i in range(1, len(cells) + 1)]


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, with its sign and unit or without."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _unit(printed: str) -> tuple[str, str]:
    """The unit of every value, or what is said once a row where there are several: ``단위: %, 백만원``.

    What the note says before it, and a date after it, is not the unit's: ``2023년 말 기준, 단위: 백만원``.
    """
    marked = _UNIT.search(printed)
    unit = _UNIT.sub("", printed[marked.start() :] if marked else printed)
    parts = [part.strip() for part in re.split(r"[,，;]", unit)]
    if any(map(_DATED.fullmatch, parts)):
        unit = ", ".join(part for part in parts if not _DATED.fullmatch(part))
    unit = unit.strip(" ()[]")
    if not unit:
        return "", ""
    return ("", f"단위: {unit}") if _UNITS_APART.search(unit) else (unit, "")


def _about(table: Table) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if table.caption:
        about["caption"] = table.caption
    if table.unit:
        about["unit"] = table.unit
    if any(table.header):
        about["header"] = list(table.header)
    return about


def _name(cell: str) -> str:
    """Without the bullet that shows its level: 「- 비내구재」."""
    cell = _flat(cell)
    marker = find_marker(cell)
    return cell[marker.length :] if marker is not None and len(marker.style) == 1 else cell


def _flat(cell: str) -> str:
    return " ".join(cell.split())
