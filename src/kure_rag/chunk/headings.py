"""A text cut at its headings, each with the headings above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kure_rag.chunk.base import Section
from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.names import NameFinder
from kure_rag.chunk.titles import LOOSE_RANK, MINOR_RANK, Title, find_titles, split_lines

_NO_NAMES: Final = NameFinder(())
_RESTARTED: Final = "'"


def find_sections(
    text: str, *, names: NameFinder = _NO_NAMES, tables: Sequence[tuple[int, int]] = ()
) -> Iterator[Section]:
    """Cuts a text at its headings.

    The sections cover every line that holds anything, in order and without overlapping; text before the first heading
    is a section without headings.

    Args:
        text: Canonical text.
        names: Headings known by name.
        tables: Spans, in order, of the tables, in which nothing is a heading.
    """
    lines = split_lines(text, tables)
    titles = find_titles(lines, names)
    above = _Above()
    start = body = end = 0
    for i, line in enumerate(lines):
        title = titles.get(i)
        if title is not None:
            if i:
                yield Section(start, body, end, above.headings())
            start, body = line.start, line.start + title.length
            above.push(title, _printed(line.text[: title.length]))
        elif not i:
            start = body = line.start
        end = line.end
    if lines:
        yield Section(start, min(body, end), end, above.headings())


def _printed(heading: str) -> str:
    """On one line; 「Ⅰ 사 업 안 내」 without the spaces that only spread its letters."""
    marker = find_marker(heading)
    cut = marker.length if marker else 0
    words = heading[cut:].rstrip(" :").split()
    spread = len(words) > 2 and all(len(word) == 1 and not word.isdigit() for word in words)
    title = ("" if spread else " ").join(words)
    return " ".join(part for part in (heading[:cut].strip(), title) if part)


class _Above:
    """The headings that a place in the text stands under."""

    def __init__(self) -> None:
        self._stack: list[tuple[Title, str]] = []

    def headings(self) -> tuple[str, ...]:
        return tuple(heading for _, heading in self._stack)

    def push(self, title: Title, heading: str) -> None:
        style = self._style(title)
        keep = self._level(title, style)
        del self._stack[keep:]
        if style != title.style:
            title = Title(style, title.rank + 1, title.length, title.number, title.restart, title.named)
        self._stack.append((title, heading))

    def _level(self, title: Title, style: str) -> int:
        """How many of the headings above stay."""
        for i, (other, _) in enumerate(self._stack):
            if other.style == style:
                return i
        if title.rank >= LOOSE_RANK:
            return len(self._stack)
        if title.rank >= MINOR_RANK and title.number <= 1 and self._stack and self._stack[-1][0].rank >= MINOR_RANK:
            return len(self._stack)  # the first (1) under 1), or the other way round
        rank = title.rank + (style != title.style)
        for i, (other, _) in enumerate(self._stack):
            if other.rank >= rank and (other.rank < LOOSE_RANK or rank < MINOR_RANK // 2):
                return i
        return len(self._stack)

    def _style(self, title: Title) -> str:
        """Its style, marked where it counts the notes under a heading of the same style: 3. 주석 → 1. 일반사항."""
        parent = next((other for other, _ in self._stack if other.restart and other.style == title.style), None)
        if parent is None or not title.number:
            return title.style
        restarted = title.style + _RESTARTED
        last = next((other.number for other, _ in self._stack if other.style == restarted), 0)
        goes_on = title.number == parent.number + 1
        kin = title.named == parent.named and title.named >= 0
        # A note may be called 현금흐름표 as a statement is, but none is called 주석.
        if title.restart or (goes_on and (kin or title.number != last + 1)):
            return title.style
        return restarted
