"""Tables that every page wears at its top, as safety data sheets and forms do: the first one is kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kure_rag.read.tables.glyphs import squeezed

if TYPE_CHECKING:
    from kure_rag.read.layout import Line

_PAGES: Final = 3
_MOST: Final = 0.5  # of the pages
_ROWS: Final = 4  # a larger table has something to say on each page
_CELL: Final = 60  # characters
_DIGITS = re.compile(r"\d+")
_PAGE = re.compile(r"page|페이지|쪽|\d+/\d+", re.IGNORECASE)


def drop_page_headers(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Leaves out a small table that stands at the top of most pages with the same cells, but for its first page.

    Page numbers do not count. Other digits do: a form that is filled in on each page differs in nothing else.

    Args:
        pages: The lines of each page.
    """
    tops = [_top_table(page) for page in pages]
    worn: set[tuple[str, ...]] = set()
    for numbered in (False, True):  # a number of another kind may be the page's by chance
        keys = [() if top is None else _cells(top, number if numbered else 0) for number, top in enumerate(tops, 1)]
        counts = Counter(key for key in keys if key)
        worn = {key for key, count in counts.items() if count >= max(_PAGES, _MOST * len(pages) + 0.5)}
        if worn:
            break
    else:
        return [list(page) for page in pages]
    seen: set[tuple[str, ...]] = set()
    kept: list[list[Line]] = []
    for page, top, key in zip(pages, tops, keys, strict=True):
        again = key in seen
        seen |= {key} & worn
        kept.append([line for line in page if not (again and line is top)])
    return kept


def _top_table(page: Sequence[Line]) -> Line | None:
    """The small table above all text of a page, save one running title."""
    tables = [line for line in page if line.table is not None]
    if not tables:
        return None
    first = max(tables, key=lambda line: line.top)
    above = sum(line.bottom >= first.top for line in page if line is not first)
    return first if above <= 1 and first.table is not None and len(first.table.rows) <= _ROWS else None


def _cells(line: Line, number: int) -> tuple[str, ...]:
    """What tells a page's table from others: its cells without the page's number, which is 0 where it is none."""
    table = line.table
    if table is None:
        return ()
    cells = [squeezed(cell) for row in (table.header, *table.rows) for cell in row]
    if any(len(cell) > _CELL for cell in cells):
        return ()
    own = re.compile(rf"(?<!\d){number}(?!\d)")
    bare = tuple(
        _DIGITS.sub("", cell) if _PAGE.search(cell) else own.sub("", cell) if number else cell for cell in cells
    )
    return bare if any(re.search(r"\w{2}", cell) for cell in bare) else ()
