"""Reimbursement criteria: which lines head them, and what stands outside 부칙."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kure_rag.chunk.base import Section
from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.medical_names import CRITERION, FORMER, PLACE, PRODUCT
from kure_rag.chunk.medical_rows import is_criteria
from kure_rag.chunk.names import NameFinder
from kure_rag.chunk.nested_tables import outer_tables
from kure_rag.chunk.titles import Line
from kure_rag.types import Document, Page, Table

_NAMED: Final = re.compile(rf"[^\n]{{2,90}}?{PRODUCT.pattern}(?:의?\s?(?:급여|인정)\s?기준)?")
_CRITERION_LINE: Final = re.compile(r"[^.:|?\n]{3,90}\s?(?:급여|인정|수가\s?산정|요양급여)\s?(?:기준|방법)")
_LISTED: Final = re.compile(r"요양급여를?\s?(?:인정|함)|급여(?:를|로|대상)?\s?인정|인정함|다음과\s?같")
_ADDENDA: Final = re.compile(r"부\s*칙(?:\s*[<(\[].*)?")
_COMPARED: Final = re.compile(r"신\s?[·ㆍ․・‧]?\s?구\s?(?:조문)?\s?대비표")
_DEPTH: Final[Mapping[str, int]] = {
    style: i
    for i, styles in enumerate(
        (("roman",), ("number",), ("letter",), ("pnumber", "numberp"), ("pletter", "letterp"), ("circled①",))
    )
    for style in styles
}
_DEEPEST: Final = 9
_LONGEST_CAPTION: Final = 80
_BRIEF: Final = 100  # characters above a table on its page that are no text of their own


def known_lines(lines: Sequence[Line]) -> set[str]:
    """Titles of the lines that head a criterion, as their own words and what stands under them tell.

    「(나) 토실리주맙 주사제 (품명: 악템라주)」 is one where its criteria follow, and an item of a list where the next
    drug does.
    """
    out = set()
    for i, line in enumerate(lines[:-1]):
        below = lines[i + 1]
        if line.table or below.table:
            continue
        deeper = not line.style or not below.style or _depth(below) > _depth(line)
        if (_NAMED.fullmatch(line.title) and deeper and not _NAMED.fullmatch(below.title)) or (
            not line.style and _CRITERION_LINE.fullmatch(line.title) and _heads(lines[i + 1 : i + 4])
        ):
            out.add(line.title)
    return out


def _depth(line: Line) -> int:
    return _DEPTH.get(line.style, _DEEPEST)


def _heads(below: Sequence[Line]) -> bool:
    """Whether criteria follow: a count that begins, or 「요양급여를 인정함」."""
    return any(
        (line.marker is not None and line.marker.number == 1) or _LISTED.search(line.text) is not None for line in below
    )


def criterion_in(headings: Sequence[str], finder: NameFinder) -> str:
    """The innermost heading that is an entry of the criteria."""
    return next((heading for heading in reversed(headings) if finder.name_of(heading) in (CRITERION, FORMER)), "")


def addenda_in(headings: Sequence[str]) -> str:
    """The heading 부칙, if it is one of them."""
    return next((heading for heading in headings if _ADDENDA.fullmatch(heading)), "")


def cleaned(headings: Sequence[str], finder: NameFinder) -> tuple[str, ...]:
    """Headings without 부칙 over what can be no part of it; 「Ⅰ. 행위 제2장 검사료 중 … 신설한다」 without its verb."""
    out: list[str] = []
    for heading in headings:
        marker = find_marker(heading)
        place = PLACE.fullmatch(heading, marker.length if marker else 0)
        if place is not None or finder.name_of(heading) == CRITERION:
            out = _outside_addenda(out)
        out.append(heading[: place.end("place")] if place is not None else heading)
    return tuple(out)


def _outside_addenda(headings: Sequence[str]) -> list[str]:
    at = next((i for i, heading in enumerate(headings) if _ADDENDA.fullmatch(heading)), len(headings))
    return list(headings[:at])


def without_addenda(sections: Sequence[Section], document: Document) -> Iterator[Section]:
    """The tables that follow 부칙, such as 신구조문 대비표, in sections of their own."""
    ended: tuple[str, ...] = ()
    for section in sections:
        if ended and section.headings[: len(ended)] == ended:
            section = replace(section, headings=section.headings[len(ended) :])
        place = next((i for i, heading in enumerate(section.headings) if _ADDENDA.fullmatch(heading)), None)
        left = section
        for table in outer_tables(document.tables):
            inside = left.start <= table.start < left.end
            after = place is not None and left is section and is_criteria(table)
            if not inside or not (after or _COMPARED.search(table.caption)):
                continue
            cut = max(left.start, _with_page_head(document.pages, table, document.text))
            if document.text[left.start : cut].strip():
                yield replace(left, body=min(left.body, cut), end=cut)
            caption = " ".join(table.caption.split())
            above = section.headings if place is None else section.headings[:place]
            named = 0 < len(caption) <= _LONGEST_CAPTION and caption not in above
            left = Section(cut, table.start, section.end, (*above, *((caption,) if named else ())))
        if place is not None and left is not section:
            ended = section.headings
        yield left


def _with_page_head(pages: Sequence[Page], table: Table, text: str) -> int:
    """Where a table begins with the few words above it on its page."""
    starts = [page.start for page in pages]
    at = starts[bisect_right(starts, table.start) - 1] if starts else table.start
    return at if len(text[at : table.start].strip()) <= _BRIEF else table.start
