"""Page numbers: alone at a page's edge, or beside a running title.

One page shows little, so numbers are believed for what several of them do together: they stand at one height, count the
pages, and in books stand at the outer side, the even ones on the left and the odd ones on the right. Files are often
excerpts of longer ones: numbers may begin anywhere and leave some out. Where there is nothing to compare, only what can
be nothing else is believed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from kure_rag.read.inside import Inside
from kure_rag.read.layout import Line

_LEAST: Final = 3  # pages whose numbers count on in step
_AHEAD: Final = 20  # pages: how far a page's number is ahead of the file's count, for covers and front matter
_FEW: Final = 2  # pages: too few for numbers to tell anything by counting
_BAND: Final = 0.09  # of the page's height at its top and bottom, where a number is believed by its place alone
_SAME_PLACE: Final = 4.0  # points that the height of page numbers varies by
_ALIGNED: Final = 8.0  # points between a number and the side or the centre of what is printed
_FAR_APART: Final = 2.0  # of a line's size between it and the text, where a title stands beside the number
_SMALLER: Final = 0.95  # of the size of the nearest line of the text
_SHORTEST: Final = 4  # letters of a running title
_LONGEST: Final = 45  # characters of one
YEARS: Final = range(1900, 2101)  # numbers that head a page's contents more often than they count pages

# Numbered headings run on from page to page as page numbers do.
NUMBERED_HEADING: Final = re.compile(
    r"\s*[\[<(【]?\s*(?:제\s*\d+\s*(?:편|장|절|관|조)"
    r"|(?:별표|별지|부록|붙임|첨부|표|그림|서식|사례|예시|예제|문제|문항|질문|질의|안건|사건|유형|단계|과제|참고|참고자료|별첨|도면|사진|양식)(?![가-힣]))"
)
# A page's number with its decoration: - 3 -, - iii -, 3 / 12, 3쪽, Page 3 of 12, and what law.go.kr prints.
_ALONE: Final = re.compile(
    r"\s*(?:[-–—‐―]\s*(?:(?P<dashed>\d{1,4})|[ivxlIVXLⅰ-ⅿⅠ-Ⅿ]{1,6})\s*[-–—‐―]"
    r"|[-–—‐―]?\s*(?P<of>\d{1,4})\s*/\s*\d{1,4}\s*(?:[-–—‐―]|쪽|페이지|면)?"
    r"|(?P<plain>\d{1,4})|(?P<word>\d{1,4})\s*(?:쪽|페이지|면)"
    r"|(?:p|P|page|Page|PAGE)\.?\s*(?P<page>\d{1,4})(?:\s*(?:/|of)\s*\d{1,4})?"
    r"|법제처\s+(?P<law>\d{1,4})\s+국가법령정보센터)\s*"
)
# 12 여비 규정, 12 · 여비 규정, 여비 규정 | 13, 여비 규정 - 13 - 새여울재단. Not: 1. 여비, 여비 1.5
_LAST: Final = frozenset("0123456789-–—‐―쪽지면")
_DASHED: Final = re.compile(r"\d\s?[-–—―]\s")
_HYPHENS: Final = ("", "-", "–", "—", "―")  # they stand in headings too
_DIVIDED: Final = r"\s*[-–—―·∙•ㆍ・|│❘]\s*"
_BEFORE: Final = re.compile(rf"\s*(?P<number>[1-9]\d{{0,3}})(?:(?P<divided>{_DIVIDED})|\s+)(?P<title>[^\d\s].*)")
_AFTER: Final = re.compile(
    rf"\s*(?P<title>.*[^\d\s,.\-–—―·∙•ㆍ・|│❘])(?:(?P<divided>{_DIVIDED}(?:(?:p|page)\.?\s?)?)|\s+)(?P<number>[1-9]\d{{0,3}})"
    r"(?:\s*(?:쪽|페이지|면|[-–—―]))?\s*"
)
_WITHIN: Final = re.compile(
    r"\s*(?P<title>\S.*?)\s(?P<divided>[-–—―])\s?(?P<number>[1-9]\d{0,3})\s?[-–—―](?=\s)(?P<rest>.*)"
)
# What stands beside a number and is no running title: notes, sources, values, telephone numbers, sentences.
_NO_TITLE: Final = re.compile(
    r"[※*○□ㅇ■●▲△(<\[]|(?:주|자료|출처|단위|그림|표|합계|총계|소계|계|비고|전화|문의|발행|기준|Tel|TEL|Fax|FAX|ISBN|ISSN|[Vv]ol|[Nn]o)(?![가-힣])"
    r"|.*(?:[-.,/:~]\s?\d|[%☎@=]|(?:제|[Vv]ol\.?|[Nn]o\.?)$|다$|[.?!,:;]$)"
)

Side = Literal["alone", "before", "after", "within"]


class Numbered(NamedTuple):
    """A line at a page's edge that may bear the page's number.

    Attributes:
        page: Position of the page, from 0.
        at: Position of the line among those of the page.
        top: Whether it stands at the page's top.
        number: What it counts.
        side: Where the number stands: alone, before its title, after it, or within.
        divided: Whether a dash, dot or bar stands between the number and its title.
        middle: Height of the line on the page, in points.
    """

    page: int
    at: int
    top: bool
    number: int
    side: Side
    divided: bool
    middle: float


def bears_number(text: str) -> bool:
    """Whether a line could be a page's number beside a title."""
    if _ALONE.fullmatch(text):
        return False
    matches = (pattern.fullmatch(text) for pattern in (_WITHIN, _BEFORE, _AFTER))
    return any(match is not None and int(match["number"]) not in YEARS for match in matches)


