"""Running headers and footers, and page numbers: what a page wears and does not say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from kure_rag.read.layout import Line

_EDGE: Final = 3  # lines at the top and at the bottom of a page that may be a header or a footer
_EDGE_GUESSED: Final = 2  # the same, where nothing is known about places
_REPEATED: Final = 0.5  # of the pages: an edge line seen this often is no content
_OFTEN: Final = 0.3  # of the pages, for lines of which the place tells that they are no content
_BAND: Final = 0.12  # of the page's height at its top and bottom, where headers and footers are
_UPRIGHT: Final = 2.5  # times as high as wide: a word written downwards
_SAME_PLACE: Final = 4.0  # points that the place of a header varies by

_NUMBER = re.compile(r"\d+")
# Numbered headings run on from page to page as page numbers do.
_NUMBERED_HEADING = re.compile(
    r"\s*[\[<(【]?\s*(?:제\s*\d+\s*(?:편|장|절|관|조)|별표|별지|부록|붙임|첨부|표|그림|서식)"
)
# A page's number with its decoration: - 3 -, 3 / 12, 3쪽, Page 3 of 12, and what law.go.kr prints.
_PAGE_NUMBER = re.compile(
    r"\s*(?:[-–—‐―]\s*(?P<dashed>\d{1,4})\s*[-–—‐―]|[-–—‐―]?\s*(?P<of>\d{1,4})\s*/\s*\d{1,4}\s*[-–—‐―]?|(?P<plain>\d{1,4})|(?P<word>\d{1,4})\s*(?:쪽|페이지|면)"
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
    """Pages without running titles and page numbers.

    Digits do not count when lines are compared, so that page numbers are found; a line that is not the same in its
    digits too goes only if one of its numbers counts the pages. A page's number by itself at the edge of a page goes
    even where there are too few pages to compare.

    Args:
        pages: Lines of each page.
        heights: Of the pages, in points; zero where nothing is known about places.
    """
    seen: list[list[_Seen]] = []
    alike: Counter[tuple[bool, str]] = Counter()
    same: Counter[tuple[bool, str]] = Counter()
    placed: Counter[tuple[bool, str, int]] = Counter()
    counting: Counter[tuple[bool, str, int, int]] = Counter()
    for p, page in enumerate(pages):
        found = [_look(p, page[i], i, top, heights[p]) for i, top in _edges(page, heights[p])]
        seen.append(found)
        alike.update({(line.top, line.masked) for line in found})
        same.update({(line.top, line.flat) for line in found})
        placed.update({line.places[0] for line in found if line.places})
        counting.update({(line.top, line.masked, *at) for line in found for at in line.counts})
    need = max(3, _REPEATED * len(pages))
    often = max(2, _OFTEN * len(pages))

    def is_furniture(p: int, line: _Seen) -> bool:
        return (
            same[line.top, line.flat] >= need
            or any(placed[place] >= often for place in line.places)
            or _is_page_number(pages[p][line.at], p, len(pages), heights[p], line.top)
            or (
                alike[line.top, line.masked] >= need
                and any(counting[line.top, line.masked, *at] >= 3 for at in line.counts)
            )
        )

    upright = [{i for i, line in enumerate(page) if _is_tab(line)} for page in pages]
    tabs = Counter(pages[p][i].text for p, page in enumerate(upright) for i in page)
    kept = []
    for p, page in enumerate(pages):
        drop = {line.at for line in seen[p] if is_furniture(p, line)}
        drop |= {i for i in upright[p] if tabs[page[i].text] >= max(often, 3)}
        kept.append([line for i, line in enumerate(page) if i not in drop])
    return kept


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
    return number == p + 1 or (number > p and count > 2)


def _counts(line: str, p: int) -> list[tuple[int, int]]:
    """For each number of a line its place in the line and how far it is ahead of the page's position."""
    if _NUMBERED_HEADING.match(line):
        return []
    return [(at, int(number[-9:]) - p) for at, number in enumerate(_NUMBER.findall(line))]
