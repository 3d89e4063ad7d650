"""What chunking is set by, what a profile is, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from kure_rag.types import Chunk, Document

if TYPE_CHECKING:
    from kure_rag.chunk.sentences import Sentences  # which knows this module


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSettings:
    """How documents are cut.

    Attributes:
        target: Characters a chunk is filled up to; the next sentence begins a new one. Of 200 to 1,500, 400 most often
            had KorQuAD's answers in the best 2,000 characters (99.3% for keywords; 200 to 500 are within the error, 600
            and more are worse), and no other target was better on statutes as well
            (``benchmarks/results/chunk_length.md``).
        longest: Characters over which a single sentence is cut, where a clause ends, or else at white space.
        profile: ``auto`` for the one named after each document's domain; ``general``, ``finance``, ``legal`` or
            ``medical`` for all documents; or ``package.module:NAME`` for your own :class:`Profile`.
    """

    target: int = 400
    longest: int = 800
    profile: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.target <= self.longest:
            raise ValueError(
                f"a chunk's target ({self.target}) must be positive and at most its longest ({self.longest})"
            )


@dataclass(frozen=True, slots=True)
class Passage:
    """What a profile cuts out of a document; ids, pages and links come later.

    Attributes:
        start: Offset of its first character in ``Document.text``.
        end: Offset after its last character.
        breadcrumb: Headings above it, outermost first, the document's title among them.
        kind: As in :class:`~kure_rag.types.Chunk`.
        lead: As in :class:`~kure_rag.types.Chunk`.
        metadata: JSON-compatible values.
    """

    start: int
    end: int
    breadcrumb: tuple[str, ...] = ()
    kind: str = "text"
    lead: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Profile(Protocol):
    """How documents of one kind are cut.

    Attributes:
        name: As in ``ChunkSettings.profile``.
        version: Raised when the same document may be cut in another way; it is part of an index's fingerprint.
    """

    @property
    def name(self) -> str:
        """Short and lower case."""
        ...

    @property
    def version(self) -> str:
        """Any string."""
        ...

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """Cuts a document.

        Args:
            document: Its text, tables and title.
            sentences: Gives the sentences between two offsets, see :class:`~kure_rag.chunk.sentences.Sentences`.
            settings: Lengths.

        Returns:
            Passages in order that do not overlap. White space at their ends is cut off; visible text that none covers
            becomes passages of its own, so that nothing is lost.
        """
        ...


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
