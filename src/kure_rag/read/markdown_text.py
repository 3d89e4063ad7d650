"""Markdown → canonical text: its headings without their marks, its tables as those of PDFs, its code as it was written.

What was a mark is said beside the text: where headings stand and on which level, and where code does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kure_rag.read.markdown import Block, bare, blocks, cells, unemphasised

if TYPE_CHECKING:
    from kure_rag.read.page import FoundTable
    from kure_rag.types import Table

_BULLET: Final = re.compile(r"([ \t]*)[*+](?=[ \t]+[^\s*+])")
_COMMENT: Final = re.compile(r"[ \t]*<!--[^<>]*-->[ \t]*")  # nobody sees it
_CAPTION: Final = re.compile(r"[\[<〈《【(]?\s?(?:표|Table)\s?[\dⅠ-Ⅻ<\-.]", re.IGNORECASE)
_LONGEST_LABEL: Final = 120  # characters of a caption or a unit note
_LONGEST_HEAD: Final = 400  # characters of names: they are repeated in each piece
_ADDED: Final = 4  # times the cells that were written: so many may be added where rows are short
_ADDED_FEW: Final = 1_000
_NOWHERE: Final = (0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class MarkedText:
    """A Markdown file's text, and what its marks said.

    Attributes:
        text: NFC.
        headings: (start, end, level) of each heading, level 1 for ``#``.
        code: (start, end) of each fenced block, the fences among it.
        tables: As in :class:`~kure_rag.types.Document`.
    """

    text: str = ""
    headings: list[tuple[int, int, int]] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    tables: tuple[Table, ...] = ()


def marked_text(text: str) -> MarkedText:
    """Reads the marks of a cleaned text. A list's ``*`` and ``+`` become ``-``: in Korean texts * begins a note."""
    writer = _Writer(text.split("\n"))
    return writer.written()


class _Writer:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._parts: list[str] = []
        self._at = 0
        self._tables: list[Table] = []
        self._made = MarkedText()

    def written(self) -> MarkedText:
        last = 0
        for block in blocks(self._lines):
            table = self._table(block, last) if block.kind == "table" else None
            if block.kind == "table" and table is None:
                continue  # it stays text
            first = block.first if table is None else table[0]
            self._text(last, first)
            last = block.after
            if table is not None:
                self._put_table(table[1])
                last += last < len(self._lines) and not self._lines[last].strip()
            elif block.kind == "code":
                self._put_code(block)
            else:
                self._put_heading(block)
        self._text(last, len(self._lines))
        made = self._made
        made.text = "".join(self._parts)[:-1]  # the last line feed was none of the file's
        made.tables = tuple(self._tables)
        return made

    def _put(self, text: str) -> tuple[int, int]:
        start = self._at
        self._parts.append(text)
        self._at += len(text)
        return start, self._at

    def _text(self, first: int, after: int) -> None:
        for line in self._lines[first:after]:
            if _COMMENT.fullmatch(line):
                continue
            self._put(_BULLET.sub(r"\1-", line, count=1) if _BULLET.match(line) else line)
            self._put("\n")

    def _put_heading(self, block: Block) -> None:
        shown = unicodedata.normalize("NFC", bare(block.written))
        if not any(map(str.isalnum, shown)):  # a picture
            self._text(block.first, block.after)
            return
        start, end = self._put(shown)
        self._made.headings.append((start, end, block.level))
        self._put("\n")

    def _put_code(self, block: Block) -> None:
        self._made.code.append(self._put("\n".join(self._lines[block.first : block.after])))
        self._put("\n")

    def _put_table(self, table: FoundTable) -> None:
        from kure_rag.read.tables import placed, written

        pieces = written(table)
        spans = []
        if self._at and not "".join(self._parts[-3:]).endswith("\n\n"):
            self._put("\n")
        for piece in pieces:
            spans.append((*self._put(piece.text), piece.first, piece.after))
            self._put("\n\n")
        self._tables.append(placed(table, 1, spans))

    def _table(self, block: Block, last: int) -> tuple[int, FoundTable] | None:
        """A table with its caption and unit, and the first line that belongs to it."""
        from kure_rag.read.page import FoundTable

        header = cells(self._lines[block.first])
        rows = [cells(line) for line in self._lines[block.first + 2 : block.after]]
        width = max(map(len, (header, *rows)))
        held = sum(map(len, (header, *rows)))
        names = sum(map(len, header))
        if not any(map(any, (header, *rows))) or names > _LONGEST_HEAD or width > _ADDED_FEW:
            return None
        if width * (len(rows) + 1) > _ADDED * held + _ADDED_FEW:
            return None
        first, caption, unit = _label(self._lines, last, block.first)
        named, *filled = [(*row, *[""] * (width - len(row))) for row in (header, *rows)]
        named = tuple(" ".join(name.split()) for name in named)
        return first, FoundTable(_NOWHERE, _NOWHERE, (), caption, unit, named, tuple(filled))


def _label(lines: Sequence[str], last: int, first: int) -> tuple[int, str, str]:
    """What stands right above a table, over at most one empty line: where that begins, its caption and its unit."""
    from kure_rag.read.tables.notes import unit_in

    caption = unit = ""
    begin = i = first
    empty = 0
    while i > last and not caption:
        i -= 1
        line = unemphasised(" ".join(lines[i][:_LONGEST_LABEL].split()))
        if not line:
            empty += 1
            if empty > 1:
                break
            continue
        empty = 0
        if len(lines[i]) > _LONGEST_LABEL or "](" in line:
            break
        noted = unit_in(line) if not unit else None
        named, rest = (noted[0], noted[1]) if noted else ("", line)
        if rest and not _CAPTION.match(rest):
            break
        unit, caption, begin = unit or named, rest, i
    return begin, caption, unit
