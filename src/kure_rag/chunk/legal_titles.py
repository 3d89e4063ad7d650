"""An annex's title that stands below its number: [별표 1] <개정 2025. 3. 4.>, and in the next line 수수료(제2조 관련).

What names the article it belongs to, 「(제12조 관련)」, is a title for sure. Another short line is one if it ends as
names of annexes do, or if a table or the first number of a list stands below it; the first line of a form, or of a
text, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from kure_rag.chunk.legal_lines import visible_lines
from kure_rag.chunk.legal_marks import Mark, is_sentence, without_note

_LONGEST: Final = 120  # characters of a title that names its article
_SHORT: Final = 45
_LINES: Final = 4
_PASSED: Final = re.compile(
    r"[<〈‹][^<>〈〉‹›]*[>〉›]|\((?:앞\s?[쪽면]|[뒤뒷]\s?[쪽면]|\d+\s?쪽\s?중\s?제?\s?\d+\s?쪽)\)"
)
_UNIT: Final = re.compile(r"[\[(<〈]?\s*단\s*위\s*[:：]")
_OF_ARTICLE: Final = re.compile(r"[\[(]\s*(?:법|영|규칙)?\s?제\s*\d[^\n]*관련\s*[\])]$")
_NAME: Final = re.compile(
    r"(?:기준|[내조신요선보통]?표|서|내역|양식|서식|목록|방법|절차|요령|구분|종류|범위|요건|규격|산식|대장|계획|현황|비율|요율|금액"
    r"|수수료|항목|사항|한도|증명|일지|명부|대상|업무|시설|배점|체계도?|도면|서류|일람|편성|정원|직제)(?:\s?\([^()]*\))?$"
)
_ITEM: Final = re.compile(
    r"[|※*■□▣○●◦•·\-–—~①-⑳(\[【<〈]|\d+\s*[.)]|[가-하]\s*[.)]|[ⅠⅡⅢⅣⅤⅥIVX]+\s*[.)]|제\s*\d+\s*[조장절항]|비\s?고"
)
_GOES_ON: Final = re.compile(
    r"[|:：?]|\s{2,}|[;,]$|(?:을|를|은|는|에|의|와|과|및|로|한|된|할|하는|되는|에서|에게|부터|까지)$"
)
_BEGINS_LIST: Final = re.compile(r"\||1\s?[.)]|가\s?[.)]|[ⅠI]\s?[.)]|①|제\s?1\s?[조장]")


def with_titles(text: str, marks: Sequence[Mark]) -> Iterator[Mark]:
    """Headings, in which an annex without a title has the one that stands below it."""
    for i, mark in enumerate(marks):
        if mark.kind != "appendix" or (mark.title and not _is_open(mark.title)):
            yield mark
            continue
        end = marks[i + 1].start if i + 1 < len(marks) else len(text)
        yield _titled(text, mark, end)


def _titled(text: str, mark: Mark, end: int) -> Mark:
    lines = [line for line in islice(visible_lines(text, mark.end, end), _LINES) if not _is_note(text[slice(*line)])]
    if not lines:
        return mark
    stops = [stop for _, stop in lines[:2]]
    if mark.title:
        # 영업정지 및 과징금의 부과기준(제12조 ↵ 및 제13조 관련)
        title = without_note(f"{mark.title} {text[slice(*lines[0])]}")
        whole = _OF_ARTICLE.search(title) is not None and len(title) <= _LONGEST
        return replace(mark, title=title, body=stops[0], end=stops[0]) if whole else mark
    for stop in stops:
        title = _on_one_line(text[lines[0][0] : stop])
        if _OF_ARTICLE.search(title) and len(title) <= _LONGEST and not _ITEM.match(title):
            return replace(mark, title=title, body=stop, end=stop)
    below = text[slice(*lines[1])] if len(lines) > 1 else ""
    title = _on_one_line(text[slice(*lines[0])])
    if _reads_as_title(text[slice(*lines[0])], title) and (_NAME.search(title) or _BEGINS_LIST.match(below)):
        return replace(mark, title=title, body=stops[0], end=stops[0])
    return mark


def _reads_as_title(line: str, title: str) -> bool:
    return (
        1 < len(title) <= _SHORT
        and re.search(r"[가-힣]{2}", title) is not None
        and not (_ITEM.match(line) or _GOES_ON.search(line) or is_sentence(title))
    )


def _on_one_line(printed: str) -> str:
    """Without its note, and without the spaces that only spread its letters: 여 비 지 급 표."""
    words = without_note(" ".join(printed.split())).split()
    spread = len(words) > 2 and all(len(word) == 1 for word in words)
    return ("" if spread else " ").join(words)


def _is_note(line: str) -> bool:
    return _PASSED.fullmatch(line) is not None or _UNIT.match(line) is not None


def _is_open(title: str) -> bool:
    return title.count("(") > title.count(")")
