"""Which part of a label is about which drug.

A file may hold one label or many. A part begins at a line that says 제품명, or at a drug's name above a label's first
sections. Where the sections begin again and nothing names the drug, the part has no product: a dose under no name is
looked up, one under a wrong name is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.medical_names import BRAND, CLASS_LINE, LABEL, brand
from kure_rag.chunk.names import NameFinder
from kure_rag.chunk.titles import Line

_LABEL: Final = NameFinder((LABEL,))
_ORDER: Final = {name: i for i, name in enumerate(LABEL.spellings)}
_NAME: Final = "제품명"
_EFFECT: Final = "효능·효과"
_DOSE: Final = "용법·용량"
_FIRST_LINES: Final = 8
_LOOK_BACK: Final = 5  # lines between a drug's name and its first section: its substance, its name in English
_LONGEST_NAME: Final = 120
_LONGEST_UNKNOWN: Final = 40
_SENTENCE_END: Final = re.compile(r"[다요음함됨임것오][.)]$")
# 「…사용한다. 부루펜정400밀리그램」: a reader may have joined the name to the sentence above it.
_AFTER_SENTENCE: Final = re.compile(r"(?<=[다요음함됨임것오]\.)\s+(?=\S)")
_SEVERAL: Final = re.compile(
    r"(?:[가-힣](?:[정슐럽주산고림액겔])(?:과|와)|\s및|[,·]|\svs\.?)(?:\s|$)"
)  # 「가람정과 나래정 비교」
_NUMBERED: Final = ("", "number", "roman", "letter", "numberp", "pnumber", "plain")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a label.

    Attributes:
        start: Offset of its first character, that of the line which names the product.
        end: Offset after its last character.
        product: As printed, or an empty string where it is not known for sure.
    """

    start: int
    end: int
    product: str


def label_names(lines: Sequence[Line]) -> set[str]:
    """The names of a drug label's sections that stand at the head of lines."""
    return {found.name for line in lines if not line.table and (found := _LABEL.find(line.title))}


def find_parts(lines: Sequence[Line], text: str, title: str) -> list[Part]:
    """A label, or several in one file, product by product. The parts cover the text.

    Args:
        lines: Of the whole text.
        text: The document's.
        title: The document's, which names the product if nothing in a single label does.
    """
    found = _merged(list(_beginnings(lines, text)))
    if not found:
        return [Part(0, len(text), product_of_title(title))]
    if len(found) == 1 and found[0][1] and _is_one_label(lines, found[0][0]):
        return [Part(0, len(text), found[0][1])]
    starts = [start for start, _ in found]
    front = [Part(0, starts[0], "")] if text[: starts[0]].strip() else []
    if not front:
        starts[0] = 0
    return front + [
        Part(start, end, product)
        for start, end, (_, product) in zip(starts, [*starts[1:], len(text)], found, strict=True)
    ]


def _is_one_label(lines: Sequence[Line], start: int) -> bool:
    """Whether no section stands both above and below the only name: the one above is of a drug not known here."""
    above: set[str] = set()
    below: set[str] = set()
    for i, line in enumerate(lines):
        found = None if line.table else _LABEL.find(line.title)
        listed = _is_section(lines, i + 1) or (i > 0 and _is_section(lines, i - 1))  # in a table of contents
        if found is not None and (found.stop < len(line.title) or not listed):
            (above if line.start < start else below).add(found.name)
    return above.isdisjoint(below)


def _beginnings(lines: Sequence[Line], text: str) -> Iterator[tuple[int, str]]:
    """Where a product begins, with its name; an empty one where only the sections begin again."""
    seen: set[str] = set()
    before = -1  # the last section's line
    for i, line in enumerate(lines):
        found = None if line.table else _LABEL.find(line.title)
        if found is None:
            continue
        if found.name == _NAME:
            if name := _said(lines, i, found.stop):
                yield lines[_above_class(lines, i)].start, name
                seen = set()
            before = i
            continue
        again = found.name in seen or any(_ORDER[name] > _ORDER[found.name] for name in seen)
        if not seen or again:
            named = _named_above(lines, text, before, i, first=not seen and before < 0)
            if named is not None:
                yield named
                seen = set()
            elif _surely_again(found.name, seen):
                yield lines[i - 1 if _stands_alone(lines, i - 1, before) else i].start, ""
                seen = set()
        if found.stop < len(line.title) or not _is_section(lines, i + 1):
            seen.add(found.name)  # names under each other are a table of contents
        before = i


def _surely_again(name: str, seen: set[str]) -> bool:
    return name in seen and (name == _EFFECT or (name == _DOSE and _EFFECT not in seen))


