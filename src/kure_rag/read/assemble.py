"""Paragraphs and tables → one text with exact offsets."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kure_rag.read.lines import Paragraph
from kure_rag.read.spacing import Spacer
from kure_rag.types import Table

if TYPE_CHECKING:
    from kure_rag.read.tables.place import Written


def assemble(
    paragraphs: Sequence[Paragraph], count: int
) -> tuple[str, list[tuple[int, int]], tuple[Table, ...], list[int]]:
    """One text with a line feed after each paragraph; it belongs to the page of the paragraph's end.

    Args:
        paragraphs: In order of their pages.
        count: Of pages.

    Returns:
        The text, (start, end) of each page in it, the tables, each that stands in a cell of another behind that, and
        where each paragraph begins.
    """
    parts: list[str] = []
    starts: list[int | None] = [None] * count
    tables: list[Table] = []
    begins: list[int] = []
    at = 0

    def put(text: str) -> None:
        nonlocal at
        parts.append(text)
        at += len(text)

    for paragraph in paragraphs:
        begins.append(at)
        page = paragraph.parts[0][0]
        if paragraph.table is not None:
            from kure_rag.read.tables import moved, placed, written

            pieces = written(paragraph.table)
            if not pieces:
                continue
            if parts and not parts[-1].endswith("\n\n"):
                put("\n")
            if starts[page] is None:
                starts[page] = at
            spans = []
            inner: list[Table] = []
            for piece in pieces:
                spans.append((at, at + len(piece.text), piece.first, piece.after))
                for further, row in paragraph.rows:
                    if piece.first <= row < piece.after and starts[further] is None:
                        starts[further] = at + _row_place(piece, row)
                for table in piece.inner:
                    inner.append(moved(table, at))
                    if page < table.page and starts[table.page - 1] is None:
                        starts[table.page - 1] = inner[-1].start  # in a row that the page break cut
                put(piece.text)
                put("\n\n")
            tables += (placed(paragraph.table, page + 1, spans), *inner)
            continue
        for p, text in _composed(paragraph.parts):
            if starts[p] is None:
                starts[p] = at
            put(text)
        put("\n")
    return "".join(parts), _spans(starts, at), tuple(tables), begins


def join_tables(paragraphs: Sequence[Paragraph], space_at: Spacer | None) -> list[Paragraph]:
    """Paragraphs in which each table is whole: with what goes on at the top of the next page, and whole lines in cells.

    Args:
        paragraphs: In order.
        space_at: Decides spaces where lines in cells were broken; asked once for all tables.
    """
    out: list[Paragraph] = []
    last = -1  # page on which the table that ends ``out`` ends
    for paragraph in paragraphs:
        page = paragraph.parts[0][0]
        if paragraph.table is not None and out and out[-1].table is not None and page == last + 1:
            from kure_rag.read.tables import join_continued

            joined = join_continued(out[-1].table, paragraph.table)
            if joined is not None:
                above = out[-1].table.rows
                out[-1] = Paragraph(
                    out[-1].parts, joined, (*out[-1].rows, (page, min(len(above), len(joined.rows) - 1)))
                )
                last = page
                continue
        out.append(paragraph)
        last = page
    tables = [paragraph.table for paragraph in out if paragraph.table is not None]
    if not tables:
        return out
    from kure_rag.read.tables import joined_cells

    whole = iter(joined_cells(tables, space_at))
    return [paragraph if paragraph.table is None else replace(paragraph, table=next(whole)) for paragraph in out]


def _row_place(piece: Written, row: int) -> int:
    """Where a row of a piece begins: the last lines of a table's piece are its rows; long prose has a piece a row."""
    lines = piece.text.split("\n")
    if piece.inner or not lines[-1].startswith("|"):
        return 0
    return sum(len(line) + 1 for line in lines[: row - piece.after])


def _composed(parts: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """Joining can put combining characters side by side that stood on two lines."""
    whole = parts[0][1] if len(parts) == 1 else "".join([text for _, text in parts])
    if unicodedata.is_normalized("NFC", whole):
        return parts
    if len(parts) == 1:
        return [(parts[0][0], unicodedata.normalize("NFC", whole))]
    return [(parts[0][0], unicodedata.normalize("NFC", whole)), *((p, "") for p, _ in parts[1:])]


def _spans(starts: Sequence[int | None], end: int) -> list[tuple[int, int]]:
    """Pages without text stand, with no length, where the next text begins."""
    spans: list[tuple[int, int]] = []
    after = end
    for start in reversed(starts):
        begin = after if start is None else start
        spans.append((begin, after))
        after = begin
    return spans[::-1]
