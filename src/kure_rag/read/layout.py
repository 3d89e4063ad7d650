"""A page's characters → lines in reading order, with their places.

Most pages are one column of text that the parser already gives line by line: those cost a look at each line's ends. The
others are put together again from the places of all their characters: columns, digits and brackets drawn in a second
pass, text turned by a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from kure_rag.read.clean import clean_line, needs_cleaning
from kure_rag.read.columns import Piece, reading_order
from kure_rag.read.overlap import apart
from kure_rag.read.page import FoundTable, PageContent, line_ends
from kure_rag.read.pdfium import LINE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kure_rag.read.page import Boxes

    Indices = NDArray[np.intp]

_BACK: Final = (
    0.25  # of a character's height: a centre this far to the left of the one before was drawn in another pass
)
_RAISED: Final = 0.7  # of a character's height: a centre this far off stands on another line
_GAP: Final = 0.7  # of a character's height: pieces of text are cut here
_WIDE: Final = 1.0  # of a character's height: no space between words is as wide; the gutter between columns is
_GAPS: Final = 4  # wide gaps on a page: fewer make no columns
_SAME_ROW: Final = 0.5  # of the lower of two lines: overlapping more than this, they stand side by side
_STACKED: Final = 3  # single characters below each other that make a word
_TAB: Final = 0.12  # of the page's width at each side, where the tabs of chapters are
_TAB_CHARS: Final = 3  # of a line of a tab
_UPRIGHT: Final = 2.5  # times as high as wide: a line of text turned by a quarter
_FEW: Final = 20  # characters of a page: too few to tell its direction
_BACKWARDS: Final = 0.8  # of a page's characters: it is printed upside down


@dataclass(slots=True)
class Line:
    """A printed line, or a table standing where a line would.

    Attributes:
        text: Cleaned, white space at its end kept.
        left: In points, like the other sides.
        bottom: Of the lowest character.
        right: Of the last visible character.
        top: Of the highest character.
        size: Height of its characters.
        margin: Left side of the column it stands in.
        edge: Right side of the column it stands in.
        column: Lines of a page with the same number stand below each other.
        table: What stands here in the line's place.
        worn: A running title, in the way of text that goes on from page to page.
    """

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float
    margin: float = 0.0
    edge: float = 0.0
    column: int = 0
    table: FoundTable | None = None
    worn: bool = False


def page_lines(content: PageContent, tables: Sequence[FoundTable] = ()) -> list[Line] | None:
    """The lines of a page in reading order.

    Args:
        content: With the places of all characters, or of each line's ends only.
        tables: What stands in tables is left out of the lines; each table stands in its place among them.

    Returns:
        ``None`` if the places of all characters are needed and were not given.
    """
    if 0 < content.text.count("㏖") == content.text.count("㏗"):
        from kure_rag.read.tables.glyphs import _HIGH_MARKS

        content = replace(content, text=content.text.translate(_HIGH_MARKS))
    lines = None if tables else _plain(content)
    if lines is None and "runs" in content.extra:
        return None
    if lines is None:
        lines = _pieced(content, tables)
        _set_columns(lines)
    elif lines:
        margin, edge = min([line.left for line in lines]), max([line.right for line in lines])
        for line in lines:
            line.margin, line.edge = margin, edge
    return lines


def text_lines(text: str) -> list[Line]:
    """Lines of a text without geometry, as if printed in a font of size one with Hangul one wide and the rest half."""
    from kure_rag.read.lines import visual_width

    lines = []
    for i, raw in enumerate(text.split("\n")):
        line = clean_line(raw)
        stripped = line.strip()
        left = visual_width(line[: len(line) - len(line.lstrip())]) / 2
        right = left + visual_width(stripped) / 2
        lines.append(Line(line.lstrip(), left, -float(i) - 1, right, -float(i), 1.0))
    filled = [line for line in lines if line.text.strip()]
    _set_columns(filled)
    return filled


def _set_columns(lines: Sequence[Line]) -> None:
    """Margins and, for a start, edges, see :func:`kure_rag.read.lines.join_lines`."""
    columns: dict[int, list[Line]] = {}
    for line in lines:
        columns.setdefault(line.column, []).append(line)
    for some in columns.values():
        printed = [line for line in some if line.table is None]
        margin = min([line.left for line in printed], default=None)
        edge = max([line.right for line in printed], default=None)
        if margin is None or edge is None:  # nothing but tables
            for line in some:
                line.margin, line.edge = line.left, line.right
            continue
        for line in some:
            line.margin, line.edge = margin, edge


# One column, as the parser gives it


def _plain(content: PageContent) -> list[Line] | None:
    """The parser's lines from top to bottom, or ``None`` where that would not be the reading order."""
    text = content.text
    if "ends" in content.extra:
        spans, ends = content.extra["spans"], content.extra["ends"]
    else:
        spans, places = line_ends(text)
        ends = content.boxes[places]
    lines: list[Line] = []
    width, height = content.width, content.height
    # A page has some forty lines: loops over floats are faster here than arrays.
    for (start, end), place in zip(spans, ends.reshape(-1, 8).tolist(), strict=True):
        left, bottom, _, top, _, low, right, high = place
        size = max(top - bottom, high - low)
        if size <= 0 or right < left or abs(low - bottom) > size:
            return None
        if low < bottom:
            bottom = low
        if high > top:
            top = high
        if right < 0 or left > width or top < 0 or bottom > height:
            continue  # cut off: not on the page
        lines.append(Line(text[start:end], left, bottom, right, top, size))
    lines.sort(key=_downwards)
    if any(following.top > line.bottom and _beside(line, following) for line, following in pairwise(lines)):
        return None
    if not lines or _scattered(content):
        return None if lines else []
    if needs_cleaning(text.replace("\r\n", "\n")):
        for line in lines:
            line.text = clean_line(line.text)
    return _stacked(lines) if [len(line.text) <= 2 for line in lines].count(True) >= _STACKED else lines