def find_page_numbers(
    pages: Sequence[Sequence[Line]], heights: Sequence[float], edges: Sequence[Iterable[tuple[int, bool]]]
) -> list[set[int]]:
    """Positions of the lines of each page that are its number, with or without a running title.

    Args:
        pages: Lines of each page.
        heights: Of the pages, in points.
        edges: For each page the lines where its number may be: their positions, and whether at the top.
    """
    found: list[set[int]] = [set() for _ in pages]
    doubtful: list[Numbered] = []
    for p, page in enumerate(pages):
        for at, top in edges[p]:
            if not _may_be(page[at].text):
                continue
            if _is_number_of(page[at].text, p, len(pages)):
                found[p].add(at)
            elif (numbered := _numbered(page[at], p, at, top)) is not None:
                doubtful.append(numbered)
    rest = []
    steps = _steps(doubtful)
    for line in doubtful:
        if _in_step(line, steps, pages):
            found[line.page].add(line.at)
        else:
            rest.append(line)
    for line in _skipping(rest, pages):
        found[line.page].add(line.at)
    if len(pages) <= _FEW:
        for line in rest:
            if _unmistakable(line, pages[line.page], heights[line.page]):
                found[line.page].add(line.at)
    return found


def _height(line: Line) -> float:
    return line.top - line.bottom


# One line


def _may_be(text: str) -> bool:
    """Hardly any line begins or ends with a number, and asking each in full takes long."""
    if len(text) > 2 * _LONGEST:
        return False
    text = text.strip()
    return text[:1].isdecimal() or text[-1:] in _LAST or _DASHED.search(text) is not None or "법제처" in text


def _is_number_of(text: str, p: int, count: int) -> bool:
    """Whether a line is a number and that of its page, by its form or by counting from the file's first page."""
    match = _ALONE.fullmatch(text)
    if match is None:
        return False
    if match.lastgroup not in ("plain", "word"):
        return True
    number = int(match[match.lastgroup])
    return number == p + 1 or (count > _FEW and p < number <= count + _AHEAD)


def _numbered(line: Line, p: int, at: int, top: bool) -> Numbered | None:
    text, middle = line.text, (line.top + line.bottom) / 2
    if (match := _ALONE.fullmatch(text)) is not None:
        number = int(match[match.lastgroup or 0])
        plain = number > 0 and number not in YEARS and not text.strip().startswith("0")
        return Numbered(p, at, top, number, "alone", True, middle) if plain else None
    sides: tuple[tuple[re.Pattern[str], Side], ...] = ((_WITHIN, "within"), (_BEFORE, "before"), (_AFTER, "after"))
    for pattern, side in sides:
        if (match := pattern.fullmatch(text)) is None:
            continue
        number, divided = int(match["number"]), (match["divided"] or "").strip()
        if number in YEARS or sum(map(str.isalpha, match["title"])) < 2:
            return None
        if side == "after" and divided in _HYPHENS and NUMBERED_HEADING.match(text):
            return None
        heading = side == "before" and divided in _HYPHENS  # 2 - 여비
        return Numbered(p, at, top, number, side, bool(divided) and not heading, middle)
    return None


# Several pages


