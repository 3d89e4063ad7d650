"""What a provision says about itself and about others: when it was amended, and what it refers to."""

from __future__ import annotations

import re
from typing import Final

_NOTE: Final = re.compile(
    r"[<〈‹]\s*(?P<angle>(?:[가-힣]{2,6}\s*)?\d{4}\s*\.[^<>〈〉‹›]{0,4000})[>〉›]"
    r"|\[\s*(?P<square>(?:전문|본[조항호장절]|제목|일부|전부)?\s*(?:개정|신설|삭제)[^\[\]]{0,400})\]"
    r"|\(\s*(?P<round>(?:전문|본[조항호]|제목|일부|전부)?\s*(?:개정|신설|삭제|제정)[^()]{0,400}|[^()]{0,60}(?:개정|신설|삭제)\s*)\)"
)
_DATE: Final = re.compile(r"(\d{4})\s*[.년-]\s*(\d{1,2})\s*[.월-]\s*(\d{1,2})")
# [제4조에서 이동 <2020. 2. 11.>], [시행일: 2026. 1. 1.] 제35조: what is said of the article itself.
_MOVED: Final = re.compile(r"\[[^\[\]\n]{0,120}이동[^\[\]\n]{0,60}\]|\[\s*시행일[^\[\]\n]{0,200}\][^\n]*")
_EFFECTIVE: Final = re.compile(r"\[\s*시행일\s*[:：]?\s*(\d{4})\s*\.\s*(\d{1,2})\s*\.\s*(\d{1,2})")
_ARTICLE: Final = r"제\s*\d+(?:\s*-\s*\d+)?\s*조(?:의\s*\d+)*"
_POINT: Final = r"(?:\s?제\s*\d+\s*항)?(?:\s?제\s*\d+\s*호(?:의\s*\d+)?)?(?:\s?[가-하]목)?"
_REFERENCE: Final = re.compile(
    rf"(?:(?P<law>「[^「」\n]{{1,80}}」|(?:같은\s*|이\s*)?(?:법률|법|영|규칙|시행령|시행규칙|조례|약관|계약|규정))\s*)?"
    rf"(?P<point>{_ARTICLE}{_POINT})"
)
_LONGEST_NAME: Final = 40
_GOES_ON: Final = re.compile(r"(?:\s?제\s*\d+\s*[항호])*\s*(?:[,ㆍ·]|및|또는|내지|부터|[와과])\s*")


def amendments(text: str) -> list[str]:
    """Dates of the amendment notes in a provision, each once, ascending.

    ``<개정 2008. 2. 29., 2020. 2. 4.>`` → ``["2008.2.29", "2020.2.4"]``.
    """
    dates: set[tuple[int, ...]] = set()
    for match in _NOTE.finditer(text):
        note = match["angle"] or match["square"] or match["round"] or ""
        if not note.startswith("시행"):
            dates.update(tuple(map(int, date)) for date in _DATE.findall(note))
    return [".".join(map(str, date)) for date in sorted(dates)]


def note_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where the amendment notes between two offsets stand."""
    return [match.span() for match in _NOTE.finditer(text, start, end)]


def effective(text: str) -> str:
    """The date of a note 「[시행일: 2026. 1. 1.]」; empty where there is none."""
    match = _EFFECTIVE.search(text)
    return ".".join(str(int(number)) for number in match.groups()) if match else ""


def without_notes(text: str) -> str:
    """A text without its amendment notes."""
    return _NOTE.sub("", text)


def references(text: str) -> list[str]:
    """Provisions that a text names, in order, each once: ``제3조제1항``, ``「민법」 제32조``, ``법 제5조``.

    In 「민법」 제32조 및 제33조 both are of the same law.
    """
    text = _MOVED.sub("", text)
    found: dict[str, None] = {}
    law, end = "", 0
    for match in _REFERENCE.finditer(text):
        if match["law"]:
            law = _law(text, match)
        elif not (law and _GOES_ON.fullmatch(text, end, match.start())):
            law = ""
        end = match.end()
        found[f"{law} {''.join(match['point'].split())}".strip()] = None
    return list(found)


def _law(text: str, match: re.Match[str]) -> str:
    """The law's name; without brackets, as in 국세징수법 제5조, the whole word is taken."""
    start = match.start("law")
    if match["law"][0] != "「":
        while start > 0 and "가" <= text[start - 1] <= "힣" and match.end("law") - start < _LONGEST_NAME:
            start -= 1
    return " ".join(text[start : match.end("law")].split())
