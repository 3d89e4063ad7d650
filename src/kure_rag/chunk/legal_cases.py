"""Which judgment a text is: its court, its case and its date, told from those of the judgments it speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_KIND: Final = r"(?:19|20)?\d{2}(?:헌)?[가-힣]{1,3}"
_CASE: Final = rf"{_KIND}\d{{1,7}}(?:\s*,\s*(?:{_KIND})?\d{{1,7}}(?!\s*\.))*"
_DATE: Final = r"(?P<year>\d{4})\s*[.년]\s*(?P<month>\d{1,2})\s*[.월]\s*(?P<day>\d{1,2})\s*[.일]?"
_TITLE: Final = re.compile(
    # Also [대법원 2023. 6. 15., 선고, 2022다234567, 판결], as the national law site prints it.
    rf"(?m)^[ \t]*(?P<open>[\[［【〔<〈]\s*)?(?P<court>[가-힣][가-힣 ]{{1,30}}?)\s*{_DATE}\s*,?\s*(?:자\s*,?\s*)?"
    rf"(?:선고\s*,?\s*)?(?P<case>{_CASE})\s*(?:\(병합\)\s*)?,?\s*(?>(?:전원합의체|전원재판부)(?:\s*,?\s*(?:판\s*결|결\s*정|명\s*령))?"
    r"|판\s*결|결\s*정|명\s*령)(?!\s*(?:등\s*)?(?:참조|\())"
)
_COURT_LINE: Final = re.compile(
    r"(?m)^[ \t]*(?P<court>[가-힣 ]{1,30}?(?:법\s*원|재\s*판\s*소)(?:\s*[가-힣]{2,8}\s*지\s*원)?)"
    r"(?:\s+제\s*\d+(?:\s*-\s*\d+)?\s*[가-힣 ]{0,12}부)?(?:\s+(?:판\s*결|결\s*정))?\s*$"
)
_CASE_LINE: Final = re.compile(rf"(?m)^[ \t]*사\s*건(?:\s*번\s*호)?\s*[:：]?\s*(?P<case>{_CASE})")
_DATE_LINE: Final = re.compile(rf"(?m)^[ \t]*(?:판\s*결\s*)?선\s*고(?:\s*일(?:\s*자)?)?\s*[:：]?\s*{_DATE}")
_COURT: Final = re.compile(
    r"(?:대법원|헌법재판소|헌재|[가-힣]{2,12}?(?:법원|지법|고법|행법|가법|회법))"
    r"(?:[가-힣]{2,8}?(?:지원|재판부|원외재판부|법원)){0,2}"
)
# 원심판결 서울고등법원 2021. 5. 13. 선고 2020나2034567 판결: the words before a court that is another's.
_NO_COURT: Final = re.compile(
    r"판결|결정|명령|심|환송|이송|소송|사건|관할|원고|피고|신청|청구|상대방|검사|변호|위법원|이법원"
)
_BELOW: Final = re.compile(
    r"[【\[<(]?(?:원심|원판결|원결정|환송|이송|제?[12]심|전심|항소심|상고심|재심대상|대상|참조|관련)[가-힣]{0,8}[】\]>):：]*"
)
_HEAD: Final = 1_500  # characters in which court, case and date of a judgment without a title line are looked for
_CITED: Final = re.compile(rf"(?:선고|자)\s*,?\s*(?P<case>{_CASE})")


def title_lines(text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
    """Lines that name a judgment as it is cited, without those that name the one it was appealed from."""
    for match in _TITLE.finditer(text, start, len(text) if end is None else end):
        above = text[max(0, match.start() - 60) : match.start()].rstrip().rpartition("\n")[2]
        if _is_court(match["court"]) and not _BELOW.fullmatch(_squeezed(above)):
            yield match


def about_judgment(text: str, start: int, top: int, end: int) -> tuple[dict[str, Any], str]:
    """Court, case and date, and the judgment's name as it is cited.

    Args:
        text: A document's.
        start: Where the judgment begins.
        top: Where its first section begins; what says whose judgment it is stands above, or in the first lines.
        end: Where the judgment ends.

    Returns:
        Those of ``court``, ``case`` and ``date`` that are printed, and the name, which may be empty.
    """
    title = next(title_lines(text, start, top), None)
    court, case = _court_line(text, start, top), _CASE_LINE.search(text, start, top)
    if title is not None and (case is None or _same(title["case"], case["case"])):
        return {
            "court": _court(title["court"]),
            "case": _squeezed(title["case"]),
            "date": _dated(title),
        }, _name(title)
    limit = min(end, max(top, start + _HEAD))
    about: dict[str, Any] = {}
    if court := court or _court_line(text, start, limit):
        about["court"] = court
    if case := case or _CASE_LINE.search(text, start, limit):
        about["case"] = _squeezed(case["case"])
    if date := _DATE_LINE.search(text, start, limit):
        about["date"] = _dated(date)
    return about, " ".join(about[key] for key in ("court", "case") if key in about)


def cited_cases(text: str, own: str) -> list[str]:
    """Numbers of the judgments that a text cites, in order, each once, without its own."""
    found = dict.fromkeys(_squeezed(match["case"]) for match in _CITED.finditer(text))
    return [case for case in found if not (own and _same(case, own))]


def _name(title: re.Match[str]) -> str:
    """As a judgment is cited, without the brackets and commas that may be printed."""
    text, (start, end) = title.string, title.span("case")
    before, after = (part.replace(",", " ") for part in (text[title.start("court") : start], text[end : title.end()]))
    return " ".join(f"{before}{text[start:end]}{after}".split())


def _court_line(text: str, start: int, end: int) -> str:
    lines = _COURT_LINE.finditer(text, start, end)
    return next((_court(match["court"]) for match in lines if _is_court(match["court"])), "")


def _is_court(printed: str) -> bool:
    name = _squeezed(printed)
    return _COURT.fullmatch(name) is not None and _NO_COURT.search(name) is None


def _court(printed: str) -> str:
    """서 울 중 앙 지 방 법 원 is one word; 서울중앙지방법원 의정부지원 are two."""
    words = printed.split()
    return "".join(words) if all(len(word) == 1 for word in words) else " ".join(words)


def _same(one: str, other: str) -> bool:
    """Whether two numbers are of one case, which may be joined with others: 2019다12345, 12346."""
    first, second = (_squeezed(case).split(",")[0] for case in (one, other))
    return first == second


def _dated(match: re.Match[str]) -> str:
    return ".".join(str(int(match[part])) for part in ("year", "month", "day"))


def _squeezed(text: str) -> str:
    return "".join(text.split())
