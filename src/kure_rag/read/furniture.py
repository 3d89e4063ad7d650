"""Running headers and footers, and page numbers: what a page wears and does not say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from kure_rag.read.layout import Line

_EDGE: Final = 3  # lines at the top and at the bottom of a page that may be a header or a footer
_EDGE_GUESSED: Final = 2  # the same, where nothing is known about places
_LEAST: Final = 3  # pages: what stands on two of them may be said twice
_REPEATED: Final = 0.5  # of the pages: an edge line seen this often is no content
_OFTEN: Final = 0.3  # of the pages, for lines that stand at the very same place
_AHEAD: Final = 20  # pages: how far a page's number is ahead of the file's count, for covers and front matter
_YEARS: Final = range(1900, 2101)  # numbers that head a page's contents more often than they count pages
_BAND: Final = 0.12  # of the page's height at its top and bottom, where headers and footers are
_UPRIGHT: Final = 2.5  # times as high as wide: a word written downwards
_SAME_PLACE: Final = 4.0  # points that the place of a header varies by

_NUMBER = re.compile(r"\d+")
# Numbered headings run on from page to page as page numbers do.
_NUMBERED_HEADING = re.compile(
    r"\s*[\[<(【]?\s*(?:제\s*\d+\s*(?:편|장|절|관|조)"
    r"|(?:별표|별지|부록|붙임|첨부|표|그림|서식|사례|예시|예제|문제|문항|질문|질의|안건|사건|유형|단계|과제)(?![가-힣]))"
)
# What a printer or a browser puts on each page: it says nothing even once.
_STAMP = re.compile(r"https?://|www\.|\d{1,4}\s?[-./년]\s?\d{1,2}\s?[-./월]\s?\d{1,4}.{0,12}\b\d{1,2}:\d{2}")
# A page's number with its decoration: - 3 -, 3 / 12, 3쪽, Page 3 of 12, and what law.go.kr prints.
_PAGE_NUMBER = re.compile(
    r"\s*(?:[-–—‐―]\s*(?P<dashed>\d{1,4})\s*[-–—‐―]|[-–—‐―]?\s*(?P<of>\d{1,4})\s*/\s*\d{1,4}\s*(?:[-–—‐―]|쪽|페이지|면)?|(?P<plain>\d{1,4})|(?P<word>\d{1,4})\s*(?:쪽|페이지|면)"
    r"|(?:p|P|page|Page|PAGE)\.?\s*(?P<page>\d{1,4})(?:\s*(?:/|of)\s*\d{1,4})?|법제처\s+(?P<law>\d{1,4})\s+국가법령정보센터)\s*"
)


class _Seen(NamedTuple):
    """A line at a page's edge, and what makes it comparable."""

    at: int
    top: bool
    flat: str
    masked: str
    counts: tuple[tuple[int, int], ...]
    places: tuple[tuple[bool, str, int], ...]


