"""Where the lines of a document stand, as columns of numbers: asking all at once is faster than one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

from kure_rag.read.layout import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_NUMBERS = attrgetter("left", "bottom", "right", "top", "size", "margin", "edge", "column")


@dataclass(slots=True, kw_only=True)
class Places:
    """Places of n lines in reading order; every array has shape (n,), and points where nothing else is said.

    Attributes:
        page: 0-based.
        left: See :class:`kure_rag.read.layout.Line`, like all that follow.
        bottom: Of the lowest character.
        right: Of the last visible character.
        top: Of the highest character.
        size: Height of characters; zero for a table.
        margin: Left side of the column.
        edge: Right side of the column.
        column: Its number on the page.
        written: Whether it is no table.
        worn: Whether it is a running title.
    """

    page: Floats
    left: Floats
    bottom: Floats
    right: Floats
    top: Floats
    size: Floats
    margin: Floats
    edge: Floats
    column: Floats
    written: Flags
    worn: Flags

    @property
    def columns(self) -> list[slice]:
        """The runs of lines that are of one column of one page."""
        import numpy as np

        if not len(self.page):
            return []
        bounds = np.flatnonzero((np.diff(self.page) != 0) | (np.diff(self.column) != 0)) + 1
        ends = [0, *bounds.tolist(), len(self.page)]
        return [slice(start, end) for start, end in pairwise(ends)]


def places_of(lines: Sequence[tuple[int, Line]]) -> Places:
    """The places of lines, given with their 0-based pages."""
    import numpy as np

    flat = chain.from_iterable([_NUMBERS(line) for _, line in lines])
    numbers = np.fromiter(flat, np.float64, 8 * len(lines)).reshape(-1, 8)
    left, bottom, right, top, size, margin, edge, column = numbers.T.copy()
    return Places(
        page=np.array([p for p, _ in lines], np.float64),
        left=left,
        bottom=bottom,
        right=right,
        top=top,
        size=size,
        margin=margin,
        edge=edge,
        column=column,
        written=np.array([line.table is None for _, line in lines], bool),
        worn=np.array([line.worn for _, line in lines], bool),
    )