def _downwards(line: Line) -> float:
    return -line.bottom - line.top


def _beside(line: Line, following: Line) -> bool:
    lower = min(line.top - line.bottom, following.top - following.bottom)
    return following.top - line.bottom > _SAME_ROW * lower


def _scattered(content: PageContent) -> bool:
    """Whether the parser's lines hold what was drawn in a second pass, or two columns."""
    import numpy as np

    runs = content.extra.get("runs")
    whole = runs is not None
    if runs is None:
        runs = content.boxes[_visible(content)]
    if len(runs) < 2:
        return False
    left, bottom, right, top = runs.T
    height, middle = top - bottom, (top + bottom) / 2
    high = np.maximum(height[1:], height[:-1])
    beside = np.abs(middle[1:] - middle[:-1]) < _SAME_ROW * high
    gap = left[1:] - right[:-1]
    # From the end of a run: what is drawn into its gaps begins before that.
    step = gap if whole else (left[1:] + right[1:] - left[:-1] - right[:-1]) / 2
    again = beside & (step < -_BACK * high)
    return bool(again.any()) or int(np.count_nonzero(beside & (gap > _WIDE * high))) >= _GAPS


def _visible(content: PageContent) -> Indices:
    """Positions of the characters that can be seen: neither white space nor beyond the edges of the page."""
    import numpy as np

    codes = np.frombuffer(content.text.encode("utf-32-le", "surrogatepass"), np.uint32)
    seen = (codes > 32) & (codes != 0xA0) & (codes != 0x3000)
    sides = content.boxes
    seen &= (sides[:, 2] > sides[:, 0]) & (sides[:, 3] > sides[:, 1])
    seen &= (sides[:, 2] > 0) & (sides[:, 0] < content.width) & (sides[:, 3] > 0) & (sides[:, 1] < content.height)
    return np.flatnonzero(seen)


