"""Which lines are headings.

Chapters and articles are headings wherever they stand, and so are the names a kind of document is known by. A line with
a number or a bullet is one only if it reads like a title and something stands under it: otherwise it is an item of a
list, as in a drug label's 「1. 급성 기관지염 2. 만성 기관지염」.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kure_rag.chunk.contents import contents_lines
from kure_rag.chunk.markers import LEADERS, NOTE_OF_STATEMENTS, Marker, find_marker
from kure_rag.chunk.names import PART_RANK, NameFinder

ARTICLE_RANK: Final = 40
COUNT_RANK: Final = 50  # of 1. 2. 3.
MINOR_RANK: Final = 70  # from here on each document has an order of its own
UNNUMBERED: Final = "unnumbered"
UNNUMBERED_RANK: Final = 65  # under 1. and 가.
PRINTED: Final = "printed"  # known by its large type alone
LOOSE_RANK: Final = 100  # bullets and boxes stand below whatever they follow when they first appear

_LINE: Final = re.compile(r"[^\n]*\S[^\n]*")
_ARTICLE_TITLE: Final = (
    r"\s*\([^()\n]{1,80}(?:\([^()\n]*\)[^()\n]*)*\)(?![에의를을과와])"  # not 제15조(연차휴가)에 따라
)
# A heading's rank: a smaller one closes all that are larger.
_FIXED: Final[tuple[tuple[str, int, re.Pattern[str]], ...]] = (
    ("addenda", 0, re.compile(r"(?:부\s*칙|\[?별\s*표(?:\s*\d+)?(?:의\s*\d+)?\]?)(?:\s*[<(\[].{0,80})?$")),
    ("annex", 0, re.compile(r"[\[<【〔]\s?(?:붙임|첨부|별지|별첨|별표|부록)[^\]>】〕]{0,20}[\]>】〕](?:\s.{0,50})?$")),
    ("volume", 0, re.compile(r"제\s*\d+\s*편(?:의\s*\d+)?(?:\s.{0,60})?$")),
    ("chapter", PART_RANK, re.compile(r"제\s*\d+\s*장(?:의\s*\d+)?(?:\s.{0,60})?$")),
    ("division", 20, re.compile(r"제\s*\d+\s*절(?:의\s*\d+)?(?:\s.{0,60})?$")),
    ("subdivision", 30, re.compile(r"제\s*\d+\s*관(?:의\s*\d+)?(?:\s.{0,60})?$")),
    ("article", ARTICLE_RANK, re.compile(rf"제\s*\d+\s*조(?:의\s*\d+)?(?:{_ARTICLE_TITLE}|(?=\s*삭제))")),
)
_BOXED: Final = re.compile(r"【[^】]{1,30}】")
_RANKS: Final[Mapping[str, int]] = {
    "roman": PART_RANK,
    "bar": 45,
    "plain": 47,
    "number": COUNT_RANK,
    NOTE_OF_STATEMENTS: COUNT_RANK + 1,
    "sub1": 53,
    "sub2": 55,
    "agenda1": 57,
    "agenda2": 58,
    "letter": 60,
    "numberp": MINOR_RANK,
    "letterp": 75,
    "pnumber": 80,
    "pletter": 85,
}
_CIRCLED_RANK: Final = 90
_TITLE_BULLETS: Final = frozenset("■▪◆◇◈◎▶▷►❏❑❖▣◉□")
_RUNNING: Final = re.compile(r"\s[·|]\s?\d{1,4}$")  # 「Ⅱ. 보안인증 대상 및 범위 · 15」 on top of a page
# Not 개요, 소음, 책임, 선임: nouns that end as sentences do.
_SENTENCE: Final = re.compile(
    r"(?:다|[세어아해예에까나네]요|[있없같많않았었였했됐]음|함|것|됨|(?<![책위선해퇴])임)[.)]?$|요[.)]$|[,;?:]$|[를]$|\s및$"
)
_SENTENCE_ENDS: Final = re.compile(r"[다요음함됨임것][.)”’]{0,2}$|[.?!]$")
_LONGEST: Final = 44
_LONGEST_KIN: Final = 70  # of a line whose neighbours in the count are headings
_LONGEST_BULLET: Final = 30
_BODY: Final = 60  # characters under a line that are more than the rest of a wrapped item
_LOOK: Final = 8  # lines
_WORD: Final = re.compile(r"[^\W\d_]")
_TITLE_START: Final = re.compile(r"[\w「『‘“《<【\[]")
_NO_TITLE: Final = re.compile(r"[.。:]|\d{5}")
# 「제안서는 A4를 원칙으로 하되, 부득이한」: the first line of a wrapped sentence.
_CLAUSE: Final = re.compile(
    r"(?:[하되]며|하되|하여야|하여\s|되어\s|하고\s|[때우]에는|위하여\s|[에를]\s따라\s"
    r"|(?:[관위통대의][한해]|[하있되없않]는|인해|하고|(?<![관대])하여|되어|따라|에서|으로|에)$)"
)
_REFERS: Final = re.compile(r"참[조고]\)?$|주석.*주석")  # 「주석 3. 매출채권 참조」
_PLAIN_NUMBER: Final = re.compile(r"\d{1,2}\s")  # of a number drawn in a box: 1 실물경제
_PLAIN_TITLE: Final = re.compile(r"(\d{1,2})\s[가-힣A-Z][^\d]*$")
_PLAIN_BODY: Final = 300
_PLAIN_LEAST: Final = 3
_ANYWHERE: Final = ("roman", "number", NOTE_OF_STATEMENTS)  # an excerpt may begin in the middle of these counts
_SKIPPED: Final = 2  # how far a count may jump
_STATUTE_LINES: Final = 60  # lines for each article at most, or the articles are quoted ones


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds anything.

    Attributes:
        start: Offset of its first visible character.
        end: Offset after its last.
        text: Without white space at its ends.
        marker: What it begins with.
        table: Whether it is part of a table.
        contents: Whether it is an entry of a table of contents.
    """

    start: int
    end: int
    text: str
    marker: Marker | None
    table: bool
    contents: bool = False

    @property
    def title(self) -> str:
        """The text after the marker."""
        return self.text[self.marker.length :].lstrip() if self.marker else self.text

    @property
    def style(self) -> str:
        """The marker's style, or an empty string."""
        return self.marker.style if self.marker else ""


