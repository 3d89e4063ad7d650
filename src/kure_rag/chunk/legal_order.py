"""Which candidates are headings: the order of their numbers decides.

Article numbers rise within one text and begin again in the next: in 부칙, in the next 특별약관, in the next
regulation of a collection. So a candidate that does not fit the rising row of its text is a reference or a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from kure_rag.chunk.legal_amendments import follows_announcement, not_quoted
from kure_rag.chunk.legal_lines import visible_lines
from kure_rag.chunk.legal_marks import Key, Mark

_WINDOW: Final = 100  # candidates looked back at: a text with more false ones in a row is no statute
_ADDENDA_LEAP: Final = 12  # addenda count without gaps, but for articles that are printed as 생략
_SHORT: Final = 40  # characters of a heading that proves itself
_FIRST: Final = re.compile(r"(?m)^\s*제\s*1\s*조")
_LINE: Final = 200  # characters of a line that are looked at
# The line above ends a sentence, an item, a note or is itself a heading: the next one begins something.
_ENDED: Final = re.compile(
    r"[.>)〉›\]】]$|(?:다|[가-힣]{2}(?:함|음))$|^(?:\d{1,2}\s?[.)]|[가-하]\s?[.)]|[①-⑳]).*(?:자|때|경우|것|사항|행위|날|서류)$"
    r"|^제\s*\d+\s*[편장절관](?!\S*\s*제).{0,40}$"
)
# … 지급하는 여비는 / 별표 1 …: the line above goes on, so no heading is below it.
_GOES_ON: Final = re.compile(r"(?:[은는을를에및,]|에서|으로|또는|따[라른]|의한|대한|관한)$")
# 제10조 위반행위를 한 자는 …: a sentence that begins with a reference.
_OF_A_REFERENCE: Final = re.compile(
    r"위반|관련|소정|규정|해당|기준|적용|준용|에|의\s|각|전\s|후\s|위\s|이상|이하|이내|이후|이전|참조|같|중\s|및|또는|소속|관계"
)


def choose(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """The marks that are headings, in order."""
    return [mark for run in _texts(text, marks) for mark in _chosen(text, run)]


def _texts(text: str, marks: Sequence[Mark]) -> Iterator[list[Mark]]:
    """Marks of each text whose articles begin at 제1조."""
    following = _following(marks)
    run: list[Mark] = []
    keys: set[Key] = set()  # of the articles in the run; two tell enough
    for i, mark in enumerate(marks):
        restarts = _is_first(text, mark) and _restarts(mark, following[i], run, keys)
        if mark.kind == "addenda" or restarts:
            split = len(run) - (_head_of_next(run) if restarts else 0)
            if split:
                yield run[:split]
            run, keys = run[split:], set()
        run.append(mark)
        if mark.kind == "article" and not mark.bare and len(keys) < 2:
            keys.add(mark.key)
    yield run


def _is_first(text: str, mark: Mark) -> bool:
    """Whether it is a 제1조 (or 제1-1조) with a title that is not the new wording of another law's."""
    first = mark.kind == "article" and mark.key[0] == 1 and sum(mark.key[1:]) <= 1 and not mark.bare
    return first and not follows_announcement(text, mark)


def _following(marks: Sequence[Mark]) -> list[Mark | None]:
    """For each mark the next article with a title."""
    out: list[Mark | None] = []
    found: Mark | None = None
    for mark in reversed(marks):
        out.append(found)
        if mark.kind == "article" and not mark.bare:
            found = mark
    return out[::-1]


def _restarts(mark: Mark, following: Mark | None, run: Sequence[Mark], keys: set[Key]) -> bool:
    """Whether this 제1조 begins another text than the one whose marks are in the run."""
    named = _head_of_next(run) > 0
    if not keys:
        return bool(run) and run[0].kind == "addenda" and (named or "목적" in mark.title)
    if keys == {mark.key}:
        return named
    return named or (following is not None and following.key[:2] in {(2, 0), (1, 2), (1, 0)})


def _head_of_next(run: Sequence[Mark]) -> int:
    """How many marks at a run's end are the next text's name and first chapter headings."""
    count = 0
    for mark in reversed(run):
        first_chapter = mark.kind == "chapter" and mark.key[0] == 1
        if not (first_chapter or mark.kind in ("name", "special")):
            break
        count += 1
    return count if count < len(run) else 0


