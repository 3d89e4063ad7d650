"""What stands above a table: the line that names it and its unit note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kure_rag.read.page import Box
from kure_rag.read.tables.glyphs import Glyphs, Line, is_number, lines, squeezed, text
from kure_rag.read.tables.notes import date_in, unit_in, unit_note, with_date
from kure_rag.read.tables.wrapped_notes import is_wrapped, parts, parts_with_notes, said

_FAR: Final = 130.0  # points above a table in which a unit note above a chart is looked for
_HEADS: Final = 0.91  # of the page: above, unsigned lines are taken for running titles
_AXIS: Final = 12  # characters of a chart's label
_NEAR: Final = 12.0  # points by which what stands above a table may miss its width
_LONGEST: Final = 60  # characters of a caption
_UNMARKED: Final = 40  # of one without a mark, or with one that items of a text have
_SAME: Final = 3.0  # points by which the lines of a paragraph may begin apart
_REACH: Final = 1.9  # line heights between a table and a line above that may belong to it
_REACH_MARKED: Final = 2.5  # the same for a line that says so by itself
_REACH_UNIT: Final = 4.5  # the same for a unit note with nothing else between

_MARKED = re.compile(
    r"[<〈《\[【「“\"▶▷►■□◆◇○◯●❍❏◈∎▣◎☐※*·•]|[(<\[]?\s*(?:표|그림|별표|별지|부표|참고|예시|서식)\s*[\d<>\-.]|"
    r"제\s*\d+\s*(?:조|항|장|절)|\d{1,2}(?:\.|\)|-\d)|\d{1,2}\s[가-힣]|[가나다라마바사아자차카타파하][.)]|[①-⑳]|\(\d+\)|\(예시|[ⅠⅡⅢⅣⅤ]"
)
_SENTENCE = re.compile(r"(?:[가-힣]\.|[?,:;，])\s*$")
_SPACED_STOP = re.compile(r"\s+\.$")  # of a sentence that lost a note before its full stop
_NUMBERED = re.compile(r"[(\[<〈【]?\s*(?:표|별표|부표|서식)\s*[\d<\-.]")
_SIGNED = re.compile(r"[<〈《\[【「□■○◯●▶※]|표\s*\d|[가나다라마바사아자차카타파하]\.\s|\d{1,2}\.\s")
# A line without a mark that ends so is the end of a paragraph.
_RUNNING = re.compile(r"(?:다|요|함|됨|임|음|짐|며|고|여|로|을|를|은|는|에|의|와|과|도|한|된|및)$")
# Notes and items of a text, and what says which rule a document is about: 「(보건복지부 고시 …, 2030.1.1. 시행)」.
_NOTE = re.compile(r"[*ㅇ]|※?\s*관련\s?근거\s*:|\([^()]*(?:관련|개정|제정|시행|적용)\.?\)$")
_BULLET = re.compile(r"[•·ㆍ▪-]")  # of a text's list more often than of a caption
_LETTERS: Final = "가나다라마바사아자차카타파하"
_CIRCLED: Final = "".join(
    chr(start + i) for start, count in ((0x2460, 20), (0x278A, 10), (0x2776, 10)) for i in range(count)
)
_COUNT = re.compile(
    rf"(?P<before>\(?)(?:(?P<number>\d{{1,2}})(?P<after>[.)]|등급|단계)|(?P<letter>[{_LETTERS}])(?P<mark>[.)])"
    rf"|(?P<circled>[{_CIRCLED}]))"
)
_SOURCE = re.compile(r"\s*(?:※|\*|주\s*[:)]|자료\s*[:]|출처)")


@dataclass(frozen=True, slots=True)
class Label:
    """Caption and unit of a table, and the box of the lines they were taken from."""

    caption: str = ""
    unit: str = ""
    box: Box | None = None


def label_above(glyphs: Glyphs, body: Box, room: Box, height: float, *, named: bool = False) -> Label:
    """Reads caption and unit from the lines above a table.

    Args:
        glyphs: Of the page.
        body: The table's grid.
        room: Nothing outside belongs to it: another table ends there, or the cell that it stands in.
        height: Of the page.
        named: Whether its first row is its title: then no line above is, and stays text of the page.
    """
    top = body[3]
    above = _lines_above(glyphs, body, (room[0], top, room[2], min(top + _FAR, room[3])))
    caption, unit, date = "", "", ""
    used: list[Line] = []
    passed = False  # a note that stays text of the page
    edge = top
    for i, line in enumerate(above[:4]):
        value = said(line)
        found, dated = unit_in(value), date_in(value)
        reach = _REACH_MARKED if _MARKED.match(value) or found or dated else _REACH
        reach = _REACH_UNIT if found and not found[1] and not i else reach
        if min(glyph.bottom for glyph in line) - edge > reach * max(glyph.height for glyph in line):
            break
        if not unit and found:
            unit, caption = found
            if caption and is_wrapped(line) and not is_caption(_SPACED_STOP.sub(".", caption)):
                caption, passed = "", True  # a sentence that ends in the note stays text of the page
                break
            used.append(line)
            edge = max(glyph.top for glyph in line)
            if caption:
                break
            continue
        if _SOURCE.match(value) and len(value) < 30:
            edge = max(glyph.top for glyph in line)
            passed = True
            continue
        if line[0].y > _HEADS * height and not _SIGNED.match(value):
            break  # the page's running title
        if dated and not date:
            date = dated
            used.append(line)
            edge = max(glyph.top for glyph in line)
            continue
        # Above a unit note, or with its number, it is a caption wherever it stands.
        free = bool(unit) or bool(_NUMBERED.match(value))
        text_line = _is_text(above[i : i + 2], body, free=free) or _counts_on(above[i:], body)
        if not named and is_caption(value) and not text_line:
            caption = value
            used.append(line)
        break
    over = [line for line in above if not all(_is_beside(part, body) for part in parts(line))]
    box = None if passed else _around(used)
    beside = any(_is_beside(part, body) for line in used for part in parts(line))
    if box is not None and _takes_in_more(glyphs, body, box, used, shortest=1 if beside else _AXIS + 1):
        box = None  # what it says stays text of the page too
    return Label(caption, with_date(date, unit or _unit_above_chart(over)), box)


def _lines_above(glyphs: Glyphs, body: Box, room: Box) -> list[Line]:
    """Lines above a table from the lowest to the highest, without what stands beside the table's width.

    Unit notes and marked captions stand at the margins of a column that is wider than the table.
    """
    found = []
    taken: set[bool] = set()  # sides where other text stands between
    for row in reversed(parts_with_notes(lines(glyphs.inside(room)))):
        near: list[Line] = []
        others: list[Line] = []
        for part in row:
            (others if _is_beside(part, body) else near).append(part)
        noted = any(unit_in(said(part)) for part in near)
        between = False
        for part in others:
            side = part[0].left > body[0]
            foreign = _beside(part, body, glyphs)
            if side in taken or noted or foreign or not _is_label(part, alone=not near):
                taken.add(side)
                between = between or not foreign
            else:
                near.append(part)
        if between and not near:
            break  # a heading at the margin, say: what is above it names something else
        if near:
            near.sort(key=lambda part: part[0].left)
            found.append([glyph for part in near for glyph in part])
    return found


def _beside(part: Line, body: Box, glyphs: Glyphs) -> bool:
    """Whether text beside a table stands below words above it: they are of another column."""
    left, bottom, right, top = body
    begin, end = _width(part)
    side = (right, bottom, end, top) if begin > left else (begin, bottom, left, top)
    return bool(glyphs.inside(side))


def _is_beside(part: Line, body: Box) -> bool:
    """Whether words stand left or right of all of a table."""
    left, right = _width(part)
    return left >= body[2] + _NEAR or right <= body[0] - _NEAR


def _width(part: Line) -> tuple[float, float]:
    """Where words begin and end, be they on one line or more."""
    return min(glyph.left for glyph in part), max(glyph.right for glyph in part)


def _takes_in_more(glyphs: Glyphs, body: Box, box: Box, used: Sequence[Line], shortest: int) -> bool:
    """Whether other text stands in what a table and its caption and unit take in.

    Lines of fewer than ``shortest`` characters are a chart's labels.
    """
    own = {id(glyph) for line in used for glyph in line} | {id(glyph) for glyph in glyphs.inside(body)}
    around = (min(box[0], body[0]), body[1], max(box[2], body[2]), box[3])
    others = lines(glyph for glyph in glyphs.inside(around) if id(glyph) not in own)
    return any(len(squeezed(text(line))) >= shortest for line in others)


def _is_label(part: Line, *, alone: bool) -> bool:
    """Whether words beside a table's width may belong to it: its unit note or, on a line of their own, its caption."""
    value = said(part)
    if date_in(value):
        return True
    if found := unit_in(value):
        return not found[1] or (alone and bool(_SIGNED.match(value)))
    return alone and bool(_SIGNED.match(value)) and is_caption(value)


