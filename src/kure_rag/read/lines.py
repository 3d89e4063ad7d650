"""Printed lines → paragraphs: lines that the margin broke are joined, over columns and pages too.

A PDF stores lines, not paragraphs, and Korean may be broken inside a word. Left as they are, such breaks end more than
half of all chunks in the middle of a word and hide words from keyword search.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.read.edges import alike, centred_pairs, set_edges
from kure_rag.read.layout import Line, text_lines
from kure_rag.read.notes import split_notes
from kure_rag.read.page import FoundTable
from kure_rag.read.places import Places, places_of
from kure_rag.read.spacing import Spacer, informed
from kure_rag.read.starts import NAMES_ANNEX, ends_sentence
from kure_rag.read.starts import STARTS_PARAGRAPH as STARTS_PARAGRAPH  # also for those who look here

_FULL: Final = 0.15  # of the column's width, where places are only guessed: a line that ends nearer to the edge is full
_TIGHT: Final = 1.6  # times the size: room at the end of a line in a document whose lines break at any syllable
_ROOM: Final = 0.35  # times the size: a space, and what kerning takes
_NARROW: Final = 0.7  # times the size: no word is as narrow, a space included
_CAPITAL: Final = 0.5  # columns by which a Latin capital is wider than a digit
_LONGEST: Final = 12.0  # times the size: a longer word would have been broken
_SYLLABLES: Final = 0.9  # of the broken lines that end near the edge in a document whose lines break at any syllable
_LARGER: Final = 1.05  # of the size of the line before: a heading at the top of a page
_INDENT: Final = 0.7  # times the size: less is no indentation
_KEPT: Final = 0.3  # of the breaks with a space kept at the line's end: then none was dropped
_NARROWEST: Final = 13.0  # times the size: no column of text is narrower; a list of names is
_APART: Final = 0.6  # times the size: lines nearer than this always may be one paragraph
_FAR: Final = 1.8  # times the size: lines of one paragraph are never so far apart
_OVERLAP: Final = 0.1  # times the size: lines that share more of their height stand side by side
_SHIFT: Final = 8.0  # times the size: no paragraph's first line is indented as far
_ENOUGH_LINES: Final = 2_000  # to tell a document's habits by
_NOTE: Final = 60  # characters within which a bracket that opened is looked for
_WORDS: Final = 0.9  # of the breaks with a space: then all lines break between words
_ENOUGH: Final = 12  # breaks from which a document's habit can be told

_NOTE_OPEN = re.compile(r"[<〈][^<>〈〉]{1,60}$|\[[^\[\]]{1,60}$")  # <개정 2010. is not over
_ITEM = re.compile(r"\s*([가나다라마바사아자차카타파하])\s?[.)]\s")
_FINAL_N: Final = 4  # ㄴ, as in 한다; many nouns end in it too
_VERB_FINAL: Final = frozenset((6, 18, 20))  # ㄶ ㅄ ㅆ, as in 않다, 없다, 있다
_NUMBERED = re.compile(r"제 ?(\d+) ?(편|장|절|관|조|항|호)(?: ?의 ?(\d+))?")
_HEADING = re.compile(r"^(제\d+조(?:의\d+)?) \(")
_LEADER = re.compile(r"([·.․‥…⋯ㆍ_\-─━=])(?:\s?\1){4,}")
_LEADERS: Final = ("··", "..", "…", "--", "· ·")  # one of them is in most leaders
_ENTRY = re.compile(r"[·.․‥…⋯ㆍ]{3}\s*\d{1,4}\s*$")  # of a table of contents: it ends with its page's number
_CAPITALS = re.compile(r"[A-Z]")
_WORD = re.compile(r"\S+")
_SYLLABLE = re.compile(r"[^\s가-힣]*[가-힣]?[,.)\]」』”’]*")  # what no margin breaks: 2010. and (가)


@dataclass(slots=True)
class Paragraph:
    """Lines that belong together, or a table.

    Attributes:
        parts: (0-based page, text) of each page that holds a part; the text is all parts one after the other.
        table: What stands here in place of text.
        rows: (0-based page, first row on it) of each further page that a table goes on on.
    """

    parts: list[tuple[int, str]]
    table: FoundTable | None = None
    rows: tuple[tuple[int, int], ...] = ()

    @property
    def text(self) -> str:
        """The whole paragraph."""
        return "".join(text for _, text in self.parts)


def visual_width(line: str) -> int:
    """Columns a line takes in print: two for Hangul and Hanja, one for the rest."""
    return len(line) if line.isascii() else sum(map(_WIDTHS.__getitem__, line))


class _Widths(dict[str, int]):
    """The width of each character that was asked for: a cached function takes twice as long."""

    def __missing__(self, char: str) -> int:
        self[char] = width = 2 if char >= "\u1100" and unicodedata.east_asian_width(char) in "WF" else 1
        return width


_WIDTHS: Final = _Widths()


def close_numbers(text: str) -> str:
    """``제 1 조 의 2`` → ``제1조의2``, where digits and letters were drawn apart."""
    closed = _NUMBERED.sub(lambda match: f"제{match[1]}{match[2]}" + (f"의{match[3]}" if match[3] else ""), text)
    return _HEADING.sub(r"\1(", closed)


def join_wrapped(pages: Sequence[Sequence[str]], space_at: Spacer | None) -> list[list[str]]:
    """Joins lines that the margin broke within each page, from their text alone.

    Args:
        pages: Lines of each page; a trailing space, where the PDF kept one, is used as evidence.
        space_at: Decides for pairs (line, next line) whether a space belongs between them.

    Returns:
        Paragraphs of each page, without surrounding white space and without empty ones.
    """
    joined: list[list[str]] = [[] for _ in pages]
    for paragraph in join_lines([text_lines("\n".join(page)) for page in pages], space_at, over_pages=False):
        joined[paragraph.parts[0][0]].append(paragraph.text)
    return joined


def join_lines(pages: Sequence[Sequence[Line]], space_at: Spacer | None, *, over_pages: bool = True) -> list[Paragraph]:
    """Joins lines that the margin broke.

    Args:
        pages: Lines of each page in reading order; a space at a line's end, where the PDF kept one, is evidence.
        space_at: Decides for pairs (line, next line) whether a space belongs between them, where the document itself
            does not tell; asked once for all. Without it no space is put.
        over_pages: Whether a paragraph may go on on the next page.

    Returns:
        Paragraphs in order, without surrounding white space and without empty ones.
    """
    body, notes = split_notes(pages) if over_pages else (pages, [])
    lines = _numbered(body)
    apart = _numbered(notes)
    breaks = _breaks(lines, over_pages)
    breaks |= {len(lines) + i for i in _breaks(apart, over_pages=False)}
    every = lines + apart
    spaced = _spaces(every, breaks, space_at)
    return _with_notes(_joined(every, spaced, 0, len(lines)), _joined(every, spaced, len(lines), len(every)))


def _numbered(pages: Sequence[Sequence[Line]]) -> list[tuple[int, Line]]:
    return [(p, line) for p, page in enumerate(pages) for line in page if line.table or line.text.strip()]


def _joined(lines: Sequence[tuple[int, Line]], spaced: dict[int, bool], start: int, end: int) -> list[Paragraph]:
    """Paragraphs of a run of lines; ``spaced`` names those that go on with the line before."""
    out: list[Paragraph] = []
    texts = [line.text.strip() for _, line in lines[start:end]]
    whole = "|".join(texts)  # most documents have nothing of what is looked for in each line
    plain = whole.isprintable() and "  " not in whole
    led = any(leader in whole for leader in _LEADERS)
    for i, text in enumerate(texts, start):
        p, line = lines[i]
        if line.table is not None:
            out.append(Paragraph([(p, "")], line.table))
            continue
        if not plain and ("  " in text or not text.isprintable()):  # white space of other kinds cannot be printed
            text = " ".join(text.split())
        if led and ("··" in text or ".." in text or "…" in text or "--" in text or "· ·" in text):
            text = _LEADER.sub(r"\1\1\1", text)
        if i not in spaced:
            out.append(Paragraph([(p, text)]))
            continue
        parts = out[-1].parts
        before, said = parts[-1]
        said += " " if spaced[i] else ""
        if before == p:
            parts[-1] = (p, said + text)
        else:
            parts[-1] = (before, said)
            parts.append((p, text))
    return out


def _with_notes(body: list[Paragraph], notes: list[Paragraph]) -> list[Paragraph]:
    """Puts each page's footnotes behind its text, but before a paragraph that goes on on the next page."""
    if not notes:
        return body
    of_page: dict[int, list[Paragraph]] = {}
    for note in notes:
        of_page.setdefault(note.parts[0][0], []).append(note)
    out: list[Paragraph] = []
    for paragraph in body:
        first, last = paragraph.parts[0][0], paragraph.parts[-1][0]
        for page in sorted(of_page):
            if page < first or (page == first < last):
                out += of_page.pop(page)
        out.append(paragraph)
    for page in sorted(of_page):
        out += of_page.pop(page)
    return out