def _stands_alone(lines: Sequence[Line], i: int, before: int) -> bool:
    """Whether a line, which may name a drug in a way not known here, is no part of the section above it."""
    line = lines[i]
    own = before + 1 < i and not line.table and not line.style and len(line.text) <= _LONGEST_UNKNOWN
    return own and not _SENTENCE_END.search(line.text) and _SENTENCE_END.search(lines[i - 1].text) is not None


def _is_section(lines: Sequence[Line], i: int) -> bool:
    return i < len(lines) and not lines[i].table and _LABEL.find(lines[i].title) is not None


def _said(lines: Sequence[Line], i: int, stop: int) -> str:
    """What stands after 제품명, or under it."""
    rest = " ".join(lines[i].title[stop:].split()).strip(" :")
    if not rest and i + 1 < len(lines) and not _is_section(lines, i + 1):
        rest = " ".join(lines[i + 1].title.split())
    return rest[:_LONGEST_NAME]


def _named_above(lines: Sequence[Line], text: str, before: int, at: int, *, first: bool) -> tuple[int, str] | None:
    """The drug named in the lines above a section, back to the section before it."""
    for i in range(at - 1, max(before, at - 1 - _LOOK_BACK, -1), -1):
        line = lines[i]
        if _may_name(line):
            return _whole_name(lines, i, before)
        for cut in _AFTER_SENTENCE.finditer(text, line.start, line.end):
            if brand(name := text[cut.end() : line.end]):
                return cut.end(), name
        if line.table or _SENTENCE_END.search(line.text):
            break
    # What stands above the first section of all is its head, whatever else is there.
    head = lines[: min(at, _FIRST_LINES)] if first else ()
    found = next((i for i, line in enumerate(head) if _may_name(line)), None)
    return None if found is None else _whole_name(lines, found, before)


def _whole_name(lines: Sequence[Line], i: int, before: int) -> tuple[int, str]:
    """The drugs named in lines that follow each other: a label may be that of several strengths."""
    first = last = i
    while first - 1 > before and _may_name(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and _may_name(lines[last + 1]):
        last += 1
    names: list[str] = []
    for line in lines[first : last + 1]:
        if names and _bare(names[-1]) == _bare(line.title):
            names[-1] = max(names[-1], line.title, key=len)
        else:
            names.append(line.title)
    return lines[_above_class(lines, first)].start, ", ".join(names)


def _may_name(line: Line) -> bool:
    return not line.table and line.style in _NUMBERED and brand(line.title)


def _above_class(lines: Sequence[Line], i: int) -> int:
    """The line 「전문의약품」 above a name begins its part."""
    while i > 0 and CLASS_LINE.fullmatch(lines[i - 1].text):
        i -= 1
    return i


def _merged(found: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Without a name that is said again: on top of the page and after 제품명."""
    out: list[tuple[int, str]] = []
    for start, name in found:
        if out and name and _bare(out[-1][1]) == _bare(name):
            out[-1] = (out[-1][0], max(out[-1][1], name, key=len))
        else:
            out.append((start, name))
    return out


def _bare(name: str) -> str:
    return "".join(re.sub(r"\([^()]*\)", "", name).split())


def product_of_title(title: str) -> str:
    """The one drug that a document's title names: 「두레정 설명서」."""
    if brand(title):
        return title
    if _SEVERAL.search(title):
        return ""
    named = [word for word in title.split() if brand(word)]
    if len(named) != 1:
        return ""
    # 「모아렌정 10밀리그램 사용설명서」
    at = title.index(named[0])
    words = title[at:].split()
    whole = next((name for n in range(len(words), 0, -1) if brand(name := " ".join(words[:n]))), named[0])
    return whole if BRAND.fullmatch(whole) else named[0]


def is_of_another(title: str, part: Part) -> bool:
    """Whether a document's title names a product that a part is not about, as that of a catalog's first page does."""
    named = _bare(product_of_title(title))
    if not named or (part.start == 0 and not part.product):
        return False
    return not any(_bare(name).startswith(named) for name in (part.product, *part.product.split(", ")))


def named_alone(part: Part, text: str, end: int) -> bool:
    """Whether nothing but what may be the product's name, and its class, stands up to an offset."""
    left = [line.strip() for line in text[part.start : end].split("\n") if line.strip()]
    if not part.product:
        return len(left) == 1
    said = {_bare(name) for name in (part.product, *part.product.split(", "))}
    return all(CLASS_LINE.fullmatch(line) or _bare(_unmarked(line)) in said for line in left)


def _unmarked(line: str) -> str:
    marker = find_marker(line)
    return line[marker.length :] if marker else line
