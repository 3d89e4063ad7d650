"""What a Markdown text says about itself: its headings and the title in its front matter.

Headings as CommonMark 0.31 has them: one to six ``#`` and a space, or a line underlined with ``=`` or ``-``; nothing in
a fenced block is one. Of the front matter, the YAML between two ``---`` at the top, only a title in one line counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_ATX: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_UNDERLINE: Final = re.compile(r" {0,3}(?:={2,}|-{2,})[ \t]*")
_NO_PARAGRAPH: Final = re.compile(r"\s*(?:[#>|]|[-*+] |\d+[.)] )| {4}")
_FRONT_TITLE: Final = re.compile(r"title[ \t]*:[ \t]*(?P<quote>['\"]?)(?P<title>.*?)(?P=quote)[ \t]*")
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\([^)]*\)|<[^<>]+>")
_LINK: Final = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_EMPHASIS: Final = re.compile(r"(\*{1,3}|_{2,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_FRONT_LINES: Final = 200
_MOST: Final = 2_000  # headings
_LONGEST: Final = 120  # characters of a title
_LONGEST_LINE: Final = 1_000  # characters: a longer line is no heading, and slow to look at


def outline(text: str) -> list[tuple[int, str, int]]:
    """Headings as (level from 0, title, 1), at most 2,000, as PDF bookmarks are; the 1 is the file's only page."""
    found: list[tuple[int, str, int]] = []
    for level, written in _headings(text.split("\n")):
        if title := plain(written):
            found.append((level - 1, title, 1))
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
    """A heading's text without its markup."""
    text = _LINK.sub(r"\1", _IMAGE.sub("", written[:_LONGEST_LINE]))
    while (bare := _EMPHASIS.sub(r"\2", text)) != text:
        text = bare
    return " ".join(text.split())[:_LONGEST].strip()


def _front(lines: list[str]) -> int:
    """How many lines the front matter has; 0 without any."""
    if lines[0].rstrip() != "---":
        return 0
    ends = (i for i, line in enumerate(lines[1:_FRONT_LINES], 2) if line.rstrip() in ("---", "..."))
    return next(ends, 0)


def _headings(lines: list[str]) -> Iterator[tuple[int, str]]:
    fence = ""
    above = ""  # a paragraph of one line so far
    begun = False  # a paragraph of more lines is no heading
    for line in lines[_front(lines) :]:
        mark = _FENCE.fullmatch(line) if len(line) <= _LONGEST_LINE else None
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence, above, begun = mark[1], "", False
        elif len(line) > _LONGEST_LINE:
            above, begun = "", True
        elif match := _ATX.fullmatch(line):
            yield len(match[1]), match[2]
            above, begun = "", False
        elif above and _UNDERLINE.fullmatch(line):
            yield (1 if "=" in line else 2), above
            above, begun = "", False
        else:
            above = line if line.strip() and not begun and not _NO_PARAGRAPH.match(line) else ""
            begun = bool(line.strip())
