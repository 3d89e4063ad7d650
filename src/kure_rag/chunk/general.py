"""The general profile: sentences packed to a target length, under the headings they stand below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kure_rag.chunk.base import ChunkSettings, Passage, Section
from kure_rag.chunk.headings import find_sections
from kure_rag.chunk.pack import pack, within
from kure_rag.tokenize.base import Sentence
from kure_rag.types import Document


@dataclass(frozen=True, slots=True)
class General:
    """See the module."""

    name: str = "general"
    version: str = "3"

    def passages(self, document: Document, sentences: Sequence[Sentence], settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        return [
            Passage(start, end, (document.title, *section.headings))
            for section in _with_lone_headings(list(find_sections(document.text)))
            for start, end in pack(document.text, within(sentences, section.start, section.end), settings)
        ]


def _with_lone_headings(sections: Sequence[Section]) -> list[Section]:
    """Puts a heading with nothing under it at the head of the section that follows: alone it answers nothing."""
    out: list[Section] = []
    lone: int | None = None
    for section in sections:
        start = section.start if lone is None else lone
        alone = section.body >= section.end and bool(section.headings)
        deeper = section is not sections[-1]
        if alone and deeper:
            lone = start
            continue
        out.append(replace(section, start=start))
        lone = None
    return out
