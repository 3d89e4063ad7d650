"""What is printed further in than a line at a page's edge, and how far from it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from kure_rag.read.layout import Line

_APART: Final = 1.5  # of a line's size between it and the text, that is more than lines are apart


class Inside:
    """The lines of a page that count, their places taken out once for all questions.

    Args:
        page: Lines of the page.
        without: Positions of lines that do not count.
    """

    def __init__(self, page: Sequence[Line], without: Collection[int] = ()) -> None:
        self._lines = [line for i, line in enumerate(page) if i not in without] if without else page
        self._tops = [line.top for line in self._lines]
        self._bottoms = [line.bottom for line in self._lines]
        self._middles = [(top + bottom) / 2 for top, bottom in zip(self._tops, self._bottoms, strict=True)]

    def nearest(self, line: Line, top: bool) -> Line | None:
        """The nearest line further in than one at the page's top or bottom."""
        places = zip(self._middles, self._tops if top else self._bottoms, self._lines, strict=True)
        if top:
            below = [(other, at) for middle, at, other in places if middle < line.bottom]
            return max(below, key=lambda found: found[1], default=(None, 0.0))[0]
        above = [(other, at) for middle, at, other in places if middle > line.top]
        return min(above, key=lambda found: found[1], default=(None, 0.0))[0]

    def is_apart(self, line: Line, top: bool, least: float = _APART) -> bool:
        """Whether more than the usual room is between a line at a page's edge and what is printed next to it.

        Args:
            line: One of the page.
            top: Whether it stands at the page's top.
            least: Of the line's size.
        """
        if top:
            tops = [at for middle, at in zip(self._middles, self._tops, strict=True) if middle < line.bottom]
            room = line.bottom - max(tops) if tops else None
        else:
            bottoms = [at for middle, at in zip(self._middles, self._bottoms, strict=True) if middle > line.top]
            room = min(bottoms) - line.top if bottoms else None
        return room is None or room >= least * min(line.size, line.top - line.bottom)

    def goes_on(self, line: Line, top: bool) -> bool:
        """Whether anything begins further in than a line ends."""
        if top:
            return any(at < line.bottom for at in self._tops)
        return any(at > line.top for at in self._bottoms)
