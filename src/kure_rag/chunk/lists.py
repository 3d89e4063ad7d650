"""Lines → units that belong together: a list with the sentence that announces it, a note with what it explains.

A list that is too long is cut between its items, and what announced it goes along with each part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kure_rag.chunk.base import ChunkSettings
from kure_rag.chunk.markers import LEADERS, Marker, find_marker
from kure_rag.chunk.pack import Span, Unit
from kure_rag.chunk.titles import Line, reads_as_title
from kure_rag.chunk.wholes import PAIR, RATED, find_wholes

_ANNOUNCES: Final = re.compile(
    r"(?:다음|아래|각\s?호|이하|같(?:다|음|이)|따른다)[^.]{0,40}[.:]?$|[:：]$|(?:다\s+음|아\s+래)"
)
_SIGNAL: Final = re.compile(r"[-–—<\s]*(?:다\s*음|아\s*래)[-–—>\s]*$")  # 「- 다 음 -」 on a line of its own
_ENDS: Final = re.compile(r"[.?!:;。]['\"”’)\]]*$|[다요음함됨임것][)\]]?$")
_SHORT: Final = 80  # characters of an item on average; longer ones are paragraphs with a mark before them
_DEEPEST: Final = 8
_WRAPPED: Final = 30  # characters of a line that the margin may have broken; fewer where all lines are short
_FULL: Final = 0.7  # of the longest line
_LEAD: Final = 120  # characters of each line of a lead
_SAID_OF: Final = re.compile(r"[:：]\s*\S")  # a line that says what holds for the item above it
_CONDITION: Final = re.compile(r"(?:경우|때)(?:에는|에|는)?$")  # an item that what follows holds for
_TITLE: Final = 60  # characters
_TITLE_WORDS: Final = re.compile(r"(?=.*[가-힣A-Za-z]{2})(?:[^\w\n]*\w){3}")
# The rest of a sentence, 「제76조(입찰참가자격 제한)에 해당하지 않은 자」, an example, a formula, or an address.
_NO_TITLE: Final = re.compile(
    r"(?:[을를은는의와과]|또는|때|경우|귀하|귀중)$|^제\s?\d+\s?[조항호]|^\[?예[\]시)]|[=×÷〔]|^[^<〈]*[>〉]"
    r"|[)」｣](?:에|의|을|를|은|는|이|가|로|으로|에서)\s"
)
# 「’25.1.1. 이후 신고하는 분부터 적용」: a sentence may end with a noun; 「세제 지원」 may go on in the next line.
_NOUN_ENDS: Final = re.compile(
    r"(?:부터|까지|에서|[에로을를])\s(?:적용|허용|인정|신설|폐지|삭제|추가|조정|규정|확대|축소|강화|완화|연장|단축|마련|개선|가능|금지"
    r"|제외|포함|실시|추진|수립|시행|예정|상향|하향|인상|인하|면제|감면|공제|부과|의미)[)\]]?$"
)
_BRACKETED: Final = re.compile(
    r"(?:<\s?\w[^<>]{2,40}>|〈\s?\w[^〈〉]{2,40}〉|\[\s?\w[^\[\]]{2,40}\]|【\s?\w[^【】]{2,40}】)$"
)
# [전문개정 2024. 3. 5.] and <이하 생략> are no titles.
_OMITTED: Final = re.compile(
    r".(?:\S{0,4}(?:개정|신설|삭제|이동)|시행|(?:이하\s?)?[중생]\s?략|[신삭]\s?[설제])[\s,<>\]\d]"
)


def announces(text: str, start: int, end: int) -> bool:
    """Whether what stands between two offsets ends by saying that a list or a table follows."""
    return _ANNOUNCES.search(text, max(start, end - 60), end) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What else belongs together in documents of a kind.

    Attributes:
        opens: A line that begins a whole which lasts until the next such line, such as the question of a Q&A.
        kind: The whole's kind, as in :class:`~kure_rag.types.Chunk`.
        clings: A line that belongs to what stands before it, such as the grade of a recommendation.
        states: A line that begins a statement which lasts until the next such line, or the next of ``opens``, and
            shares its passages with nothing else, such as a recommendation.
        rated: How a line or sentence ends that is such a statement by itself, such as one with a grade.
    """

    opens: re.Pattern[str] | None = None
    kind: str = "text"
    clings: re.Pattern[str] | None = None
    states: re.Pattern[str] | None = None
    rated: re.Pattern[str] | None = None


