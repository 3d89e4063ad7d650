"""Pieces of lines → columns, rows and their reading order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kure_rag.read.page import FoundTable

_SAME_ROW: Final = 0.5  # of the lower of two pieces: overlapping more than this, they stand on one line
_LEAST_ROWS: Final = 4  # on each side of a gutter
_FILLED: Final = 0.6  # of a column's width that a line of text fills; the cells of a table fill less
_LEAST_CHARS: Final = 8  # of a line of text
_RUNNING: Final = 0.6  # of a column's characters that stand in lines of text; the last lines of paragraphs are short
_IN_LINE: Final = 0.5  # of the lines of a column: so many beside lines of the next one make a table
_BETWEEN: Final = 0.7  # of the lines of a side: so many between the lines of the other are headings above them
_AIR: Final = 0.6  # of the size: between columns at the least
_FAR: Final = 1.5  # times the size: what stands so far above two columns is part of neither
_STEP: Final = 4.0  # points between the places at which a gutter is looked for
_DEEPEST: Final = 2  # columns inside columns


@dataclass(slots=True)
class Piece:
    """Characters that were drawn one after the other on one line, or a table.

    Attributes:
        left: In points, like the other sides.
        bottom: Of the lowest character.
        right: Of the last character.
        top: Of the highest character.
        size: Height of its highest character.
        chars: Their positions in the page's text.
        table: What stands here in place of characters.
    """

    left: float
    bottom: float
    right: float
    top: float
    size: float
    chars: list[int] = field(default_factory=list)
    table: FoundTable | None = None

    @property
    def middle(self) -> float:
        """Half way between bottom and top."""
        return (self.bottom + self.top) / 2


Row = list[Piece]


def reading_order(pieces: Sequence[Piece]) -> list[list[Row]]:
    """Columns in reading order, each as rows from top to bottom, each row from left to right."""
    return [rows(some) for some in _columns(list(pieces), 0) if some]


def rows(pieces: Sequence[Piece]) -> list[Row]:
    """Pieces that stand on one line together, from top to bottom."""
    found: list[Row] = []
    anchors: list[Piece] = []  # the highest piece of each row tells its place: superscripts and commas do not
    for piece in sorted(pieces, key=lambda piece: -piece.size):
        best, most = -1, 0.0
        if piece.table is None:
            for i, anchor in enumerate(anchors):
                if anchor.table is None:
                    shared = min(piece.top, anchor.top) - max(piece.bottom, anchor.bottom)
                    share = shared / (min(piece.top - piece.bottom, anchor.top - anchor.bottom) or 1)
                    if share > max(_SAME_ROW, most):
                        best, most = i, share
        if best < 0:
            anchors.append(piece)
            found.append([piece])
        else:
            found[best].append(piece)
    order = sorted(range(len(found)), key=lambda i: -anchors[i].middle)
    return [sorted(found[i], key=lambda piece: piece.left) for i in order]


def _columns(pieces: list[Piece], depth: int) -> list[list[Piece]]:
    if depth >= _DEEPEST or len(pieces) < 2 * _LEAST_ROWS:
        return [pieces]
    lines = rows(pieces)
    gutter = _gutter(pieces, lines)
    if gutter is None:
        return [pieces]
    out: list[list[Piece]] = []
    for across, left, right in _bands(lines, gutter):
        if _side_by_side(left, right):
            above, left, right = _without_head(left, right)
            if across or above:
                out.append(across + above)
            out += _columns(left, depth + 1) + _columns(right, depth + 1)
        else:
            rest = across + left + right
            if out and out[-1] and _continues(out[-1], pieces, gutter):
                out[-1] = out[-1] + rest
            else:
                out.append(rest)
    return out


def _continues(some: Sequence[Piece], pieces: Sequence[Piece], gutter: float) -> bool:
    """Whether a group is one of full width, to which the next one of full width may be added."""
    return any(piece.left < gutter < piece.right for piece in some)


def _bands(lines: Sequence[Row], gutter: float) -> list[tuple[list[Piece], list[Piece], list[Piece]]]:
    """What stands across the gutter and, below it, what stands left and right of it; from top to bottom.

    A line that reaches over the gutter does so whole: some files draw its digits and brackets as pieces of their own.
    """
    bands: list[tuple[list[Piece], list[Piece], list[Piece]]] = [([], [], [])]
    for line in lines:
        across, left, right = bands[-1]
        before = [piece for piece in line if piece.right <= gutter]
        behind = [piece for piece in line if piece.left >= gutter]
        if len(before) + len(behind) < len(line) or (
            before and behind and behind[0].left - max(piece.right for piece in before) < _AIR * line[0].size
        ):
            if left or right:
                bands.append((list(line), [], []))
            else:
                across.extend(line)
        else:
            left.extend(before)
            right.extend(behind)
    return bands


def _gutter(pieces: Sequence[Piece], lines: Sequence[Row]) -> float | None:
    """Where the widest run of columns is parted, if the page has columns."""
    import numpy as np

    left = min(piece.left for piece in pieces)
    right = max(piece.right for piece in pieces)
    sides = np.array([(piece.left, piece.right) for piece in pieces])
    best, most = None, 0
    for x in np.arange(left + 0.2 * (right - left), right - 0.2 * (right - left), _STEP).tolist():
        before, behind = int((sides[:, 1] <= x).sum()), int((sides[:, 0] >= x).sum())
        if min(before, behind) < _LEAST_ROWS:
            continue
        count = sum(_side_by_side(a, b) for _, a, b in _bands(lines, x))
        if count > most:
            best, most = x, count
    return best


def _without_head(left: list[Piece], right: list[Piece]) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Takes out a line far above two columns, such as a running title, which belongs to neither."""
    both = rows(left + right)
    for count in (1, 2):
        head, rest = both[:count], both[count:]
        if rest and min(piece.bottom for row in head for piece in row) - _top(rest[0]) > _FAR * rest[0][0].size:
            taken = {id(piece) for row in head for piece in row}
            above = [piece for row in head for piece in row]
            left, right = ([piece for piece in side if id(piece) not in taken] for side in (left, right))
            return above, left, right
    return [], left, right


