"""The legal profile: an article a chunk, cut along 항, 호 and 목 where it is long; judgments by their sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from kure_rag.chunk.base import ChunkSettings, Passage
from kure_rag.chunk.crumbs import without_repeats
from kure_rag.chunk.general import PAIRS, General, question_binding
from kure_rag.chunk.judgment import is_judgment, judgment_passages
from kure_rag.chunk.legal_lines import visible_lines
from kure_rag.chunk.legal_notes import amendments, deleted_on, effective
from kure_rag.chunk.legal_references import references
from kure_rag.chunk.legal_structure import Block, find_blocks
from kure_rag.chunk.lists import Binding, find_units
from kure_rag.chunk.nested_tables import outer_tables
from kure_rag.chunk.outline import Cutter, Piece, outline
from kure_rag.chunk.pack import Span, Unit, pack_units
from kure_rag.chunk.sentences import Sentences
from kure_rag.chunk.tables import notes_end, table_parts
from kure_rag.types import Document

_FAQ: Final = re.compile(
    r"[^\n]{0,20}(?:자주\s?(?:묻|하)는\s?질문|질의\s?[·ㆍ및]?\s?(?:응답|회신)|FAQ|Q\s?&\s?A)[^\n]{0,10}"
)
_AMENDS: Final = re.compile(r"(?:법률\s?)?제\s?\d+\s?조|(?:별표|별지)\s?(?:제\s?)?\d*")
_BRIEF: Final = 60  # characters above or below a table that are no text of their own
_LEVELS: Final = {"circled": "paragraph", "point": "item", "letter": "subitem"}


@dataclass(frozen=True, slots=True)
class Legal:
    """Statutes, regulations, contracts, insurance terms and judgments.

    A passage of an article has ``kind`` ``article`` and this metadata: ``part`` (``본칙``, ``부칙``, ``별표``,
    ``특별약관``, ``특약사항``), ``part_name`` (which one), ``addenda`` (counted, as many have no name), ``article``
    (``제7조의13``), ``title``, ``chapter``; ``paragraph`` (``②-③``), ``item`` (``1.-3.``) and ``subitem`` where it is
    not the whole article; ``amended`` (dates), ``effective`` (the date of a 시행일 note), ``references``; and one of
    ``deleted``, ``moved`` and ``omitted`` where nothing is left of it. A question with its answer is one passage
    (``kind`` ``qa``). For judgments see :func:`~kure_rag.chunk.judgment.judgment_passages`.
    """

    name: str = "legal"
    version: str = "6"

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        if is_judgment(document.text):
            cut = judgment_passages(document, sentences, settings)
        elif blocks := find_blocks(
            document.text, [(table.start, table.end) for table in outer_tables(document.tables)]
        ):
            binding = question_binding(document.text)
            split = (part for block in blocks for part in _at_questions(document.text, block, binding))
            merged = _merged_headings(document.text, list(split))
            cut = (passage for block in merged for passage in _passages(document, block, sentences, settings))
        else:
            return General().passages(document, sentences, settings)
        said = (replace(passage, breadcrumb=without_repeats(passage.breadcrumb)) for passage in cut)
        return [part for passage in said for part in _around_tables(passage, document, sentences, settings)]


def _merged_headings(text: str, blocks: Sequence[Block]) -> Iterator[Block]:
    """Headings that follow each other without text between them are one passage."""
    held: Block | None = None
    for block in blocks:
        if held is not None and block.kind == "heading" and not text[held.body : held.end].strip():
            held = replace(block, start=held.start)
            continue
        if held is not None:
            yield held
        held = block if block.kind == "heading" else None
        if held is None:
            yield block
    if held is not None:
        yield held


def _at_questions(text: str, block: Block, binding: Binding) -> Iterator[Block]:
    """A block, cut where questions and answers begin that stand under its heading."""
    if binding.opens is None:
        yield block
        return
    above = block.body
    for start, end in visible_lines(text, block.body, block.end):
        if binding.opens.match(text, start, end):
            name = text[above:start].strip()
            named = _FAQ.fullmatch(name) is not None
            begin = above if named else start
            if text[block.start : begin].strip():
                yield replace(block, end=begin)
            # Under a name of their own they are no part of the article above.
            asked = Block("questions", begin, start, block.end, (name,))
            yield asked if named else replace(block, kind="questions", start=begin, body=start)
            return
        above = start
    yield block


def _questions(document: Document, block: Block, sentences: Sentences, settings: ChunkSettings) -> Iterator[Passage]:
    text = document.text
    units = find_units(text, sentences.within(block.body, block.end), settings, PAIRS)
    start = block.start
    for unit in pack_units(text, units, settings):
        values = _common(block) if block.part else {}
        if named := references(text[unit.start : unit.end]):
            values["references"] = named
        yield Passage(start, unit.end, (document.title, *block.headings), unit.kind, unit.lead, values)
        start = unit.end


def _passages(document: Document, block: Block, sentences: Sentences, settings: ChunkSettings) -> Iterator[Passage]:
    text = document.text
    crumb = (document.title, *block.headings)
    if block.kind == "questions":
        yield from _questions(document, block, sentences, settings)
    elif block.kind == "text":
        for unit in _units(text, sentences, (block.start, block.end), settings):
            yield Passage(unit.start, unit.end, (document.title,), "text", unit.lead)
    elif block.kind == "heading":
        yield Passage(block.start, block.body, crumb, "heading", metadata=_common(block))
        for unit in _units(text, sentences, (block.body, block.end), settings):
            yield Passage(unit.start, unit.end, crumb, "text", unit.lead, _common(block))
    elif block.kind in ("addenda", "special") and not text[block.body : block.end].strip():
        yield Passage(block.start, block.body, crumb, "heading", metadata=_common(block))
    else:
        cutter = Cutter(text, sentences, settings, settings.longest, settings.longest)
        yield from _provision(cutter, block, crumb)


def _units(text: str, sentences: Sentences, span: Span, settings: ChunkSettings) -> Iterator[Unit]:
    """Text without articles, its lists with what announces them: 「… 각 호를 다음과 같이 신설한다.」 and 4. 5."""
    within = sentences.within(*span)
    # 제22조제3항 중 …: what is changed next is no part of the list above it.
    starts = [i for i, (start, _) in enumerate(within) if i and _AMENDS.match(text, start)]
    parts = (within[first:after] for first, after in pairwise([0, *starts, len(within)]))
    return pack_units(text, [unit for part in parts for unit in find_units(text, part, settings)], settings)


def _provision(cutter: Cutter, block: Block, crumb: tuple[str, ...]) -> Iterator[Passage]:
    """An article; addenda without articles, special conditions or an appendix, with their heading."""
    text = cutter.text
    kind = "appendix" if block.kind == "appendix" else "article"
    common = _common(block)
    cut = list(cutter.pieces(outline(text, block.body, block.end), block.start))
    for piece in cut:
        # The date in the heading of addenda is not one of an amendment; that in an annex's is, [별표 1] <개정 …>.
        own = text[piece.start if kind == "appendix" else max(piece.start, block.body) : piece.end]
        values: dict[str, Any] = {**common, **(_numbers(piece) if len(cut) > 1 else {})}
        if dates := amendments(own) or _deleted_on(text, block):
            values["amended"] = dates
        if date := effective(own):
            values["effective"] = date
        # 제3조부터 제5조까지 삭제: the last one is no reference.
        if (block.mark is None or not block.mark.through) and (named := references(own)):
            values["references"] = named
        yield Passage(piece.start, piece.end, crumb, kind, piece.lead, values)


def _deleted_on(text: str, block: Block) -> list[str]:
    mark = block.mark
    return deleted_on(text[mark.body : mark.end]) if mark is not None and mark.state == "deleted" else []


def _numbers(piece: Piece) -> dict[str, str]:
    return {_LEVELS[kind]: label for kind, label in reversed(piece.labels) if kind in _LEVELS}


def _common(block: Block) -> dict[str, Any]:
    mark = block.mark
    values: dict[str, Any] = {"part": block.part}
    if block.part_name:
        values["part_name"] = block.part_name
    if block.addenda:
        values["addenda"] = block.addenda
    if mark is not None and mark.kind == "article":
        values["article"] = mark.label
        if mark.title:
            values["title"] = mark.title
        if mark.state:
            values[mark.state] = True
        if mark.through:
            values["through"] = mark.through
    if block.chapter:
        values["chapter"] = block.chapter
    return values


def _is_note(text: str) -> bool:
    """Whether what is left below a table only says something of it: (2019.3.19 개정)."""
    text = text.strip()
    return 0 < len(text) <= _BRIEF and "\n" not in text and text[0] in "(<[〈" and text[-1] not in ":："


def _around_tables(
    passage: Passage, document: Document, sentences: Sentences, settings: ChunkSettings
) -> Iterator[Passage]:
    """The tables in a passage as passages of their own, an annex's heading and notes with its table."""
    at = passage.start
    tables = [table for table in outer_tables(document.tables) if table.end > at and table.start < passage.end]
    for table, below in zip(tables, [*(table.start for table in tables[1:]), passage.end], strict=False):
        parts = list(table_parts(document, table, sentences, settings))
        for i, part in enumerate(parts):
            start, end = max(part.start, at), min(part.end, passage.end)
            if start >= end:
                continue
            if i == len(parts) - 1:
                end = max(end, notes_end(document.text, end, below))
                end = below if below == passage.end and _is_note(document.text[end:below]) else end
            if passage.kind == "appendix" and at == passage.start and start - at <= _BRIEF:
                start = at
            if document.text[at:start].strip():
                yield replace(passage, start=at, end=start)
            values = {**passage.metadata, **part.metadata}
            yield Passage(start, end, passage.breadcrumb, "table", part.lead or passage.lead, values)
            at = end
    if document.text[at : passage.end].strip():
        yield replace(passage, start=at)
