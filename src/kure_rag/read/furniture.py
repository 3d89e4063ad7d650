"""Running headers and footers, and page numbers: what a page wears and does not say."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from kure_rag.read.inside import Inside
from kure_rag.read.layout import Line
from kure_rag.read.page_numbers import NUMBERED_HEADING, YEARS, bears_number, find_page_numbers

_EDGE: Final = 3  # lines at the top and at the bottom of a page that may be a header or a footer
_EDGE_GUESSED: Final = 2  # the same, where nothing is known about places
_LEAST: Final = 3  # pages: what stands on two of them may be said twice
_REPEATED: Final = 0.5  # of the pages: an edge line seen this often is no content
_OFTEN: Final = 0.3  # of the pages, for lines that stand at the very same place
_BAND: Final = 0.12  # of the page's height at its top and bottom, where headers and footers are
_UPRIGHT: Final = 2.5  # times as high as wide: a word written downwards
_SAME_PLACE: Final = 4.0  # points that the place of a header varies by
_SAME_ENDS: Final = 2.0  # points
_AS_LARGE: Final = 1.15  # of the size of a running title: larger, it is the title on page one
_APART: Final = 1.5  # of a line's size between it and the text: headers and footers stand apart
_FAR_APART: Final = 2.5  # the same, where text stands on many pages: sections are further apart than lines
_WIDEST: Final = 2.0  # of a line's size: lines of one text are no further apart
_ENOUGH: Final = 100  # pages: they tell how far lines are apart
_FURTHER: Final = 1.5  # times the usual distance of two lines, the same
_MARGIN: Final = 0.07  # of the page's height: hardly any text stands further out
_REACH: Final = 0.1  # of the pages: those whose text reaches furthest out do not count
_RUN: Final = 4  # pages in a row, or left or right ones, with the same line apart from the text: a part's title
_STRIDE: Final = 2  # from a left page to the next one

_NUMBER = re.compile(r"\d+")
# What a printer or a browser puts on each page: it says nothing even once.
_TIME = re.compile(r"\d{1,4}\s?[-./년]\s?\d{1,2}\s?[-./월]\s?\d{1,4}.{0,12}\b\d{1,2}:\d{2}")
_STAMP = re.compile(rf"https?://|www\.|{_TIME.pattern}")
_ADDRESS = re.compile(r"https?://\S+.*\s\d{1,4}/\d{1,4}\s*$")

# What says something wherever it stands: items of lists, notes, sources, fields of a form, sentences.
_SAID = re.compile(
    r"\s*(?:[※*○◯◦□■ㅇ●◆◇▶▷▪•·ㆍ∙▲△☞【〔]|[-–—]\s(?!.*[-–—]\s*$)|[①-⑳]|\(?\d{1,2}\)\s|[가-하][.)]\s"
    r"|[가-힣][가-힣 ]{0,11}\d{0,2}\s?[:：](?!//)|주\s?\d{0,2}\s?\))"
    r"|.*(?:[가-힣]\.|[?!。]|다|\(\s*(?:인|서명|날인|서명\s?또는\s?날?인)\s*\)|년\s+월\s+일|귀[하중])\s*$"
)
_OF_ANOTHER_KIND = re.compile(r"(?!쪽|페이지|면)[가-힣]")  # a number before it counts no pages: 2단계, 3차, 2024년

_Place = tuple[bool, str, int]  # an edge, a text without white space, a height


class _Seen(NamedTuple):
    """A line at a page's edge, and what makes it comparable."""

    page: int
    at: int
    top: bool
    flat: str
    masked: str
    places: tuple[_Place, ...]