# From the places of all characters


def _pieced(content: PageContent, tables: Sequence[FoundTable]) -> list[Line]:
    import numpy as np

    seen = _visible(content)
    if not tables and _upside_down(content, seen):
        content = replace(content, boxes=_turned_round(content), rules=content.rules[:0])
    places = content.boxes
    middle_x, middle_y = (places[:, 0] + places[:, 2]) / 2, (places[:, 1] + places[:, 3]) / 2
    for table in tables:
        x0, y0, x1, y1 = table.box
        x, y = middle_x[seen], middle_y[seen]
        seen = seen[~((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))]
    breaks = np.array([match.start() for match in LINE.finditer(content.text)], np.intp)
    number = np.searchsorted(breaks, seen, side="right")
    seen, turned = _without_turned(seen, number, content)
    pieces, tabs = _without_tabs(_pieces(content.text, places, seen, breaks), content)
    pieces += [Piece(*table.box, size=table.box[3] - table.box[1], table=table) for table in tables]
    lines = _in_lines(content, pieces, 0)
    for tab in tabs:
        lines += _in_lines(content, tab, 1 + max((line.column for line in lines), default=0))
    for clockwise, some in turned:
        sides = _upright(places, content, clockwise)
        turned_content = PageContent(
            content.number, content.height, content.width, content.text, sides, content.rules[:0]
        )
        column = 1 + max((line.column for line in lines), default=0)
        lines += _in_lines(turned_content, _pieces(content.text, sides, some, breaks), column)
    return lines


def _upside_down(content: PageContent, seen: Indices) -> bool:
    """Whether nearly every character of a Korean page stands to the left of the one before it."""
    import numpy as np

    sides = content.boxes[seen]
    beside = np.abs(np.diff(sides[:, 1])) < _SAME_ROW * (sides[1:, 3] - sides[1:, 1])
    backwards = beside & (np.diff(sides[:, 0]) < 0)
    if len(seen) < _FEW or backwards.sum() < _BACKWARDS * len(seen):
        return False
    return sum("가" <= content.text[i] <= "힣" for i in seen.tolist()) > len(seen) / 2


def _turned_round(content: PageContent) -> Boxes:
    """Places on the page turned by half a turn."""
    import numpy as np

    x0, y0, x1, y1 = content.boxes.T
    boxes = np.stack((content.width - x1, content.height - y1, content.width - x0, content.height - y0), axis=1)
    boxes[(content.boxes == 0).all(axis=1)] = 0
    return boxes


def _in_lines(content: PageContent, pieces: list[Piece], column: int) -> list[Line]:
    lines = []
    for number, rows in enumerate(reading_order(pieces), column):
        for row in rows:
            if (table := row[0].table) is not None:
                lines.append(Line("", *table.box, size=0.0, column=number, table=table))
                continue
            drawn_in_order = all(_follows(a, b) for a, b in pairwise(row))
            some = [row] if drawn_in_order else apart(row, content.text, content.boxes)
            lines += [line for layer in some if (line := _line(content, layer, number)).text.strip()]
    return _stacked(lines)


def _line(content: PageContent, row: Sequence[Piece], column: int) -> Line:
    high = max(row, key=lambda piece: len(piece.chars))
    return Line(
        clean_line(_row_text(content, row)),
        min(piece.left for piece in row),
        min(piece.bottom for piece in row),
        max(piece.right for piece in row),
        max(piece.top for piece in row),
        high.size,
        column=column,
    )


