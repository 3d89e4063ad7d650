"""Notes above a table: the unit of its values, and the date that they are of."""

from __future__ import annotations

import re
from typing import Final

_OPEN: Final = r"[(（\[［<〈【〔]"
_CLOSE: Final = r"[)）\]］>〉】〕]"
_INSIDE: Final = r"[^()（）\[\]［］<>〈〉【】〔〕]"
_BRACKET: Final = re.compile(rf"{_OPEN}|{_CLOSE}")
_REST: Final = r"[^)）\]］>〉】〕]*"

_WORD: Final = (
    r"(?:(?:금액|원화|외화|화폐|통화|기준|표시|측정|수량|물량|면적|중량|가격|보고)\s?)?단\s*위"  # 금액단위, 화폐 단위
)
_DAY: Final = r"['’‘`]?(?:\d{2,4}\s?[.년/-]|제\s?\d+\s?기)[\s\d.년월일기말초반분/~∼-]*"
_DATE_NAME: Final = r"(?:기준|작성|조회|평가|결산|집계)\s?(?:일자?|시점)\s*[:：]\s*"
_DATED: Final = rf"(?:{_DATE_NAME}{_INSIDE}{{0,30}}\d{_INSIDE}{{0,10}}|{_DAY}(?:기준|현재))"

# (단위: 백만원), 단위 : %, <단위: 개, 억원>, (2023년 말 기준, 단위: 백만원), (Unit: KRW million)
UNIT: Final = re.compile(
    rf"{_OPEN}\s*((?:{_INSIDE}{{0,40}}?(?:[,，;/·ㆍ]|기준|현재)\s*)?(?:{_WORD}|[Uu]nits?)\s*[:：]{_REST}"
    rf"|단\s*위\s{_REST}){_CLOSE}|({_WORD}\s*[:：]\s*\S[^()\[\]<>]*)$"
)
_MEASURE: Final = (
    r"(?:천|백|십|만|억|조|백만|천만|십억)*\s?(?:원|명|개|건|주|달러|불|톤|호|세대|가구|대|회|점|배|엔|유로|위안|주|좌|포인트)"
    r"|[$￦₩]|월말|기말|연말|말일|%p?|bps?|pt|p|km|㎡|kg|mg|㎎|g|t|L|℃|년|월|일|시간|분|전[년월분기동]*\s?(?:대비|동[기월]\s?대비)|기간중|연율"
)
_BARE_UNIT: Final = re.compile(
    rf"[(\[]\s*((?:{_DATED}\s*[,，]\s*)?(?:{_MEASURE})(?:\s*[,，/·ㆍ;]\s*(?:{_MEASURE}))*)\s*[)\]]"
)
_DATE: Final = re.compile(rf"\s*(?:{_OPEN}\s*({_DATED})\s*{_CLOSE}|({_DATE_NAME}{_DAY}))\s*")


def is_open(value: str) -> bool:
    """Whether the last bracket in a line is not closed in it."""
    brackets = _BRACKET.findall(value)
    return bool(brackets) and bool(re.match(_OPEN, brackets[-1]))


def opens_first(value: str) -> bool:
    """Whether a line's first bracket opens: it closes none that an earlier line left open."""
    bracket = _BRACKET.search(value)
    return bracket is not None and bool(re.match(_OPEN, bracket[0]))


def unit_note(value: str) -> re.Match[str] | None:
    """The unit note in a line as :data:`UNIT` finds it, but none that the line's end cut off: 「(단위: 백」."""
    match = UNIT.search(value)
    if match is None or (match.group(2) and is_open(value[: match.start()])):
        return None
    return match


def unit_in(value: str) -> tuple[str, str] | None:
    """The unit note in a line and what else the line says, or nothing.

    A date note beside the unit, ``(기준일: 2024.3.31.) (단위: 주)``, is part of it.
    """
    if match := unit_note(value):
        unit = match.group(1) or match.group(2)
    elif match := _BARE_UNIT.fullmatch(value):
        unit = match.group(1)
    else:
        return None
    rest = UNIT.sub("", value[: match.start()] + value[match.end() :]).strip()
    if date := date_in(rest):
        return with_date(date, unit.strip()), ""
    return unit.strip(), rest if re.search(r"\w", rest) else ""  # ※ before a note says nothing


def date_in(value: str) -> str:
    """The date in a line that says no more, such as ``(2024.3.31. 현재)``, without brackets; empty if there is none."""
    match = _DATE.fullmatch(value)
    return (match[1] or match[2]).strip() if match else ""


def with_date(date: str, unit: str) -> str:
    """Both in one note: ``기준일: 2024.3.31., 단위: 주``."""
    return ", ".join(note for note in (date, unit) if note)
