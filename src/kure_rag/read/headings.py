"""Headings by the size of their type: short lines, clearly larger than the text, that end no sentence.

Many reports, manuals and leaflets number nothing: 「추진 배경」 in 14 points above text in 10.5. A text alone does not
show that, so the reader says where such lines are, those with a number too: their sizes tell which stand above which.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.read.layout import Line
from kure_rag.read.lines import STARTS_PARAGRAPH, Paragraph, visual_width

# The smallest headings seen in 63 documents are 1.09 times as large as the text: 12.4 above 11.4 points.
_LARGER: Final = 1.08  # times the size of most characters
_ALIKE: Final = 0.05  # by which the sizes of headings of one level differ at most
_BUCKET: Final = 4  # sizes are counted by quarters of a point
_MOST: Final = 0.25  # of the characters: where more are larger, size does not tell headings
_PURE: Final = 0.5  # of the characters of one size: where fewer are in headings, it is a size of text
_LONGEST: Final = 50  # visible characters of a heading
_LONG: Final = 35  # of one that the margin may have broken
_LINES: Final = 2
_GAP: Final = 0.9  # times the size: lines of one heading are nearer to each other
_WIDE: Final = 1.3  # times what its characters take: labels set apart, and columns between tabs
_COVER: Final = 250  # visible characters under which a page with large type is a cover

_WORDS: Final = re.compile(r"[^\W\d_].*[^\W\d_]", re.DOTALL)
_ENOUGH: Final = 20  # visible characters of a line that is text, and no name or date under a title
_SAID: Final = 8  # letters of a part of the title that is printed again
# Not 개요, 성과, 소음, 결함: nouns that end as sentences do.
_SENTENCE: Final = re.compile(
    r"(?:다|[세어아해예에까나네]요|[있없같많않았었였했됐]음|(?<!결)함|것|됨)[.!]?[”’\"')\]]?$|[.!,;:…]$|[을를는]$|귀[하중]$"
)
_SAYS: Final = re.compile(r"[다요음함됨임것오까][.?!)]{0,2}\s*$")
_NUMBER: Final = re.compile(r"\W*(?:\d|[IVXⅠ-Ⅻ]+[\s.]|제\s?\d|[가-하]\s?[.)])")
_NO_HEADING: Final = re.compile(
    r"^\s*[\[<〈(【]?\s?(?:그림|표|도표|도면|도|사진|Fig(?:ure)?\.?|Table)\s?[\dⅠ-Ⅻ-]"  # a caption
    r"|[=×÷|@%]|https?:|www\.|[▶■□◆●].*[▶■□◆●]|^\(.*\)$|^\[\d+\]"
    r"|^\W*(?:\(?단위|자료|출처|주\s?\d?\s?:)"
    r"|^[\s'’‘(<\[]*(?:\d{2,4}\s?[.년/-][\d\s.년월일/()~-]*[)>\]]?$|\d{4}\s?[.년]\s?\d{1,2}\s?[.월]\s?\d)"  # a date
)


@dataclass(frozen=True, slots=True)
class _Printed:
    """A paragraph that may be a heading."""

    start: int
    end: int
    page: int
    text: str
    lines: tuple[Line, ...]

    @property
    def size(self) -> float:
        return min(line.size for line in self.lines)


def find_headings(
    pages: Sequence[Sequence[Line]], paragraphs: Sequence[Paragraph], starts: Sequence[int], title: str
) -> list[tuple[int, int, int]]:
    """Where headings stand in a document's text.

    Args:
        pages: The lines of each page that the paragraphs were made of.
        paragraphs: In order.
        starts: Offset of each paragraph in the text.
        title: The document's, which is none of its headings.

    Returns:
        (start, end, level) of each, in order; level 1 is the largest type. A heading of two lines may hold a line feed.
        Nothing where sizes do not tell headings from text.
    """
    sizes = _sizes(pages)
    total = sum(sizes.values())
    if not total:
        return []
    body = max(sizes, key=lambda size: (sizes[size], -size)) / _BUCKET
    least = _LARGER * body
    if sum(count for size, count in sizes.items() if size / _BUCKET >= least) > _MOST * total:
        return []
    large = list(_large(pages, paragraphs, starts, least))
    if not large or not any(_says_something(paragraph) for paragraph in paragraphs):
        return []
    found = _without_covers(list(_joined(large)), pages, least)
    found = [heading for heading in found if _reads_as_heading(heading.text) and not _says_title(heading, title)]
    found = [heading for heading in found if _is_of_headings(heading.size, found, sizes)]
    found = [heading for heading in found if not any(map(_is_set_apart, heading.lines))]
    if not found:
        return []
    shown = {heading.start for heading in large}
    text = [start for p, start in zip(paragraphs, starts, strict=True) if start not in shown and _is_text(p)]
    named = next((heading.start for heading in large if heading.page == 0 and _says_title(heading, title)), 0)
    found = _with_text(_without_head(found, named, text[0] if text else 0), text)
    levels = _levels(found)
    return [(heading.start, heading.end, levels[heading.size]) for heading in found]


def _sizes(pages: Sequence[Sequence[Line]]) -> Counter[int]:
    """How many visible characters are printed in each size, in quarters of a point."""
    exact: dict[float, int] = {}  # lines have few sizes
    for page in pages:
        for line in page:
            if line.table is None:
                text = line.text
                exact[line.size] = exact.get(line.size, 0) + len(text) - text.count(" ")
    sizes: Counter[int] = Counter()
    for size, count in exact.items():
        if size > 1.0:
            sizes[round(size * _BUCKET)] += count
    return sizes


def _large(
    pages: Sequence[Sequence[Line]], paragraphs: Sequence[Paragraph], starts: Sequence[int], least: float
) -> Iterator[_Printed]:
    """Paragraphs of one or two lines that are all large enough."""
    of_page: dict[int, dict[str, tuple[Line, ...]]] = {
        p: {} for p, page in enumerate(pages) if any(line.size >= least and line.table is None for line in page)
    }
    for paragraph, start in zip(paragraphs, starts, strict=True):
        page, text = paragraph.parts[0]
        if (
            page not in of_page
            or paragraph.table is not None
            or len(paragraph.parts) > 1
            or not 0 < _visible(text) <= _LONGEST
        ):
            continue
        if not of_page[page]:
            of_page[page] = _short_lines(pages[page])
        text = unicodedata.normalize("NFC", text).rstrip()
        lines = of_page[page].get(_compact(text))
        if lines and not _is_full(lines[-1], text) and min(line.size for line in lines) >= least:
            yield _Printed(start, start + len(text), page, text, lines)


def _is_full(line: Line, text: str) -> bool:
    """Whether a long line ends at the margin, so that the margin may have broken it."""
    return _visible(text) > _LONG and line.edge - line.right < line.size


def _short_lines(page: Sequence[Line]) -> dict[str, tuple[Line, ...]]:
    """The lines of a page, and pairs that follow each other, by their letters; of equal ones the smallest."""
    found: dict[str, tuple[Line, ...]] = {}
    for i in range(len(page)):
        for count in range(1, _LINES + 1):
            lines = tuple(page[i : i + count])
            if len(lines) < count or any(line.table is not None or line.worn for line in lines):
                break
            text = _compact("".join(line.text for line in lines))
            if len(text) > _LONGEST:
                break
            known = found.get(text)
            if known is None or min(line.size for line in lines) < min(line.size for line in known):
                found[text] = lines
    return found


def _joined(found: Sequence[_Printed]) -> Iterator[_Printed]:
    """Headings of two lines as one; three lines and more of one size are no heading but large text."""
    i = 0
    while i < len(found):
        after = i + 1
        while after < len(found) and _goes_on(found[after - 1], found[after]):
            after += 1
        run = found[i:after]
        lines = tuple(line for part in run for line in part.lines)
        if len(lines) <= _LINES:
            yield _Printed(run[0].start, run[-1].end, run[0].page, " ".join(part.text for part in run), lines)
        i = after


def _goes_on(above: _Printed, below: _Printed) -> bool:
    """Whether nothing but a narrow gap is between two lines of one size."""
    if above.page != below.page or below.start - above.end > 1 or STARTS_PARAGRAPH.match(below.text):
        return False
    upper, lower = above.lines[-1], below.lines[0]
    gap = upper.bottom - lower.top
    return _is_alike(upper.size, lower.size) and upper.column == lower.column and abs(gap) < _GAP * upper.size


def _without_covers(found: Sequence[_Printed], pages: Sequence[Sequence[Line]], least: float) -> list[_Printed]:
    """Without what stands on pages that hold little but large type."""
    large: Counter[int] = Counter()
    every: Counter[int] = Counter()
    for page in {heading.page for heading in found}:
        for line in pages[page]:
            count = _COVER if line.table is not None else _visible(line.text)
            every[page] += count
            large[page] += count if line.table is None and line.size >= least else 0
    return [h for h in found if every[h.page] >= _COVER or 2 * large[h.page] < every[h.page]]


def _reads_as_heading(text: str) -> bool:
    compact = _compact(text)
    return (
        len(compact) <= _LONGEST
        and _WORDS.search(text) is not None
        and 2 * sum(char.isdigit() for char in compact) < len(compact)
        and _SENTENCE.search(text) is None
        and _NO_HEADING.search(text) is None
        and all(text.count(a) == text.count(b) for a, b in ("()", "[]", "<>", "「」", "〈〉"))
    )


def _is_set_apart(line: Line) -> bool:
    """Whether a line is much wider than its characters, and not because each stands by itself, as in 목 차."""
    words = line.text.split()
    natural = visual_width(" ".join(words)) * line.size / 2
    return line.right - line.left > _WIDE * natural and any(len(word) > 1 for word in words)


def _says_title(heading: _Printed, title: str) -> bool:
    said, whole = _letters(heading.text), _letters(title)
    if heading.page == 0 and whole and whole in said:
        return True
    return said == whole or (said in whole and (heading.page == 0 or len(said) >= _SAID))


def _is_of_headings(size: float, found: Sequence[_Printed], sizes: Counter[int]) -> bool:
    """Whether most of what is printed in a size is headings."""
    count = sum(n for other, n in sizes.items() if _is_alike(other / _BUCKET, size))
    return sum(len(_compact(h.text)) for h in found if _is_alike(h.size, size)) >= _PURE * count


def _is_text(paragraph: Paragraph) -> bool:
    return paragraph.table is not None or sum([_visible(text) for _, text in paragraph.parts]) >= _ENOUGH


def _says_something(paragraph: Paragraph) -> bool:
    """Whether it is a sentence or a table; labels of figures are neither."""
    return paragraph.table is not None or (_is_text(paragraph) and _SAYS.search(paragraph.parts[-1][1]) is not None)


def _without_head(found: Sequence[_Printed], named: int, text: int) -> list[_Printed]:
    """Without what belongs to the title: lines above it, and those above the first text of a size no later one has."""
    later = [heading.size for heading in found if heading.start > text]
    return [
        heading
        for heading in found
        if heading.start >= named
        and (
            heading.start > text or _NUMBER.match(heading.text) or any(_is_alike(heading.size, size) for size in later)
        )
    ]


def _with_text(found: Sequence[_Printed], text: Sequence[int]) -> list[_Printed]:
    """Without those that nothing stands under: no text, and no heading that is smaller."""
    out: list[_Printed] = []
    for heading in reversed(found):
        below = bisect_right(text, heading.start)
        filled = below < len(text) and (not out or text[below] < out[-1].start)
        if filled or _NUMBER.match(heading.text) or (out and _is_smaller(out[-1].size, heading.size)):
            out.append(heading)
    return out[::-1]


def _levels(found: Sequence[_Printed]) -> dict[float, int]:
    levels: dict[float, int] = {}
    level = 0
    largest = 0.0
    for size in sorted({heading.size for heading in found}, reverse=True):
        if not largest or not _is_alike(size, largest):
            level += 1
            largest = size
        levels[size] = level
    return levels


def _is_alike(size: float, other: float) -> bool:
    return abs(size - other) <= _ALIKE * max(size, other)


def _is_smaller(size: float, other: float) -> bool:
    return size < other and not _is_alike(size, other)


def _visible(text: str) -> int:
    return len(text) - text.count(" ")


def _compact(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())


def _letters(text: str) -> str:
    return "".join(char for char in _compact(text) if char.isalnum())