def _chosen(text: str, run: Sequence[Mark]) -> list[Mark]:
    """The marks of one text that are headings."""
    in_addenda = bool(run) and run[0].kind == "addenda"
    run = [mark for mark in run if not (mark.kind == "appendix" and mark.bare and _GOES_ON.search(_above(text, mark)))]
    articles = _articles(text, run, in_addenda=in_addenda)
    if not articles or not (in_addenda or _is_row(text, articles)):
        return [mark for mark in run if mark.kind in ("addenda", "appendix")]
    last = articles[-1].start
    kept = {mark.start for mark in articles}
    chapters = set() if in_addenda else _chapters(text, run)
    names = _names(text, run, articles[0].start)
    # A 별표 that articles follow is a reference to one.
    out = [
        mark
        for mark in run
        if mark.kind == "addenda"
        or mark.start in kept
        or mark.start in chapters
        or mark in names
        or (mark.kind == "name" and mark.start > last and _is_part(text, mark))
        or (mark.kind in ("appendix", "special") and mark.start > last)
        or (mark.kind == "special" and mark.start < articles[0].start and _FIRST.search(text, 0, mark.start))
    ]
    return _with_wrapped_titles(text, out)


def _articles(text: str, run: Sequence[Mark], *, in_addenda: bool) -> list[Mark]:
    """The heaviest row of candidates whose numbers rise."""
    found = [mark for mark in run if mark.kind == "article"]
    titled = sum(bool(mark.title) and not mark.bare for mark in found)
    untitled = len(_rising([mark for mark in found if not (mark.title or mark.state)]))
    with_titles = titled * 2 >= untitled if titled >= 3 else in_addenda and titled > 0
    if with_titles:
        taken = {mark.key for mark in found if not mark.bare}
        found = [m for m in found if not m.bare or m.alone or (not in_addenda and _stands_out(text, m, taken))]
    if in_addenda:
        stop = next((mark.start for mark in run if mark.kind == "appendix" and not mark.bare), len(text))
        found = not_quoted(text, [mark for mark in found if mark.start < stop], run[0].end)
    row = _rising(_without_contents(text, found))
    if with_titles:
        row = [mark for i, mark in enumerate(row) if not mark.bare or _fits(row, i)]
    return _without_leaps(row) if in_addenda else row


def _stands_out(text: str, mark: Mark, taken: set[Key]) -> bool:
    """Whether an article without brackets looks like one in a text whose articles have them.

    제10조 관할 under an ended sentence, with text below it; 제10조 이 법에 따른 …, a sentence under another. A number
    that has its article elsewhere is a reference.
    """
    if mark.key in taken:
        return False
    if mark.separated:
        return True
    words = mark.title or text[mark.body : mark.end].strip()
    above = _above(text, mark)
    if not words or _OF_A_REFERENCE.match(words) or not _ENDED.search(above):
        return False
    below = next(visible_lines(text, mark.end), None)
    if mark.title:
        return below is not None and not text.startswith("제", below[0])
    sentence = text[mark.body : mark.end + _LINE]
    return re.search(r"[다요]\s?\.", sentence) is not None


def _above(text: str, mark: Mark) -> str:
    return text[max(0, mark.start - _LINE) : mark.start].rstrip().rpartition("\n")[2].strip()


def _is_row(text: str, row: Sequence[Mark]) -> bool:
    """Whether articles are a text of their own: a report that quotes one or two has no such row."""
    if row[0].key[0] == 1 or not text[: row[0].start].strip():
        return True
    return len(row) > 2 or (len(row) == 2 and _follows(row[0].key, row[1].key))


def _fits(row: Sequence[Mark], i: int) -> bool:
    """Whether a number that stands alone in its line is just the next one: an article that moved away."""
    before = i == 0 or _follows(row[i - 1].key, row[i].key)
    return before and (i + 1 == len(row) or _follows(row[i].key, row[i + 1].key))


def _rising(marks: Sequence[Mark]) -> list[Mark]:
    best: list[float] = []
    before: list[int] = []
    for i, mark in enumerate(marks):
        weight = 1.0 if mark.bare else 2.0
        top, at = 0.0, -1
        for j in range(max(0, i - _WINDOW), i):
            # Two wordings of an article stand below each other where the later one is not yet in force.
            if marks[j].key < mark.key or (marks[j].key == mark.key and _again(marks[j], mark)):
                value = best[j] + (0.5 if _follows(marks[j].key, mark.key) else 0.0)
                if value > top:
                    top, at = value, j
        best.append(top + weight)
        before.append(at)
    row: list[Mark] = []
    i = max(range(len(best)), key=best.__getitem__, default=-1)
    while i >= 0:
        row.append(marks[i])
        i = before[i]
    return row[::-1]


