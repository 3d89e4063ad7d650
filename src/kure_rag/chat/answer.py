"""An answer and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kure_rag.types import Hit, cite


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage that an answer was made from.

    Attributes:
        number: What the answer calls it: 1 is ``[1]``.
        hit: The passage.
        cited: Whether the answer names it.
    """

    number: int
    hit: Hit
    cited: bool = False

    def citation(self) -> str:
        """File, page and innermost heading, for example ``[1] 취업규정.pdf p.2 제15조(연차휴가)``."""
        chunk = self.hit.chunk
        return f"[{self.number}] {cite(self.hit.source, chunk.pages, chunk.breadcrumb[-1:])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question got.

    Attributes:
        question: As it was asked.
        query: What was searched for: the question, or a standalone one where it follows on from others.
        text: The answer. Its ``[1]`` are numbers of ``sources``; numbers that no source has were dropped.
        sources: The passages that it was made from, best first, whether it cites them or not.
        model: The language model's name; ``None`` where none was asked and ``text`` shows the passages.
        found: Whether any passage is relevant enough; see :class:`~kure_rag.chat.ChatOptions`.
        complete: Whether the answer came to its end.
        problem: Why it did not.
    """

    question: str
    query: str
    text: str
    sources: tuple[Source, ...] = ()
    model: str | None = None
    found: bool = True
    complete: bool = True
    problem: str = ""

    @property
    def cited(self) -> tuple[Source, ...]:
        """The sources that the answer names."""
        return tuple(source for source in self.sources if source.cited)

    def source_lines(self) -> list[str]:
        """One line for each source; a star marks those that the answer names."""
        return [f"{'*' if source.cited else ' '} {source.citation()}" for source in self.sources]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from kure_rag.citation import hit_metadata

        names = ("question", "query", "text", "model", "found", "complete", "problem")
        rows = [
            {
                **hit_metadata(source.hit),
                "number": source.number,
                "cited": source.cited,
                "text": source.hit.chunk.text,
            }
            for source in self.sources
        ]
        return {**{name: getattr(self, name) for name in names}, "sources": rows}
