"""How hits are shown: on a terminal, in a pipe, as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from kure_rag.cli import common

if TYPE_CHECKING:
    from kure_rag.types import Hit

_INDENT: Final = " " * 4
_LEAD: Final = 60  # characters before the first word of the query in an excerpt
_LISTED: Final = 3  # near-duplicates whose citations are shown
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and the spans of it to be shown in bold.

    Attributes:
        text: What is shown.
        spans: (start, end), ascending, not overlapping.
    """

    text: str
    spans: tuple[Span, ...] = ()

    def on_one_line(self) -> Self:
        """Runs of white space as one space."""
        places: list[int] = []  # where each character of the text went
        out: list[str] = []
        gap = False
        for char in self.text:
            if char.isspace():
                gap = bool(out)
                places.append(len(out))
                continue
            if gap:
                out.append(" ")
            places.append(len(out))
            out.append(char)
            gap = False
        spans = tuple((places[start], places[end - 1] + 1) for start, end in self.spans)
        return replace(self, text="".join(out), spans=spans)

    def shortened(self, longest: int) -> Self:
        """At most so many characters, from a little before the first span where the beginning holds none."""
        if len(self.text) <= longest:
            return self
        first = self.spans[0][0] if self.spans else 0
        start = 0 if first < max(longest - _LEAD, longest // 2) else min(first - _LEAD, len(self.text) - longest + 1)
        cut = self.part(start, start + longest - 1 - bool(start))
        cut = replace(cut, text=cut.text + ("…" if start + len(cut.text) < len(self.text) else ""))
        return cut.behind("…") if start else cut

    def part(self, start: int, end: int) -> Self:
        """From one place to another."""
        spans = tuple((max(a, start) - start, min(b, end) - start) for a, b in self.spans if a < end and b > start)
        return replace(self, text=self.text[start:end], spans=spans)

    def behind(self, text: str) -> Self:
        """With something before it."""
        return replace(self, text=text + self.text, spans=tuple((a + len(text), b + len(text)) for a, b in self.spans))


def passage_of(hit: Hit, longest: int) -> Marked:
    """The context of a hit, whole, where it was asked for; else its text, on one line and shortened."""
    spans = hit.highlights or ()
    if hit.context is None:
        return Marked(hit.chunk.text, spans).on_one_line().shortened(longest)
    at = hit.chunk.start - hit.context.start
    moved = tuple((a + at, min(b + at, len(hit.context.text))) for a, b in spans if a + at < len(hit.context.text))
    return Marked(hit.context.text, moved)


def lines_of(hit: Hit, longest: int = 300) -> list[Marked]:
    """A hit as lines: rank and citation, score, the passage, what it stands for."""
    relevance = "" if hit.relevance is None else f", relevance {hit.relevance:.2f}"
    head = [f"[{hit.rank}] {hit.citation()}", f"{_INDENT}score {hit.score:.3f}{relevance} ({said_by(hit)})"]
    passage = passage_of(hit, longest)
    body, at = [], 0
    for line in passage.text.splitlines(keepends=True):
        body.append(passage.part(at, at + len(line.rstrip())).behind(_INDENT))
        at += len(line)
    return [*map(Marked, head), *body, *map(Marked, _more(hit))]


def _more(hit: Hit) -> list[str]:
    """The near-duplicates that a hit stands for, each with its own citation."""
    if not hit.duplicates:
        return []
    shown = [f"{_INDENT}  {twin.citation()}" for twin in hit.duplicates[:_LISTED]]
    left = len(hit.duplicates) - len(shown)
    rest = [f"{_INDENT}  … {left} more"] if left else []
    return [f"{_INDENT}{len(hit.duplicates)} more that say the same:", *shown, *rest]


def shown(hit: Hit, longest: int = 300) -> str:
    """A hit as plain text: rank, score, legs, citation, and the passage, shortened."""
    return "\n".join(line.text for line in lines_of(hit, longest))


def said_by(hit: Hit) -> str:
    """Which leg found a hit, and at which rank."""
    parts = [
        f"{name} #{leg.rank} {leg.score:.2f}" if leg.rank is not None else f"{name} {leg.score:.2f}"
        for name, leg in hit.legs.items()
    ]
    return ", ".join(parts)


def print_hits(hits: Sequence[Hit], *, by_document: bool = False) -> None:
    """Hits with an empty line between them; below the names of their documents where they are grouped by those."""
    blocks: list[list[Marked]] = []
    before = None
    for hit in hits:
        lines = lines_of(hit)
        if by_document and hit.chunk.document_id != before:
            before = hit.chunk.document_id
            name = hit.source if hit.title in ("", hit.source) else f"{hit.source}: {hit.title}"
            lines = [Marked(name, ((0, len(name)),)), *lines]
        blocks.append(lines)
    _print(line for i, block in enumerate(blocks) for line in ([Marked("")] if i else []) + block)


def _print(lines: Iterable[Marked]) -> None:
    if not sys.stdout.isatty():
        for line in lines:
            print(line.text)
        return
    from rich.text import Text

    console = common.console()
    for line in lines:
        text = Text(line.text)
        for start, end in line.spans:
            text.stylize("bold", start, end)
        console.print(text, soft_wrap=True)


def json_row(hit: Hit) -> dict[str, Any]:
    """A hit as JSON values; metadata of the chunk's own with a name that is ours stands under ``chunk_`` and it."""
    from kure_rag.citation import hit_metadata

    context = hit.context
    ours: dict[str, Any] = {
        "text": hit.chunk.text,
        "parts": dict(hit.parts),
        "relevance": hit.relevance,
        "highlights": None if hit.highlights is None else [list(span) for span in hit.highlights],
        "context": None
        if context is None
        else {
            "text": context.text,
            "start": context.start,
            "end": context.end,
            "chunk_ids": list(context.chunk_ids),
        },
        "duplicates": [_twin(twin) for twin in hit.duplicates],
        "warnings": list(hit.warnings),
    }
    return {f"chunk_{name}" if name in ours else name: value for name, value in hit_metadata(hit).items()} | ours


def _twin(hit: Hit) -> dict[str, Any]:
    return {
        "citation": hit.citation(),
        "chunk_id": hit.chunk.id,
        "document_id": hit.chunk.document_id,
        "source": hit.source,
        "pages": list(hit.chunk.pages),
        "start": hit.chunk.start,
        "end": hit.chunk.end,
    }
