"""Whether a number in a table takes the unit printed above it: 부채비율(%), 주석 and 번호 do not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_COLUMN_UNIT: Final = re.compile(r"\([^()]*(?:원|%|달러|주|건|명|개|배|톤|㎡|bp)[^()]*\)")
_MONEY: Final = r"[십백천만억조\s]*(?:원|달러|불|엔|위안|유로)|(?:KRW|USD|EUR|JPY|CNY|US\$|\$|￦|₩)"
_ONE_UNIT: Final = (
    rf"(?:{_MONEY}|%p?|％|‰|bps?"
    r"|[십백천만억\s]*(?:건|명|인|개|대|배|톤|호|점|회|부|좌|주|일|년|개월|시간|㎡|㎥|ha|kg|t|kWh|MWh|GWh))"
)
# 주당이익(원), 부채비율[%], 이용률(단위: %), 단가(원/kg): nothing but a unit, since 매출(건설) and (주)가온 name none.
_OWN_UNIT: Final = re.compile(rf"[(（\[]\s*(?:단위\s*[:：]?\s*)?({_ONE_UNIT}(?:\s*[/,·]\s*{_ONE_UNIT})*)\s*[)）\]]")
_SHARES: Final = re.compile(r"(?:수|총수|주식|보통주|우선주|종류주|주|잔고)\s*$")  # before (주), else a company's
_PERCENT_LAST: Final = re.compile(r"[%％]\s*$")
_IS_MONEY: Final = re.compile(_MONEY)
_PLAIN: Final = re.compile(r"[△▲▼▽+\-–−(]*\s?[\d,.]+\)?")
_NO_QUANTITY: Final = re.compile(
    r"(?:관련)?주석(?:번호)?|주기|[가-힣]{0,4}번호|순번|연번|순위|순서|회차|차수|비고|참조|[가-힣]{0,3}코드|쪽|페이지"
    r"|No\.?|Notes?",
    re.IGNORECASE,
)
_YEAR_COLUMN: Final = re.compile(r"[가-힣]{0,4}[연년]도")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_RATIO: Final = re.compile(r"(?:[가-힣]*비율|[가-힣]+[율률]|비중|구성비)")
# 환율, 요율, 임률 and a tax by quantity are amounts of money; 법률 and 자율 are no numbers.
_NO_RATIO: Final = re.compile(r"(?:환율|요율|임률)$|^(?:세율|법률|자율|규율|조율|선율)$")
_BRACKETS_LAST: Final = re.compile(r"(?:\s*[(（\[][^()（）\[\]]*[)）\]]|[\s*※†])+$")


def takes_unit(unit: str, names: Sequence[str], column: str, value: str) -> bool:
    """Whether the table's unit is that of a value.

    Args:
        unit: The table's; empty where it has none.
        names: The cells that name the row.
        column: The column's name; levels are apart by `` > ``.
        value: The cell, in one line.
    """
    if not unit or not _PLAIN.fullmatch(value) or _COLUMN_UNIT.search(column):
        return False
    own = column.rpartition(" > ")[2]
    if any(map(_names_unit, (*names, own))) or _NO_QUANTITY.fullmatch("".join(own.split())):
        return False
    if _YEAR_COLUMN.fullmatch(own) and _YEAR.fullmatch(value):
        return False
    # A ratio is no amount of money; 출산율 may be counted in 명, and one in % has the table's unit.
    return not (_IS_MONEY.fullmatch(unit) and any(map(_is_ratio, (*names[-1:], own))))


def _names_unit(name: str) -> bool:
    if _PERCENT_LAST.search(name):
        return True
    return any(match[1] != "주" or _SHARES.search(name, 0, match.start()) for match in _OWN_UNIT.finditer(name))


def _is_ratio(name: str) -> bool:
    words = _BRACKETS_LAST.sub("", name).split()
    return bool(words) and _RATIO.fullmatch(words[-1]) is not None and _NO_RATIO.search(words[-1]) is None
