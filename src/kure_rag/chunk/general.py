"""The general profile: sentences packed to a target length, under the headings they stand below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kure_rag.chunk.base import ChunkSettings, Passage
from kure_rag.chunk.body import Body
from kure_rag.tokenize.base import Sentence
from kure_rag.types import Document


@dataclass(frozen=True, slots=True)
class General:
    """Documents of any kind.

    Lists stay with the sentence that announces them, headings and notes with what they belong to, and each table is a
    passage of its own (``kind`` ``table``, metadata ``caption``, ``unit`` and ``header``).
    """

    name: str = "general"
    version: str = "4"

    def passages(self, document: Document, sentences: Sequence[Sentence], settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        body = Body(document, sentences, settings)
        return [
            passage
            for section in body.sections()
            for passage in body.passages(section, (document.title, *section.headings))
        ]
