"""A legal text → blocks: each heading with what stands under it, and its place in the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from kure_rag.chunk.legal_marks import CHAPTER_RANKS, Mark, find_marks
from kure_rag.chunk.legal_notes import effective
from kure_rag.chunk.legal_order import choose
from kure_rag.chunk.legal_tails import with_closings
from kure_rag.chunk.legal_titles import with_titles

BlockKind = Literal["text", "heading", "article", "addenda", "appendix", "special", "questions"]

_CHAPTER_RANK: Final = CHAPTER_RANKS["장"]


@dataclass(frozen=True, slots=True)
class Block:
    """A run of text under one heading.

    Attributes:
        kind: What it is.
        start: Offset of its first character, the heading's.
        body: Offset after the heading.
        end: Offset after its last character.
        headings: Above it and its own, outermost first, without the document's title.
        part: ``본칙``, ``부칙``, ``별표`` (also 별지, 별첨), ``특별약관`` or ``특약사항``; empty before the
            first article. Where a statute prints an article twice, as it is and as it will be, the later wording is of
            ``본칙(시행예정)``.
        part_name: The heading of that part, such as ``부칙 <법률 제17112호, 2020. 3. 24.>``.
        chapter: The nearest 장.
        mark: The heading itself.
        addenda: Which addenda of the document these are, counted from 1; 0 outside them.
    """

    kind: BlockKind
    start: int
    body: int
    end: int
    headings: tuple[str, ...] = ()
    part: str = ""
    part_name: str = ""
    chapter: str = ""
    mark: Mark | None = None
    addenda: int = 0


def find_blocks(text: str, skip: Sequence[tuple[int, int]] = ()) -> list[Block]:
    """Cuts a text into its articles and what stands between them.

    Args:
        text: A document's.
        skip: Spans in which no line is a heading: tables.

    Returns:
        Blocks in order that cover every visible character; empty where the text has no article.
    """
    marks = _outside(text, find_marks(text), skip)
    chosen = list(with_titles(text, list(with_closings(text, choose(text, marks)))))
    if not any(mark.kind == "article" for mark in chosen):
        return []
    return list(_blocks(text, chosen))


def _outside(text: str, marks: Sequence[Mark], skip: Sequence[tuple[int, int]]) -> list[Mark]:
    """Marks that are in no table; an article's heading may be the caption at a table's head."""
    spans = sorted(skip)
    out, i = [], 0
    for mark in marks:
        while i < len(spans) and spans[i][1] <= mark.start:
            i += 1
        inside = i < len(spans) and mark.start >= spans[i][0]
        if not inside or (mark.start == spans[i][0] and "|" not in text[mark.start : mark.end]):
            out.append(mark)
    return out


def _blocks(text: str, marks: Sequence[Mark]) -> Iterator[Block]:
    if text[: marks[0].start].strip():
        yield Block("text", 0, 0, marks[0].start)
    part, part_name = "", ""
    above: list[Mark] = []
    seen, addenda = False, 0
    for i, mark in enumerate(marks):
        end = marks[i + 1].start if i + 1 < len(marks) else len(text)
        if mark.kind == "closing":
            yield Block("text", mark.start, mark.start, end)
            continue
        if mark.kind == "addenda":
            part, part_name, above = "부칙", mark.label, []
            addenda += 1
        elif mark.kind == "appendix":
            part, part_name, above = "별표", mark.heading, []
        elif mark.kind == "special":
            part, part_name, above = "특약사항", mark.label, []
        elif mark.kind == "name":
            special = re.search(r"특\s?약|특별\s?약관", mark.title)
            part, part_name, above = "특별약관" if special else "본칙", mark.title, []
        elif mark.kind == "chapter":
            if part in ("부칙", "별표"):
                part, part_name, above = "본칙", "", []
            above = [m for m in above if m.rank < mark.rank] + [mark]
        elif (part == "별표" and not _is_annex(part_name)) or (part == "부칙" and seen and _begins_again(marks, i)):
            part, part_name, above = "본칙", "", []
        part = part or "본칙"
        seen = seen or mark.kind == "article"
        later = mark.kind == "article" and i > 0 and marks[i - 1].key == mark.key and effective(text[mark.start : end])
        block = _block(mark, end, (f"{part}(시행예정)" if later else part, part_name), above)
        if _is_annex(mark.label) and not text[mark.end : end].strip() and i + 1 < len(marks):
            block = replace(block, kind="heading" if marks[i + 1].kind in ("article", "chapter") else block.kind)
        yield replace(block, addenda=addenda if part == "부칙" else 0)


def _is_annex(name: str) -> bool:
    """Whether articles may stand in it: a contract's annex has its own, but a statute follows the tables of another."""
    return name.startswith(("별첨", "붙임", "첨부"))


def _begins_again(marks: Sequence[Mark], i: int) -> bool:
    """Whether the article is the first of a text that follows addenda without a name or a chapter."""
    if marks[i].key[0] != 1:
        return False
    since = []
    for mark in reversed(marks[:i]):
        if mark.kind == "addenda":
            break
        since.append(mark)
    return any(mark.kind == "article" for mark in since) or "목적" in marks[i].title


def _block(mark: Mark, end: int, part: tuple[str, str], above: Sequence[Mark]) -> Block:
    chapters = tuple(m.heading for m in above)
    chapter = next((m.heading for m in reversed(above) if m.rank == _CHAPTER_RANK), "")
    name = (part[1],) if part[1] else ()
    own = (mark.heading,) if mark.kind == "article" else ()
    kind: BlockKind = mark.kind if mark.kind in ("article", "addenda", "appendix", "special") else "heading"
    return Block(kind, mark.start, mark.body, end, (*name, *chapters, *own), part[0], part[1], chapter, mark)
