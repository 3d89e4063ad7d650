"""What stands above a table: the line that names it and its unit note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.read.page import Box
from kure_rag.read.tables.glyphs import Glyphs, Line, is_number, lines, squeezed, text

_FAR: Final = 130.0  # points above a table in which a unit note above a chart is looked for
_HEADS: Final = 0.91  # of the page: above, unsigned lines are taken for running titles
_AXIS: Final = 12  # characters of a chart's label
_BESIDE: Final = 150.0  # points right of a table in which its unit note may stand
_LONGEST: Final = 60  # characters of a caption

# (단위: 백만원), 단위 : %, <단위: 개, 억원>
_UNIT = re.compile(
    r"[(\[<〈【]\s*(단\s*위(?:\s*[:：]|\s)\s*[^)\]>〉】]*)[)\]>〉】]|(단\s*위\s*[:：]\s*\S[^()\[\]<>]*)$"
)
_MEASURE: Final = (
    r"(?:천|백|십|만|억|조|백만|천만|십억)*\s?(?:원|명|개|건|주|달러|불|톤|호|세대|가구|대|회|점|배|엔|유로|위안|주|좌|포인트)"
    r"|[$￦₩]|월말|기말|연말|말일|%p?|bps?|pt|p|km|㎡|kg|mg|㎎|g|t|L|℃|년|월|일|시간|분|전[년월분기동]*\s?(?:대비|동[기월]\s?대비)|기간중|연율"
)
_BARE_UNIT = re.compile(rf"[(\[]\s*((?:{_MEASURE})(?:\s*[,，/·ㆍ;]\s*(?:{_MEASURE}))*)\s*[)\]]")
_MARKED = re.compile(
    r"[<〈《\[【「“\"▶▷►■□◆◇○◯●❍❏◈∎▣◎☐※*·•]|[(<\[]?\s*(?:표|그림|별표|별지|부표|참고|예시|서식)\s*[\d<>\-.]|"
    r"제\s*\d+\s*(?:조|항|장|절)|\d{1,2}(?:\.|\)|-\d)|\d{1,2}\s[가-힣]|[가나다라마바사아자차카타파하][.)]|[①-⑳]|\(\d+\)|\(예시|[ⅠⅡⅢⅣⅤ]"
)
_SENTENCE = re.compile(r"(?:[가-힣]\.|[?,:;，])\s*$")
_SIGNED = re.compile(r"[<〈《\[【「□■○◯●▶※]|표\s*\d|[가나다라마바사아자차카타파하]\.\s|\d{1,2}\.\s")
# A line without a mark that ends so is the end of a paragraph.
_RUNNING = re.compile(r"(?:다|요|함|됨|임|음|짐|며|고|여|로|을|를|은|는|에|의|와|과|도|한|된|및)$")
_SOURCE = re.compile(r"\s*(?:※|\*|주\s*[:)]|자료\s*[:]|출처)")


@dataclass(frozen=True, slots=True)
class Label:
    """Caption and unit of a table, and the box of the lines they were taken from."""

    caption: str = ""
    unit: str = ""
    box: Box | None = None


def label_above(glyphs: Glyphs, body: Box, ceiling: float, height: float, *, ruled: bool = True) -> Label:
    """Reads caption and unit from the lines above a table.

    Args:
        glyphs: Of the page.
        body: The table's grid.
        ceiling: Nothing above this place belongs to it: another table ends there.
        height: Of the page.
        ruled: Whether rules show how wide the table is; without them its unit note may stand right of the last numbers.
    """
    top = body[3]
    above = _lines_above(glyphs, body, min(top + _FAR, ceiling), 0.0 if ruled else _BESIDE)
    caption, unit = "", ""
    used: list[Line] = []
    passed = False  # a note that stays text of the page
    edge = top
    for i, line in enumerate(above[:4]):
        value = text(line)
        reach = 2.5 if _MARKED.match(value) or unit_in(value) else 1.9
        if min(glyph.bottom for glyph in line) - edge > reach * max(glyph.height for glyph in line):
            break
        if not unit and (found := unit_in(value)):
            unit, caption = found
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
        if is_caption(value) and not _is_text(above[i : i + 2], body):
            caption = value
            used.append(line)
        break
    return Label(caption, unit or _unit_above_chart(above), None if passed else _around(used))


def _lines_above(glyphs: Glyphs, body: Box, ceiling: float, beside: float) -> list[Line]:
    """Lines above a table from the lowest to the highest, without what stands beside the table's width."""
    left, _, right, top = body
    found = []
    for line in reversed(lines(glyphs.inside((0, top, 1e9, ceiling)))):
        parts: list[Line] = []
        for glyph in line:
            if parts and glyph.left - parts[-1][-1].right <= 2 * glyph.height:
                parts[-1].append(glyph)
            else:
                parts.append([glyph])
        near = [part for part in parts if part[0].left < right + 12 and part[-1].right > left - 12]
        others = [part for part in parts if part[0].left >= right + 12]
        if near and len(others) == 1 and others[0][0].left < right + beside and unit_in(text(others[0])):
            near += others
        if near:
            found.append([glyph for part in near for glyph in part])
    return found


def _runs_over(line: Line, body: Box) -> bool:
    """Whether a line goes on far outside the table's width without standing above its middle: it is other text."""
    left, right = line[0].left, line[-1].right
    middle = abs((left + right) - (body[0] + body[2])) / 2
    return (left < body[0] - 40 or right > body[2] + 40) and middle > 25


def _is_text(pair: Sequence[Line], body: Box) -> bool:
    """Whether a line, given with the one above it, is part of the text around the table."""
    if _runs_over(pair[0], body):
        return True
    if len(pair) < 2 or _MARKED.match(text(pair[0])):
        return False
    line, above = pair
    close = above[0].y - line[0].y <= 1.9 * line[0].height
    return close and above[-1].right - above[0].left >= 0.85 * (body[2] - body[0]) and line[0].left < body[0] + 30


def _unit_above_chart(above: Sequence[Line]) -> str:
    """A chart with the same unit may stand between the note and its table; its labels are short."""
    for line in above:
        value = text(line)
        if match := _UNIT.search(value):
            return (match.group(1) or match.group(2)).strip()
        if len(squeezed(value)) > _AXIS and not all(is_number(word) for word in value.split()):
            return ""
    return ""


def unit_in(value: str) -> tuple[str, str] | None:
    """The unit in a line and what else the line says, or nothing."""
    if match := _UNIT.search(value):
        unit = match.group(1) or match.group(2)
    elif match := _BARE_UNIT.fullmatch(value):
        unit = match.group(1)
    else:
        return None
    return unit.strip(), _UNIT.sub("", value[: match.start()] + value[match.end() :]).strip()


def is_caption(value: str) -> bool:
    """Whether a line above a table names it."""
    if not value or len(value) > _LONGEST or _SENTENCE.search(value):
        return False
    long = value.count(" ") > 3 if _MARKED.match(value) else len(value) > 12
    return not (long and _RUNNING.search(value)) and (bool(_MARKED.match(value)) or len(value) <= 40)


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