def _runs_over(line: Line, body: Box) -> bool:
    """Whether a line goes on far outside the table's width without standing above its middle: it is other text."""
    left, right = line[0].left, line[-1].right
    middle = abs((left + right) - (body[0] + body[2])) / 2
    return (left < body[0] - 40 or right > body[2] + 40) and middle > 25


def _is_text(pair: Sequence[Line], body: Box, *, free: bool) -> bool:
    """Whether a line, given with the one above it, is part of the text around the table.

    ``free`` where it need not stand above the table's middle.
    """
    if not free and _runs_over(pair[0], body):
        return True
    if len(pair) < 2 or _MARKED.match(text(pair[0])):
        return False
    line, above = pair
    if above[0].y - line[0].y > 1.9 * line[0].height or above[-1].right - above[0].left < 0.85 * (body[2] - body[0]):
        return False
    # What a margin broke stands below the first line, or further in where that begins with a mark.
    hangs = abs(line[0].left - above[0].left) <= _SAME or bool(_MARKED.match(text(above)))
    return line[0].left < body[0] + 30 or (hangs and above[-1].right >= body[2] - above[0].height)


def _counts_on(above: Sequence[Line], body: Box) -> bool:
    """Whether the first of lines, from the lowest, goes on counting from the item above it, which may be broken."""
    count = _count(text(above[0]))
    if count is None:
        return False
    for line, upper in pairwise(above):
        full = upper[-1].right - upper[0].left >= 0.85 * (body[2] - upper[0].left)
        if upper[0].y - line[0].y > _REACH_MARKED * line[0].height or not (line is above[0] or full):
            return False
        if before := _count(text(upper)):
            return before == (count[0], count[1] - 1)
        if _MARKED.match(text(upper)) or upper[0].left <= above[0][0].left + _SAME:
            return False
    return False


