"""Pieces printed over each other: told apart, so that the characters of two lines are never mixed.

Digits and brackets that a word processor draws in a second pass stand in gaps of the line that was drawn first. What
stands on its characters is another line, too near or slanted, or the same words again, as a shadow or to look bold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kure_rag.read.columns import Piece, Row

if TYPE_CHECKING:
    from kure_rag.read.page import Boxes

_COVERED: Final = 0.4  # of the narrower character's width: more is no gap
_SAME: Final = 0.6  # of the width: equal characters that cover each other so far are one drawn twice
_HITS: Final = 2  # characters that cover others: one alone may be an index above another
_ALIKE: Final = 1.6  # times the size: higher pieces belong to none of the lines beside them
_NEAR: Final = 0.25  # of the size: lines whose middles are nearer stand at one height


def apart(row: Row, text: str, places: Boxes) -> list[Row]:
    """The lines that a row of pieces is made of, the upper one first; mostly the row itself.

    Args:
        row: From left to right.
        text: Of the page.
        places: Of its characters.
    """
    if not any(_overlap(a, b) for i, a in enumerate(row) for b in row[i + 1 :]):
        return [row]
    layers: list[Row] = []
    split = False
    for piece in sorted(row, key=lambda piece: (-len(piece.chars), piece.chars[0])):
        free = []
        for layer in layers:
            hits = [_hits(other, piece, text, places) for other in layer if _overlap(other, piece)]
            if any(again for _, again in hits):
                break
            if all(count < _HITS for count, _ in hits):
                free.append(layer)
        else:
            split = split or len(free) < len(layers)
            if free:
                min(free, key=lambda layer: abs(layer[0].middle - piece.middle)).append(piece)
            else:
                layers.append([piece])
    if split:
        layers = [some for layer in layers for some in _by_size(layer)]
    layers.sort(key=_level)
    return [sorted(layer, key=lambda piece: piece.left) for layer in layers]


def _by_size(layer: Row) -> list[Row]:
    """Without the pieces that are so high that they reach over several of the lines."""
    low = _ALIKE * layer[0].size
    same, high = [piece for piece in layer if piece.size <= low], [piece for piece in layer if piece.size > low]
    return [same, high] if high else [same]


def _level(layer: Row) -> tuple[int, int]:
    """Where a line stands; of lines at one height the one drawn first stands higher."""
    step = max(_NEAR * layer[0].size, 0.1)
    return -round(layer[0].middle / step), min(piece.chars[0] for piece in layer)


def _overlap(a: Piece, b: Piece) -> bool:
    return a.table is None and b.table is None and min(a.right, b.right) - max(a.left, b.left) > 0


def _hits(other: Piece, piece: Piece, text: str, places: Boxes) -> tuple[int, bool]:
    """How many characters of a piece cover some of another, and whether it is the same text drawn again."""
    import numpy as np

    left, right = _extent(piece, places)
    low, high = _extent(other, places)
    shared = np.minimum(right[:, None], high) - np.maximum(left[:, None], low)
    share = shared / np.maximum(np.minimum((right - left)[:, None], high - low), 0.01)
    best = share.argmax(axis=1)
    most = share[np.arange(len(best)), best]
    again = bool((most > _SAME).all()) and all(
        text[i] == text[other.chars[k]] for i, k in zip(piece.chars, best.tolist(), strict=True)
    )
    near = abs(piece.middle - other.middle) < 2 * _NEAR * piece.size and piece.size < _ALIKE * other.size
    return int((most > _COVERED).sum()), again and near


def _extent(piece: Piece, places: Boxes) -> tuple[Boxes, Boxes]:
    """Left and right sides of the characters; where fonts state too wide ones they end where the next one begins."""
    import numpy as np

    sides = places[piece.chars]
    left, right = sides[:, 0], sides[:, 2].copy()
    if len(left) > 1:
        right[:-1] = np.where(left[1:] > left[:-1], np.minimum(right[:-1], left[1:]), right[:-1])
    return left, right