def _without_tabs(pieces: list[Piece], content: PageContent) -> tuple[list[Piece], list[list[Piece]]]:
    """Takes out words written downwards at the sides of a page, as the tabs of a book's chapters are."""
    outer = _TAB * content.width
    aside = [
        piece
        for piece in pieces
        if len(piece.chars) <= _TAB_CHARS and (piece.right < outer or piece.left > content.width - outer)
    ]
    tabs: list[list[Piece]] = []
    for piece in sorted(aside, key=lambda piece: -piece.middle):
        for tab in tabs:
            above = tab[-1]
            near = -0.2 * piece.size < above.bottom - piece.top < piece.size
            if near and abs(above.left + above.right - piece.left - piece.right) < piece.size:
                tab.append(piece)
                break
        else:
            tabs.append([piece])
    tabs = [tab for tab in tabs if _is_tab(tab, content.text)]
    taken = {id(piece) for tab in tabs for piece in tab}
    return [piece for piece in pieces if id(piece) not in taken], tabs


def _is_tab(tab: Sequence[Piece], text: str) -> bool:
    chars = "".join(text[i] for piece in tab for i in piece.chars)
    return (
        len(tab) > _STACKED and sum("가" <= char <= "힣" for char in chars) >= _STACKED and len(set(chars)) > _STACKED
    )


def _without_turned(seen: Indices, number: Indices, content: PageContent) -> tuple[Indices, list[tuple[bool, Indices]]]:
    """Takes out the characters of lines turned by a quarter: (clockwise, characters) of each direction."""
    import numpy as np

    if not len(seen):
        return seen, []
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    sides = content.boxes[seen]
    width = np.maximum.reduceat(sides[:, 2], starts) - np.minimum.reduceat(sides[:, 0], starts)
    height = np.maximum.reduceat(sides[:, 3], starts) - np.minimum.reduceat(sides[:, 1], starts)
    ends = np.append(starts[1:], len(seen)) - 1
    upright = (ends - starts >= 2) & (height > _UPRIGHT * width)
    if not upright.any():
        return seen, []
    down = sides[ends, 1] < sides[starts, 1]
    counts = ends - starts + 1
    of_char = np.repeat(upright, counts)
    down_char = np.repeat(down, counts)
    turned = [(clockwise, seen[of_char & (down_char == clockwise)]) for clockwise in (False, True)]
    return seen[~of_char], [(clockwise, some) for clockwise, some in turned if len(some)]


def _upright(places: Boxes, content: PageContent, clockwise: bool) -> Boxes:
    """Places on the page turned so that lines running up or down run to the right."""
    import numpy as np

    x0, y0, x1, y1 = places.T
    if clockwise:
        return np.stack((content.height - y1, x0, content.height - y0, x1), axis=1)
    return np.stack((y0, content.width - x1, y1, content.width - x0), axis=1)


def _pieces(text: str, places: Boxes, seen: Indices, breaks: Indices) -> list[Piece]:
    """Runs of characters drawn one after the other, without a wide gap."""
    import numpy as np

    if not len(seen):
        return []
    sides = places[seen]
    number = np.searchsorted(breaks, seen, side="right")
    x, y = (sides[:, 0] + sides[:, 2]) / 2, (sides[:, 1] + sides[:, 3]) / 2
    height = sides[:, 3] - sides[:, 1]
    high = np.maximum(height[1:], height[:-1])
    gap = sides[1:, 0] - sides[:-1, 2]
    cut = (
        (np.diff(number) != 0)
        | (np.diff(x) < -_BACK * high)
        | (np.abs(np.diff(y)) > _RAISED * high)
        | (gap > _GAP * np.minimum(height[1:], height[:-1]))
    )
    starts = np.concatenate(([0], np.flatnonzero(cut) + 1))
    low, top = np.minimum.reduceat(sides, starts), np.maximum.reduceat(sides, starts)
    counts = np.diff(np.append(starts, len(seen)))
    size = np.maximum.reduceat(height, starts)
    hulls = np.stack((low[:, 0], low[:, 1], top[:, 2], top[:, 3], size), axis=1).tolist()
    chars = seen.tolist()
    return [
        Piece(left, bottom, right, top, high, chars[start : start + count])
        for (left, bottom, right, top, high), start, count in zip(hulls, starts.tolist(), counts.tolist(), strict=True)
    ]


