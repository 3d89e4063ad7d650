"""A table as text, and where the tables in its cells stand in that text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kure_rag.read.page import FoundTable
from kure_rag.read.tables.nested import MARK, Inner, inner_of, without_marks
from kure_rag.read.tables.render import render_pieces
from kure_rag.types import Table

Span = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Written:
    """A piece of a table as text.

    Attributes:
        text: NFC, without line feeds around it.
        first: Its first row.
        after: The row after its last.
        inner: The tables in its cells, placed in its text.
    """

    text: str
    first: int
    after: int
    inner: tuple[Table, ...] = ()


def written(table: FoundTable) -> list[Written]:
    """A table as text, piece by piece; tables in its cells as Markdown on lines of their own.

    A table in a cell of several rows stands in the first of them; the others say its rows as lines.
    """
    waiting = {one.mark: one for one in inner_of(table)}
    said = dict(waiting)
    found = []
    for text, first, after in render_pieces(table):
        inner: tuple[Table, ...] = ()
        if said:
            text, inner = _with_inner(text.strip("\n"), waiting, said)
        text = unicodedata.normalize("NFC", text).strip("\n")
        if text:
            found.append(Written(text, first, after, inner))
    return found


def _with_inner(text: str, waiting: dict[str, Inner], said: dict[str, Inner]) -> tuple[str, tuple[Table, ...]]:
    """Puts tables in the place of their marks."""
    parts: list[str] = []
    tables: list[Table] = []
    last = 0
    for match in MARK.finditer(text):
        parts.append(unicodedata.normalize("NFC", text[last : match.start()]))
        last = match.end()
        if (one := waiting.pop(match[0], None)) is None:
            parts.append("\n".join(said[match[0]].lines) if match[0] in said else "")
            continue
        at = sum(map(len, parts))
        spans: list[Span] = []
        for piece in written(one.table):
            if spans:
                parts.append("\n")
                at += 1
            spans.append((at, at + len(piece.text), piece.first, piece.after))
            tables += [moved(inner, at) for inner in piece.inner]
            parts.append(piece.text)
            at += len(piece.text)
        if spans:
            tables.append(placed(one.table, one.page, spans))
    parts.append(unicodedata.normalize("NFC", text[last:]))
    return "".join(parts), tuple(sorted(tables, key=lambda table: (table.start, -table.end)))


def placed(table: FoundTable, page: int, spans: Sequence[Span]) -> Table:
    """A found table at its place in a text.

    Args:
        table: As found.
        page: 1-based page on which it begins.
        spans: As in :class:`~kure_rag.types.Table`'s ``pieces``.
    """
    return Table(
        page,
        spans[0][0],
        spans[-1][1],
        caption=table.caption,
        unit=table.unit,
        header=table.header,
        rows=without_marks(table.rows, inner_of(table)),
        pieces=tuple(spans),
    )


def moved(table: Table, by: int) -> Table:
    """A table in a text that begins ``by`` characters further on."""
    pieces = tuple((start + by, end + by, first, after) for start, end, first, after in table.pieces)
    return replace(table, start=table.start + by, end=table.end + by, pieces=pieces)