@dataclass(slots=True)
class _Node:
    """A paragraph, or an item with the items under it. Spans are sentences or lines."""

    spans: list[Span]
    style: str = ""
    children: list[_Node] = field(default_factory=list)
    title: bool = False  # of what follows

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.children[-1].end if self.children else self.spans[-1][1]


def find_units(text: str, spans: Sequence[Span], settings: ChunkSettings, binding: Binding | None = None) -> list[Unit]:
    """The units of a stretch of text.

    Args:
        text: The document's.
        spans: Its sentences, in order; none crosses a line.
        settings: Lengths.
        binding: What else belongs together.
    """
    binding = binding or Binding()
    maker = _Maker(text, settings, binding)
    out: list[Unit] = []
    above = ""  # what announces the statements that follow
    for whole, lines in find_wholes(text, _lines(text, spans), binding):
        if not whole:
            out.extend(maker.units(_nodes(text, lines, binding)))
            last = lines[-1][0][0], lines[-1][-1][1]
            above = _trimmed(text[slice(*last)]) if announces(text, *last) else ""
            continue
        above = above if whole == RATED else ""
        kind = binding.kind if whole == PAIR else "text"
        if lines[-1][-1][1] - lines[0][0][0] <= settings.longest:
            out.append(Unit(lines[0][0][0], lines[-1][-1][1], above, kind, apart=True))
        else:
            out.extend(_long_whole(maker, text, lines, kind, above))
    return out


def _long_whole(maker: _Maker, text: str, lines: Sequence[list[Span]], kind: str, above: str) -> Iterator[Unit]:
    """A whole over the limit: its first line goes along with every part."""
    opening = _joined(above, text[lines[0][0][0] : lines[0][-1][1]])
    for i, unit in enumerate(maker.units(_nodes(text, lines, maker.binding), opening)):
        yield Unit(unit.start, unit.end, unit.lead if i else above, kind, unit.after or opening, apart=True)


def _lines(text: str, spans: Sequence[Span]) -> list[list[Span]]:
    lines: list[list[Span]] = []
    for span in spans:
        if lines and text.find("\n", lines[-1][-1][1], span[0]) < 0:
            lines[-1].append(span)
        else:
            lines.append([span])
    return lines


def _nodes(text: str, lines: Sequence[list[Span]], binding: Binding) -> list[_Node]:
    """Paragraphs and items, items under those they are a part of."""
    longest = max((spans[-1][1] - spans[0][0] for spans in lines), default=0)
    wrapped = min(_WRAPPED, int(_FULL * longest))
    top: list[_Node] = []
    stack: list[_Node] = []
    last: _Node | None = None
    for i, spans in enumerate(lines):
        printed = text[spans[0][0] : spans[-1][1]]
        contents = LEADERS.search(printed) is not None
        marker = None if contents or _SIGNAL.match(printed) else find_marker(printed)
        goes_on = last is not None and not contents and _goes_on(text, last, printed, marker, binding, wrapped)
        title = marker is None and not contents and _is_title(text, spans, lines[i + 1 : i + 2])
        own = title or (_BRACKETED.match(printed) is not None and _OMITTED.match(printed) is None)
        if last is not None and goes_on and not (own and _is_over(text, last.spans[-1][1], int(_FULL * longest))):
            last.spans.extend(spans)
            continue
        last = _Node(list(spans), marker.style if marker is not None and marker.style != "note" else "", title=title)
        if not last.style:
            stack.clear()
            top.append(last)
            continue
        level = next((i for i, node in enumerate(stack) if node.style == last.style), min(len(stack), _DEEPEST))
        del stack[level:]
        (stack[-1].children if stack else top).append(last)
        stack.append(last)
    return top


def _goes_on(text: str, last: _Node, printed: str, marker: Marker | None, binding: Binding, wrapped: int) -> bool:
    """Whether a line is no paragraph or item of its own, but part of the one before it."""
    if binding.clings is not None and binding.clings.match(printed):
        return True
    if marker is not None:
        return marker.style == "note"
    start, end = last.spans[-1]
    if _SIGNAL.match(printed) or _SAID_OF.match(printed):
        return True
    says = len(printed) >= _WRAPPED or _ENDS.search(printed) is not None
    if last.style and says and _CONDITION.search(text, start, end):
        return True
    # The rest of a line that was wrapped; a short item that ends with a noun was not.
    if last.style and end - max(start, text.rfind("\n", 0, end) + 1) < wrapped:
        return False
    return _ENDS.search(text, start, end) is None and LEADERS.search(text, start, end) is None


def _is_over(text: str, end: int, full: int) -> bool:
    """Whether a line without a full stop is whole: it ends before the margin, or with the last word of a sentence."""
    start = text.rfind("\n", 0, end) + 1
    return end - start < full or _NOUN_ENDS.search(text, start, end) is not None