def drop_furniture(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[list[Line]]:
    """Pages without page numbers and without running titles, but for the first time that each is printed.

    Only what stands in the bands at a page's top and bottom may go, and only if all that stands further out goes too.
    Digits do not count when lines are compared, so that page numbers are found; a line that is not the same in its
    digits too goes only if one of its numbers counts the pages. A page's number by itself at the edge of a page goes
    even where there are too few pages to compare.

    Args:
        pages: Lines of each page.
        heights: Of the pages, in points; zero where nothing is known about places.
    """
    seen = [
        [_look(p, page[i], i, top, heights[p]) for i, top in _edges(page, heights[p])] for p, page in enumerate(pages)
    ]
    is_furniture = _told_by(pages, heights, seen)
    # Hardly any line is as high, and asking each in full takes long.
    upright = [
        {i for i, line in enumerate(page) if line.top - line.bottom > _UPRIGHT * line.size and _is_tab(line)}
        for page in pages
    ]
    tabs = Counter(pages[p][i].text for p, page in enumerate(upright) for i in page)
    drops: list[set[int]] = []
    worn: list[tuple[int, _Seen, str]] = []  # what goes from all pages but the first, and its words
    for p, page in enumerate(pages):
        numbers = {line.at for line in seen[p] if _is_page_number(page[line.at], p, len(pages), heights[p], line.top)}
        aside = {i for i in upright[p] if tabs[page[i].text] >= max(_LEAST, _OFTEN * len(pages))}
        found = _outermost(page, seen[p], numbers, [line for line in seen[p] if is_furniture(p, line)])
        drops.append(numbers | aside | {line.at for line in found})
        worn += [
            (p, line, _words(line))
            for line in found
            if line.at not in numbers and not _STAMP.search(page[line.at].text)
        ]
    said = _said(pages, drops, {text for _, line, words in worn for text in (words, line.flat)})
    for p, line, words in worn:
        if words and words not in said and line.flat not in said:
            drops[p].discard(line.at)
            pages[p][line.at].worn = True
            said.update((words, line.flat))
    if len(pages) == _LEAST - 1:
        _mark_twice(pages, seen)
    return [[line for i, line in enumerate(page) if i not in drops[p]] for p, page in enumerate(pages)]


def _said(pages: Sequence[Sequence[Line]], drops: Sequence[set[int]], texts: set[str]) -> set[str]:
    """Those of some texts without white space that are a whole line of what stays."""
    first = {text[:1] for text in texts}
    return {
        flat
        for p, page in enumerate(pages)
        for i, line in enumerate(page)
        if line.text.lstrip()[:1] in first and i not in drops[p] and (flat := "".join(line.text.split())) in texts
    }


def _mark_twice(pages: Sequence[Sequence[Line]], seen: Sequence[Sequence[_Seen]]) -> None:
    """Marks what stands at one place of both pages of a file: perhaps said twice, but no part of the text beside it."""
    first, second = ({place for line in found for place in line.places} for found in seen)
    for page, found in zip(pages, seen, strict=True):
        for line in _outermost(page, found, set(), [line for line in found if {*line.places} & first & second]):
            page[line.at].worn = True


def _told_by(
    pages: Sequence[Sequence[Line]], heights: Sequence[float], seen: Sequence[Sequence[_Seen]]
) -> Callable[[int, _Seen], bool]:
    """Tells from all pages whether a line at the edge of one is furniture."""
    alike: Counter[tuple[bool, str]] = Counter()
    same: Counter[tuple[bool, str]] = Counter()
    placed: Counter[tuple[bool, str, int]] = Counter()
    counting: Counter[tuple[bool, str, int, int]] = Counter()
    for found in seen:
        alike.update({(line.top, line.masked) for line in found})
        same.update({(line.top, line.flat) for line in found})
        placed.update({line.places[0] for line in found if line.places})
        counting.update({(line.top, line.masked, *at) for line in found for at in line.counts})
    need = max(_LEAST, _REPEATED * len(pages))
    often = max(_LEAST, _OFTEN * len(pages))

    def is_furniture(p: int, line: _Seen) -> bool:
        if heights[p] and not _in_band(pages[p][line.at], heights[p], line.top):
            return False
        return (
            same[line.top, line.flat] >= need
            or any(placed[place] >= often for place in line.places)
            or (bool(heights[p]) and alike[line.top, line.masked] > 1 and bool(_STAMP.search(pages[p][line.at].text)))
            or (
                alike[line.top, line.masked] >= need
                and any(counting[line.top, line.masked, *at] >= _LEAST for at in line.counts)
            )
        )

    return is_furniture


def _outermost(page: Sequence[Line], seen: Sequence[_Seen], numbers: set[int], found: Sequence[_Seen]) -> list[_Seen]:
    """Those of the lines found that nothing said stands further out than, or beside."""
    gone = numbers | {line.at for line in found}
    kept = []
    for line in found:
        own = page[line.at]
        middle = (own.top + own.bottom) / 2
        others = (page[other.at] for other in seen if other.top == line.top and other.at not in gone)
        if not any(other.bottom > middle if line.top else other.top < middle for other in others):
            kept.append(line)
    return kept


def _words(line: _Seen) -> str:
    """What a line says besides its numbers, or all of it where they count no pages."""
    return "".join(filter(str.isalnum, line.masked)) if line.counts else line.flat


def _look(p: int, line: Line, at: int, top: bool, height: float) -> _Seen:
    flat = "".join(line.text.split())
    masked = _NUMBER.sub("#", flat)
    counts = () if masked == flat else tuple(_counts(line.text, p))
    return _Seen(at, top, flat, masked, counts, _places(line, flat, height, top))


def _edges(page: Sequence[Line], height: float) -> list[tuple[int, bool]]:
    """Positions of the outermost lines, and whether each is at the top. Tables end a page's edge."""
    order: Sequence[int] = range(len(page))
    if page and page[-1].column:  # several columns; the lines of one stand in order
        order = sorted(order, key=lambda i: -page[i].top - page[i].bottom)
    count = _EDGE if height else _EDGE_GUESSED
    edges = []
    for top, outer in ((True, order[:count]), (False, order[: -count - 1 : -1])):
        for i in outer:
            if page[i].table is not None:
                break
            edges.append((i, top))
    return edges


def _is_tab(line: Line) -> bool:
    """Whether a line is written downwards, as the names of chapters at the sides of a book's pages."""
    high = line.top - line.bottom
    return line.table is None and high > _UPRIGHT * (line.right - line.left) and high > _UPRIGHT * line.size


def _in_band(line: Line, height: float, top: bool) -> bool:
    return (
        height > 0 and line.size != 1.0 and (line.bottom > (1 - _BAND) * height if top else line.top < _BAND * height)
    )


def _places(line: Line, flat: str, height: float, top: bool) -> tuple[tuple[bool, str, int], ...]:
    """What and where a line at a page's edge is; the second place is the first one's neighbour, against rounding."""
    if not _in_band(line, height, top) or len(flat) < 2:
        return ()
    middle = (line.top + line.bottom) / 2 / _SAME_PLACE
    nearest = round(middle)
    return (top, flat, nearest), (top, flat, nearest + (1 if middle > nearest else -1))


def _is_page_number(line: Line, p: int, count: int, height: float, top: bool) -> bool:
    match = _PAGE_NUMBER.fullmatch(line.text)
    if match is None or not _in_band(line, height, top):
        return False
    if match.lastgroup in ("dashed", "law", "page", "of"):
        return True
    number = int(match[match.lastgroup or 0])
    return number == p + 1 or (count > 2 and p < number <= count + _AHEAD)


def _counts(line: str, p: int) -> list[tuple[int, int]]:
    """For each number of a line its place in the line and how far it is ahead of the page's position."""
    if _NUMBERED_HEADING.match(line) or (line.strip().isdecimal() and int(line.strip()[-9:]) in _YEARS):
        return []
    return [(at, int(number[-9:]) - p) for at, number in enumerate(_NUMBER.findall(line))]
