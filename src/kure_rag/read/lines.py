"""Printed lines → paragraphs: repeated headers and footers leave, wrapped lines join.

A PDF stores lines, not paragraphs, and Korean may be broken inside a word. Left as they are, such breaks end more than
half of all chunks in the middle of a word and hide words from keyword search.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

Spacer = Callable[[Sequence[tuple[str, str]]], list[bool]]

_FULL: Final = 0.85  # of the widest lines: a line this long was broken by the margin, a shorter one by its author
_EDGE: Final = 2  # lines at the top and at the bottom of a page that may be a header or a footer
_REPEATED: Final = 0.5  # of the pages: an edge line seen this often is no content

# What begins a new paragraph even after a full line: articles, items, bullets, bracketed headings, notes.
STARTS_PARAGRAPH: Final = re.compile(
    r"\s*(?:제\s*\d+\s*(?:편|장|절|관|조)|부\s*칙|[①-⑳㉠-㉭ⓐ-ⓩ○●◯◎■□◆◇▶▷▪•∙※☞✔*◦]|[-–—·ㆍ]\s"
    r"|\d{1,3}(?:의\s?\d+)?\s?[.)]\s|[가-하]\s?[.)]\s|\([가-하\d]{1,3}\)|[IVXⅠ-Ⅻ]+\s?\.|【|\[|<|〈|「[^」]{1,40}」\s*$)"
)
_NUMBER = re.compile(r"\d+")


def visual_width(line: str) -> int:
    """Columns a line takes in print: two for Hangul and Hanja, one for the rest."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def drop_furniture(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pages without the lines that stand at the top or bottom of most pages, such as running titles and page numbers.

    Digits do not count when lines are compared, so that page numbers are found. Fewer than three pages are left alone.
    """
    if len(pages) < 3:
        return [list(page) for page in pages]
    seen: Counter[tuple[bool, str]] = Counter()
    for page in pages:
        seen.update({(at_top, _masked(page[i])) for i, at_top in _edges(page)})
    need = max(3, _REPEATED * len(pages))
    kept = []
    for page in pages:
        drop = {i for i, at_top in _edges(page) if seen[at_top, _masked(page[i])] >= need}
        kept.append([line for i, line in enumerate(page) if i not in drop])
    return kept


def _edges(page: Sequence[str]) -> list[tuple[int, bool]]:
    """Positions of the outermost lines that hold anything, and whether each is at the top."""
    filled = [i for i, line in enumerate(page) if line.strip()]
    top, bottom = filled[:_EDGE], filled[-_EDGE:]
    return [(i, True) for i in top] + [(i, False) for i in bottom]


def _masked(line: str) -> str:
    return _NUMBER.sub("#", "".join(line.split()))


def join_wrapped(pages: Sequence[Sequence[str]], space_at: Spacer) -> list[list[str]]:
    """Joins lines that the margin broke, within each page.

    Args:
        pages: Lines of each page; a trailing space, where the PDF kept one, is used as evidence.
        space_at: Decides for pairs (line, next line) whether a space belongs between them.

    Returns:
        Paragraphs of each page, without surrounding white space and without empty ones.
    """
    widths = sorted(visual_width(line.strip()) for page in pages for line in page if line.strip())
    if not widths:
        return [[] for _ in pages]
    full = _FULL * widths[int(0.95 * (len(widths) - 1))]
    breaks: list[tuple[int, int]] = []
    for p, page in enumerate(pages):
        for i, (line, following) in enumerate(pairwise(page)):
            if visual_width(line.strip()) >= full and following.strip() and not STARTS_PARAGRAPH.match(following):
                breaks.append((p, i))
    # Word processors that break between words leave the space at the line's end; then its absence means a broken word.
    trailing = sum(pages[p][i][-1:].isspace() for p, i in breaks)
    trusted = bool(breaks) and trailing >= 0.3 * len(breaks)
    asked = [(p, i) for p, i in breaks if not trusted and not pages[p][i][-1:].isspace()]
    answers = dict(
        zip(asked, space_at([(pages[p][i].strip(), pages[p][i + 1].strip()) for p, i in asked]), strict=True)
    )
    spaced = {at: pages[at[0]][at[1]][-1:].isspace() or answers.get(at, False) for at in breaks}
    return [_paragraphs(p, page, spaced) for p, page in enumerate(pages)]


def _paragraphs(p: int, page: Sequence[str], spaced: dict[tuple[int, int], bool]) -> list[str]:
    out: list[str] = []
    joining = False
    for i, line in enumerate(page):
        text = " ".join(line.split())
        if joining and text:
            out[-1] += (" " if spaced[p, i - 1] else "") + text
        elif text:
            out.append(text)
        joining = bool(text) and (p, i) in spaced
    return out