def _is_title(text: str, spans: Sequence[Span], below: Sequence[Sequence[Span]]) -> bool:
    """Whether a line without a number could be the title of a list: a short one, with its first item below."""
    printed = text[spans[0][0] : spans[-1][1]]
    if len(printed) > _TITLE or not below or _TITLE_WORDS.match(printed) is None or _OMITTED.match(printed):
        return False
    item = text[below[0][0][0] : below[0][-1][1]]
    marker = find_marker(item)
    if marker is None or marker.style == "note" or marker.number > 1 or LEADERS.search(item):
        return False
    if _BRACKETED.match(printed):
        return True
    line = Line(spans[0][0], spans[-1][1], printed, None, table=False)
    return not (_NO_TITLE.search(printed) or _NOUN_ENDS.search(printed)) and reads_as_title(line, _TITLE)


def _trimmed(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= _LEAD:
        return text
    return text[: text.rfind(" ", _LEAD // 2, _LEAD) if " " in text[_LEAD // 2 : _LEAD] else _LEAD] + " …"


@dataclass(frozen=True, slots=True)
class _Maker:
    text: str
    settings: ChunkSettings
    binding: Binding

    def units(self, nodes: Sequence[_Node], lead: str = "") -> list[Unit]:
        out: list[Unit] = []
        i = 0
        while i < len(nodes):
            j = i
            while j < len(nodes) and nodes[j].style:
                j += 1
            if j > i:
                announced = out.pop() if i and out and self._announces(nodes[i - 1]) else None
                title = out.pop() if announced is None and i and out and nodes[i - 1].title else None
                found = self._list(announced, nodes[i:j], lead)
                out.extend(found if title is None else self._below_title(title, found))
                i = j
            else:
                out.extend(Unit(*span, lead) for span in self._sentences(nodes[i].spans))
                i += 1
        return out

    def _below_title(self, title: Unit, units: Sequence[Unit]) -> list[Unit]:
        """A list's units, of which the first begins with its title, if that is not too long."""
        first, *others = units
        if first.end - title.start > self.settings.longest >= first.end - first.start:
            return [title, *units]
        return [replace(first, start=title.start), *others]

    def _announces(self, node: _Node) -> bool:
        return announces(self.text, *node.spans[-1])

    def _sentences(self, spans: Sequence[Span]) -> Iterator[Span]:
        """Sentences, put together again where a line break cut them."""
        held: Span | None = None
        for span in spans:
            if held is not None and self._same(held, span):
                held = (held[0], span[1])
                continue
            if held is not None:
                yield held
            held = span
        if held is not None:
            yield held

    def _same(self, held: Span, span: Span) -> bool:
        length = span[1] - held[0]
        clings = self.binding.clings
        bound = _SIGNAL.match(self.text, *span) or (clings is not None and clings.match(self.text, *span))
        if bound and length <= self.settings.longest:
            return True
        wrapped = "\n" in self.text[held[1] : span[0]] and _ENDS.search(self.text, *held) is None
        return wrapped and length <= self.settings.target

    def _list(self, announced: Unit | None, items: Sequence[_Node], lead: str) -> list[Unit]:
        start = announced.start if announced is not None else items[0].start
        end = items[-1].end
        short = sum(item.end - item.start for item in items) <= _SHORT * len(items)
        told = announced is not None and announces(self.text, announced.start, announced.end)
        if end - start <= (self.settings.longest if told or short else self.settings.target):
            return [Unit(start, end, lead)]
        below = lead
        if announced is not None:
            below = _joined(lead, self.text[announced.start : announced.end])
        units = [unit for item in items for unit in self._item(item, below)]
        if announced is not None:
            units[0] = Unit(announced.start, units[0].end, lead, after=units[0].after or below)
        return units

    def _item(self, item: _Node, lead: str) -> list[Unit]:
        if item.end - item.start <= self.settings.target:
            return [Unit(item.start, item.end, lead)]
        first, *others = self._sentences(item.spans)
        head = _joined(lead, self.text[slice(*first)])  # which item a later part stands under
        own = [Unit(*first, lead, after=head), *(Unit(*span, head) for span in others)]
        if item.children:
            return [*own[:-1], *self._list(own[-1], item.children, own[-1].lead)]
        if item.end - item.start <= self.settings.longest:
            return [Unit(item.start, item.end, lead)]
        return own


def _joined(lead: str, more: str) -> str:
    return "\n".join(part for part in (lead, _trimmed(more)) if part)
