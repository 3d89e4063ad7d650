"""Where a passage stands on its page: boxes around its characters.

A passage is canonical text: lines are joined, spaces decided anew, tables written out with their merged cells filled.
Its page has characters in the parser's order. What both have in common is the characters without white space, by which
the passage is looked up line by line and cell by cell.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kure_rag.read.clean import clean_line
from kure_rag.read.page import Box

# Lengths of keys, in which a Korean syllable counts two or three.
_LONG: Final = 12  # hardly stands twice on a page by chance
_SHORT: Final = 6  # up to so long, such as a number, it stands anywhere: it counts in the row of a longer one only
_BLOCK: Final = 10  # of a piece of a torn line
_RULE: Final = re.compile(r"[|:\s-]+")
_CELLS: Final = re.compile(r"\s\|\s|\s>\s|^\|\s?|\s?\|$")
_MARKUP: Final = re.compile(r"^#{1,6}\s+")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Marks:
    """What was found of a passage on a page.

    Attributes:
        boxes: Left, bottom, right, top in points of the page as shown; one for each line or row, from the top.
        share: Of the passage's characters, how many were found: 1 for all, 0 for none.
    """

    boxes: tuple[Box, ...]
    share: float


@dataclass(slots=True)
class _Piece:
    """A line of the passage, or a cell of its table."""

    key: str
    at: int  # in the passage's key
    row: int | None  # number of the table row
    spans: list[Span] = field(default_factory=list)  # in the page's key


@dataclass(frozen=True, slots=True)
class _PageKey:
    """The page's characters without white space, and which of them each stands for."""

    text: str
    index: Sequence[int]
    boxes: Sequence[Box]

    def seen(self, span: Span) -> Iterator[Box]:
        """The boxes of a span's characters; those that the parser generated have none."""
        before = -1
        for i in self.index[span[0] : span[1]]:
            box = self.boxes[i]
            if i != before and box[2] > box[0] and box[3] > box[1]:
                yield box
            before = i

    def places(self, key: str) -> list[int]:
        """Where a key begins."""
        found, at = [], self.text.find(key)
        while at >= 0:
            found.append(at)
            at = self.text.find(key, at + 1)
        return found


def find_passage(text: str, boxes: Sequence[Sequence[float]], passage: str, *, near: float = 0.0) -> Marks:
    """Looks a passage up on its page.

    Args:
        text: The page's characters as the parser gives them.
        boxes: The place of each, as :class:`kure_rag.read.page.PageContent` has them; zeros for generated ones.
        passage: Canonical text, or that part of it which stands on this page.
        near: Where it begins on the page, from 0 to 1, to choose between equal texts.
    """
    page = _page_key(text, [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes])
    pieces = _pieces(passage)
    total = sum(len(piece.key) for piece in pieces)
    if not total or not page.text:
        return Marks((), 0.0)
    whole = "".join(piece.key for piece in pieces)
    if starts := page.places(whole):
        start = min(starts, key=lambda at: abs(at - near * len(page.text)))
        _spread(pieces, start)
    else:
        _place(pieces, page, near)
    rows = {piece.row for piece in pieces if piece.spans and piece.row is not None}  # are marked whole
    found = sum(
        len(piece.key)
        if piece.row in rows and len(piece.key) <= _SHORT
        else sum(end - start for start, end in piece.spans)
        for piece in pieces
    )
    return Marks(tuple(_drawn(pieces, page)), min(1.0, found / total))


def key_of(text: str) -> str:
    """A text as it is compared: decomposed, without white space."""
    return "".join(_letters(char) for char in text)


def _letters(char: str) -> str:
    return "".join(unicodedata.normalize("NFD", clean_line(char)).split())


def _page_key(text: str, boxes: Sequence[Box]) -> _PageKey:
    letters: list[str] = []
    index: list[int] = []
    known: dict[str, str] = {}
    for i, char in enumerate(text):
        key = known.get(char)
        if key is None:
            key = known[char] = _letters(char)
        letters.append(key)
        index.extend([i] * len(key))
    return _PageKey("".join(letters), index, boxes)


def _pieces(passage: str) -> list[_Piece]:
    found: list[_Piece] = []
    at = 0
    for number, line in enumerate(passage.split("\n")):
        table = line.startswith("|")
        if table and _RULE.fullmatch(line):
            continue
        for part in _CELLS.split(line) if table else [_MARKUP.sub("", line)]:
            if key := key_of(part):
                found.append(_Piece(key, at, number if table else None))
                at += len(key)
    return found


def _spread(pieces: Iterable[_Piece], start: int) -> None:
    """The whole passage stands there in one run."""
    for piece in pieces:
        piece.spans = [(start + piece.at, start + piece.at + len(piece.key))]


def _place(pieces: Sequence[_Piece], page: _PageKey, near: float) -> None:
    """Each piece for itself: first those that stand as often as the passage says, then the others beside them."""
    starts = [page.places(piece.key) for piece in pieces]
    _in_turn(pieces, starts, page)
    for i, (piece, found) in enumerate(zip(pieces, starts, strict=True)):
        if found and not piece.spans and len(piece.key) > _SHORT:
            expected = _expected(pieces, i, near * len(page.text))
            start = min(found, key=lambda at: abs(at - expected))
            piece.spans = [(start, start + len(piece.key))]
    _torn(pieces, page)
    for piece, found in zip(pieces, starts, strict=True):
        if found and not piece.spans and len(piece.key) <= _SHORT:
            _place_short(piece, found, pieces, page)