def _again(mark: Mark, following: Mark) -> bool:
    return not (mark.bare or following.bare) and mark.title == following.title and mark.title != ""


def _follows(key: Key, following: Key) -> bool:
    number, part, *branches = key
    if following[0] == number and following[1] == part:
        return sum(following[2:]) - sum(branches) <= 2
    return following[0] == number + 1 or (following[0] == number and following[1] == part + 1)


def _without_leaps(row: Sequence[Mark]) -> list[Mark]:
    out: list[Mark] = []
    for mark in row:
        previous = out[-1].key[0] if out else 0
        if mark.key[0] - previous > _ADDENDA_LEAP:
            break
        out.append(mark)
    return out


def _without_contents(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """Leaves out tables of contents: three articles in a row with nothing but their titles, and deleted ones between.

    The last of the document counts where two stand before it.
    """
    rows: set[int] = set()
    row: list[int] = []  # articles with nothing but a title; deleted ones between do not end it
    for i, mark in enumerate(marks):
        last = i + 1 == len(marks)
        below = "" if last else text[mark.end : marks[i + 1].start].strip()
        empty = bool(mark.title) and not mark.state and not text[mark.body : mark.end].strip() and not below
        if empty and (not last or len(row) > 1):
            row.append(i)
        elif mark.state != "deleted" or below:
            rows.update(range(row[0], row[-1] + 1) if len(row) > 2 else ())
            row = []
    rows.update(range(row[0], row[-1] + 1) if len(row) > 2 else ())
    return [mark for i, mark in enumerate(marks) if i not in rows]


def _chapters(text: str, run: Sequence[Mark]) -> set[int]:
    """Where a chapter's heading begins: it has another heading below it, or continues the count in a short line."""
    starts = {mark.start for mark in run if mark.kind in ("article", "chapter")}
    previous: dict[int, Key] = {}
    out: set[int] = set()
    for mark in run:
        if mark.kind != "chapter":
            continue
        before = previous.get(mark.rank)
        counts_on = mark.key[0] == 1 or (before is not None and before < mark.key and mark.key[0] - before[0] <= 1)
        if _heading_below(text, mark, starts) or (counts_on and len(mark.title) <= _SHORT):
            out.add(mark.start)
        previous[mark.rank] = mark.key
    return out


def _heading_below(text: str, mark: Mark, starts: set[int]) -> bool:
    """Whether a heading stands in one of the next lines, with no more than notes or a wrapped title between."""
    for start, end in islice(visible_lines(text, mark.end), 3):
        if start in starts:
            return True
        if text[start] not in "<[〈(" and end - start > _SHORT + 20:
            return False
    return False


def _names(text: str, run: Sequence[Mark], first: int) -> list[Mark]:
    """The name nearest above the articles, with those right above it. That of a document's only text is its title."""
    names = [mark for mark in run if mark.kind == "name" and mark.start < first]
    if not names:
        return []
    follows = _FIRST.search(text, 0, names[-1].start) is not None
    if not (follows or "약관" in names[-1].title or "특약" in names[-1].title):
        return []
    count = 1
    while follows and count < len(names) and not text[names[-count - 1].end : names[-count].start].strip():
        count += 1
    return names[-count:]


def _is_part(text: str, mark: Mark) -> bool:
    """Whether a name behind the last article heads terms without articles: [단체취급 특별약관]."""
    return text[mark.start] in "[【<〈‹《" and re.search(r"특\s?약$|약\s?관", mark.title) is not None


def _with_wrapped_titles(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """A chapter's title that goes on in the next line is one title."""
    out = []
    for i, mark in enumerate(marks):
        following = marks[i + 1].start if i + 1 < len(marks) else len(text)
        between = text[mark.end : following].strip()
        plain = between and "\n" not in between and between[0] not in "<[〈(" and len(between) <= 40
        if mark.kind == "chapter" and plain and len(mark.title) >= 25 and not re.search(r"[.다]$", between):
            end = mark.end + text[mark.end : following].index(between) + len(between)
            mark = replace(mark, title=f"{mark.title} {between}", body=end, end=end)
        out.append(mark)
    return out
