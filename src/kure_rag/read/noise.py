"""Characters that are not what the page shows, on pages that can be read otherwise: never passed on, never hidden.

A glyph without a character arrives as U+FFFD, as a control character (its number), as a private-use character or as one
that Unicode does not know. Left out, 「지급하지 아니한다」 with some such glyphs becomes 「지급한다」: a sound sentence
that says the opposite. Left in, they are noise to search and to a reader. So a mark in words stands in the place of
each run of them, as editors of documents set it, and the page's warnings count the marks:

- Letters beside a run stay, for the mark touches them and nobody takes them for a word. Digits beside it go with it:
  a part of a number is another number.
- A line or cell of which half of the characters or more than half of the words are lost is one mark, and so is one in
  a broken font. On a page with such lines a syllable that Korean hardly uses is a hole in the others too: a rare name
  may be lost there, but nothing is misquoted.
- A page of which half of the words have holes is no page of text (see :func:`kure_rag.read.quality.judge`).
- A private-use sign that stands by itself before a line's text is its bullet or its number in a box, no word: it is
  shown as a bullet, and the warnings count these too.
- A character that draws nothing is no hole: fonts use such ones for spaces.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kure_rag.read.clean import clean_line
from kure_rag.read.page import FoundTable, PageContent
from kure_rag.read.quality import is_garbled, without_rare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kure_rag.read.layout import Line

MARK: Final = "〔판독불가〕"  # without a space, so that no chunk ends in it, and in brackets that begin no paragraph
BULLET: Final = "•"
LOST: Final = "\ufffd"  # stands for a character until lines and cells are known

DPI: Final = 144  # of the drawing that tells whether a glyph shows anything: a full stop has some ten pixels
_INK: Final = 24  # of 255: how far the darkest and the lightest pixel of a glyph differ at least
_INSET: Final = 0.2  # of a box's width at each side, where the neighbours reach in

_FEW_WORDS: Final = 2  # in a line or cell: its characters are counted instead
_NEAR: Final = 40  # characters

_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HOLE: Final = "\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd"
# Where symbol fonts and Hancom's have their signs, and old Hangul or a font's own letters do not stand.
_SIGN: Final = re.compile(r"(?m)^[ \u00a0]*[\uf000-\uf0ff\U000f0000-\U0010fffd](?=[ \u00a0]+\S)")
_ONE: Final = re.compile(rf"[{_HOLE}]")
_HOLES: Final = rf"[{_HOLE}]+(?:[\d,.]*[{_HOLE}]+)*"
_HOLED: Final = rf"(?:\d[\d,.]*{_HOLES}[\d,.]*\d|(?:\d(?:[\d,.]*\d)?)?{_HOLES}(?:[\d,.]*\d)?)"  # not the 2. of an item
_RUN: Final = re.compile(rf"{_HOLED}(?:[ \u00a0]+{_HOLED})*")


def has_noise(text: str) -> bool:
    """Whether a page's raw text holds anything that may be noise; most pages do not."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    return bool(suspects()[codes].any())


def paired(content: PageContent) -> PageContent:
    """The page with one character where the parser gives two halves of it, as it does for rare signs.

    A zero-width space without a place keeps the second half's position: places are found by position.
    """
    if not _SURROGATE.search(content.text):
        return content
    seconds: list[int] = []

    def joined(match: re.Match[str]) -> str:
        seconds.append(match.start() + 1)
        whole = match.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        return f"{whole}\u200b"

    text = _PAIR.sub(joined, content.text)
    boxes = content.boxes.copy()
    boxes[seconds] = 0
    return replace(content, text=text, boxes=boxes)


def marked_glyphs(content: PageContent, gray: NDArray[np.uint8] | None) -> PageContent:
    """The page with :data:`LOST` for each glyph without a character, and a space for each that draws nothing.

    Private-use characters stay: some are known signs.

    Args:
        content: With the places of all characters.
        gray: The page drawn with :data:`DPI` dots an inch; without it every glyph counts as drawn.
    """
    chars = list(content.text)
    for i, char in enumerate(chars):
        if is_noise(char):
            chars[i] = " " if gray is not None and _is_space(gray, content, i) else LOST
    return replace(content, text="".join(chars))


def is_noise(char: str) -> bool:
    """Whether a raw character stands for a glyph that has none: U+FFFD, a control character or an unknown one.

    Line ends and tabs are text, and so is U+FFFE, PDFium's mark for a hyphen at a line's end.
    """
    if char in "\t\n\r\ufffe":
        return False
    return char == LOST or unicodedata.category(char) in ("Cc", "Cn", "Cs")