def _steps(lines: Sequence[Numbered]) -> dict[tuple[bool, int, int], list[Numbered]]:
    """Lines by edge, by how far their number is ahead of the page's position, and by height."""
    steps: dict[tuple[bool, int, int], list[Numbered]] = defaultdict(list)
    for line in lines:
        steps[line.top, line.number - line.page, round(line.middle / _SAME_PLACE)].append(line)
    return dict(steps)


def _in_step(
    line: Numbered, steps: dict[tuple[bool, int, int], list[Numbered]], pages: Sequence[Sequence[Line]]
) -> bool:
    """Whether a number goes on counting with those at its height of other pages."""
    place = line.middle / _SAME_PLACE
    nearest = round(place)
    near = nearest + (1 if place > nearest else -1)
    ahead = line.number - line.page
    some = [*steps.get((line.top, ahead, nearest), ()), *steps.get((line.top, ahead, near), ())]
    if len({other.page for other in some}) < _LEAST:
        return False
    if line.side == "alone" or line.divided or _as_in_books(some):
        return True
    # Headings of one page each look the same, but are not there twice.
    title = _letters(pages[line.page][line.at].text)
    repeated = sum(_letters(pages[other.page][other.at].text) == title for other in some) >= 2
    return repeated and 2 * len(some) >= len(pages) and _stands_apart(line, pages[line.page])


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def _as_in_books(lines: Sequence[Numbered]) -> bool:
    """Whether even numbers stand before their titles and odd ones after them, and there are both."""
    sides = {(line.number % 2, line.side) for line in lines if line.side in ("before", "after")}
    return sides == {(0, "before"), (1, "after")}


def _skipping(lines: Sequence[Numbered], pages: Sequence[Sequence[Line]]) -> list[Numbered]:
    """Lines of an excerpt that leaves pages out: on most pages, at one height, their numbers never counting slower."""
    found: list[Numbered] = []
    heights: Counter[tuple[bool, int]] = Counter()
    for line in lines:
        heights[line.top, round(line.middle / _SAME_PLACE)] += 1
    for (top, place), count in heights.items():
        some = [line for line in lines if line.top == top and abs(line.middle / _SAME_PLACE - place) <= 1.0]
        if count < 2 or len(some) * 2 < len(pages) or len({line.page for line in some}) < len(some):
            continue
        grows = all(b.number - a.number >= b.page - a.page for a, b in pairwise(some))
        alone = len(some) >= _LEAST and all(line.side == "alone" and not _in_row(line, pages) for line in some)
        if grows and (alone or _as_in_books(some)) and all(_stands_apart(line, pages[line.page]) for line in some):
            found += some
    return found


def _in_row(line: Numbered, pages: Sequence[Sequence[Line]]) -> bool:
    page = pages[line.page]
    own = page[line.at]
    return any(_beside(own, other) for other in page if other is not own)


def _stands_apart(line: Numbered, page: Sequence[Line]) -> bool:
    return Inside(page).is_apart(page[line.at], line.top)


# A page by itself


def _unmistakable(line: Numbered, page: Sequence[Line], height: float) -> bool:
    """Whether the place of a line alone tells that it is the page's number."""
    own = page[line.at]
    outer = line.middle > (1 - _BAND) * height if line.top else line.middle < _BAND * height
    others = [other for other in page if other is not own]
    inside = Inside(others)
    near = inside.nearest(own, line.top)
    if not outer or near is None or any(_beside(own, other) for other in others):
        return False
    left, right = min(other.left for other in others), max(other.right for other in others)
    on_left, on_right = own.left <= left + _ALIGNED, own.right >= right - _ALIGNED
    if line.side == "alone":
        central = abs(own.left + own.right - left - right) <= 2 * _ALIGNED
        stacked = near.text.strip().isdecimal()  # the figures beside a chart
        return inside.is_apart(own, line.top) and not stacked and (on_left or on_right or central)
    match = (_BEFORE if line.side == "before" else _AFTER).fullmatch(own.text)
    if match is None or _NO_TITLE.match(match["title"].strip()):
        return False
    if not _SHORTEST <= len(_letters(match["title"])) <= len(match["title"]) <= _LONGEST:
        return False
    smaller = near.table is None and own.size <= _SMALLER * near.size
    outside = on_left if line.side == "before" else on_right
    in_book = (line.number % 2 == 0) == (line.side == "before")
    return smaller and outside and in_book and inside.is_apart(own, line.top, _FAR_APART)


def _beside(line: Line, other: Line) -> bool:
    return min(line.top, other.top) - max(line.bottom, other.bottom) > 0.5 * min(_height(line), _height(other))