def _side_by_side(left: Sequence[Piece], right: Sequence[Piece]) -> int:
    """How many characters of text stand in two groups if they are columns, of text both or of text and of figures.

    None if they are cells of a table or words of a line.
    """
    if len(left) < _LEAST_ROWS or len(right) < _LEAST_ROWS:
        return 0
    # They must stand beside each other for the most part, with air between them.
    low, high = max(_bottom(left), _bottom(right)), min(_top(left), _top(right))
    if high - low < 0.4 * min(_top(left) - _bottom(left), _top(right) - _bottom(right)):
        return 0
    air = min(piece.left for piece in right) - max(piece.right for piece in left)
    if air < _AIR * min(left[0].size, right[0].size):
        return 0
    sides = (_text(left), _text(right))
    if all(sides):
        return sum(sides)
    return sum(sides) if any(sides) and not _in_line(left, right) and not _in_gaps(left, right) else 0


def _text(pieces: Sequence[Piece]) -> int:
    """How many characters stand in running text, or none where most stand in cells or in labels of a figure."""
    width = max(piece.right for piece in pieces) - min(piece.left for piece in pieces)
    total = running = lines = 0
    for row in rows(pieces):
        chars = sum(len(piece.chars) for piece in row)
        total += chars
        if chars >= _LEAST_CHARS and row[-1].right - row[0].left >= _FILLED * width:
            running += chars
            lines += 1
    return running if lines >= _LEAST_ROWS and running >= _RUNNING * total else 0


def _in_line(left: Sequence[Piece], right: Sequence[Piece]) -> bool:
    """Whether most lines of the shorter side stand on one line with one of the other, as the cells of a table do."""
    a, b = ([row[0] for row in rows(side)] for side in (left, right))
    if len(a) > len(b):
        a, b = b, a
    beside = sum(
        any(abs(one.middle - other.middle) < 0.2 * one.size and 0.8 < one.size / other.size < 1.25 for other in b)
        for one in a
    )
    return beside >= _IN_LINE * len(a)


def _in_gaps(left: Sequence[Piece], right: Sequence[Piece]) -> bool:
    """Whether most lines of the side with fewer stand between lines of the other, as headings in the middle do."""
    a, b = (rows(side) for side in (left, right))
    if len(a) > len(b):
        a, b = b, a
    spans = [(_bottom(row), _top(row)) for row in b]
    between = sum(all(_top(row) <= low or _bottom(row) >= high for low, high in spans) for row in a)
    return between >= _BETWEEN * len(a)


def _bottom(pieces: Sequence[Piece]) -> float:
    return min(piece.bottom for piece in pieces)


def _top(pieces: Sequence[Piece]) -> float:
    return max(piece.top for piece in pieces)