def _breaks(lines: Sequence[tuple[int, Line]], over_pages: bool) -> set[int]:
    """Positions of lines that go on with what the line before began."""
    if not lines:
        return set()
    places = places_of(lines)
    set_edges(lines, places)
    rooms, shifts = _rooms(places), _shifts(places)
    candidates: list[tuple[int, float, float]] = []  # position, room left by the line before, what did not fit there
    for i in _goes_below(places, rooms, over_pages):
        line, following, room = lines[i - 1][1], lines[i][1], rooms[i - 1]
        if room > _NARROW and room > _first(_WORD, following) + _ROOM:
            continue
        if line.size != following.size and not alike(line, following):
            continue
        if line.text.rstrip()[-1:].isdigit() and _ENTRY.search(line.text):
            continue
        syllable = _TIGHT if room <= _TIGHT else max(_TIGHT, _first(_SYLLABLE, following) + _ROOM)
        candidates.append((i, room, syllable))
    tight = sum(room <= syllable for _, room, syllable in candidates) >= _SYLLABLES * len(candidates)
    indented = _is_indented(lines, shifts, [i for i, _, _ in candidates])
    found: set[int] = set()
    full = {i for i, _, _ in candidates}
    for i, room, syllable in candidates:
        if tight and room > syllable and not _says_no_room(lines[i - 1][1], lines[i][1]):
            continue
        if _begins_paragraph(lines, shifts, i, found, indented):
            continue
        if not (indented and _stands_in(lines, shifts, i, full)):
            found.add(i)
    return found


