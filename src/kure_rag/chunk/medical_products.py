"""Which part of a label is about which drug.

A file may hold one label or many. A part begins at a line that says 제품명, or at a drug's name above a label's first
sections. Where the sections begin again and nothing names the drug, the part has no product: a dose under no name is
looked up, one under a wrong name is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.medical_names import BRAND, CLASS_LINE, LABEL, brand, product_name, unregistered, without_class
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
# 「의약품 허가사항 모음」: what holds labels of several drugs.
_COLLECTION: Final = re.compile(
    r"(?:모음집?|약품집|(?:설명서|정보|자료)\s?집|편람|총람|목록|카탈로그)$"
    r"|^(?:\s?(?:의약품|약품|허가|사항|정보|안내|첨부\s?문서|사용|설명서|품목))+$"
)
_MAY_NAME: Final = re.compile(r"(?=.{2,40}$)[가-힣A-Za-z][\w·®™ ()\[\],./%+-]+")
_NO_NAME: Final = re.compile(
    r"의약품|약품|품목|목록|목차|허가|개정|고시|공고|안내|정보|자료|설명서|첨부|붙임|별첨|별표|부록|참고|기타|주의|복약|환자"
    r"|경우|다음|^제\s?\d|^[표그]림?\s?\d|http|www|\.(?:kr|com|net|org)|[다요음함됨임것][.)]?$|[.,:;]$"
)
_NUMBERED: Final = ("", "number", "roman", "letter", "numberp", "pnumber", "plain")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a label.

    Attributes:
        start: Offset of its first character, that of the line which names the product.
        end: Offset after its last character.
        product: As printed, or an empty string where it is not known for sure.
        lone: Where it is not, the line which alone stands above the first section, if it may be a name.
        titled: Whether the document's title may stand above it: that of the first of two labels does not name the
            second one.
    """

    start: int
    end: int
    product: str
    lone: str = ""
    titled: bool = True


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
    parts = _spans(lines, text, title)
    return [
        replace(
            part,
            lone="" if part.product else _lone(lines, part, title),
            titled=_is_titled(lines, part, parts, title),
        )
        for part in parts
    ]


def _spans(lines: Sequence[Line], text: str, title: str) -> list[Part]:
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


def _head(lines: Sequence[Line], part: Part) -> tuple[list[Line], bool]:
    """The lines of a part above its first section, and whether it has one."""
    head: list[Line] = []
    for line in lines:
        if part.start <= line.start < part.end:
            if not line.table and _LABEL.find(line.title) is not None:
                return head, True
            head.append(line)
    return head, False


def _lone(lines: Sequence[Line], part: Part, title: str) -> str:
    """The line which alone stands above a part's first section, and may name a drug in a way not known here."""
    head, has_section = _head(lines, part)
    alone = [
        line
        for line in head
        if not CLASS_LINE.fullmatch(line.text) and not (_COLLECTION.search(title) and line.text == title)
    ]
    if not has_section or len(alone) != 1 or alone[0].table or alone[0].style not in _NUMBERED:
        return ""
    name = without_class(alone[0].title)
    return name if _MAY_NAME.fullmatch(name) and not _NO_NAME.search(name) else ""


def _is_titled(lines: Sequence[Line], part: Part, parts: Sequence[Part], title: str) -> bool:
    """Whether a document's title names a part, or all of them: a wrong name above a dose is worse than none."""
    head, has_section = _head(lines, part)
    if not (part.product or has_section):
        return True
    if part.product and title != part.product == _said_after(title):
        return False  # it says no more: 「[전문의약품] 가람정」
    names = [_bare(name) for name in (part.product, *part.product.split(", ")) if name]
    if named := _bare(product_of_title(title)):
        return any(name.startswith(named) for name in names)
    if len(parts) == 1 or _COLLECTION.search(title):
        return True
    if _says(head, title):
        return True
    for other in parts:
        other_head, is_label = _head(lines, other)
        own = _bare(other.product or _lone(lines, other, title))
        if own and own in _bare(title):
            return False
        if _says(other_head, title):
            return not (is_label or other.product)  # printed above all labels, or above one
    return bool(part.product) and all(line.text != title for line in lines)  # printed above none, nor in one


def _says(lines: Sequence[Line], title: str) -> bool:
    return "".join(title.split()) in "".join("".join(line.text.split()) for line in lines)


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
        if _named(line):
            return _whole_name(lines, i, before)
        for cut in _AFTER_SENTENCE.finditer(text, line.start, line.end):
            if name := _said_after(text[cut.end() : line.end]):
                return cut.end(), name
        if line.table or _SENTENCE_END.search(line.text):
            break
    # What stands above the first section of all is its head, whatever else is there.
    head = lines[: min(at, _FIRST_LINES)] if first else ()
    found = next((i for i, line in enumerate(head) if _named(line)), None)
    return None if found is None else _whole_name(lines, found, before)


def _said_after(rest: str) -> str:
    """The drug that the rest of a line names, 「제품명:」 before it or not."""
    found = _LABEL.find(rest)
    return product_name(rest[found.stop :].strip(" :：") if found is not None and found.name == _NAME else rest)


def _whole_name(lines: Sequence[Line], i: int, before: int) -> tuple[int, str]:
    """The drugs named in lines that follow each other: a label may be that of several strengths."""
    first = last = i
    while first - 1 > before and _named(lines[first - 1]):
        first -= 1
    while last + 1 < len(lines) and _named(lines[last + 1]):
        last += 1
    said = [_bare(_named(line)) for line in lines[first : last + 1]]
    # Names that are said again below others are a list of contents above the first label.
    first += max((k for k in range(2, len(said)) if said[k] != said[k - 1] and said[k] in said[:k]), default=0)
    names: list[str] = []
    for line in lines[first : last + 1]:
        name = _named(line)
        if names and _bare(names[-1]) == _bare(name):
            names[-1] = max(names[-1], name, key=len)
        else:
            names.append(name)
    return lines[_above_class(lines, first)].start, ", ".join(names)


def _named(line: Line) -> str:
    """The drug that a line names, with a number before it or not."""
    if line.table:
        return ""
    return product_name(line.text) or (product_name(line.title) if line.style in _NUMBERED else "")


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
    return "".join(re.sub(r"\([^()]*\)", "", unregistered(name)).split())


def product_of_title(title: str) -> str:
    """The one drug that a document's title names: 「두레정 설명서」."""
    if name := product_name(title):
        return name
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


def named_alone(part: Part, text: str, end: int) -> bool:
    """Whether nothing but what may be the product's name, and its class, stands up to an offset."""
    left = [line.strip() for line in text[part.start : end].split("\n") if line.strip()]
    if not part.product:
        return len(left) == 1
    said = {_bare(name) for name in (part.product, *part.product.split(", "))}
    return all(CLASS_LINE.fullmatch(line) or _bare(product_name(line) or _unmarked(line)) in said for line in left)


def _unmarked(line: str) -> str:
    marker = find_marker(line)
    return line[marker.length :] if marker else line
