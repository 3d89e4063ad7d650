"""The visible characters of a page, and how they stand in lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np

from kure_rag.read.clean import clean_text
from kure_rag.read.page import Box, PageContent

_SMALL: Final = (
    0.75  # of the usual height: smaller characters may be raised or lowered and belong to a line beside them
)
_SAME_LINE: Final = 0.5  # of a character's height: how far centres of one line may be apart
_WORD_GAP: Final = 0.25  # of a character's height: a wider gap separates words

# Forms of these marks as high as capitals and digits, in the Pretendard fonts. Programs leave them out of the character
# map that they write, and PDFium then gives the glyph's number as if it were a character: ㏖69.3㏗ is (69.3).
_HIGH_MARKS: Final = str.maketrans("㏖㏗㚑㚌㚋㚜㖐", "()~<>%|")

# Marks that Korean typesetting hangs out over the right edge of a column.
_HANGING: Final = frozenset(".,:;!?)]}%’”'\"、。，．」』】〉》）")
_TIGHT: Final = 0.35  # of a character's height: as near stands a mark to what it closes

Spacer = Callable[[Sequence[tuple[str, str]]], list[bool]]


@dataclass(slots=True)
class Glyph:
    """A visible character with its loose box and its middle.

    ``spaced`` where white space stands before it in the parser's order.
    """

    left: float
    bottom: float
    right: float
    top: float
    x: float
    y: float
    height: float
    char: str
    spaced: bool


Line = list[Glyph]


class Glyphs:
    """The visible characters of one page, to be asked for by place."""

    def __init__(self, content: PageContent) -> None:
        boxes, chars = content.boxes, content.text
        if 0 < chars.count("㏖") == chars.count("㏗"):
            chars = chars.translate(_HIGH_MARKS)
        blank = np.fromiter((char.isspace() for char in chars), bool, len(chars))
        shown = ~blank & np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        at = np.flatnonzero(shown)
        before = np.zeros(len(blank), bool)
        before[1:] = blank[:-1]
        left, bottom, right, top = boxes[at].T
        self._x, self._y = (left + right) / 2, (bottom + top) / 2
        places = np.stack([left, bottom, right, top, self._x, self._y, top - bottom], axis=1)
        self._all = [
            Glyph(x0, y0, x1, y1, x, y, height, chars[i], spaced)
            for i, (x0, y0, x1, y1, x, y, height), spaced in zip(
                at.tolist(), places.tolist(), before[at].tolist(), strict=True
            )
        ]

        self._hanging = [i for i in range(1, len(at)) if hangs(self._all[i - 1], self._all[i])]

    def inside(self, box: Box) -> list[Glyph]:
        """Characters whose centre lies in the box, in the parser's order, and marks that hang out at its right edge."""
        left, bottom, right, top = box
        within = (self._x >= left) & (self._x < right) & (self._y > bottom) & (self._y <= top)
        for i in self._hanging:
            if within[i - 1] and not within[i] and self._all[i].left <= right:
                within[i] = True
        return [self._all[i] for i in np.flatnonzero(within).tolist()]


def hangs(before: Glyph, mark: Glyph) -> bool:
    """Whether a character is a mark that closes what stands directly before it, wherever its centre lies."""
    if mark.char not in _HANGING or mark.spaced or abs(mark.y - before.y) > _SAME_LINE * before.height:
        return False
    # Two closing marks may overlap, since boxes are as wide as the advance.
    return mark.x > before.x and mark.left - before.right <= _TIGHT * max(before.height, mark.height)


def lines(glyphs: Iterable[Glyph]) -> list[Line]:
    """Characters → lines from top to bottom, each from left to right; raised and lowered ones join their line."""
    glyphs = list(glyphs)
    if len(glyphs) < 2:
        return [glyphs] if glyphs else []
    tall = _SMALL * sorted(glyph.height for glyph in glyphs)[len(glyphs) // 2]
    rows = _by_height(glyph for glyph in glyphs if glyph.height >= tall)
    left_over: list[Glyph] = []
    for glyph in glyphs:
        if glyph.height < tall:
            near = min(rows, key=lambda row: abs(row[0].y - glyph.y))
            (near if abs(near[0].y - glyph.y) <= _SAME_LINE * near[0].height else left_over).append(glyph)
    if left_over:
        rows = sorted([*rows, *_by_height(left_over)], key=lambda row: -row[0].y)
    return [sorted(row, key=attrgetter("left")) for row in rows]


def _by_height(glyphs: Iterable[Glyph]) -> list[Line]:
    rows: list[Line] = []
    middle, height = 0.0, 0.0
    for glyph in sorted(glyphs, key=attrgetter("y"), reverse=True):
        if rows and middle - glyph.y <= _SAME_LINE * min(height, glyph.height):
            rows[-1].append(glyph)
            middle += (glyph.y - middle) / len(rows[-1])
        else:
            rows.append([glyph])
            middle, height = glyph.y, glyph.height
    return rows


def words(line: Line) -> list[Line]:
    """A line cut where white space was printed or a gap is wide."""
    found: list[Line] = []
    for glyph in line:
        if found and not _apart(found[-1][-1], glyph):
            found[-1].append(glyph)
        else:
            found.append([glyph])
    return found


def _apart(left: Glyph, right: Glyph) -> bool:
    gap = right.left - left.right
    return gap > _WORD_GAP * right.height or (right.spaced and gap > -_WORD_GAP * right.height)


def text(line: Line) -> str:
    """A line's characters, cleaned, one space between words."""
    return clean_text(" ".join("".join(glyph.char for glyph in word) for word in words(line))).strip()


_NUMBER = re.compile(
    r"[(\[]?[-+−–△▲▽▼]?\(?[$₩￦￥]?\d[\d,]*(?:\.\d+)?\)?(?:%p?|배|bp|[억만천원명개건회년월일위점주세])?[)\]]?\d{0,1}[)\]*]*$|[-–—‥…․.]{1,3}$|[-.]\.?\d+$"
)


def is_number(word: str) -> bool:
    """Whether a word is a value: ``1,234``, ``(69.3)``, ``△3.1%`` or a dash that stands for none."""
    return bool(_NUMBER.match(word))


def squeezed(value: str) -> str:
    """Without white space, NFC: how cells are compared."""
    return "".join(unicodedata.normalize("NFC", value).split())
