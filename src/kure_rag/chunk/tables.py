"""Tables → passages: each piece by itself, with its rows as sentences beside it.

A search for 제56기 매출액 has to meet the number and the name of its row and column at one place; in a grid they are
apart. So each row of numbers is also said as a line, 「매출액 | 제56기 3개월 = 1,234 (백만원)」, that goes along with
the passage for search and embedding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings
from kure_rag.chunk.lists import find_units
from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.pack import pack_units, visible
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import Document, Table

_NUMBER: Final = re.compile(
    r"[△▲▼▽+\-–−(]{0,3}\s?[.,]?\d[\d,.]*\s?(?:[%원주건명개배조억만천백]|%p|bp|만원|억원|백만원|천원)?\)?"
)
_EMPTY: Final = re.compile(r"[-–—―\s.·]*")
_UNIT: Final = re.compile(r"단\s*위\s*[:：]?\s*")
_UNITS_APART: Final = re.compile(r"[,;/、·]|\s및\s")
_OWN_UNIT: Final = re.compile(r"\([^()]*(?:원|%|달러|주|건|명|개|배|톤|㎡|bp)[^()]*\)")
_NOTE: Final = re.compile(r"(?:※|\*{1,3}\s?[가-힣\w]|주\s?\d*\s?[):]|(?:자료|출처)\s?\d*\s?:)")
_LONGEST_NOTES: Final = 400
_FAR: Final = 2  # times the limit
_MANY: Final = 0.3  # of the cells beside row names: with fewer numbers a table is text in columns
_LONGEST_LEAD: Final = 2_000


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


def table_parts(document: Document, table: Table, sentences: Sentences, settings: ChunkSettings) -> Iterator[TablePart]:
    """The passages of a table, in order.

    A piece that is a grid stays whole, since cut it could not be read; one far over the limit is cut between its rows.
    A piece that is a row of text, as in a list of reimbursement criteria, is cut like text where it is long. What
    stands above, header or short cells, goes along with each part.
    """
    about = _about(table)
    pieces = table.pieces or ((table.start, table.end, 0, len(table.rows)),)
    for start, end, first, last in pieces:
        start, end = visible(document.text, start, end)
        lines = document.text[start:end].split("\n")
        prose = last - first <= 1 and len(lines) > 1 and "|" not in lines[-1]
        whole = TablePart(start, end, "" if prose else row_lines(table, first, last), (first, last), about)
        if prose and end - start > settings.longest:
            yield from _prose_parts(whole, document.text, sentences, settings)
        elif not prose and end - start > _FAR * settings.longest:
            yield from _grid_parts(whole, table, lines, settings)
        else:
            yield whole


def _prose_parts(whole: TablePart, text: str, sentences: Sentences, settings: ChunkSettings) -> Iterator[TablePart]:
    opening = _flat(text[whole.start : whole.end].partition("\n")[0])
    units = find_units(text, sentences.within(whole.start, whole.end), settings)
    for i, unit in enumerate(pack_units(text, units, settings)):
        lead = "\n".join(part for part in (opening if i else "", unit.lead) if part)
        yield TablePart(unit.start, unit.end, lead, whole.rows, whole.metadata)


def _grid_parts(whole: TablePart, table: Table, lines: Sequence[str], settings: ChunkSettings) -> Iterator[TablePart]:
    first, last = whole.rows
    above = max(0, len(lines) - (last - first))  # caption, unit and header, if each row is a line
    opening = "\n".join(line for line in lines[:above] if "---" not in line)
    at = start = whole.start
    row = first
    for i, line in enumerate(lines):
        end = at + len(line)
        if i > above and end - start > settings.target:
            yield _rows_part(whole, table, (start, at - 1), (row, first + i - above), opening)
            start, row = at, first + i - above
        at = end + 1
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
    lines = []
    length = 0
    for row in table.rows[first:last]:
        line = _row_line(table.header, row, names, unit)
        if line:
            lines.append(f"{line} ({shared})" if shared else line)
            length += len(lines[-1])
        if length > _LONGEST_LEAD:
            break
    return "\n".join(lines)


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
        # A column or a value that names its own unit needs no other.
        own = not unit or _OWN_UNIT.search(column) or not re.fullmatch(r"[△▲▼▽+\-–−(]*\s?[\d,.]+\)?", value)
        value = value if own else f"{value} ({unit})"
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
    """The unit of every value, or what is said once a row where there are several: ``단위: %, 백만원``."""
    unit = _UNIT.sub("", printed).strip(" ()[]")
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
