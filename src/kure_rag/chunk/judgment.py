"""Judgments: 판시사항, 판결요지, 참조조문, 주문, 이유 …, each cut along its numbers, with court, case and date."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings, Passage
from kure_rag.chunk.legal_cases import about_judgment, cited_cases, title_lines
from kure_rag.chunk.legal_references import references
from kure_rag.chunk.outline import Cutter, Node, Piece, headings_above, outline
from kure_rag.chunk.pack import visible
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import Document

_BRACKETED: Final = re.compile(r"(?m)^[ \t]*【\s*(?P<name>[^】\n]{1,40}?)\s*】")
_PLAIN_NAMES: Final = (
    "판시사항|판결요지|결정요지|참조조문|참조판례|전문|주문|이유|청구취지|청구취지및항소취지|항소취지|상고취지|신청취지"
    "|범죄사실|범죄사실및증거의요지|증거의요지|법령의적용|양형의이유|무죄부분|별지"
)
_PLAIN: Final = re.compile(
    r"(?m)^[ \t]*(?P<name>" + "|".join(r"\s*".join(name) for name in _PLAIN_NAMES.split("|")) + r")[ \t]*$"
)
_PARTIES: Final = re.compile(
    r"(?:원고|피고|신청인|피신청인|청구인|피청구인|상고인|피상고인|항소인|피항소인|재항고인|검사|변호인|원심|제1심|환송|당사자|사건|선고"
    r"|참가인|독립당사자|보조참가|채권자|채무자|피해자|심판대상|변론종결|소송대리|대리인|상대방|전심)"
)
_SUMMARY: Final = frozenset(("판시사항", "판결요지", "결정요지", "주문"))
_FIRST: Final = frozenset(("판시사항", "주문", "사건", "당사자", "원고", "청구인", "전문"))
# 손해배상(기), above the judgment's title in brackets; not the judges who signed the one before.
_MATTER: Final = re.compile(r"(?!재판장|대법관|재판관|대법원장|판사|법관|주심|【)[가-힣「][^\n]{0,80}(?<![.다])$")
_NEAR: Final = 400  # characters between a judgment's title and its first section


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    start: int
    body: int
    end: int


def is_judgment(text: str) -> bool:
    """Whether a text has the sections of a judgment."""
    names = {_plain(match["name"]) for match in _heads(text)}
    ordered = "주문" in names and bool(names & {"이유", "판시사항", "청구취지", "범죄사실", "전문"})
    reported = "판시사항" in names and bool(names & {"판결요지", "결정요지", "참조조문", "참조판례", "이유"})
    return ordered or reported


def judgment_passages(document: Document, sentences: Sentences, settings: ChunkSettings) -> Iterator[Passage]:
    """Passages of a document that holds one judgment or more.

    Metadata: ``court``, ``case`` (``2019다12345``), ``date`` (``2021.4.29``), ``section`` (``판결요지``), ``number``
    (``2. 가. 1)-3)``) where a piece is not the whole section, ``references`` (provisions) and ``cases`` (cited ones).
    """
    text = document.text
    heads = _heads(text)
    places = [head.start() for head in heads]
    summary = Cutter(text, sentences, settings, settings.target, settings.longest, opening=False)
    reasons = Cutter(text, sentences, settings, settings.target, settings.target, opening=False)
    for start, end in _each(text, heads):
        own = heads[bisect_left(places, start) : bisect_left(places, end)]
        about, name = about_judgment(text, start, own[0].start() if own else end, end)
        crumb = (document.title, name) if name and name not in document.title else (document.title,)
        for section in _sections(text, own, start, end):
            yield from _passages(summary if section.name in _SUMMARY else reasons, section, crumb, about)


def _passages(cutter: Cutter, section: _Section, name: tuple[str, ...], about: dict[str, Any]) -> Iterator[Passage]:
    text = cutter.text
    above = (*name, section.name) if section.name else name
    root = outline(text, section.body, section.end)
    pieces = list(cutter.pieces(root, section.start))
    for piece in pieces:
        values = dict(about)
        if section.name:
            values["section"] = section.name
        if len(pieces) > 1 and piece.labels:
            values["number"] = _number(piece)
        own = text[max(piece.start, section.body) : piece.end]
        if named := references(own):
            values["references"] = named
        if cited := cited_cases(own, about.get("case", "")):
            values["cases"] = cited
        begin = _numbered_start(root, piece, max(piece.start, section.body))
        crumb = (*above, *headings_above(text, root, *visible(text, begin, piece.end)))
        yield Passage(piece.start, piece.end, crumb, "judgment", piece.lead, values)


def _numbered_start(root: Node, piece: Piece, start: int) -> int:
    """Where the numbers begin that a piece holds: after 이유 and 「상고이유를 판단한다.」, which are under no title."""
    node = root
    for _ in piece.labels:
        first = max(start, node.children[0].start) if node.children else start
        inner = next((child for child in node.children if child.start <= first and piece.end <= child.end), None)
        if inner is None:
            break
        start, node = max(start, inner.start), inner
    return start


def _number(piece: Piece) -> str:
    return " ".join(label for _, label in piece.labels)


def _heads(text: str) -> list[re.Match[str]]:
    bracketed = list(_BRACKETED.finditer(text))
    return bracketed if len(bracketed) >= 2 else list(_PLAIN.finditer(text))


def _plain(name: str) -> str:
    return "".join(name.split())


def _each(text: str, heads: Sequence[re.Match[str]]) -> list[tuple[int, int]]:
    """Spans of the judgments: a new one begins at a title line after the last section of another."""
    places = [head.start() for head in heads]
    starts = [0]
    for match in title_lines(text):
        i = bisect_left(places, match.start())
        if i == len(heads) or places[i] - match.end() > _NEAR or _plain(heads[i]["name"]) not in _FIRST:
            continue
        # Before a judgment has said its 주문, such a line is one of those it refers to, unless sections begin again.
        before = [_plain(head["name"]) for head in heads[bisect_left(places, starts[-1]) : i]]
        if len(before) >= 2 and ("주문" in before or _plain(heads[i]["name"]) in before):
            starts.append(_with_matter(text, match))
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _with_matter(text: str, title: re.Match[str]) -> int:
    """Where a judgment begins: at its title, or at the line above one in brackets, which says what it is about."""
    above = text[: title.start()].rstrip()
    line = above.rpartition("\n")[2]
    return len(above) - len(line) if title["open"] and _MATTER.match(line.strip()) else title.start()


def _sections(text: str, heads: Sequence[re.Match[str]], start: int, end: int) -> Iterator[_Section]:
    at = heads[0].start() if heads else end
    if text[start:at].strip():
        yield _Section("", start, start, at)
    parties: int | None = None
    for i, head in enumerate(heads):
        name, stop = _plain(head["name"]), heads[i + 1].start() if i + 1 < len(heads) else end
        if _PARTIES.match(name) or name == "전문":
            # 【원고, 상고인】, 【원심판결】 … are lines about one thing: who and what stood before the court.
            parties = head.start() if parties is None else parties
            following = _plain(heads[i + 1]["name"]) if i + 1 < len(heads) else ""
            if not _PARTIES.match(following):
                yield _Section("당사자", parties, parties, stop)
                parties = None
            continue
        yield _Section(name, head.start(), head.end(), stop)
