"""The sentences of a document, by place: found all at once for an index, or only where a profile asks."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from kure_rag.chunk.pack import Span, visible
from kure_rag.tokenize.base import Sentence, Tokenizer

# What only goes on a word, and so never begins a line that is one's own; 이, 가, 도 and 만 are words too.
_PARTICLE: Final = re.compile(
    r"(?:을|를|은|는|의|에|와|과|로)(?=\s)|(?:에서|에게|으로|으로서|이므로|이고|이며|이라고|이라는|입니다|합니다|하여야)(?=[\s(,.])"
)


class Sentences:
    """Sentences of a text, which together cover every visible character.

    None crosses a line, but one whose last word goes on in the next line: 「준수 책임」, 「을 확인하고」.

    A line is split the same way alone and among others, so that it does not matter when it is analysed.

    Args:
        text: A document's whole text.
        tokenizer: Finds sentences and terms.
        terms: Analyse all lines at once and keep their terms, as an index needs them.
    """

    def __init__(self, text: str, tokenizer: Tokenizer, *, terms: bool = False) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._starts: list[int] = []
        self._lines: list[str] = []
        at = 0
        for line in text.split("\n"):
            if line.strip():
                self._starts.append(at)
                self._lines.append(line)
            at += len(line) + 1
        self._found: list[list[Span] | None] = [None] * len(self._lines)
        self._places: list[int] = []
        self._forms: list[str] = []
        if terms:
            self._analyse(range(len(self._lines)), terms=True)

    def within(self, start: int, end: int) -> list[Span]:
        """Spans of the sentences between two offsets; those that cross one of them are cut there."""
        lines = range(max(0, bisect_right(self._starts, start) - 1), bisect_left(self._starts, end))
        self._analyse([i for i in lines if self._found[i] is None], terms=False)
        spans = (span for i in lines for span in self._found[i] or ())
        found = ((max(start, a), min(end, b)) for a, b in spans if a < end and b > start)
        return list(self._joined(found))

    def _joined(self, spans: Iterable[Span]) -> Iterator[Span]:
        held: Span | None = None
        for span in spans:
            if held is not None and self._torn(held[1], span[0]):
                held = (held[0], span[1])
                continue
            if held is not None:
                yield held
            held = span
        if held is not None:
            yield held

    def _torn(self, end: int, start: int) -> bool:
        """Whether the line break between two offsets stands inside a word."""
        text = self._text
        return text[end:start] == "\n" and "가" <= text[end - 1] <= "힣" and _PARTICLE.match(text, start) is not None

    def terms(self, start: int, end: int) -> list[str]:
        """Terms that begin between two offsets; none where they were not asked for."""
        return self._forms[bisect_left(self._places, start) : bisect_left(self._places, end)]

    def _analyse(self, lines: Sequence[int], *, terms: bool) -> None:
        if not lines:
            return
        analysed = self._tokenizer.sentences([self._lines[i] for i in lines])
        for i, found in zip(lines, analysed, strict=True):
            at = self._starts[i]
            self._found[i] = [(at + a, at + b) for a, b in _whole(self._lines[i], found)]
            if terms:
                for sentence in found:
                    self._places.extend([at + term.start for term in sentence.terms])
                    self._forms.extend([term.form for term in sentence.terms])


def _whole(line: str, found: Sequence[Sentence]) -> list[Span]:
    """Where the sentences are, widened so that no visible character of the line is left between two of them."""
    starts = [0, *(sentence.start for sentence in found[1:]), len(line)]
    spans = [visible(line, a, b) for a, b in pairwise(starts)]
    return [(a, b) for a, b in spans if a < b]
