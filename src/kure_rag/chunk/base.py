"""What chunking is set by, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass

from kure_rag.types import Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSettings:
    """How long a chunk is.

    Attributes:
        target: Characters a chunk is filled up to; the next sentence begins a new one. Published results on Korean
            documents peak between 300 and 500.
        longest: Characters over which a single sentence is cut, at white space where it has any.
    """

    target: int = 400
    longest: int = 800

    def __post_init__(self) -> None:
        if not 0 < self.target <= self.longest:
            raise ValueError(
                f"a chunk's target ({self.target}) must be positive and at most its longest ({self.longest})"
            )


@dataclass(frozen=True, slots=True)
class Section:
    """A run of text under one heading.

    Attributes:
        start: Offset of its first character, the heading's.
        body: Offset after the heading; equal to ``end`` where nothing but the heading is there.
        end: Offset after its last character.
        headings: The headings above and its own, outermost first.
    """

    start: int
    body: int
    end: int
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnalysedChunk:
    """A chunk with the index terms of its contextualized text, from the same analysis that found its sentences."""

    chunk: Chunk
    terms: tuple[str, ...]
