"""Tables that every page wears at its top, as safety data sheets and forms do: the first one is kept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

from kure_rag.read.tables.glyphs import squeezed

if TYPE_CHECKING:
    from kure_rag.read.layout import Line

_PAGES: Final = 3
_MOST: Final = 0.5  # of the pages
_ROWS: Final = 4  # a larger table has something to say on each page
_CELL: Final = 60  # characters
_SAME_PLACE: Final = 4.0  # points that the height of a page header varies by
# A page's number in a cell without white space, but for how many pages there are: Page:3of12, 3/12, 3쪽, - 3 -
_PAGE = re.compile(
    r"(?:page|페이지|(?<![가-힣])쪽)[\W_]{0,2}\d+|\d+(?=(?:/\d+)?(?:쪽|페이지|page))|^\W*\d+(?=(?:/|of)\d+\W*$)",
    re.IGNORECASE,
)
_ABOUT_PAGES = re.compile(r"page|페이지|(?<![가-힣])쪽", re.IGNORECASE)
_ALONE = re.compile(r"\W*\d+\W*")


def drop_page_headers(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Leaves out a small table that is printed at the same place at the top of most pages, but for its first page.

    Its cells and caption must be the same, and the line above it if there is one: two annexes of a regulation may hold
    equal tables under other names. Page numbers do not count. Other digits do: a form that is filled in on each page
    differs in nothing else.

    Args:
        pages: The lines of each page.
    """
    tops = [_top_table(page) for page in pages]
    for numbered in (False, True):  # a number of another kind may be the page's by chance
        placed: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for p, (page, top) in enumerate(zip(pages, tops, strict=True)):
            if top is not None and (key := _said(page, top, p + 1 if numbered else 0)):
                placed[key].append(p)
        again = {p for found in placed.values() for p in _worn(found, tops, len(pages))[1:]}
        if again:
            return [
                [line for line in page if not (p in again and line is top)]
                for p, (page, top) in enumerate(zip(pages, tops, strict=True))
            ]
    return [list(page) for page in pages]


def _worn(found: Sequence[int], tops: Sequence[Line | None], count: int) -> list[int]:
    """Those of the pages found whose table stands where that of most pages does; none if they are too few."""
    heights = {p: line.top for p in found if (line := tops[p]) is not None}
    usual = median(heights.values())
    same = [p for p, height in heights.items() if abs(height - usual) <= _SAME_PLACE]
    return same if len(same) >= max(_PAGES, _MOST * count + 0.5) else []


def _top_table(page: Sequence[Line]) -> Line | None:
    """The small table above all text of a page, save one line."""
    tables = [line for line in page if line.table is not None]
    if not tables:
        return None
    first = max(tables, key=lambda line: line.top)
    small = first.table is not None and len(first.table.rows) <= _ROWS
    return first if small and len(_above(page, first)) <= 1 else None


def _above(page: Sequence[Line], table: Line) -> list[Line]:
    return [line for line in page if line is not table and line.bottom >= table.top]


def _said(page: Sequence[Line], line: Line, number: int) -> tuple[str, ...]:
    """What tells a page's table from others: what stands above it, its caption, its unit and its cells.

    Args:
        page: All lines.
        line: Its topmost table.
        number: The page's, which its cells may bear alone; 0 where they bear none.

    Returns:
        Nothing for a table that says too much or nothing at all.
    """
    table = line.table
    if table is None:
        return ()
    cells = [squeezed(cell) for row in (table.header, *table.rows) for cell in row]
    if any(len(cell) > _CELL for cell in cells) or not any(re.search(r"\w{2}", cell) for cell in cells):
        return ()
    about = any(_ABOUT_PAGES.search(cell) for cell in cells)
    bare = [
        "" if number and about and _ALONE.fullmatch(cell) and re.search(rf"(?<!\d){number}(?!\d)", cell) else cell
        for cell in (_PAGE.sub("", cell) for cell in cells)
    ]
    above = [squeezed(other.text) for other in _above(page, line)]
    named = ["" if _ALONE.fullmatch(text) else text for text in above]
    return (*named, "", squeezed(table.caption), squeezed(table.unit), "", *bare)
