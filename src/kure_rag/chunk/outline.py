"""Numbered lists inside a provision: ① → 1. → 가. → 1) → 가) → (1), and how a long one is cut along them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final

from kure_rag.chunk.base import ChunkSettings
from kure_rag.chunk.legal_lines import visible_lines
from kure_rag.chunk.legal_notes import note_spans, without_notes
from kure_rag.chunk.pack import pack, visible
from kure_rag.chunk.sentences import Sentences

_LETTERS: Final = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초코토포호"
_LETTER: Final = f"[{_LETTERS}]"
_CIRCLED: Final = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳㉑㉒㉓㉔㉕㉖㉗㉘㉙㉚㉛㉜㉝㉞㉟㊱㊲㊳㊴㊵㊶㊷㊸㊹㊺㊻㊼㊽㊾㊿"
_MARKER: Final = re.compile(
    r"\s*(?:"
    rf"(?P<circled>[{_CIRCLED}])"
    r"|(?P<point>\d{1,3}(?:의\s?\d{1,2})?)\s?\.(?=\D|$)(?!\s?\d{1,2}\s?\.)"
    rf"|(?P<letter>{_LETTER})\s?\."
    r"|\((?P<round>\d{1,2})\)"
    rf"|\((?P<roundletter>{_LETTER})\)"
    r"|\[(?P<square>\d{1,2})\]"
    r"|(?P<half>\d{1,2})\)"
    rf"|(?P<halfletter>{_LETTER})\)"
    r")"
)
_TITLE: Final = 60  # characters
_NO_TITLE: Final = re.compile(r"[.,;:]$|(?:다|(?<![개주수필소중])요|[을를은는에와])$|다\.\s")
Labels = tuple[tuple[str, str], ...]

_NEXT_CIRCLED: Final = re.compile(rf"(?<=[.>\])])\s+([{_CIRCLED}])")


@dataclass(slots=True)
class Node:
    """A numbered provision and those under it."""

    kind: str
    label: str
    order: tuple[int, int]
    start: int
    end: int
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a provision.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last character.
        lead: What stands above its numbers and is not in it, such as 「다음 각 호의 …」.
        labels: Which numbers it holds, outermost first: (kind, ``②`` or ``②-③``).
    """

    start: int
    end: int
    lead: str = ""
    labels: Labels = ()


def outline(text: str, start: int, end: int) -> Node:
    """The numbered lists between two offsets. Which kind stands above which is told by the order they come in."""
    root = Node("", "", (0, 0), start, end)
    stack = [root]
    for at, match in _markers(text, start, end):
        kind, label, order = _read(match)
        depth = next((i for i in range(len(stack) - 1, 0, -1) if stack[i].kind == kind), 0)
        if depth:
            if order <= stack[depth].order or order[0] > stack[depth].order[0] + 20:
                continue  # a number that does not go on is part of a sentence
            del stack[depth:]
        elif order[0] != 1 and kind != "circled":
            continue
        node = Node(kind, label, order, at, end)
        stack[-1].children.append(node)
        stack.append(node)
    _close(root)
    return root


def _markers(text: str, start: int, end: int) -> Iterator[tuple[int, re.Match[str]]]:
    first = True
    for begin, stop in visible_lines(text, start, end):
        circled = 0
        if match := _MARKER.match(text, begin, stop):
            yield begin, match
            # 3. 가. 그러나 …: two numbers in one line.
            if (inner := _MARKER.match(text, match.end(), stop)) and inner.lastgroup != match.lastgroup:
                yield visible(text, inner.start(), inner.end())[0], inner
            circled = _CIRCLED.find(match["circled"]) + 1 if match["circled"] else 0
        if not (circled or first):
            continue
        first = False
        # ② in the middle of a line, where a reader joined too much.
        for later in _NEXT_CIRCLED.finditer(text, begin, stop):
            if circled and _CIRCLED.find(later[1]) == circled:
                circled += 1
                if inner := _MARKER.match(text, later.start(1), stop):
                    yield later.start(1), inner


def _read(match: re.Match[str]) -> tuple[str, str, tuple[int, int]]:
    kind = match.lastgroup or ""
    value = match[kind]
    if kind == "circled":
        return kind, value, (_CIRCLED.index(value) + 1, 0)
    if kind in ("letter", "halfletter", "roundletter"):
        order = (_LETTERS.index(value) + 1, 0)
    else:
        number, _, branch = value.partition("의")
        order = (int(number), int(branch or 0))
    return kind, "".join(match[0].split()), order


def _close(node: Node) -> None:
    for i, child in enumerate(node.children):
        child.end = node.children[i + 1].start if i + 1 < len(node.children) else node.end
        _close(child)


def heading(text: str, node: Node) -> str:
    """The first line of a numbered part where it is a title, such as ``2. 판례의 법리``, and not a sentence."""
    lines = list(islice(visible_lines(text, node.start, node.end), 2))
    if not node.label or len(lines) < 2:
        return ""
    words = " ".join(text[slice(*lines[0])].split())
    return "" if len(words) > _TITLE or _NO_TITLE.search(words) or words == node.label else words


