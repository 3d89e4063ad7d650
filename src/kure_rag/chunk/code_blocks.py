"""Fenced blocks of code, which are no sentences: each stays whole, with the sentence above it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from kure_rag.chunk.base import ChunkSettings
from kure_rag.chunk.pack import Span, visible
from kure_rag.types import Document

_KEY: Final = "code"


def code_blocks(document: Document) -> tuple[Span, ...]:
    """Where a document's blocks of code stand, from ``metadata["code"]``, as the reader of Markdown says it.

    A record's own metadata may use that name for something else, which is left alone.
    """
    stored = document.metadata.get(_KEY)
    if not isinstance(stored, list | tuple):
        return ()
    found: list[Span] = []
    at = 0
    for entry in stored:
        if not isinstance(entry, list | tuple) or len(entry) != 2 or any(type(value) is not int for value in entry):
            return ()
        start, end = entry
        if not at <= start < end <= len(document.text):
            return ()
        found.append((start, end))
        at = end
    return tuple(found)


def code_within(document: Document, start: int, end: int) -> list[list[int]]:
    """The blocks of a part of a document, with offsets into that part."""
    return [[a - start, b - start] for a, b in code_blocks(document) if start <= a < b <= end]


def with_code(text: str, spans: Sequence[Span], code: Sequence[Span], settings: ChunkSettings) -> list[Span]:
    """Sentences, with each block of code among them as one; a block over the limit is cut between its lines."""
    out: list[Span] = []
    if not spans:
        return out
    first = bisect_right(code, spans[0][0], key=lambda block: block[1])
    last = bisect_left(code, spans[-1][1], key=lambda block: block[0])
    i = 0
    for start, end in code[first:last]:
        while i < len(spans) and spans[i][0] < start:
            out.append((spans[i][0], min(spans[i][1], start)))
            i += 1
        while i < len(spans) and spans[i][0] < end:
            i += 1
        if end - start > settings.longest:
            out.extend(_cut(text, start, end, settings))
        elif out and end - out[-1][0] <= settings.longest:
            out[-1] = (out[-1][0], end)  # what it is for stands above it
        else:
            out.append((start, end))
    return [*out, *spans[i:]]


def _cut(text: str, start: int, end: int, settings: ChunkSettings) -> Iterator[Span]:
    """Lines put together up to the target length."""
    begin = at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop + 1
        if begin < at and stop - begin > settings.target:
            yield visible(text, begin, at)
            begin = at
        at = stop
    yield visible(text, begin, end)