@dataclass(frozen=True, slots=True)
class Title:
    """What a heading's line says about it.

    Attributes:
        style: Headings of one style are siblings.
        rank: A smaller one closes all that are larger; from 100 on it depends on what it follows.
        length: Characters of the line that are the heading.
        number: Its place in the count, or 0.
        restart: Whether numbers begin anew under it.
        named: The rank of the names it is known by, or -1.
        spelled: Whether it was printed as 주석 1. and not as 1. alone.
        level: Of its type among the sizes of headings, 1 for the largest; 0 where it is as large as the text.
    """

    style: str
    rank: int
    length: int
    number: int = 0
    restart: bool = False
    named: int = -1
    spelled: bool = False
    level: int = 0


def split_lines(text: str, tables: Sequence[tuple[int, int]]) -> list[Line]:
    """The lines that hold anything; ``tables`` are the spans of tables, in order."""
    lines: list[Line] = []
    at = 0
    for match in _LINE.finditer(text):
        while at < len(tables) and tables[at][1] <= match.start():
            at += 1
        inside = at < len(tables) and tables[at][0] < match.end()
        printed = match.group()
        stripped = printed.strip()
        start = match.start() + len(printed) - len(printed.lstrip())
        marker = None if inside else find_marker(stripped)
        above = lines[-1] if lines else None
        if above is not None and above.style == "bar" and not above.title and marker is None and not inside:
            # 「2 |」 above 「보안인증체계」: one heading, drawn on two lines.
            end = start + len(stripped)
            lines[-1] = Line(above.start, end, text[above.start : end].replace("\n", " "), above.marker, table=False)
            continue
        lines.append(Line(start, start + len(stripped), stripped, marker, inside))
    contents = contents_lines(["" if line.table else line.text for line in lines])
    return [replace(line, marker=None, contents=True) if i in contents else line for i, line in enumerate(lines)]


def find_titles(lines: Sequence[Line], finder: NameFinder) -> dict[int, Title]:
    """The headings among lines, by position."""
    listed = _listed(lines)
    found: dict[int, Title] = {}
    notes = False
    for i, line in enumerate(lines):
        if not (line.table or line.contents) and (title := _certain(line, finder, listed, notes=notes)) is not None:
            found[i] = title
            notes = notes or title.restart
    articles = [i for i, title in found.items() if title.style == "article"]
    if len(articles) * _STATUTE_LINES < len(lines):
        for i in articles:
            del found[i]
        articles = []
    certain = dict(found)
    last: dict[str, int] = {}
    for group in _counted_groups(lines, certain, in_articles=len(articles) < 3):
        # One 「주석 1. …」 outside of the notes may be a footnote.
        alone = len(group) < 2 and lines[group[0]].style == NOTE_OF_STATEMENTS
        named = any(i in certain for i in group)  # 4. 배당에 관한 사항, after the notes were counted under 3. 주석
        if not alone and (named or _may_begin(lines[group[0]], last)):
            found.update(_headings_of(lines, group, certain))
            if group[-1] in found:
                last[lines[group[-1]].style] = _number(lines[group[-1]])
    found.update(_bullet_titles(lines, certain))
    found.update(_plain_titles(lines, certain))
    return found


