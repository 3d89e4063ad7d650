"""Where the lines of a column end that the margin breaks: its right edge.

Justified lines end at one place, many of them. A short page may hold none: two or three of its lines that end at one
place by chance are not its edge where others go on beyond it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Final

from kure_rag.read.layout import Line
from kure_rag.read.starts import STARTS_PARAGRAPH, ends_sentence

_ALIKE: Final = 0.17  # by which the sizes of two lines of a paragraph differ at most
_WIDE: Final = 8.0  # times the size: page numbers, tabs and labels of figures are narrower and show no edge
_SUPPORT: Final = 0.05  # of the lines that end at the commonest place: fewer that end further right are stray
_STRAY: Final = 0.25  # of the lines that end at the edge: where more end beyond it, the edge is there
_JUTS: Final = 3.0  # times the size: one line may stand out by this
_SURE: Final = 3  # lines that end at one place: then the column's own lines tell its edge
_CENTRED: Final = 2.0  # times the size: a line that begins so far from the margin may be centred
_BUCKET: Final = 2.0  # points by which the ends of lines at one edge differ
_FEW_LINES: Final = 60
_ALIGNED: Final = 0.7  # times the size: lines that begin nearer to each other begin at one place
_SHIFT: Final = 8.0  # times the size: no paragraph's first line is indented as far
_HANGUL = re.compile(r"[가-힣]")


def set_edges(lines: Sequence[tuple[int, Line]]) -> None:
    """Sets the right edge that lines are broken at: of each column the furthest place where several lines end."""
    rough = sorted(line.right for _, line in lines if line.size == 1.0 and line.table is None)
    # Lines of some length that no margin wears tell where the margin is.
    ends = Counter([round(line.right / _BUCKET) for _, line in lines if _tells(line)])
    best = max(ends.values(), default=0)
    least = max(2 if len(lines) < _FEW_LINES else 3, _SUPPORT * best)
    near = {i for i, count in ends.items() if count + ends[i - 1] + ends[i + 1] >= least}
    columns = [[line for _, line in group if line.table is None] for _, group in groupby(lines, key=_column)]
    found = [_edge(column, near) for column in columns]
    known = [(some[0].margin, edge) for some, (edge, ending) in zip(columns, found, strict=True) if ending >= _SURE]
    for column, (edge, ending) in zip(columns, found, strict=True):
        if ending < _SURE:  # too few lines to tell
            edge = _edge_of_few(column, edge, known)
        for line in column:
            line.edge = edge
            if line.size == 1.0:
                line.margin, line.edge = 0.0, rough[int(0.95 * len(rough))]


def _tells(line: Line) -> bool:
    return line.right - line.left >= _WIDE * line.size and not line.worn


def _edge(column: Sequence[Line], near: set[int]) -> tuple[float, int]:
    """Where the lines of a column end at most, and how many do; lines that stray beyond are far fewer than those."""
    wide = [line for line in column if _tells(line)]
    if not wide:
        return max((line.right for line in column), default=0.0), 0
    wide.sort(key=lambda line: -line.right)
    size = sorted(line.size for line in wide)[len(wide) // 2]
    furthest = wide[0].right
    for line in wide:
        edge = line.right
        if round(edge / _BUCKET) in near:
            beyond = [other for other in wide if other.right > edge + size and other.left < edge]
            ending = sum(abs(other.right - edge) <= size for other in wide)
            if len(beyond) <= _STRAY * ending or (len(beyond) == 1 and beyond[0].right < edge + _JUTS * size):
                return edge, ending
            break
    return furthest, sum(line.right >= furthest - size for line in wide)


def _edge_of_few(column: Sequence[Line], edge: float, known: Sequence[tuple[float, float]]) -> float:
    """The edge of a column whose lines may all be short: by what is centred, or as of others that begin there."""
    if not column:
        return edge
    margin, size = column[0].margin, column[0].size
    inside = [line for line in column if line.left - margin > _CENTRED * line.size]
    inside.sort(key=_middle)
    for some in zip(inside, inside[1:], inside[2:], strict=False):
        lefts = [line.left for line in some]
        there = 2 * _middle(some[1]) - margin
        if _middle(some[-1]) - _middle(some[0]) < _BUCKET and max(lefts) - min(lefts) > size and there > edge:
            return there
    if any(line.right > edge - size and _seems_wrapped(line, following) for line, following in pairwise(column)):
        return edge
    near = [there for left, there in known if there > edge - size and abs(left - margin) < size]
    return max(edge, min(near, default=edge))


def _seems_wrapped(line: Line, following: Line) -> bool:
    return not (
        STARTS_PARAGRAPH.match(following.text)
        or ends_sentence(line.text)
        or abs(following.left - line.left) > _SHIFT * line.size
        or not alike(line, following)
    )


def _column(item: tuple[int, Line]) -> tuple[int, int]:
    return item[0], item[1].column


def alike(line: Line, following: Line) -> bool:
    """Whether two lines are of one size; the digits and letters of many Korean fonts are lower than their Hangul."""
    apart = abs(line.size - following.size) / max(line.size, following.size)
    if apart <= _ALIKE or apart > 2 * _ALIKE:
        return apart <= _ALIKE
    return not (_HANGUL.search(line.text) and _HANGUL.search(following.text))


def both_centred(line: Line, following: Line) -> bool:
    """Whether two lines stand in the middle of their column: the first has as much room before it as behind it."""
    return (
        line.left - line.margin > _CENTRED * line.size
        and abs(line.left - following.left) > _ALIGNED * line.size
        and abs(_middle(line) - _middle(following)) < _BUCKET
        and abs(2 * _middle(line) - line.margin - line.edge) < 2 * line.size
    )


def _middle(line: Line) -> float:
    return (line.left + line.right) / 2
