"""Footnotes: out of the way of the text that goes on over them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from kure_rag.read.layout import Line

_SMALL: Final = 0.9  # of the usual size: a footnote's lines are smaller
_LOWER: Final = 0.5  # of a page's lines: footnotes stand below the middle of what is printed
_MARK: Final = re.compile(r"\s*(?:\d{1,3}\s?\)|\*{1,4}|[†‡]|주\s?\d{0,2}\s?\)|[¹²³⁰-⁹]+|\d{1,3}\s(?=\S))")


def split_notes(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], list[list[Line]]]:
    """The lines of each page without its footnotes, and its footnotes.

    Footnotes are the small lines that end a column, from the first one that begins with a mark. Running titles stand in
    the way of text that goes on in the same manner and are put with them.
    """
    usual = _usual_size(pages)
    body: list[list[Line]] = []
    notes: list[list[Line]] = []
    for p, page in enumerate(pages):
        heads = next((i for i, line in enumerate(page) if not line.worn), 0) if p == 0 else 0
        worn = [line for line in page[heads:] if line.worn]
        said = [line for i, line in enumerate(page) if i < heads or not line.worn] if worn else page
        body.append([])
        notes.append([])
        for column in _columns(said):
            at = _first_note(column, said, usual, max((line.top for line in notes[-1]), default=None))
            body[-1] += column[:at]
            notes[-1] += column[at:]
        notes[-1] += worn
    return body, notes


def _columns(page: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand below each other, up to where the text goes on at the top of another column."""
    if len({line.column for line in page}) == 1:
        return [list(page)]
    columns: list[list[Line]] = []
    for line in page:
        above = columns[-1][-1] if columns else None
        if above is not None and (line.column == above.column or line.top <= above.bottom):
            columns[-1].append(line)
        else:
            columns.append([line])
    return columns


def _first_note(column: Sequence[Line], page: Sequence[Line], usual: float, beside: float | None) -> int:
    """Where the footnotes of a column begin, or its length if it has none.

    What is small and stands no higher than ``beside``, the top of the notes of the column before, goes on with them.
    """
    first = at = len(column)
    while at > 0 and column[at - 1].table is None and column[at - 1].size < _SMALL * usual:
        at -= 1
        if _MARK.match(column[at].text) or (beside is not None and column[at].top <= beside):
            first = at
    if first == len(column) or column[first] is page[0]:
        return len(column)
    top, bottom = max(line.top for line in page), min(line.bottom for line in page)
    low = column[first].top < bottom + _LOWER * (top - bottom)
    return first if low else len(column)


def _usual_size(pages: Sequence[Sequence[Line]]) -> float:
    """The size in which most characters are printed."""
    counts: dict[float, int] = {}
    for page in pages:
        for line in page:
            counts[line.size] = counts.get(line.size, 0) + len(line.text)
    rounded: dict[float, int] = {}
    for exact, count in counts.items():
        size = round(exact, 1)
        rounded[size] = rounded.get(size, 0) + count
    return max(rounded, key=lambda size: rounded[size]) if rounded else 0.0
