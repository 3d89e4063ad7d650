"""What a provision says about itself: when it was amended, and from when it holds."""

from __future__ import annotations

import re
from typing import Final

_NOTE: Final = re.compile(
    r"[<〈‹]\s*(?P<angle>(?:[가-힣]{2,6}\s*)?\d{4}\s*\.[^<>〈〉‹›]{0,4000})[>〉›]"
    r"|\[\s*(?P<square>(?:전문|본[조항호장절]|제목|일부|전부)?\s*(?:개정|신설|삭제)[^\[\]]{0,400})\]"
    r"|\(\s*(?P<round>(?:전문|본[조항호]|제목|일부|전부)?\s*(?:개정|신설|삭제|제정)[^()]{0,400}|[^()]{0,60}(?:개정|신설|삭제)\s*)\)"
)
_DATE: Final = re.compile(r"(\d{4})\s*[.년-]\s*(\d{1,2})\s*[.월-]\s*(\d{1,2})")
_ANY_DATE: Final = re.compile(
    r"(?<!\d)(?:(\d{4})(\d\d)(\d\d)(?!\d)"
    r"|(\d{4}|['’‘]?\d{2})\s*(?:[./-]|년)\s*(\d{1,2})\s*(?:[./-]|월)\s*(\d{1,2})(?!\d))"
)
_CENTURY_ENDS: Final = 50  # of years printed with two digits: '98 and '19
_EFFECTIVE: Final = re.compile(r"\[\s*시행일\s*[:：]?\s*(\d{4})\s*\.\s*(\d{1,2})\s*\.\s*(\d{1,2})")


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


def deleted_on(line: str) -> list[str]:
    """Dates in the line that is left of a deleted article, in whatever form; ascending.

    ``제4조 (삭제 '19. 3. 1.)`` → ``["2019.3.1"]``.
    """
    dates: set[tuple[int, ...]] = set()
    for match in _ANY_DATE.finditer(line):
        year, month, day = (part for part in match.groups() if part)
        number = int(year.strip("'’‘"))
        if len(year) < 4:
            number += 2000 if number < _CENTURY_ENDS else 1900
        dates.add((number, int(month), int(day)))
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