def headings_above(text: str, node: Node, start: int, end: int) -> tuple[str, ...]:
    """Titles of the numbered parts under a node that hold a span, outermost first."""
    for child in node.children:
        if child.start <= start and end <= child.end:
            own = heading(text, child)
            return (*((own,) if own else ()), *headings_above(text, child, start, end))
    return ()


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts provisions along their numbers.

    Attributes:
        text: The document's.
        sentences: Of the whole text.
        settings: Shorter parts are put together up to its ``target``.
        together: Characters up to which the outermost numbers stay in one piece.
        whole: Characters up to which one number does.
        opening: Whether the text before the outermost numbers goes along with them, as 「다음 각 호의 …」 must.
    """

    text: str
    sentences: Sentences
    settings: ChunkSettings
    together: int
    whole: int
    opening: bool = True

    def pieces(self, node: Node, start: int) -> Iterator[Piece]:
        """Pieces of a provision; the first begins at ``start``, at the node or at its heading before it."""
        yield from self._pieces(node, start, "", "", ())

    def _pieces(self, node: Node, start: int, first: str, rest: str, labels: Labels) -> Iterator[Piece]:
        """``first`` is the lead of the first piece, which may begin above the node; ``rest`` that of the others."""
        if not node.children or self._size(start, node.end) <= (self.whole if labels else self.together):
            yield from self._plain(node, start, first, rest, labels)
            return
        below = _joined(rest, self._intro(node) if labels or self.opening else "")
        at, intro = start, node.children[0].start
        if self._size(start, intro) > self.whole:
            for i, (a, b) in enumerate(self._packed(start, intro)):
                yield Piece(a, b, first if i == 0 else rest, labels)
            at, first = intro, below
        for run in self._runs(node.children, at):
            lead = first if at == start and start < intro else below
            begin, at = at, run[-1].end
            named = _labelled(labels, run)
            if len(run) == 1 and self._size(begin, at) > self.whole:
                yield from self._pieces(run[0], begin, lead, below, named)
            else:
                yield Piece(begin, at, lead, named)

    def _plain(self, node: Node, start: int, first: str, rest: str, labels: Labels) -> Iterator[Piece]:
        if self._size(start, node.end) <= self.whole:
            yield Piece(start, node.end, first, labels)
            return
        if self._size(start, node.start) >= self.settings.target // 4:
            for i, (a, b) in enumerate(self._packed(start, node.start)):
                yield Piece(a, b, first if i == 0 else rest, labels[:-1])
            start, first = node.start, rest
        for i, (a, b) in enumerate(self._packed(start, node.end)):
            yield Piece(a, b, first if i == 0 else _joined(rest, heading(self.text, node) or node.label), labels)

    def _packed(self, start: int, end: int) -> list[tuple[int, int]]:
        """Sentences put together; a few words left over go with what stands next to them."""
        out: list[tuple[int, int]] = []
        for a, b in pack(self.text, self._sentences(start, end), self.settings):
            few = out and min(out[-1][1] - out[-1][0], b - a) < self.settings.target // 4
            if few and b - out[-1][0] <= self.settings.longest:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
        return out

    def _sentences(self, start: int, end: int) -> list[tuple[int, int]]:
        """Spans of the sentences, of which none ends inside an amendment note; long ones end at notes."""
        notes = note_spans(self.text, start, end)
        ends = {b for _, b in self.sentences.within(start, end)}
        cuts = {place for place in ends if not any(x < place < y for x, y in notes)} | {start, end}
        cuts |= {x for x, y in notes if any(x < place < y for place in ends)}
        out: list[tuple[int, int]] = []
        for a, b in pairwise(sorted(cuts)):
            inner = [place for span in notes for place in span if a < place < b]
            places = [a, *inner, b] if b - a > self.settings.longest else [a, b]
            out.extend(span for x, y in pairwise(places) if (span := visible(self.text, x, y))[0] < span[1])
        return out

    def _runs(self, children: Sequence[Node], start: int) -> list[list[Node]]:
        """Children that share a piece: up to the target, and a short rest goes with those before it."""
        out: list[list[Node]] = []
        begin = start
        for child in children:
            if out and self._size(begin, child.end) <= self.settings.target:
                out[-1].append(child)
                continue
            begin = child.start if out else start
            out.append([child])
        if len(out) > 1:
            before = start if len(out) == 2 else out[-2][0].start
            short = self._size(out[-1][0].start, out[-1][-1].end) < self.settings.target // 4
            if short and self._size(before, out[-1][-1].end) <= self.whole:
                out[-2:] = [out[-2] + out[-1]]
        return out

    def _intro(self, node: Node) -> str:
        """What stands above a list without notes: the whole where it is short, its end where it is not."""
        words = " ".join(without_notes(self.text[node.start : node.children[0].start]).split())
        if len(words) <= self.settings.target:
            return words
        cut = words[-self.settings.target :]
        for stop in (". ", " "):
            _, found, after = cut.partition(stop)
            if found and len(after) > self.settings.target // 4:
                return after
        return cut

    def _size(self, start: int, end: int) -> int:
        start, end = visible(self.text, start, end)
        return end - start


def _labelled(labels: Labels, run: Sequence[Node]) -> Labels:
    label = run[0].label if len(run) == 1 else f"{run[0].label}-{run[-1].label}"
    return (*labels, (run[0].kind, label))


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