def drop_furniture(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[list[Line]]:
    """Pages without page numbers and without running titles, but for the first time that each is printed.

    Only what stands in the bands at a page's top and bottom may go, and only if all that stands further out goes too.
    A line that is printed on many pages goes if it stands at the same place of them and further from the text than the
    text's lines from each other: products, forms and reports may end with the same words on each page. Items of lists,
    notes, sources, fields and sentences go only from the margin that the text of hardly any page reaches.

    Digits do not count when lines are compared, so that page numbers are found; a line that is not the same in its
    digits too goes only if one of its numbers counts the pages. Page numbers go from every page, and with them the
    titles printed beside them, see :func:`kure_rag.read.page_numbers.find_page_numbers`.

    Args:
        pages: Lines of each page.
        heights: Of the pages, in points; zero where nothing is known about places.
    """
    seen = [
        [_look(p, page[i], i, top, height) for i, top in _edges(page, height)]
        for p, (page, height) in enumerate(zip(pages, heights, strict=True))
    ]
    in_bands = [
        [(line.at, line.top) for line in found if _in_band(page[line.at], height, line.top)]
        for page, found, height in zip(pages, seen, heights, strict=True)
    ]
    numbered = find_page_numbers(pages, heights, in_bands)
    told = _Told(pages, heights, seen, numbered)
    beside = _titles_beside(pages, seen, numbered)
    # Hardly any line is as high, and asking each in full takes long.
    upright = [
        {i for i, line in enumerate(page) if line.top - line.bottom > _UPRIGHT * line.size and _is_tab(line)}
        for page in pages
    ]
    tabs = Counter(pages[p][i].text for p, page in enumerate(upright) for i in page)
    drops: list[set[int]] = []
    worn: list[tuple[int, _Seen, str]] = []  # what goes from all pages but the first, and its words
    for p, page in enumerate(pages):
        alone = {at for at in numbered[p] if not bears_number(page[at].text)}
        aside = {i for i in upright[p] if tabs[page[i].text] >= max(_LEAST, _OFTEN * len(pages))}
        with_number = {
            line.at
            for line in seen[p]
            if line.at in numbered[p]
            or (beside and any(page[line.at].size <= _AS_LARGE * beside.get(place, 0.0) for place in _titles(line)))
        }
        found = [line for line in seen[p] if line.at in with_number or told.is_furniture(p, line)]
        found = _outermost(page, seen[p], alone, [line for line in found if not told.is_heading(line, found)])
        drops.append(alone | aside | {line.at for line in found})
        worn += [
            (p, line, _words(line, page[line.at].text))
            for line in found
            if line.at not in with_number | alone
            and not _STAMP.search(page[line.at].text)
            and not (told.is_counting(line) and bears_number(page[line.at].text))
        ]
    said = _said(pages, drops, {text for _, line, words in worn for text in (words, line.flat)})
    for p, line, words in worn:
        if words and words not in said and line.flat not in said:
            drops[p].discard(line.at)
            pages[p][line.at].worn = True
            said.update((words, line.flat))
    if len(pages) == _LEAST - 1:
        drops[1] |= _twice(pages, seen, drops, told)
    return [[line for i, line in enumerate(page) if i not in drops[p]] for p, page in enumerate(pages)]


def _titles(line: _Seen) -> list[_Place]:
    """The places of a line, with its letters alone."""
    letters = "".join(filter(str.isalpha, line.flat))
    return [(top, letters, nearest) for top, _, nearest in line.places] if len(letters) > 1 else []


def _titles_beside(
    pages: Sequence[Sequence[Line]], seen: Sequence[Sequence[_Seen]], numbered: Sequence[set[int]]
) -> dict[_Place, float]:
    """What stands beside page numbers, where, and how large: on some pages the title is there without a number."""
    beside: dict[_Place, float] = {}
    for page, found, numbers in zip(pages, seen, numbered, strict=True):
        for line in found:
            if line.at in numbers and bears_number(page[line.at].text):
                for place in _titles(line)[:1]:
                    beside[place] = max(beside.get(place, 0.0), page[line.at].size)
    return beside


def _said(pages: Sequence[Sequence[Line]], drops: Sequence[set[int]], texts: set[str]) -> set[str]:
    """Those of some texts without white space that are a whole line of what stays."""
    if not texts:
        return set()
    first = {text[:1] for text in texts}
    return {
        flat
        for p, page in enumerate(pages)
        for i, line in enumerate(page)
        if line.text.lstrip()[:1] in first and i not in drops[p] and (flat := "".join(line.text.split())) in texts
    }


def _twice(
    pages: Sequence[Sequence[Line]], seen: Sequence[Sequence[_Seen]], gone: Sequence[set[int]], told: _Told
) -> set[int]:
    """What stands at one place of both pages of a file is no part of the text beside it, and may be said twice.

    Returns:
        Lines of the second page that are the same as on the first, from end to end and apart from the text.
    """
    seen = [
        [line for line in found if not _SAID.match(page[line.at].text)] for page, found in zip(pages, seen, strict=True)
    ]
    first, second = ({place: line for line in found for place in line.places} for found in seen)
    shared = first.keys() & second.keys()
    alike = [[line for line in found if shared.intersection(line.places)] for found in seen]
    found = [_outermost(page, *some) for page, some in zip(pages, zip(seen, gone, alike, strict=True), strict=True)]
    again = set()
    for page, lines in zip(pages, found, strict=True):
        for line in lines:
            page[line.at].worn = True
    for line in found[1]:
        own, before = pages[1][line.at], pages[0][next(first[place] for place in line.places if place in first).at]
        rest = [other for i, other in enumerate(pages[1]) if i not in {some.at for some in found[1]}]
        if before.worn and _ends_alike(own, before) and Inside(rest).is_apart(own, line.top, told.least_at(1, line)):
            again.add(line.at)
    return again


def _ends_alike(line: Line, other: Line) -> bool:
    return abs(line.left - other.left) <= _SAME_ENDS and abs(line.right - other.right) <= _SAME_ENDS


class _Told:
    """What all pages tell about a line at the edge of one."""

    def __init__(
        self,
        pages: Sequence[Sequence[Line]],
        heights: Sequence[float],
        seen: Sequence[Sequence[_Seen]],
        numbered: Sequence[set[int]],
    ) -> None:
        self.pages, self.heights, self.seen = pages, heights, seen
        self.alike: Counter[tuple[bool, str]] = Counter()
        self.same: Counter[tuple[bool, str]] = Counter()
        self.placed: Counter[_Place] = Counter()
        self.need = max(_LEAST, _REPEATED * len(pages))
        self.often = max(_LEAST, _OFTEN * len(pages))
        for found in seen:
            self.alike.update({(line.top, line.masked) for line in found})
            self.same.update({(line.top, line.flat) for line in found})
            self.placed.update({line.places[0] for line in found if line.places})
        # Only lines that are alike on most pages are asked for their numbers.
        self.counting: Counter[tuple[bool, str, int, int]] = Counter()
        for found in seen:
            self.counting.update({(line.top, line.masked, *at) for line in found for at in self._counts(line)})
        self.runs = _runs(seen)
        self.printed = _is_printed(pages, seen)
        self.least = max(_APART, _FURTHER * _usual_distance(pages, seen))
        self.apart = [self._apart(p, numbered[p]) for p in range(len(pages))]
        self.placed_apart: Counter[_Place] = Counter()
        self.alike_apart: Counter[tuple[bool, str]] = Counter()
        for found, apart in zip(seen, self.apart, strict=True):
            self.placed_apart.update({line.places[0] for line in found if line.places and line.at in apart})
            self.alike_apart.update({(line.top, line.masked) for line in found if line.at in apart})
        self.numbered = numbered

    def is_furniture(self, p: int, line: _Seen) -> bool:
        own, height = self.pages[p][line.at], self.heights[p]
        if not height:  # nothing is known about places
            return self.same[line.top, line.flat] >= self.need or self.is_counting(line)
        if not self._may_be(line) or not _in_band(own, height, line.top):
            return False
        stamps = self.alike[line.top, line.masked] > 1 or self.printed
        repeated = (
            any(self.placed[place] >= self.often and self._mostly_apart(place) for place in line.places)
            or (stamps and bool(_STAMP.search(own.text)) and self._alike_apart(line))
            or (self.is_counting(line) and self._alike_apart(line))
            or (self._runs_on(line) and line.at in self.apart[p])
        )
        if not repeated or not _SAID.match(own.text):
            return repeated
        return self._outside(p, own, line.top) <= min(self.reach[line.top], _MARGIN * height)

    def is_counting(self, line: _Seen) -> bool:
        """Whether a line is the same on most pages but for a number that counts them."""
        return any(self.counting[line.top, line.masked, *at] >= _LEAST for at in self._counts(line))

    def _counts(self, line: _Seen) -> list[tuple[int, int]]:
        if line.masked == line.flat or self.alike[line.top, line.masked] < self.need:
            return []
        return _counts(self.pages[line.page][line.at].text, line.page)

    def is_heading(self, line: _Seen, found: Sequence[_Seen]) -> bool:
        """Whether a line is what the running title above it was taken from, such as the title on page one."""
        if not line.top or not line.places or self._is_placed(line):
            return False
        return any(other.top and other.flat == line.flat and other.places > line.places for other in found)

    def _may_be(self, line: _Seen) -> bool:
        """Whether a line is on any other page too: the others are spared all further questions."""
        return self.alike[line.top, line.masked] > 1 or self.printed or self._is_placed(line)

    def _is_placed(self, line: _Seen) -> bool:
        return bool(line.places) and max([self.placed[place] for place in line.places]) >= _LEAST

    def _runs_on(self, line: _Seen) -> bool:
        return any(self.runs.get(place, 0) >= _RUN for place in line.places)

    def least_at(self, p: int, line: _Seen) -> float:
        """How far from the text a line must be to stand apart from it, in sizes."""
        outer = self._outside(p, self.pages[p][line.at], line.top) <= _MARGIN * self.heights[p]
        return self.least if outer else max(self.least, _FAR_APART)

    def _mostly_apart(self, place: _Place) -> bool:
        return 2 * self.placed_apart[place] >= self.placed[place]

    def _alike_apart(self, line: _Seen) -> bool:
        return 2 * self.alike_apart[line.top, line.masked] >= self.alike[line.top, line.masked]

    def _is_repeated(self, line: _Seen) -> bool:
        return self._is_placed(line) or self.is_counting(line)

    def _apart(self, p: int, numbers: set[int]) -> set[int]:
        """Lines at a page's edges that are apart from the text, or from what is and is repeated too."""
        page = self.pages[p]
        apart: set[int] = set()
        skipped = set(numbers)
        rest: Inside | None = None
        for line in reversed(self.seen[p]):  # from the text outwards
            own = page[line.at]
            if not self._may_be(line) or not _in_band(own, self.heights[p], line.top):
                continue
            rest = rest or Inside(page, skipped)
            if rest.is_apart(own, line.top, self.least_at(p, line)):
                apart.add(line.at)
                if self._is_repeated(line) and rest.goes_on(own, line.top):
                    skipped.add(line.at)
                    rest = None
        return apart

    def _outside(self, p: int, line: Line, top: bool) -> float:
        """How far the inner side of a line is from the page's edge."""
        return self.heights[p] - line.bottom if top else line.top

    @functools.cached_property
    def reach(self) -> dict[bool, float]:
        """How far from the edges the text of most pages stays."""
        tops, bottoms = [], []
        for p, page in enumerate(self.pages):
            some = {line.at for line in self.seen[p] if self._is_repeated(line)} | self.numbered[p]
            text = [line for i, line in enumerate(page) if i not in some] if some else page
            tops.append(self.heights[p] - max([line.top for line in text]) if text else 0.0)
            bottoms.append(min([line.bottom for line in text], default=0.0))
        at = int(_REACH * len(tops))
        return {top: sorted(nearest)[at] if nearest else 0.0 for top, nearest in ((True, tops), (False, bottoms))}


def _usual_distance(pages: Sequence[Sequence[Line]], seen: Sequence[Sequence[_Seen]]) -> float:
    """The usual room between two lines of the text, in sizes."""
    rooms: list[float] = []
    for page, found in zip(pages[:_ENOUGH], seen, strict=False):
        outer = {other.at for other in found if other.places}
        for i, (line, following) in enumerate(pairwise(page)):
            room = line.bottom - following.top
            if (
                room <= _WIDEST * line.size
                and line.bottom > following.bottom
                and i not in outer
                and i + 1 not in outer
                and line.column == following.column
                and line.table is None
                and following.table is None
                and line.size
            ):
                rooms.append(room / line.size)
    rooms.sort()
    return rooms[len(rooms) // 2] if rooms else 0.0


def _runs(seen: Sequence[Sequence[_Seen]]) -> dict[_Place, int]:
    """On how many pages one after the other, or every other one, a line stands at the same place."""
    runs: dict[_Place, int] = {}
    going: dict[_Place, tuple[int, int]] = {}  # the last page, and how many up to it
    for p, found in enumerate(seen):
        for place in {line.places[0] for line in found if line.places}:
            last, count = going.get(place, (p, 0))
            going[place] = p, count + 1 if p - last <= _STRIDE else 1
            runs[place] = max(runs.get(place, 0), going[place][1])
    return runs


def _is_printed(pages: Sequence[Sequence[Line]], seen: Sequence[Sequence[_Seen]]) -> bool:
    """Whether a browser printed a file of a single page: the time above, and below the address and 1/1."""
    if len(pages) != 1:
        return False
    texts = [(line.top, pages[0][line.at].text) for line in seen[0] if line.places]
    above = any(top and _TIME.search(text) for top, text in texts)
    return above and any(not top and _ADDRESS.match(text) for top, text in texts)


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


def _words(line: _Seen, text: str) -> str:
    """What a line says besides its numbers, or all of it where they count no pages."""
    return "".join(filter(str.isalnum, line.masked)) if _counts(text, line.page) else line.flat


def _look(p: int, line: Line, at: int, top: bool, height: float) -> _Seen:
    flat = "".join(line.text.split())
    return _Seen(p, at, top, flat, _NUMBER.sub("#", flat), _places(line, flat, height, top))


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


def _places(line: Line, flat: str, height: float, top: bool) -> tuple[_Place, ...]:
    """What and where a line at a page's edge is; the second place is the first one's neighbour, against rounding."""
    if not _in_band(line, height, top) or len(flat) < 2:
        return ()
    middle = (line.top + line.bottom) / 2
    middle = (height - middle if top else middle) / _SAME_PLACE  # pages may be of several heights
    nearest = round(middle)
    return (top, flat, nearest), (top, flat, nearest + (1 if middle > nearest else -1))


def _counts(line: str, p: int) -> list[tuple[int, int]]:
    """For each number of a line its place in the line and how far it is ahead of the page's position."""
    if NUMBERED_HEADING.match(line):
        return []
    found = [
        (at, int(match.group()[-9:]))
        for at, match in enumerate(_NUMBER.finditer(line))
        if not line[: match.start()].rstrip().endswith("제") and not _OF_ANOTHER_KIND.match(line, match.end())
    ]
    return [(at, number - p) for at, number in found if number not in YEARS]