def _count(value: str) -> tuple[str, int] | None:
    """How a line is counted and its number: ``(3)`` → ``("()", 3)``; ``None`` for others."""
    match = _COUNT.match(value)
    if match is None:
        return None
    if match["number"]:
        return match["before"] + match["after"], int(match["number"])
    if match["letter"]:
        return match["before"] + "가" + match["mark"], _LETTERS.index(match["letter"])
    return _CIRCLED[0], _CIRCLED.index(match["circled"])


def _unit_above_chart(above: Sequence[Line]) -> str:
    """A chart with the same unit may stand between the note and its table; its labels are short."""
    for line in above:
        value = said(line)
        if match := unit_note(value):
            return (match.group(1) or match.group(2)).strip()
        if len(squeezed(value)) > _AXIS and not all(is_number(word) for word in value.split()):
            return ""
    return ""


def is_caption(value: str) -> bool:
    """Whether a line above a table names it."""
    if not value or len(value) > _LONGEST or _SENTENCE.search(value) or _NOTE.match(value):
        return False
    if _BULLET.match(value) and len(value) > _UNMARKED:
        return False
    long = value.count(" ") > 3 if _MARKED.match(value) else len(value) > 12
    return not (long and _RUNNING.search(value)) and (bool(_MARKED.match(value)) or len(value) <= _UNMARKED)


def _around(used: Sequence[Line]) -> Box | None:
    if not used:
        return None
    glyphs = [glyph for line in used for glyph in line]
    return (
        min(glyph.left for glyph in glyphs),
        min(glyph.bottom for glyph in glyphs),
        max(glyph.right for glyph in glyphs),
        max(glyph.top for glyph in glyphs),
    )