def _rooms(places: Places) -> list[float]:
    """What is left between each line and its column's edge, in sizes."""
    guessed = places.size == 1.0
    size = places.size + ~places.written  # a table has none
    room = (places.edge - places.right) / size
    room[guessed] -= _FULL * (places.edge - places.margin)[guessed]
    centred = centred_pairs(places) & ~guessed[:-1]
    room[:-1][centred] += ((places.left - places.margin) / size)[:-1][centred]
    found: list[float] = room.tolist()
    return found


def _shifts(places: Places) -> list[float]:
    """How far each line begins to the right of the one before, in sizes; on another page or column, of its margin."""
    import numpy as np

    elsewhere = (np.diff(places.page) != 0) | (np.diff(places.column) != 0)
    apart = np.diff(places.left) - np.where(elsewhere, np.diff(places.margin), 0.0)
    return [0.0, *(apart / (places.size + ~places.written)[1:]).tolist()]


def _goes_below(places: Places, rooms: Sequence[float], over_pages: bool) -> list[int]:
    """Positions of the lines that may go on with the line before by where both stand."""
    import numpy as np

    size, guessed = places.size, places.size == 1.0
    turned = np.diff(places.page)
    beside = (turned != 0) | ((np.diff(places.column) != 0) & (np.diff(places.bottom) > 0))
    far = min(max(1.5 * _usual_gap(places), _APART), _FAR)
    near = places.bottom[:-1] - places.top[1:] <= (np.where(guessed, _APART, far) * size)[:-1]
    near &= np.abs(np.diff(places.left)) <= (_SHIFT * size)[:-1]
    said = places.written & ~places.worn
    full = said & (places.edge - places.margin >= _NARROWEST * size) & (np.array(rooms) <= _LONGEST)
    found: list[int] = (1 + np.flatnonzero(full[:-1] & said[1:] & (turned <= over_pages) & (beside | near))).tolist()
    return found


