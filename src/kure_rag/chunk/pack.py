"""Sentences → runs of about the target length: what every profile does with a stretch of plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.chunk.base import ChunkSettings
from kure_rag.chunk.clauses import bracketed, clause_seam

Span = tuple[int, int]

# Where a run of characters without white space is cut: after a mark, or where Hangul meets something else.
_SEAMS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=[.,;:!?)\]」』”’·])(?=[^.,;:!?)\]」』”’·\d])",
        r"(?<=[가-힣])(?=[^가-힣\W])",
    )
)


@dataclass(frozen=True, slots=True)
class Unit:
    """What is not cut unless it is over the limit.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last.
        lead: What a chunk that begins with it cannot be understood without, see :class:`~kure_rag.chunk.base.Passage`.
        kind: As in :class:`~kure_rag.types.Chunk`; one that is not ``text`` is a chunk of its own.
        after: The lead of its parts after the first, where it is cut; ``lead`` if empty.
        apart: Whether it is never put together with another, whatever its kind.
    """

    start: int
    end: int
    lead: str = ""
    kind: str = "text"
    after: str = ""
    apart: bool = False


def visible(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends; empty where nothing else is in it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def cut(text: str, span: Span, settings: ChunkSettings) -> Iterator[Span]:
    """A span over the limit in pieces of about the target length: where clauses end, at white space, or anywhere."""
    start, end = span
    brackets = bracketed(text, start, end) if end - start > settings.longest else []
    half = settings.target // 2
    while end - start > settings.longest:
        aim = start + (end - start) // max(2, round((end - start) / settings.target))
        high = min(start + settings.longest, start + settings.target + half, end - half)
        stop = clause_seam(text, start + half, high, aim, brackets)
        stop = stop or _seam(text, start + half, start + settings.target)
        piece = visible(text, start, stop)
        if piece[0] < piece[1]:
            yield piece
        start = stop
    piece = visible(text, start, end)
    if piece[0] < piece[1]:
        yield piece


def _seam(text: str, low: int, high: int) -> int:
    """The last place after ``low`` and up to ``high`` where the text may be cut; ``high`` where there is none."""
    for pattern in _SEAMS:
        found = low
        for match in pattern.finditer(text, low, high + 1):
            if match.end() <= high:
                found = match.end()
        if found > low:
            return found
    return high


def pack(text: str, spans: Iterable[Span], settings: ChunkSettings) -> Iterator[Span]:
    """Spans in order → longer ones up to the target length; a span over the limit is cut."""
    for unit in pack_units(text, [Unit(*span) for span in spans], settings):
        yield unit.start, unit.end


def pack_units(text: str, units: Sequence[Unit], settings: ChunkSettings) -> Iterator[Unit]:
    """Units in order → longer ones up to the target length; a unit over the limit is cut."""
    run: Unit | None = None
    for unit in units:
        for i, (start, end) in enumerate(cut(text, (unit.start, unit.end), settings)):
            alike = run is not None and run.kind == unit.kind == "text" and not (run.apart or unit.apart)
            if run is not None and alike and end - run.start <= settings.target:
                run = Unit(run.start, end, run.lead)
                continue
            if run is not None:
                yield run
            run = Unit(start, end, (unit.after if i else "") or unit.lead, unit.kind, apart=unit.apart)
    if run is not None:
        yield run
