"""A text cut at its headings, each with the headings above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from kure_rag.chunk.base import Section
from kure_rag.chunk.markers import NOTE_OF_STATEMENTS, find_marker
from kure_rag.chunk.names import NameFinder
from kure_rag.chunk.printed_headings import PrintedHeading, marked_titles, with_printed
from kure_rag.chunk.titles import (
    COUNT_RANK,
    LOOSE_RANK,
    MINOR_RANK,
    PRINTED,
    UNNUMBERED,
    Line,
    Title,
    find_titles,
    split_lines,
)
from kure_rag.chunk.unnumbered import abstracts, unnumbered_titles

_NO_NAMES: Final = NameFinder(())
_RESTARTED: Final = "'"
_COUNT: Final = "number"
_NOTE: Final = _COUNT + _RESTARTED  # 1. under 3. 주석
_INNER: Final = _NOTE + _RESTARTED  # 1. under 주석 1.
_APART: Final = ("addenda", "annex", "contents")  # stand under no section
_DASHES: Final = tuple("-–—―·ㆍ・ㅇ")
_PRIVATE: Final = re.compile("^[\ue000-\uf8ff\\s]+")
_RANKS: Final = {_NOTE: COUNT_RANK + 1, _INNER: COUNT_RANK + 2}


def find_sections(
    text: str,
    *,
    names: NameFinder = _NO_NAMES,
    tables: Sequence[tuple[int, int]] = (),
    unnumbered: bool = False,
    printed: Sequence[PrintedHeading] = (),
    marked: bool = False,
) -> Iterator[Section]:
    """Cuts a text at its headings.

    The sections cover every line that holds anything, in order and without overlapping; text before the first heading
    is a section without headings.

    Args:
        text: Canonical text.
        names: Headings known by name.
        tables: Spans, in order, of the tables, in which nothing is a heading.
        unnumbered: Whether short lines above a list are headings too, see :mod:`kure_rag.chunk.unnumbered`.
        printed: Headings that their type shows, see :mod:`kure_rag.chunk.printed_headings`.
        marked: Whether those are all there are.
    """
    lines = split_lines(text, tables)
    titles = marked_titles(lines, printed) if marked else _titles(lines, names, printed, unnumbered=unnumbered)
    above = _Above()
    start = body = end = 0
    for i, line in enumerate(lines):
        title = titles.get(i)
        if title is not None:
            if i:
                yield Section(start, body, end, above.headings())
            start, body = line.start, line.start + title.length
            above.push(title, _on_one_line(text[start:body]))
        elif not i:
            start = body = line.start
        end = line.end
    if lines:
        yield Section(start, min(body, end), end, above.headings())


def _titles(
    lines: Sequence[Line], names: NameFinder, printed: Sequence[PrintedHeading], *, unnumbered: bool
) -> dict[int, Title]:
    titles = find_titles(lines, names)
    # 「- 운용성과: 4.91% 하락」 above 「- 자산배분: …」 is an item, whatever its first word names.
    titles = {i: t for i, t in titles.items() if lines[i].style not in _DASHES or t.length == len(lines[i].text)}
    if unnumbered:
        titles |= unnumbered_titles(lines, titles)
    titles = with_printed(lines, titles, printed)
    return titles | abstracts(lines, titles)


def _on_one_line(heading: str) -> str:
    """「Ⅰ 사 업 안 내」 without the spaces that only spread its letters, and bullets that no font but its own has."""
    heading = _PRIVATE.sub("", heading).replace("\n", " ")
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
        self._counted: dict[str, tuple[int, list[tuple[Title, str]]]] = {}  # the last number, and what was above it
        self._plain = False  # whether notes are printed as 1. too, and not as 주석 1. only

    def headings(self) -> tuple[str, ...]:
        return tuple(heading for _, heading in self._stack)

    def push(self, title: Title, heading: str) -> None:
        if title.style == PRINTED:
            del self._stack[self._smaller(title) :]
            self._stack.append((title, heading))
            return
        self._end_printed(title)
        counted = title.style
        style = self._style(title)
        spelled = title.style == NOTE_OF_STATEMENTS
        rank = _RANKS.get(style, title.rank + (style != title.style))
        self._plain = not title.restart and (self._plain or (style == _NOTE and not spelled))
        title = replace(title, style=style, rank=rank, spelled=spelled)
        del self._stack[self._level(title) :]
        depth = len(self._stack)
        self._counted = {key: known for key, known in self._counted.items() if len(known[1]) <= depth}
        if title.number:
            self._counted[counted] = (title.number, self._stack[:])
        self._stack.append((title, heading))

    def _smaller(self, title: Title) -> int:
        """How many of the headings above are in larger type than a printed one."""
        for i, (other, _) in enumerate(self._stack):
            if not 0 < other.level < title.level:
                return i
        return len(self._stack)

    def _end_printed(self, title: Title) -> None:
        """Takes away the printed headings that another ends: by its type, or because its count goes on."""
        if title.style in _APART:
            self._stack = []
        for i, (other, _) in enumerate(self._stack):
            by_type = other.style == PRINTED or (other.number > 0 and not title.number)
            if by_type and other.level >= title.level > 0:
                del self._stack[i:]
                break
        number, path = self._counted.get(title.style, (0, []))
        if title.number < 2 or title.number != number + 1 or any(o.style == title.style for o, _ in self._stack):
            return
        levels = {other.level for other, _ in path if other.style == PRINTED}
        if any(other.style == PRINTED and other.level not in levels for other, _ in self._stack):
            self._stack = path[:]

    def _level(self, title: Title) -> int:
        """How many of the headings above stay."""
        if self._stack and self._stack[-1][0].style == UNNUMBERED:
            self._stack.pop()  # the list under it is all that is known to be its own
        own = max((i + 1 for i, (other, _) in enumerate(self._stack) if other.style == PRINTED), default=0)
        kin = [i for i, (other, _) in enumerate(self._stack) if other.style == title.style]
        if inner := [i for i in kin if i >= own]:
            return inner[0]
        if kin and title.number > max(self._stack[kin[0]][0].number, 1):
            return kin[0]
        if title.rank >= LOOSE_RANK:
            return len(self._stack)
        if title.rank >= MINOR_RANK and title.number <= 1 and self._stack and self._stack[-1][0].rank >= MINOR_RANK:
            return len(self._stack)  # the first (1) under 1), or the other way round
        for i, (other, _) in enumerate(self._stack[own:], own):
            if other.rank >= title.rank and (other.rank < LOOSE_RANK or title.rank < MINOR_RANK // 2):
                return i
        return len(self._stack)

    def _style(self, title: Title) -> str:
        """Its style, marked where it counts the notes under a heading of the same style: 3. 주석 → 1. 일반사항."""
        if title.style == NOTE_OF_STATEMENTS:
            # Ⅲ. 주석 → 2. 작성기준 → 주석 3. 매출채권: of one count, whichever way they are printed.
            above = next((other for other, _ in self._stack if other.restart), None)
            return _NOTE if above is None or _restarts(above, _COUNT, COUNT_RANK) else _COUNT
        if not title.number or title.restart:
            return title.style
        parent = next((other for other, _ in self._stack if _restarts(other, title.style, title.rank)), None)
        if title.style == _COUNT and (style := self._under_note(title, parent)) is not None:
            return style
        if parent is None:
            return title.style
        restarted = title.style + _RESTARTED
        last = self._last(restarted)
        number = last.number if last is not None else 0
        if not parent.number:
            return restarted if title.number in _following(number) else title.style
        # A note may be called 현금흐름표 as a statement is, but none is called 주석.
        leaves = title.number == parent.number + 1 and (_kin(title, parent) or title.number != number + 1)
        return title.style if leaves else restarted

    def _under_note(self, title: Title, parent: Title | None) -> str | None:
        """The style of a number after 주석 3.: part of that note, the next one, or what follows the notes."""
        note = self._last(_NOTE) or self._last(_COUNT)
        if note is None or not note.spelled:
            return None
        inner = self._last(_INNER)
        goes_on = parent is not None and title.number == parent.number + 1 > 1
        if parent is not None and goes_on and _kin(title, parent):
            return title.style
        if title.number == (inner.number if inner is not None else 0) + 1:
            return _INNER
        if self._plain and title.number == note.number + 1:
            return note.style
        return _INNER if parent is not None and parent.number and not goes_on else title.style

    def _last(self, style: str) -> Title | None:
        return next((other for other, _ in self._stack if other.style == style), None)


def _restarts(above: Title, style: str, rank: int) -> bool:
    """Whether numbers of a style begin anew under a heading that they would close otherwise."""
    return above.restart and (above.style == style or (style == _COUNT and not above.number and above.rank >= rank))


def _kin(title: Title, parent: Title) -> bool:
    return title.named == parent.named >= 0


def _following(number: int) -> range:
    return range(number + 1, number + 2 + bool(number))  # a note whose heading was not found may lie between