def without_noise(lines: Sequence[Line], *, doubtful: bool) -> tuple[list[Line], tuple[str, ...]]:
    """Lines and tables with :data:`MARK` in place of what cannot be read.

    Args:
        lines: Of one page, their text cleaned.
        doubtful: Whether some of the page's fonts have a wrong character map, so that lines of rare syllables are
            noise, and such syllables in other lines too.

    Returns:
        The lines, and what was marked, for the page's warnings. No lines where nothing but marks is left.
    """
    out: list[Line] = []
    marker = _Marker(doubtful)
    least = min([line.size for line in lines if line.table is None], default=0.0)
    for line in lines:
        if line.table is not None:
            table = marker.table(line.table)
            out.append(line if table is line.table else replace(line, table=table))
            continue
        before = marker.places
        text = marker.read(line.text)
        if text == MARK and out and out[-1].text == MARK and out[-1].column == line.column:
            marker.places = before  # goes on from the line above
        else:
            out.append(line if text is line.text else replace(line, text=text))
            if text == MARK:
                out[-1].size = least  # no heading
    if marker.places and all(line.table is None and not line.text.replace(MARK, "").strip() for line in out):
        return [], marker.notes()
    return out, marker.notes()


@dataclass(slots=True)
class _Marker:
    """Reads the lines and cells of a page and counts what it could not read."""

    doubtful: bool
    places: int = 0
    signs: int = 0

    def notes(self) -> tuple[str, ...]:
        found = (f"{self.places:,} {'places' if self.places > 1 else 'place'} unreadable, marked {MARK}",)
        signs = (f"{self.signs:,} {'signs' if self.signs > 1 else 'sign'} before text unknown, shown as {BULLET}",)
        return found * bool(self.places) + signs * bool(self.signs)

    def read(self, text: str) -> str:
        """A line with marks; the very same where nothing is wrong with it."""
        holed = text
        if self.doubtful:
            if is_garbled(text):
                self.places += 1
                return MARK
            holed = without_rare(text)
        if not _ONE.search(holed):
            return text
        holed, signs = _SIGN.subn(BULLET, holed)
        self.signs += signs
        words = holed.split()
        lost = len(_ONE.findall(holed))
        broken = sum(_ONE.search(word) is not None for word in words)
        if lost and (2 * lost >= sum(map(len, words)) or (len(words) > _FEW_WORDS and 2 * broken > len(words))):
            self.places += 1
            return MARK
        marked, places = _RUN.subn(MARK, holed)
        self.places += places
        return marked

    def cell(self, text: str) -> str:
        from kure_rag.read.tables.nested import MARK as INNER_TABLE

        if not (self.doubtful or _ONE.search(text)):
            return text
        inner = INNER_TABLE.findall(text)  # read by itself
        read = [self.read("\n".join(map(clean_line, part.split("\n")))) for part in INNER_TABLE.split(text)]
        return "".join(part + sign for part, sign in zip(read, [*inner, ""], strict=True))

    def row(self, cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self.cell, cells))

    def table(self, table: FoundTable) -> FoundTable:
        """The table with marks; the very same where nothing is wrong with it."""
        from kure_rag.read.tables.nested import OuterTable

        read = replace(
            table,
            caption=self.cell(table.caption),
            unit=self.cell(table.unit),
            header=self.row(table.header),
            rows=tuple(map(self.row, table.rows)),
        )
        if isinstance(read, OuterTable):  # the same cells again, and the tables in them
            again = _Marker(self.doubtful)
            inner = tuple(replace(one, table=again.table(one.table), lines=again.row(one.lines)) for one in read.inner)
            read = replace(read, marked=tuple(map(again.row, read.marked)), inner=inner)
        return table if read == table else read


def _is_space(gray: NDArray[np.uint8], content: PageContent, at: int) -> bool:
    """Whether a glyph draws nothing, though one beside it does: where no font is found, nothing is drawn at all."""
    if _draws(gray, content, at):
        return False
    text = content.text
    before = next((i for i in range(at - 1, max(-1, at - _NEAR), -1) if _is_letter(text[i])), at)
    after = next((i for i in range(at + 1, min(len(text), at + _NEAR)) if _is_letter(text[i])), at)
    return any(_draws(gray, content, i) for i in {before, after} - {at})


def _is_letter(char: str) -> bool:
    return char.isalnum()


def _draws(gray: NDArray[np.uint8], content: PageContent, at: int) -> bool:
    left, bottom, right, top = content.boxes[at].tolist()
    if not all(map(math.isfinite, (left, bottom, right, top))):
        return True  # a damaged file: nobody can tell
    if right <= left or top <= bottom or content.width <= 0 or content.height <= 0:
        return False  # no place on the page
    high, wide = gray.shape
    x, y = wide / content.width, high / content.height
    inset = _INSET * (right - left)
    part = gray[
        max(0, int((content.height - top) * y)) : max(0, int((content.height - bottom) * y) + 1),
        max(0, int((left + inset) * x)) : max(0, int((right - inset) * x) + 1),
    ]
    return bool(part.size) and int(part.max()) - int(part.min()) >= _INK


@functools.cache
def suspects() -> NDArray[np.bool_]:
    """For each UTF-16 code whether it may be noise: halves of a pair, private-use and unassigned ones among them."""
    import numpy as np

    found = np.array([unicodedata.category(chr(code)) in ("Cc", "Cn", "Co", "Cs") for code in range(0x10000)])
    found[[0x09, 0x0A, 0x0D, 0xFFFE]] = False
    found[0xFFFD] = True
    return found
