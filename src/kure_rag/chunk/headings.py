"""Headings by their printed form: 제1장 …, 제15조의2(…), Ⅲ. …, 【주문】, 2. …, and where each ranks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kure_rag.chunk.base import Section

_LINE = re.compile(r"[^\n]*\S[^\n]*")
_ARTICLE_TITLE: Final = (
    r"\s*\([^()\n]{1,80}(?:\([^()\n]*\)[^()\n]*)*\)(?![에의를을과와])"  # not 제15조(연차휴가)에 따라
)
# A heading's rank: a smaller one closes all that are larger.
_RANKS: Final[tuple[tuple[int, re.Pattern[str]], ...]] = (
    (0, re.compile(r"(?:부\s*칙|\[?별\s*표(?:\s*\d+)?(?:의\s*\d+)?\]?)(?:\s*[<(\[].{0,80})?$")),
    (0, re.compile(r"제\s*\d+\s*편(?:의\s*\d+)?(?:\s.{0,60})?$")),
    (1, re.compile(r"제\s*\d+\s*장(?:의\s*\d+)?(?:\s.{0,60})?$")),
    (1, re.compile(r"(?:[IVX]{1,5}|[Ⅰ-Ⅻ])\s?\.\s?\S.{0,60}$")),
    (1, re.compile(r"【[^】]{1,30}】")),
    (2, re.compile(r"제\s*\d+\s*절(?:의\s*\d+)?(?:\s.{0,60})?$")),
    (3, re.compile(r"제\s*\d+\s*관(?:의\s*\d+)?(?:\s.{0,60})?$")),
    (4, re.compile(rf"제\s*\d+\s*조(?:의\s*\d+)?(?:{_ARTICLE_TITLE}|(?=\s*삭제))")),
)
# `1. 회사의 개요` is a heading in a report and an item in a statute, so it counts only where no article was seen.
# Without its dot a number begins a row of a table, as in 10 mg and 3 개월.
_NUMBERED: Final = re.compile(r"\d{1,2}(?:\.|(?:\.\d{1,2})+)\s[^\s\d][^.。:]{0,39}$")
_NUMBERED_RANK: Final = 5
# Not 개요, 소음, 책임, 선임: nouns that end as sentences do.
_SENTENCE_END = re.compile(
    r"(?:다|[세어아해예에까나네]요|[있없같많않았었였했됐]음|함|것|(?<![책위선해퇴])임)[.)]?$|요[.)]$|[,;]$"
)
_ARTICLE = re.compile(r"(?m)^제\s*\d+\s*조")


def find_sections(text: str) -> Iterator[Section]:
    """Cuts a text at its headings.

    The sections cover every line that holds anything, in order and without overlapping; text before the first heading
    is a section without headings.
    """
    numbered = len(_ARTICLE.findall(text)) < 3
    stack: list[tuple[int, str]] = []
    start = body = end = 0
    opened = False
    for line in _LINE.finditer(text):
        found = _heading(text, line.start(), line.end(), numbered=numbered)
        if found is not None:
            if opened:
                yield Section(start, body, end, tuple(h for _, h in stack))
            rank, stop = found
            while stack and stack[-1][0] >= rank:
                stack.pop()
            start = _skip(text, line.start(), line.end())
            stack.append((rank, " ".join(text[start:stop].split())))
            body = stop
        elif not opened:
            start = body = _skip(text, line.start(), line.end())
        opened = True
        end = line.end()
    if opened:
        yield Section(start, min(body, end), end, tuple(h for _, h in stack))


def _heading(text: str, start: int, end: int, *, numbered: bool) -> tuple[int, int] | None:
    """The rank of the heading that this line begins with, and the offset after it."""
    start = _skip(text, start, end)
    line = text[start:end].rstrip()
    for rank, pattern in _RANKS:
        # 제2장 및 제3장은 이를 준용한다. begins like a heading and is a sentence.
        if (match := pattern.match(line)) and not (match.end() == len(line) and line.endswith(("다.", "요."))):
            return rank, start + match.end()
    if numbered and len(line) <= 44 and _NUMBERED.match(line) and not _SENTENCE_END.search(line):
        return _NUMBERED_RANK, start + len(line)
    return None


def _skip(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start
