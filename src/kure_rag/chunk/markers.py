"""What a line begins with: Ⅰ. 1. 가. (1) ① □ - and how such marks are told from words and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# In a line of a table of contents: 「1. 실물경제 ··· 1」.
LEADERS: Final = re.compile(r"[·.…∙‥･・]{4,}|(?:\s\.){4,}|[·.…∙‥･・]{2,}\s?\d{1,4}\s*$")
NOTE_OF_STATEMENTS: Final = "statement"  # the style of 주석 3. in a financial report
_LETTERS: Final = "가나다라마바사아자차카타파하"
_BULLET: Final = "■□▪▫◆◇◈○●◎◯◦•∙▶▷►◾❍❏❑❖▣◉☞✔\uf000-\uf8ff"
_DASH: Final = "-–—―·ㆍ・ㅇ"
# 「Q. 」, 「Q1 」, 「질문 2)」, 「[문]」, and what answers it.
_TURN: Final = (
    r"(?:{0}\s?\d{{0,3}}\s?[.):]|{0}\d{{1,3}}\s|(?:{1})\s?\d{{0,3}}\s?[.):]"
    r"|[\[【<(](?:{0}|{1})\s?\d{{0,3}}[\]】>)])\s*(?=\S)"
)
QUESTION: Final = re.compile(_TURN.format("Q", "질의|질문|문"))
ANSWER: Final = re.compile(_TURN.format("A", "답변|회신|답"))
# 「제1호 의안: 정관 변경의 건」, 「[의안 제2-1호]」, not 「제1호 의안은」.
_AGENDA: Final = (
    r"[\[<【(]?(?:제\s?\d{1,2}(?:-\d{1,2})?\s?호\s?(?:의안|안건)|(?:의안|안건)\s?제?\s?\d{1,2}(?:-\d{1,2})?\s?호?)"
    r"(?:\s?[\]>】)](?:\s?[:：])?|\s?[:：.]|\s?[-–—](?=\s)|(?=\s))"
)
# One group for each way of counting; what none of them takes may be a bullet or a note.
_MARKER: Final = re.compile(
    rf"""(?P<roman>[Ⅰ-Ⅻ]\s?\.?|[IVX]{{1,5}}\s?\.)\s*(?=[^\s.·…])
    |(?P<bar>\d{{1,2}}\s?[|/∙])(?=\s|$)\s*
    |(?P<sub>[1-9]\d?(?:(?:\.\d{{1,2}})+\.?|-\d{{1,2}}\.))\s+(?=[^\s\d~%])
    |(?P<{NOTE_OF_STATEMENTS}>주석\s?\d{{1,3}}(?:\s?[.:：]|\s?[-–—](?=\s))(?!\d)|[\[(]주석\s?\d{{1,3}}[\])])\s*(?=[^\s\d])
    |(?P<number>\d{{1,2}}(?:의\s?\d+)?\s?\.)\s*(?=[^\s\d.])
    |(?P<agenda>{_AGENDA})\s*(?=[^\s:：])
    |(?P<letter>[{_LETTERS}]\s?\.)\s*(?=[^\s.])
    |(?P<pnumber>\(\d{{1,2}}\))\s*
    |(?P<numberp>\d{{1,2}}\))\s*
    |(?P<pletter>\([{_LETTERS}]\))\s*
    |(?P<letterp>[{_LETTERS}]\))\s*
    |(?P<circled>[①-⑳㉑-㉟]|[㉠-㉭㉮-㉻]|[ⓐ-ⓩ])\s*
    |(?P<note>※|\*{{1,3}}(?=\s|[가-힣A-Za-z])|주\s?\d*\s?[):](?=\s)|(?:자료|출처)\s?\d*\s?:)\s*
    |(?P<bullet>[{_BULLET}]|[{_DASH}](?=\s))\s*""",
    re.VERBOSE,
)
_ROMAN: Final[Mapping[str, int]] = {
    name: i
    for i, name in enumerate(("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII"), 1)
}
_STARTS: Final = "①㉑㉠㉮ⓐ"
_DIGITS: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Marker:
    """The mark a line begins with.

    Attributes:
        style: Marks of one style stand on one level of a list: ``number`` for 1. 2. 3., ``letter`` for 가. 나.,
            ``sub1`` for 1.1 and 1-1., ``statement`` for 주석 1., ``agenda1`` for 제1호 의안:, or the bullet itself;
            ``note`` for ※, * and 주), which belong to what stands before them.
        number: Its place in the count (2 for 1.2), 0 for bullets and notes.
        length: Characters it takes, with the white space after it.
    """

    style: str
    number: int
    length: int


def find_marker(line: str) -> Marker | None:
    """The mark that a line without leading white space begins with, if any."""
    first = line[:1]
    if not first or ("가" <= first <= "힣" and first not in _LETTERS and first not in "주자출제의안"):
        return None  # most lines: a word
    match = _MARKER.match(line)
    if match is None or match.lastgroup is None:
        return None
    kind, printed = match.lastgroup, match.group(match.lastgroup)
    if kind == "sub":
        digits = _DIGITS.findall(printed)
        return Marker(f"sub{len(digits) - 1}", int(digits[-1]), match.end())
    if kind == "agenda":
        digits = _DIGITS.findall(printed)
        return Marker(f"agenda{len(digits)}", int(digits[-1]), match.end())
    if kind == "bullet":
        return Marker(printed, 0, match.end())
    if kind == "circled":
        family = max(start for start in _STARTS if start <= printed)
        start = "①" if family == "㉑" else family
        number = ord(printed) - ord("㉑") + 21 if family == "㉑" else ord(printed) - ord(start) + 1
        return Marker(f"circled{start}", number, match.end())
    return Marker(kind, _count(kind, printed), match.end())


def _count(kind: str, printed: str) -> int:
    if kind == "note":
        return 0
    if kind == "roman":
        letters = printed.rstrip(". ")
        return _ROMAN.get(letters, 0) or max(0, ord(letters[0]) - ord("Ⅰ") + 1)
    if found := _DIGITS.search(printed):
        return int(found.group())
    return next((i for i, letter in enumerate(_LETTERS, 1) if letter in printed), 0)