def _in_turn(pieces: Sequence[_Piece], starts: Sequence[Sequence[int]], page: _PageKey) -> None:
    """Equal pieces of which the page has as many take theirs in order; short ones only within the height of long ones.

    A merged cell stands once on the page and in each of its rows here: those all get its one place.
    """
    often = Counter(piece.key for piece in pieces)
    for short in (False, True):
        band = _band(pieces, page)
        turn: Counter[str] = Counter()
        for piece, found in zip(pieces, starts, strict=True):
            if short == (len(piece.key) >= _LONG) or len(found) not in (1, often[piece.key]):
                continue
            if short and (piece.row is None or len(found) < often[piece.key]):
                continue
            start = found[turn[piece.key] % len(found)]
            turn[piece.key] += 1
            span = (start, start + len(piece.key))
            if not short or all(band[0] <= box[1] and box[3] <= band[1] for box in page.seen(span)):
                piece.spans = [span]


def _band(pieces: Sequence[_Piece], page: _PageKey) -> tuple[float, float]:
    """The height of a table that is known so far, and a line more on both sides."""
    boxes = [box for piece in pieces if piece.row is not None for span in piece.spans for box in page.seen(span)]
    if not boxes:
        return 0.0, 0.0
    line = 2 * max(map(_height, boxes))
    return min(box[1] for box in boxes) - line, max(box[3] for box in boxes) + line


def _expected(pieces: Sequence[_Piece], i: int, near: float) -> float:
    """Where a piece should begin on the page, by the nearest one that has its place."""
    placed = [(abs(j - i), piece) for j, piece in enumerate(pieces) if piece.spans]
    if not placed:
        return near + pieces[i].at
    _, beside = min(placed, key=lambda pair: pair[0])
    return beside.spans[0][0] + pieces[i].at - beside.at


def _torn(pieces: Sequence[_Piece], page: _PageKey) -> None:
    """Lines that the page holds in parts, such as around a footer or in another reading order."""
    left = [piece for piece in pieces if not piece.spans and len(piece.key) >= _LONG]
    if not left:
        return
    taken = [span for piece in pieces for span in piece.spans]  # what looks alike, such as the next row
    matcher = difflib.SequenceMatcher(None, "", page.text, autojunk=False)
    for piece in left:
        matcher.set_seq1(piece.key)
        blocks = [(b, b + size) for _, b, size in matcher.get_matching_blocks() if size >= _BLOCK]
        blocks = [(a, b) for a, b in blocks if all(b <= start or end <= a for start, end in taken)]
        if 2 * sum(b - a for a, b in blocks) >= len(piece.key):
            piece.spans = blocks
            taken += blocks


def _place_short(piece: _Piece, found: Sequence[int], pieces: Sequence[_Piece], page: _PageKey) -> None:
    """A number or a word of a table, on the line of a longer cell of its row."""
    if piece.row is None:
        return
    row = [box for other in pieces if other.row == piece.row for span in other.spans for box in page.seen(span)]
    for at in found:
        here = list(page.seen((at, at + len(piece.key))))
        if here and any(_level(here[0], box) for box in row):
            piece.spans = [(at, at + len(piece.key))]
            return


def _drawn(pieces: Sequence[_Piece], page: _PageKey) -> list[Box]:
    lines: list[Box] = []
    rows: dict[int, list[Box]] = {}
    for piece in pieces:
        for span in piece.spans:
            runs = list(_runs(page.seen(span)))
            if piece.row is None:
                lines += runs
            else:
                rows.setdefault(piece.row, []).extend(runs)
    if rows:  # a row is marked over the width of its table: the cells that stand twice need not be told apart
        left = min(box[0] for boxes in rows.values() for box in boxes)
        right = max(box[2] for boxes in rows.values() for box in boxes)
        for boxes in rows.values():
            lines += [(left, bottom, right, top) for _, bottom, _, top in _joined(boxes)]
    return sorted(_joined(lines), key=lambda box: (-box[3], box[0]))


def _runs(boxes: Iterable[Box]) -> Iterator[Box]:
    """Characters one after the other → a box for each line."""
    run: Box | None = None
    for box in boxes:
        if run is not None and _level(run, box) and -_height(run) < box[0] - run[2] < 4 * _height(run):
            run = _around(run, box)
        else:
            if run is not None:
                yield run
            run = box
    if run is not None:
        yield run


def _joined(boxes: Sequence[Box]) -> list[Box]:
    """Boxes of one line that touch become one."""
    out: list[Box] = []
    for box in sorted(boxes, key=lambda box: (-box[3], box[0])):
        for i, other in enumerate(out):
            if _level(box, other) and min(box[2], other[2]) - max(box[0], other[0]) > -0.5 * _height(box):
                out[i] = _around(box, other)
                break
        else:
            out.append(box)
    return out


def _height(box: Box) -> float:
    return box[3] - box[1]


def _level(a: Box, b: Box) -> bool:
    """Whether two boxes stand on one line."""
    return min(a[3], b[3]) - max(a[1], b[1]) > 0.5 * min(_height(a), _height(b))


def _around(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
