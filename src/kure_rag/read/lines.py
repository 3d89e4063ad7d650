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
    # 제15조에 따라, 제2장 및 제3장의: a reference in the middle of a sentence.
    r"\s*(?:제\s*\d+\s*(?:편|장|절|관|조)(?:의\s*\d+)?(?!제\s*\d|에|의|부터|까지|[을를은는과와이가,ㆍ·]|\s*(?:및|또는|내지)\s)|부\s*칙|[①-⑳㉠-㉭ⓐ-ⓩ○●◯◎■□◆◇▶▷▪•∙※☞✔*◦]|[-–—·ㆍ]\s"
    r"|\d{1,3}(?:의\s?\d+)?\s?[.)]\s|[가나다라마바사아자차카타파하]\s?[.)]\s|\((?:[가나다라마바사아자차카타파하]|\d{1,3})\)|[IVXⅠ-Ⅻ]+\s?\.|【|\[|<|〈|「[^」]{1,40}」\s*$)"
)
_ENDS_SPACED: Final = re.compile(r"\s$|(?:[가-힣)]|[가-힣][”’」』])[.?!]$")  # a space the PDF kept, or a sentence's end
_NUMBER = re.compile(r"\d+")
# Numbered headings run on from page to page as page numbers do.
_NUMBERED_HEADING = re.compile(
    r"\s*[\[<(【]?\s*(?:제\s*\d+\s*(?:편|장|절|관|조)|별표|별지|부록|붙임|첨부|표|그림|서식)"
)
_ITEM = re.compile(r"\s*([가나다라마바사아자차카타파하])\s?[.)]\s")
_FINAL_N: Final = 4  # ㄴ, as in 한다; many nouns end in it too
_VERB_FINAL: Final = frozenset((6, 18, 20))  # ㄶ ㅄ ㅆ, as in 않다, 없다, 있다


def visual_width(line: str) -> int:
    """Columns a line takes in print: two for Hangul and Hanja, one for the rest."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def drop_furniture(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pages without the lines that stand at the top or bottom of most pages, such as running titles and page numbers.

    Digits do not count when lines are compared, so that page numbers are found; a line that is not the same in its
    digits too goes only if one of its numbers counts the pages. Fewer than three pages are left alone.
    """
    if len(pages) < 3:
        return [list(page) for page in pages]
    alike: Counter[tuple[bool, str]] = Counter()
    same: Counter[tuple[bool, str]] = Counter()
    counting: Counter[tuple[bool, str, int, int]] = Counter()
    for p, page in enumerate(pages):
        edges = _edges(page)
        alike.update({(top, _masked(page[i])) for i, top in edges})
        same.update({(top, "".join(page[i].split())) for i, top in edges})
        counting.update({(top, _masked(page[i]), *place) for i, top in edges for place in _counts(page[i], p)})
    need = max(3, _REPEATED * len(pages))

    def furniture(p: int, line: str, top: bool) -> bool:
        if same[top, "".join(line.split())] >= need:
            return True
        masked = _masked(line)
        return alike[top, masked] >= need and any(counting[top, masked, *at] >= 3 for at in _counts(line, p))

    kept = []
    for p, page in enumerate(pages):
        drop = {i for i, top in _edges(page) if furniture(p, page[i], top)}
        kept.append([line for i, line in enumerate(page) if i not in drop])
    return kept


def _counts(line: str, p: int) -> list[tuple[int, int]]:
    """For each number of a line its place in the line and how far it is ahead of the page's position."""
    if _NUMBERED_HEADING.match(line):
        return []
    return [(at, int(number[-9:]) - p) for at, number in enumerate(_NUMBER.findall(line))]


def _edges(page: Sequence[str]) -> list[tuple[int, bool]]:
    """Positions of the outermost lines that hold anything, and whether each is at the top."""
    filled = [i for i, line in enumerate(page) if line.strip()]
    top, bottom = filled[:_EDGE], filled[-_EDGE:]
    return [(i, True) for i in top] + [(i, False) for i in bottom]


def _masked(line: str) -> str:
    return "".join(_NUMBER.sub("#", line).split())


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
    full = _FULL * widths[int(0.95 * len(widths))]
    breaks: list[tuple[int, int]] = []
    for p, page in enumerate(pages):
        for i, (line, following) in enumerate(pairwise(page)):
            if (
                visual_width(line.strip()) >= full
                and following.strip()
                and not _begins_paragraph(page[: i + 1], following)
            ):
                breaks.append((p, i))
    # Word processors that break between words leave the space at the line's end; then its absence means a broken word.
    trailing = sum(pages[p][i][-1:].isspace() for p, i in breaks)
    trusted = bool(breaks) and trailing >= 0.3 * len(breaks)
    asked = [(p, i) for p, i in breaks if not trusted and not pages[p][i][-1:].isspace()]
    answers = dict(
        zip(asked, space_at([(pages[p][i].strip(), pages[p][i + 1].strip()) for p, i in asked]), strict=True)
    )
    spaced = {(p, i): bool(_ENDS_SPACED.search(pages[p][i])) or answers.get((p, i), False) for p, i in breaks}
    return [_paragraphs(p, page, spaced) for p, page in enumerate(pages)]


def _begins_paragraph(above: Sequence[str], following: str) -> bool:
    """Whether the author broke the line, not the margin."""
    if not STARTS_PARAGRAPH.match(following):
        return False
    if not following.lstrip().startswith("다."):
        return True
    # The third item of a list, or what is left of 제공한|다. at a margin that breaks words.
    last = above[-1].rstrip()[-1:]
    if not "가" <= last <= "힣":
        return True
    final = (ord(last) - 0xAC00) % 28
    if final in _VERB_FINAL or last == "니":
        return False
    items = (match.group(1) for line in reversed(above) if (match := _ITEM.match(line)))
    return next(items, None) == "나" or not (final == _FINAL_N or last in "이하되")


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