def _may_begin(line: Line, last: Mapping[str, int]) -> bool:
    """Whether headings may begin with this number: with the first, where the last ones ended, or in an excerpt."""
    number = _number(line)
    before = last.get(line.style)
    if number == 1 or (before is not None and 0 < number - before <= _SKIPPED):
        return True
    return before is None and line.style in _ANYWHERE


def _listed(lines: Sequence[Line]) -> dict[str, Title]:
    """Titles that the table of contents names, by their letters: 「1. 실물경제 ····· 1」."""
    out: dict[str, Title] = {}
    for line in lines:
        if line.table or (leaders := LEADERS.search(line.text)) is None:
            continue
        marker = find_marker(line.text)
        rank = rank_of(marker.style) if marker is not None else None
        title = letters(line.text[marker.length : leaders.start()]) if marker is not None else ""
        if marker is not None and rank is not None and len(title) > 1:
            out[title] = Title(marker.style, rank, 0, marker.number)
    return out


def letters(text: str) -> str:
    """What two prints of one title have in common, however they are spaced."""
    return "".join(char for char in text if char.isalpha())


def _certain(line: Line, finder: NameFinder, listed: Mapping[str, Title], *, notes: bool) -> Title | None:
    """The heading that a line is by itself; ``notes`` says whether a section stands above in which numbers restart."""
    text = line.text
    if text[0] in "제부별[<【〔(":
        for style, rank, pattern in _FIXED:
            # 제2장 및 제3장은 이를 준용한다. begins like a heading and is a sentence.
            match = pattern.match(text)
            if match and not (match.end() == len(text) and _SENTENCE.search(text)) and not _is_listed(text):
                return Title(style, rank, match.end())
        if match := _BOXED.match(text):
            named = finder.find(text)
            return Title("box", named.rank if named else LOOSE_RANK, match.end(), named=named.rank if named else -1)
    if _is_listed(text):
        return None
    if listed and line.marker is None and (plain := _PLAIN_NUMBER.match(text)):
        known = listed.get(letters(text[plain.end() :]))
        if known is not None and known.number == int(plain.group()):
            return Title(known.style, known.rank, len(text), known.number)
    name = finder.find(line.title)
    marker = line.marker
    if marker is not None and marker.style == NOTE_OF_STATEMENTS:
        if not (notes and reads_as_title(line, _LONGEST_KIN)) or _REFERS.search(text):
            return None
        rank = name.rank if name else -1
        return Title(marker.style, COUNT_RANK + 1, len(text), marker.number, named=rank)
    if name is None:
        return None
    length = len(text) - len(line.title) + name.stop
    if marker is not None and (own := rank_of(marker.style)) is not None:
        return Title(marker.style, own, length, marker.number, name.restart, named=name.rank)
    if marker is not None and marker.style in _TITLE_BULLETS:
        return Title(marker.style, LOOSE_RANK, length, 0, name.restart, named=name.rank)
    return Title(f"name{name.rank}", name.rank, length, 0, name.restart, named=name.rank)


def _is_listed(text: str) -> bool:
    """Whether it is a line of a table of contents, or a running title."""
    return bool(LEADERS.search(text) or _RUNNING.search(text))


def rank_of(style: str) -> int | None:
    """Where a numbered line of a style ranks among headings; ``None`` for other marks."""
    return _CIRCLED_RANK if style.startswith("circled") else _RANKS.get(style)


def _counted_groups(lines: Sequence[Line], certain: Mapping[int, Title], *, in_articles: bool) -> Iterator[list[int]]:
    """Lines that count on from each other: 1. 2. 3. under one heading."""
    groups: dict[str, list[int]] = {}
    article = False
    for i, line in enumerate(lines):
        if (title := certain.get(i)) is not None:
            article = title.style == "article" or (article and title.rank > ARTICLE_RANK)
        marker = line.marker
        style = marker.style if marker is not None else ""
        rank = rank_of(style) if style else title.rank if title is not None else None
        if rank is None or (article and not in_articles):
            continue
        # 가. 나. 다. begin anew after 2., as all do after a chapter.
        for deeper in [other for other in groups if rank < MINOR_RANK and (rank_of(other) or 0) > rank]:
            yield groups.pop(deeper)
        if marker is None or _is_listed(line.text):
            continue
        group = groups.setdefault(marker.style, [])
        if group and marker.number != _number(lines[group[-1]]) + 1:
            yield group
            groups[marker.style] = group = []
        group.append(i)
    yield from groups.values()