def _row_text(content: PageContent, row: Sequence[Piece]) -> str:
    """The text of pieces that stand on one line, from left to right."""
    if all(_follows(a, b) for a, b in pairwise(row)):
        out, before = "", None
        for piece in row:
            text = content.text[piece.chars[0] : piece.chars[-1] + 1]
            if before is not None:
                between = content.text[before.chars[-1] + 1 : piece.chars[0]]
                apart = piece.left - before.right > 0.25 * min(piece.size, before.size)
                out += " " if apart or (between.isspace() and "\n" not in between) else ""
            out += text.replace("\r\n", " ")
            before = piece
        return out + _tail(content, row[-1].chars[-1])
    return _sorted_text(content, row)


def _follows(before: Piece, piece: Piece) -> bool:
    """Whether a piece was drawn after another one and stands behind it, not in a gap of it."""
    return before.chars[-1] < piece.chars[0] and piece.left > before.right - _BACK * piece.size


def _tail(content: PageContent, last: int) -> str:
    """The space that the file kept at a line's end; one that the parser put between columns has no width."""
    kept = content.text[last + 1 : last + 2] == " " and content.boxes[last + 1, 2] > content.boxes[last + 1, 0]
    return " " if kept else ""


def _sorted_text(content: PageContent, row: Sequence[Piece]) -> str:
    """Characters by their places alone; a space is where one was drawn or where a gap is."""
    from kure_rag.read.lines import close_numbers

    chars = [i for piece in row for i in piece.chars]
    text = content.text
    boxes = content.boxes
    spaces = []
    for piece in row:
        i = piece.chars[-1] + 1
        while i < len(text) and text[i] == " ":
            if boxes[i, 2] > boxes[i, 0]:
                spaces.append(float(boxes[i, 0] + boxes[i, 2]) / 2)
            i += 1
        spaces += [
            float(boxes[k, 0] + boxes[k, 2]) / 2
            for k in range(piece.chars[0], piece.chars[-1])
            if text[k] == " " and boxes[k, 2] > boxes[k, 0]
        ]
    placed = sorted((float(boxes[i, 0] + boxes[i, 2]) / 2, i) for i in chars)
    spaces.sort()
    out = ""
    at = 0
    before: tuple[float, int] | None = None
    for x, i in placed:
        drawn = False
        while at < len(spaces) and spaces[at] < x:
            drawn = before is not None and spaces[at] > before[0]
            at += 1
        if before is not None:
            height = float(boxes[i, 3] - boxes[i, 1])
            gap = float(boxes[i, 0] - boxes[before[1], 2])
            out += " " if gap > (0.1 if drawn else 0.3) * height else ""
        out += text[i]
        before = (x, i)
    return close_numbers(out) + (" " if at < len(spaces) else "")


def _stacked(lines: list[Line]) -> list[Line]:
    """Single characters below each other, which are a word written downwards, as one line."""
    out: list[Line] = []
    i = 0
    while i < len(lines):
        j = i + 1
        while (
            j < len(lines)
            and len(lines[i].text.strip()) == 1
            and len(lines[j].text.strip()) == 1
            and abs(lines[j].left - lines[j - 1].left) < 0.3 * lines[j].size
            and 0 < lines[j - 1].bottom - lines[j].bottom < 2 * lines[j].size
            and lines[j].table is lines[i].table is None
        ):
            j += 1
        if j - i >= _STACKED:
            some = lines[i:j]
            out.append(
                Line(
                    "".join(line.text.strip() for line in some),
                    min(line.left for line in some),
                    some[-1].bottom,
                    max(line.right for line in some),
                    some[0].top,
                    some[0].size,
                    column=some[0].column,
                )
            )
        else:
            out += lines[i:j]
        i = j
    return out
