"""The grammar of Markdown, as far as a document's structure needs it: headings, code, tables and the front matter.

Headings and fenced code as CommonMark 0.31 has them: one to six ``#`` and a space, or a line underlined with ``=`` or
``-``; nothing in a fenced block is one. Tables as GitHub's extension has them: a line of cells, a line of dashes with
as many, then rows to the next empty line. Of the front matter, the YAML between two ``---`` at the top, only a title in
one line counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

_ATX: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_UNDERLINE: Final = re.compile(r" {0,3}(?:={2,}|-{2,})[ \t]*")
_NO_PARAGRAPH: Final = re.compile(r"\s*(?:[#>|]|[-*+] |\d+[.)] )| {4}")
_DASHES: Final = re.compile(r" {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)*(?:[ \t]*:?-+:?[ \t]*)?")
_NO_ROW: Final = re.compile(r"\s*>| {0,3}(?:#{1,6}[ \t]|```|~~~)")
_CELL_END: Final = re.compile(r"(?<!\\)\|")
_BREAK: Final = re.compile(r"<br\s?/?>", re.IGNORECASE)
_FRONT_TITLE: Final = re.compile(r"title[ \t]*:[ \t]*(?P<quote>['\"]?)(?P<title>.*?)(?P=quote)[ \t]*")
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\([^)]*\)|<[/!]?[A-Za-z-][^<>]*>")  # not <표 1>
_LINK: Final = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_EMPHASIS: Final = re.compile(r"(\*{1,3}|_{2,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_FRONT_LINES: Final = 200
_MOST: Final = 2_000  # headings of an outline
_LONGEST: Final = 120  # characters of a title
_LONGEST_LINE: Final = 1_000  # characters: a longer line is no heading, and slow to look at
_LONGEST_ROW: Final = 20_000
_COLUMNS: Final = 100


class Block(NamedTuple):
    """Lines that are more than text.

    Attributes:
        kind: What they are.
        first: The first of them, counted from 0; of an underlined heading its words.
        after: The one after the last.
        level: Of a heading, 1 for the highest.
        written: Of a heading, its words with their markup.
    """

    kind: Literal["heading", "code", "table"]
    first: int
    after: int
    level: int = 0
    written: str = ""


def outline(text: str) -> list[tuple[int, str, int]]:
    """Headings as (level from 0, title, 1), at most 2,000, as PDF bookmarks are; the 1 is the file's only page."""
    found: list[tuple[int, str, int]] = []
    for block in blocks(text.split("\n")):
        if block.kind == "heading" and (title := plain(block.written)):
            found.append((block.level - 1, title, 1))
            if len(found) == _MOST:
                break
    return found


def front_title(text: str) -> str:
    """The ``title`` of the front matter, or an empty string."""
    lines = text.split("\n", _FRONT_LINES)[:_FRONT_LINES]
    for line in lines[1 : _front(lines)]:
        if len(line) <= _LONGEST_LINE and (match := _FRONT_TITLE.fullmatch(line)):
            return plain(match["title"])
    return ""


def plain(written: str) -> str:
    """A heading's text without its markup, at most 120 characters."""
    return bare(written)[:_LONGEST].strip()


def bare(written: str) -> str:
    """A heading's text without its markup, on one line."""
    return " ".join(unemphasised(_LINK.sub(r"\1", _IMAGE.sub("", written[:_LONGEST_LINE]))).split())


def cells(line: str) -> list[str]:
    """The cells of a table's line, without emphasis; an escaped bar is part of a cell, ``<br>`` a line feed."""
    inner = line.strip().removeprefix("|")
    parts = _CELL_END.split(inner)
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    return [_cell(part) for part in parts]


def blocks(lines: Sequence[str]) -> Iterator[Block]:
    """The headings, fenced blocks of code and tables of a text, in order."""
    i = _front(lines)
    above = -1  # a paragraph of one line so far
    begun = False  # a paragraph of more lines is no heading
    while i < len(lines):
        line = lines[i]
        if len(line) > _LONGEST_LINE:
            mark, match = None, None
        else:
            mark, match = _FENCE.fullmatch(line), _ATX.fullmatch(line)
        if mark and not (mark[1][0] == "`" and "`" in mark[2]):
            block = Block("code", i, _fence_end(lines, i + 1, mark[1]))
        elif match:
            block = Block("heading", i, i + 1, len(match[1]), match[2])
        elif above >= 0 and len(line) <= _LONGEST_LINE and _UNDERLINE.fullmatch(line):
            block = Block("heading", above, i + 1, 1 if "=" in line else 2, lines[above])
        elif after := _table_end(lines, i):
            block = Block("table", i, after)
        else:
            may = len(line) <= _LONGEST_LINE and line.strip() and not begun and not _NO_PARAGRAPH.match(line)
            above = i if may else -1
            begun = bool(line.strip())
            i += 1
            continue
        yield block
        i, above, begun = block.after, -1, False


def _fence_end(lines: Sequence[str], i: int, fence: str) -> int:
    """The line after a fenced block; one that nothing closes lasts to the end."""
    for j in range(i, len(lines)):
        mark = _FENCE.fullmatch(lines[j]) if len(lines[j]) <= _LONGEST_LINE else None
        if mark and mark[1].startswith(fence) and not mark[2].strip():
            return j + 1
    return len(lines)


def _table_end(lines: Sequence[str], i: int) -> int:
    """The line after a table whose names stand in a line; 0 where none does."""
    if i + 1 >= len(lines) or "|" not in lines[i] or "|" not in lines[i + 1] or "-" not in lines[i + 1]:
        return 0
    if max(len(lines[i]), len(lines[i + 1])) > _LONGEST_LINE or lines[i].startswith("    ") or _NO_ROW.match(lines[i]):
        return 0
    columns = len(cells(lines[i]))
    if _DASHES.fullmatch(lines[i + 1]) is None or not columns == len(cells(lines[i + 1])) <= _COLUMNS:
        return 0
    after = i + 2
    while after < len(lines) and lines[after].strip() and _is_row(lines[after]):
        after += 1
    return after


def _is_row(line: str) -> bool:
    return "|" in line and len(line) <= _LONGEST_ROW and _NO_ROW.match(line) is None


def _cell(written: str) -> str:
    text = _BREAK.sub("\n", written.strip().replace("\\|", "|"))
    return "\n".join(line.strip() for line in (unemphasised(text) if len(text) <= _LONGEST_LINE else text).split("\n"))


def unemphasised(text: str) -> str:
    """A text without the marks of emphasis and of code within a line."""
    while (plainer := _EMPHASIS.sub(r"\2", text)) != text:
        text = plainer
    return text


def _front(lines: Sequence[str]) -> int:
    """How many lines the front matter has; 0 without any."""
    if lines[0].rstrip() != "---":
        return 0
    ends = (i for i, line in enumerate(lines[1:_FRONT_LINES], 2) if line.rstrip() in ("---", "..."))
    return next(ends, 0)