def _number(line: Line) -> int:
    return line.marker.number if line.marker else 0


def _headings_of(
    lines: Sequence[Line], group: Sequence[int], certain: Mapping[int, Title]
) -> Iterator[tuple[int, Title]]:
    reads = [reads_as_title(lines[i], _LONGEST) for i in group]
    filled = [_has_body(lines, i, certain) for i in group]
    # What follows the last item of a list may not be its own.
    asked = filled[:-1] or filled
    if sum(reads) < 0.6 * len(group) or sum(asked) <= 0.5 * len(asked):
        return
    regular = sum(reads) >= 0.8 * len(group) and (rank_of(lines[group[0]].style) or 0) < MINOR_RANK
    for i, title, body in zip(group, reads, filled, strict=True):
        line = lines[i]
        marker = line.marker
        kin = body and regular and len(line.text) <= _LONGEST_KIN and not line.text.endswith(("다.", "요.", ",", ":"))
        if marker is not None and i not in certain and (title or kin):
            yield i, Title(marker.style, rank_of(marker.style) or LOOSE_RANK, len(line.text), marker.number)


def reads_as_title(line: Line, longest: int) -> bool:
    """Whether a line of up to so many characters could be a heading: words, no sentence and no part of one."""
    title = line.title
    return (
        len(line.text) <= longest
        and _TITLE_START.match(title) is not None
        and _WORD.search(title) is not None
        and title.count("(") == title.count(")")
        and title.count("「") == title.count("」")
        and _CLAUSE.search(title) is None
        and (_NO_TITLE.search(title) is None or (line.style.startswith("circled") and " : " in title))
        and _SENTENCE.search(title) is None
    )


def _has_body(lines: Sequence[Line], i: int, certain: Mapping[int, Title]) -> bool:
    """Whether something of its own stands under a line, and not just the rest of it or its next sibling."""
    style = lines[i].style
    rank = rank_of(style) or LOOSE_RANK
    length = 0
    for j in range(i + 1, min(len(lines), i + 1 + _LOOK)):
        line = lines[j]
        if line.table:
            return True
        if j in certain:
            # A section of its own level or above; a list that a chapter follows has no body.
            return certain[j].rank > rank
        if line.style == style:
            return False
        if line.contents or LEADERS.search(line.text):
            continue
        if line.style not in ("", "note"):
            return (rank_of(line.style) or LOOSE_RANK) > rank
        length += len(line.text)
        if style == "roman" or length >= _BODY or _SENTENCE_ENDS.search(line.text):
            return True
    return False


def _bullet_titles(lines: Sequence[Line], certain: Mapping[int, Title]) -> Iterator[tuple[int, Title]]:
    """■ and the like, where all lines that begin with one read like titles with something under them."""
    by_style: defaultdict[str, list[int]] = defaultdict(list)
    for i, line in enumerate(lines):
        if line.style in _TITLE_BULLETS and i not in certain:
            by_style[line.style].append(i)
    for style, members in by_style.items():
        good = [i for i in members if reads_as_title(lines[i], _LONGEST_BULLET) and _has_body(lines, i, certain)]
        if len(good) >= 0.8 * len(members):
            yield from ((i, Title(style, LOOSE_RANK, len(lines[i].text))) for i in good)


def _plain_titles(lines: Sequence[Line], certain: Mapping[int, Title]) -> Iterator[tuple[int, Title]]:
    """「1 들어가며」「2 쟁점」「3 결론」: numbers without a mark, where three count on with much text between them."""
    chain: list[int] = []
    since = _PLAIN_BODY
    for i, line in enumerate(lines):
        apart = line.marker is not None or line.table or line.contents or i in certain
        match = None if apart else _PLAIN_TITLE.match(line.text)
        follows = match is not None and int(match.group(1)) == len(chain) + 1 and since >= _PLAIN_BODY
        if follows and len(line.text) <= _LONGEST_BULLET and reads_as_title(line, _LONGEST_BULLET):
            chain.append(i)
            since = 0
        else:
            since += len(line.text)
    if len(chain) >= _PLAIN_LEAST:
        yield from ((i, Title("plain", _RANKS["plain"], len(lines[i].text), n)) for n, i in enumerate(chain, 1))
