"""Short lines above a list that are no headings: each goes with the list's first item, not with the text above it.

「자녀세액공제 금액 확대(소득법 §59의2①)」 and below it 「ㅇ 종합소득이 있는 …」: at the end of the chunk before, the
line would say nothing, and the item would not say what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from kure_rag.chunk.markers import ANSWER, LEADERS, QUESTION, find_marker
from kure_rag.chunk.pack import Unit

_LONGEST: Final = 60  # characters
_WRAPPED: Final = 30  # characters of a line that the margin may have broken
_ENDS: Final = re.compile(r"[.?!:;。,][\s'\"”’)\]]*$|[다요음함됨임것][)\]]?$")
_GOES_ON: Final = re.compile(r"(?:[을를은는의와과]|에서|으로|하고|하며|및|또는|때|경우)$")
# 「’25.1.1. 이후 신고하는 분부터 적용」: reports end sentences with nouns.
_NOUN_ENDS: Final = re.compile(
    r"(?:적용|허용|인정|신설|폐지|삭제|추가|조정|규정|확대|축소|강화|완화|연장|단축|마련|개선|필요|예정|가능|금지|제외|포함|실시|추진|수립|[)\]」])$"
)
_WORDS: Final = re.compile(r"[가-힣]{2}")
_BEGINS: Final = re.compile(r"[\w「『‘“'’]")


def with_lone_titles(text: str, units: Sequence[Unit], longest: int) -> list[Unit]:
    """Units in order, in which such a line and the item below it are one, unless that is longer than ``longest``."""
    out: list[Unit] = []
    for unit in units:
        title = out[-1] if out else None
        if title is not None and _heads(text, title, out[-2] if len(out) > 1 else None, unit, longest):
            out[-1] = replace(unit, start=title.start)
        else:
            out.append(unit)
    return out


def _heads(text: str, title: Unit, above: Unit | None, unit: Unit, longest: int) -> bool:
    alike = title.kind == unit.kind == "text" and not (title.apart or unit.apart) and title.lead == unit.lead
    if not alike or title.end - title.start > _LONGEST or unit.end - title.start > longest:
        return False
    marker = find_marker(text[unit.start : unit.end])
    if marker is None or marker.style == "note" or marker.number > 1:
        return False
    return _reads_as_title(text[title.start : title.end]) and (above is None or _is_whole(text, above))


def _reads_as_title(line: str) -> bool:
    return (
        "\n" not in line
        and _BEGINS.match(line) is not None
        and _WORDS.search(line) is not None
        and find_marker(line) is None
        and not (_ENDS.search(line) or _GOES_ON.search(line) or LEADERS.search(line))
        and not (QUESTION.match(line) or ANSWER.match(line))
    )


def _is_whole(text: str, unit: Unit) -> bool:
    """Whether a unit's last line is not broken at the margin, so that the next one is no part of it."""
    line = text[unit.start : unit.end].rpartition("\n")[2]
    return len(line) < _WRAPPED or _ENDS.search(line) is not None or _NOUN_ENDS.search(line) is not None
