"""Where the lines of a column end that the margin breaks: its right edge.

Justified lines end at one place, many of them. A short page may hold none: two or three of its lines that end at one
place by chance are not its edge where others go on beyond it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from kure_rag.read.layout import Line
from kure_rag.read.starts import STARTS_PARAGRAPH, ends_sentence

if TYPE_CHECKING:
    from kure_rag.read.places import Flags, Places

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


def set_edges(lines: Sequence[tuple[int, Line]], places: Places) -> None:
    """Sets the right edge that lines are broken at: of each column the furthest place where several lines end.

    Args:
        lines: In reading order, each with its 0-based page.
        places: Theirs; the edges are set here too.
    """
    import numpy as np

    guessed = places.size == 1.0
    rough = np.sort(places.right[guessed & places.written]).tolist()
    # Lines of some length that no margin wears tell where the margin is.
    tells = (places.right - places.left >= _WIDE * places.size) & ~places.worn
    ends = Counter(np.rint(places.right[tells] / _BUCKET).astype(np.int64).tolist())
    best = max(ends.values(), default=0)
    least = max(2 if len(lines) < _FEW_LINES else 3, _SUPPORT * best)
    near = {i for i, count in ends.items() if count + ends[i - 1] + ends[i + 1] >= least}
    tells &= places.written
    spans = places.columns
    columns = [[line for _, line in lines[span] if line.table is None] for span in spans]
    found = [_edge(places, span, tells, near) for span in spans]
    known = [(some[0].margin, edge) for some, (edge, ending) in zip(columns, found, strict=True) if ending >= _SURE]
    for span, column, (edge, ending) in zip(spans, columns, found, strict=True):
        if ending < _SURE:  # too few lines to tell
            edge = _edge_of_few(column, edge, known)
        for line in column:
            line.edge = edge
        places.edge[span] = edge
    for i in np.flatnonzero(guessed & places.written).tolist():
        line = lines[i][1]
        line.margin = places.margin[i] = 0.0
        line.edge = places.edge[i] = rough[int(0.95 * len(rough))]


def _edge(places: Places, column: slice, tells: Flags, near: set[int]) -> tuple[float, int]:
    """Where the lines of a column end at most, and how many do; lines that stray beyond are far fewer than those."""
    wide = tells[column]
    rights: list[float] = sorted(places.right[column][wide].tolist())
    if not rights:
        return max(places.right[column][places.written[column]].tolist(), default=0.0), 0
    size = sorted(places.size[column][wide].tolist())[len(rights) // 2]
    for edge in reversed(rights):
        if round(edge / _BUCKET) in near:
            first = bisect_right(rights, edge + size)
            beyond = rights[first:]
            if beyond:  # what begins beyond stands elsewhere
                beyond = places.right[column][(places.left[column] < edge) & wide].tolist()
                beyond = [right for right in beyond if right > edge + size]
            ending = first - bisect_left(rights, edge - size)
            if len(beyond) <= _STRAY * ending or (len(beyond) == 1 and beyond[0] < edge + _JUTS * size):
                return edge, ending
            break
    return rights[-1], len(rights) - bisect_left(rights, rights[-1] - size)


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


def alike(line: Line, following: Line) -> bool:
    """Whether two lines are of one size; the digits and letters of many Korean fonts are lower than their Hangul."""
    apart = abs(line.size - following.size) / max(line.size, following.size)
    if apart <= _ALIKE or apart > 2 * _ALIKE:
        return apart <= _ALIKE
    return not (_HANGUL.search(line.text) and _HANGUL.search(following.text))


def centred_pairs(places: Places) -> Flags:
    """Whether a line and the next one stand in the middle of their column: as much room before the first as behind it.

    Returns:
        Shape (n - 1,), for each line but the last.
    """
    import numpy as np

    left, size, middle = places.left, places.size, (places.left + places.right) / 2
    found: Flags = (
        ((left - places.margin > _CENTRED * size) & (np.abs(2 * middle - places.margin - places.edge) < 2 * size))[:-1]
        & (np.abs(np.diff(left)) > _ALIGNED * size[:-1])
        & (np.abs(np.diff(middle)) < _BUCKET)
    )
    return found


def _middle(line: Line) -> float:
    return (line.left + line.right) / 2
