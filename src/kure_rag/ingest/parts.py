"""What one child answers another: sheets of a large file, and sentences of a long text, as JSON values and back.

Numbers and strings come back as they were, so that it does not matter which child did the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from kure_rag.read.layout import Line
from kure_rag.read.page import FoundTable
from kure_rag.read.sheets import Sheet
from kure_rag.read.tables.nested import Inner, OuterTable
from kure_rag.tokenize.base import Sentence, Term


def from_sheets(sheets: Iterable[Sheet]) -> list[Any]:
    """Sheets as JSON values, names left out: a page has some forty lines."""
    return [
        [
            *(sheet.number, sheet.width, sheet.height, sheet.chars),
            *(sheet.warnings, sheet.error, [_from_line(line) for line in sheet.lines]),
        ]
        for sheet in sheets
    ]


def to_sheets(values: Iterable[Sequence[Any]]) -> list[Sheet]:
    """The other way."""
    return [
        Sheet(
            number=number,
            width=width,
            height=height,
            chars=chars,
            lines=[_to_line(line) for line in lines],
            warnings=tuple(warnings),
            error=error,
        )
        for number, width, height, chars, warnings, error, lines in values
    ]


def _from_line(line: Line) -> list[Any]:
    return [
        *(line.text, line.left, line.bottom, line.right, line.top, line.size, line.margin, line.edge, line.column),
        *(None if line.table is None else _from_table(line.table), line.worn),
    ]


def _to_line(values: Sequence[Any]) -> Line:
    text, left, bottom, right, top, size, margin, edge, column, table, worn = values
    found = None if table is None else _to_table(table)
    return Line(text, left, bottom, right, top, size, margin, edge, column, found, worn)


def _from_table(table: FoundTable) -> list[Any]:
    own = [table.box, table.body, table.columns, table.caption, table.unit, table.header, table.rows]
    if isinstance(table, OuterTable):
        inner = [[one.mark, one.page, _from_table(one.table), one.lines] for one in table.inner]
        return [*own, table.marked, inner]
    return own


def _to_table(values: Sequence[Any]) -> FoundTable:
    box, body, columns, caption, unit, header, rows, *nested = values
    own = (tuple(box), tuple(body), tuple(columns), caption, unit, tuple(header), _rows(rows))
    if not nested:
        return FoundTable(*own)
    marked, inner = nested
    return OuterTable(
        *own,
        _rows(marked),
        tuple(Inner(mark, page, _to_table(table), tuple(lines)) for mark, page, table, lines in inner),
    )


def _rows(values: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in values)


def from_sentences(found: Iterable[Sequence[Sentence]]) -> list[Any]:
    """Sentences of some texts as JSON values: for each its places, and the terms one after the other."""
    return [
        [
            (one.start, one.end, list(chain.from_iterable((term.form, term.start, term.end) for term in one.terms)))
            for one in sentences
        ]
        for sentences in found
    ]


def to_sentences(values: Iterable[Iterable[Sequence[Any]]]) -> list[list[Sentence]]:
    """The other way."""
    return [[Sentence(start, end, tuple(_terms(flat))) for start, end, flat in sentences] for sentences in values]


def _terms(flat: Sequence[Any]) -> Iterator[Term]:
    return map(Term, flat[::3], flat[1::3], flat[2::3])
