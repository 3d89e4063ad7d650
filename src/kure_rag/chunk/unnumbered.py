"""Headings without a number or a mark: short lines above a list, and those that everyday papers share.

「필터 교체 방법」 above 「1. 전원을 끄세요.」 and 「2. 커버를 여세요.」 in a manual, 「학력」 and 「경력」 in a résumé.
Such a line may also end a sentence or be a cell of a table that was not found: a document must have two of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from kure_rag.chunk.markers import QUESTION
from kure_rag.chunk.names import ABSTRACT, PART_RANK, NameFinder, Names
from kure_rag.chunk.titles import COUNT_RANK, UNNUMBERED, UNNUMBERED_RANK, Line, Title, letters, reads_as_title

_LEAST: Final = 2
_LONGEST: Final = 24
_SHORT: Final = 30  # characters of a line that the margin did not break
_LOOK: Final = 12  # lines in which the second item of a list stands
_WORDS: Final = re.compile(r"[<〈《「『\[【]?\s?[가-힣A-Z][^\d|:：=%]*[^\W\d_][^\d|:：=%]*$")
_NONE: Final = re.compile(r"[은는을를와]$|(?:귀하|귀중|드림|올림)$")
_ENDS: Final = re.compile(r"[다요음함됨임것][.)”’]{0,2}$|[.?!)]$")
_DATED: Final = re.compile(r"(?:19|20)\d{2}\s?[.년/-]")
_FAQ: Final = NameFinder((Names({"FAQ": ("자주 묻는 질문", "자주하는 질문", "질의응답", "질의·응답", "FAQ", "Q&A")}),))
_ABSTRACT: Final = NameFinder((Names({"요약": ABSTRACT}),))
_SECTIONS: Final = ("number", "plain", "bar", "roman", "chapter")
_KNOWN: Final = NameFinder(
    (
        Names(
            {
                "이력서": (
                    "인적사항",
                    "학력",
                    "학력사항",
                    "경력",
                    "경력사항",
                    "주요경력",
                    "자격증",
                    "자격사항",
                    "자격 및 면허",
                    "자격·면허",
                    "보유자격",
                    "수상내역",
                    "수상경력",
                    "어학능력",
                    "병역사항",
                    "보유기술",
                    "교육이수",
                    "대외활동",
                    "자기소개",
                    "자기소개서",
                    "성장과정",
                    "지원동기",
                    "입사 후 포부",
                ),
                "설명서": (
                    "안전을 위한 주의사항",
                    "안전상의 주의사항",
                    "안전 주의사항",
                    "사용하기 전에",
                    "사용 전 준비",
                    "각부의 명칭",
                    "각 부분의 명칭",
                    "구성품",
                    "사용방법",
                    "설치방법",
                    "청소방법",
                    "보관방법",
                    "고장 신고 전 확인사항",
                    "고장 신고 전에",
                    "제품사양",
                    "제품규격",
                    "제품 보증",
                    "품질 보증",
                    "서비스 안내",
                ),
            }
        ),
    )
)


def abstracts(lines: Sequence[Line], titles: Mapping[int, Title]) -> dict[int, Title]:
    """The 요약 of a paper, which its sections stand beside and not under.

    Only where those that follow are counted once: a summary that says 1. 2. 3. before the report does has them.
    """
    order = sorted(titles)
    found: dict[int, Title] = {}
    for at, i in enumerate(order[:-1]):
        title, below = titles[i], titles[order[at + 1]]
        if title.number or below.number != 1 or below.style not in _SECTIONS or _ABSTRACT.find(lines[i].text) is None:
            continue
        again = any(titles[j].style == below.style and titles[j].number == 1 for j in order[at + 2 :])
        if not again:
            found[i] = replace(title, style=f"name{PART_RANK}", rank=COUNT_RANK)
    return found


def unnumbered_titles(lines: Sequence[Line], found: Mapping[int, Title]) -> dict[int, Title]:
    """The headings without a number, by position, beside those that were found already."""
    named = {letters(lines[i].title) for i in found}
    asked: list[int] = []
    places: list[int] = []
    for i, line in enumerate(lines):
        if not _reads_as_one(line) or i in found or any(name.endswith(letters(line.text)) for name in named):
            continue  # 「보안 특약」 under 「<붙임 1> 보안 특약」 says nothing new
        if _FAQ.find(line.text) is not None and i + 1 < len(lines) and QUESTION.match(lines[i + 1].text):
            asked.append(i)
        elif i and (_is_known(line) or (_is_whole(lines, i, found) and _stands_above_list(lines, i, found))):
            places.append(i)
    if len({lines[i].text for i in places}) < _LEAST:
        places = []
    return {i: Title(UNNUMBERED, UNNUMBERED_RANK, len(lines[i].text)) for i in sorted([*asked, *places])}


def _reads_as_one(line: Line) -> bool:
    return (
        not (line.table or line.contents)
        and line.marker is None
        and len(line.text) <= _LONGEST
        and _WORDS.match(line.text) is not None
        and _NONE.search(line.text) is None
        and reads_as_title(line, _LONGEST)
    )


def _is_known(line: Line) -> bool:
    known = _KNOWN.find(line.text)
    return known is not None and known.stop == len(line.text)


def _is_whole(lines: Sequence[Line], i: int, found: Mapping[int, Title]) -> bool:
    """Whether a line is not the rest of the one above it."""
    above = lines[i - 1]
    if above.table or above.contents or i - 1 in found or len(above.text) < _SHORT:
        return True
    return _ENDS.search(above.text) is not None or _DATED.match(above.text) is not None


def _stands_above_list(lines: Sequence[Line], i: int, found: Mapping[int, Title]) -> bool:
    below = lines[i + 1 : i + 1 + _LOOK]
    if len(below) < _LEAST or i + 1 in found or below[0].table or below[0].contents:
        return False
    first = below[0].marker
    if first is None:
        return all(_DATED.match(line.text) for line in below[:2])
    if first.style == "note" or first.number > 1:
        return False
    return any(
        line.marker is not None
        and line.marker.style == first.style
        and line.marker.number == first.number + bool(first.number)
        for line in below[1:]
    )