def _usual_gap(places: Places) -> float:
    """The usual distance between two lines, in sizes."""
    import numpy as np

    page, column, size, top, bottom = (
        some[:_ENOUGH_LINES] for some in (places.page, places.column, places.size, places.top, places.bottom)
    )
    kept = (np.diff(page) == 0) & (np.diff(column) == 0) & (size[:-1] > 0) & (size[1:] > 0)
    kept &= np.diff(bottom) < 0
    gaps = np.sort((bottom[:-1] - top[1:])[kept] / size[:-1][kept])
    return float(gaps[len(gaps) // 2]) if len(gaps) else 0.0


def _is_indented(lines: Sequence[tuple[int, Line]], shifts: Sequence[float], candidates: Sequence[int]) -> bool:
    """Whether paragraphs of the document begin with an indented line."""
    back = ahead = 0
    for i in candidates:
        shift = shifts[i]
        if abs(shift) > _INDENT and not STARTS_PARAGRAPH.match(lines[i - 1][1].text):
            back, ahead = back + (shift < 0), ahead + (shift > 0)
    return back >= 3 and back > ahead


def _first(what: re.Pattern[str], line: Line) -> float:
    """How wide the first word or syllable of a line is, in sizes."""
    text = line.text.strip()
    match = what.match(text)
    if match is None:
        return 0.0
    columns = visual_width(match.group()) + _CAPITAL * len(_CAPITALS.findall(match.group()))
    width = (line.right - line.left) * columns / (visual_width(text) or 1)
    return min(width / line.size, _LONGEST)


def _begins_paragraph(
    lines: Sequence[tuple[int, Line]], shifts: Sequence[float], i: int, found: set[int], indented: bool
) -> bool:
    """Whether the author broke the line before this one, not the margin."""
    if _starts(lines, i):
        return True
    before = lines[i - 1][1]
    if before.size == 1.0:
        return False
    shift = shifts[i]
    (p, _), (q, line) = lines[i - 1], lines[i]
    if p != q and shift > _INDENT and line.size > _LARGER * before.size:
        return True
    ended = ends_sentence(before.text)
    if i - 1 not in found:  # a first line stands to the left or to the right of the rest
        inside = before.left - before.margin > _INDENT * before.size
        return indented and inside and ended and abs(shift) < _INDENT
    return shift < -_INDENT or (shift > _INDENT and ended)


def _stands_in(lines: Sequence[tuple[int, Line]], shifts: Sequence[float], i: int, full: set[int]) -> bool:
    """Whether a full line stands further in than a numbered heading or an end before it, and the next one does not."""
    before = lines[i - 1][1].text
    return (
        i + 1 in full
        and bool(STARTS_PARAGRAPH.match(before) or ends_sentence(before))
        and not lines[i][1].text.startswith("(")
        and lines[i][1].size != 1.0
        and shifts[i] > _INDENT
        and shifts[i + 1] < -_INDENT
        and not STARTS_PARAGRAPH.match(lines[i + 1][1].text)
    )


def _says_no_room(line: Line, following: Line) -> bool:
    """Whether a space stands at the end of a line where no sentence ends: what follows, below it, did not fit."""
    beside = line.bottom < following.top - _OVERLAP * line.size and following.bottom < line.bottom
    return line.text[-1:].isspace() and not ends_sentence(line.text) and not beside


def _starts(lines: Sequence[tuple[int, Line]], i: int) -> bool:
    following, before = lines[i][1].text, lines[i - 1][1].text
    if not STARTS_PARAGRAPH.match(following) or _NOTE_OPEN.search(before[-_NOTE:]):
        return False
    if NAMES_ANNEX.match(following) and not ends_sentence(before):
        return False
    if following.lstrip()[:1] in ("문", "답") and before.rfind("(") > before.rfind(")"):  # (질의응|답)
        return False
    if not following.lstrip().startswith("다."):
        return True
    # The third item of a list, or what is left of 제공한|다. at a margin that breaks words.
    last = lines[i - 1][1].text.rstrip()[-1:]
    if not "가" <= last <= "힣":
        return True
    final = (ord(last) - 0xAC00) % 28
    if final in _VERB_FINAL or last == "니":
        return False
    above = (line.text for p, line in reversed(lines[max(0, i - 60) : i]))
    items = (match.group(1) for text in above if (match := _ITEM.match(text)))
    return next(items, None) == "나" or not (final == _FINAL_N or last in "이하되")


def _spaces(lines: Sequence[tuple[int, Line]], breaks: set[int], space_at: Spacer | None) -> dict[int, bool]:
    """Whether a space belongs before each line that goes on."""
    order = sorted(breaks)
    # Word processors that break between words leave the space at the line's end; then its absence means a broken word.
    kept = {i: lines[i - 1][1].text[-1:].isspace() for i in order}
    trusted = bool(order) and sum(kept.values()) >= _KEPT * len(order)
    answers: dict[int, bool] = {}
    asked = [i for i in order if not kept[i]] if space_at else []
    if space_at and asked:
        pairs = [(lines[i - 1][1].text.strip(), lines[i][1].text.strip()) for i in asked]
        told = informed([line.text for _, line in lines], space_at, kept=trusted)(pairs)
        answers = dict(zip(asked, told, strict=False))
    words = len(answers) >= _ENOUGH and sum(answers.values()) >= _WORDS * len(answers)
    return {
        i: kept[i] or ends_sentence(lines[i - 1][1].text) or answers.get(i, False) or (words and i in answers)
        for i in order
    }
