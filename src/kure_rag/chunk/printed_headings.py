"""Headings that a document's type shows: lines printed larger than the text, as the reader found them.

A heading known by its number keeps that number's rules; its size tells only which printed headings it ends. Markdown
marks its headings and says their levels: there nothing else is one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from kure_rag.chunk.markers import ANSWER, QUESTION
from kure_rag.chunk.names import PART_RANK
from kure_rag.chunk.titles import MINOR_RANK, PRINTED, UNNUMBERED, Line, Title, rank_of, reads_as_title
from kure_rag.types import Document

_KEY: Final = "headings"
# 「(Blockchain) (Next AI) (Hyper-Connected」 below 「블록체인 차세대 AI 초연결 네트워킹」
_GLOSSES: Final = re.compile(r"(?:\([A-Za-z][^()가-힣]*\)?\s*){2,}")
_RANK: Final = -1  # closed by size, and by no rank
_LONGEST: Final = 44  # characters
_NO_KIND: Final = (PRINTED, UNNUMBERED, "contents")
_CONTENTS: Final = re.compile(r"\W*(?:목\s*차|차\s*례|(?i:contents))\W*")
_ANNEX: Final = re.compile(r"[\[<【〔(]?\s?(?:붙임|첨부|별지|별첨|별표|부록|서식)\s?\d")


class PrintedHeading(NamedTuple):
    """A line, or two, in large type.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        level: From 1 on, the largest type first.
    """

    start: int
    end: int
    level: int


def printed_headings(document: Document) -> tuple[PrintedHeading, ...]:
    """What the reader found, from ``metadata["headings"]``; nothing for documents that are not printed.

    A record's own metadata may use that name for something else, which is left alone.
    """
    stored = document.metadata.get(_KEY)
    if not isinstance(stored, list | tuple):
        return ()
    found = [PrintedHeading(*entry) for entry in stored if isinstance(entry, list | tuple) and _is_whole(entry)]
    inside = all(0 <= heading.start < heading.end <= len(document.text) and heading.level > 0 for heading in found)
    return tuple(found) if len(found) == len(stored) and inside else ()


def marks_headings(document: Document, found: Sequence[PrintedHeading]) -> bool:
    """Whether the headings found are all there are: a Markdown file's, if it has more than its title."""
    return document.metadata.get("file_type") == "md" and len(found) > 1


def marked_titles(lines: Sequence[Line], marked: Sequence[PrintedHeading]) -> dict[int, Title]:
    """Headings by position, where only those are that were marked. A question stays with its answer."""
    places = {line.start: i for i, line in enumerate(lines) if not line.table}
    found = ((places[heading.start], heading) for heading in marked if heading.start in places)
    return {
        i: Title(PRINTED, _RANK, heading.end - heading.start, level=heading.level)
        for i, heading in found
        if not (QUESTION.match(lines[i].text) or ANSWER.match(lines[i].text))
    }


def _is_whole(entry: Sequence[object]) -> bool:
    return len(entry) == len(PrintedHeading._fields) and all(type(value) is int for value in entry)


def within(document: Document, start: int, end: int) -> dict[str, object]:
    """The metadata of a part of a document: its headings with offsets into that part."""
    part = [[h.start - start, h.end - start, h.level] for h in printed_headings(document) if start <= h.start < end]
    return {**document.metadata, _KEY: part}


def with_printed(
    lines: Sequence[Line], titles: Mapping[int, Title], printed: Sequence[PrintedHeading]
) -> dict[int, Title]:
    """Headings by position: those found in the text, with their levels, and those that type alone shows."""
    if not printed:
        return dict(titles)
    places = {line.start: i for i, line in enumerate(lines) if not (line.table or line.contents)}
    large = {places[heading.start]: heading for heading in printed if heading.start in places}
    large = {i: heading for i, heading in large.items() if not _has_glosses(lines, i, heading.end)}
    unknown = {i for i in large if i not in titles and _is_unknown(lines[i])}
    # Where most headings of a level go by names, as in a patent, the names say what stands under what.
    more = Counter(large[i].level for i in unknown)
    more.subtract(large[i].level for i in large if i in titles and _is_named(titles[i]))
    out = dict(titles)
    for i, heading in large.items():
        title = titles.get(i) or _numbered(lines[i])
        length = heading.end - heading.start
        if i in unknown and _ANNEX.match(lines[i].text):
            out[i] = Title("annex", 0, length, level=heading.level)
        elif i in unknown or (title is not None and _is_named(title) and more[heading.level] >= 0):
            named = -1 if title is None else title.named
            out[i] = Title(PRINTED, _RANK, length, named=named, level=heading.level)
        elif title is not None:
            whole = title.length == len(lines[i].text)
            out[i] = replace(title, level=heading.level, length=length if whole else title.length)
        if i in out:
            for j in range(i + 1, len(lines)):
                if lines[j].start >= heading.end:
                    break
                out.pop(j, None)
    for i, title in out.items():
        if _CONTENTS.fullmatch(lines[i].text):
            out[i] = replace(title, style="contents", rank=PART_RANK, level=0)
    return out | _levelled(out)


def _has_glosses(lines: Sequence[Line], i: int, end: int) -> bool:
    """Whether the names of several things in another language stand below: those of a figure, side by side."""
    below = next((line for line in lines[i + 1 : i + 3] if line.start >= end), None)
    return below is not None and " " in lines[i].text and _GLOSSES.match(below.text) is not None


def _levelled(titles: Mapping[int, Title]) -> dict[int, Title]:
    """Headings whose size was not told, where that of most of their kind was: they have the commonest level."""
    of_style: defaultdict[str, list[int]] = defaultdict(list)
    for title in titles.values():
        if title.style not in _NO_KIND:
            of_style[title.style].append(title.level)
    usual = {
        style: Counter(filter(None, levels)).most_common(1)[0][0]
        for style, levels in of_style.items()
        if 2 * sum(level > 0 for level in levels) > len(levels)
    }
    return {
        i: replace(title, level=usual[title.style])
        for i, title in titles.items()
        if not title.level and title.style in usual
    }


def _numbered(line: Line) -> Title | None:
    """A number that no count of headings holds is one where its type is large."""
    marker = line.marker
    rank = rank_of(marker.style) if marker is not None and marker.number else None
    if marker is None or rank is None or rank >= MINOR_RANK or not reads_as_title(line, _LONGEST):
        return None
    return Title(marker.style, rank, len(line.text), marker.number)


def _is_unknown(line: Line) -> bool:
    """Whether no number says what the line is."""
    numbered = line.marker is not None and line.marker.number > 0
    return not numbered and not QUESTION.match(line.text) and not ANSWER.match(line.text)


def _is_named(title: Title) -> bool:
    return not title.restart and not title.number and (title.style == UNNUMBERED or title.style.startswith("name"))
