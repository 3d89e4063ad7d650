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

    Footnotes are the small lines that end a page, from the first one that begins with a mark.
    """
    usual = _usual_size(pages)
    body: list[list[Line]] = []
    notes: list[list[Line]] = []
    for page in pages:
        at = _first_note(page, usual)
        body.append(list(page[:at]))
        notes.append(list(page[at:]))
    return body, notes


def _first_note(page: Sequence[Line], usual: float) -> int:
    first = at = len(page)
    while at > 0 and page[at - 1].table is None and page[at - 1].size < _SMALL * usual:
        at -= 1
        if _MARK.match(page[at].text):
            first = at
    if first in (0, len(page)):
        return len(page)
    top, bottom = page[0].top, min(line.bottom for line in page)
    low = page[first].top < bottom + _LOWER * (top - bottom)
    return first if low else len(page)


def _usual_size(pages: Sequence[Sequence[Line]]) -> float:
    """The size in which most characters are printed."""
    counts: dict[float, int] = {}
    for page in pages:
        for line in page:
            size = round(line.size, 1)
            counts[size] = counts.get(size, 0) + len(line.text)
    return max(counts, key=lambda size: counts[size]) if counts else 0.0
