"""Sentences → runs of about the target length: what every profile does with a stretch of plain text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from kure_rag.chunk.base import ChunkSettings
from kure_rag.tokenize.base import Sentence

Span = tuple[int, int]


def visible(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends; empty where nothing else is in it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def within(sentences: Sequence[Sentence], start: int, end: int) -> list[Span]:
    """Spans of the sentences, which are in order, between two offsets; those that cross one are cut there."""
    first = bisect_left(sentences, start + 1, key=lambda sentence: sentence.end)
    spans: list[Span] = []
    for sentence in sentences[first:]:
        if sentence.start >= end:
            break
        spans.append((max(start, sentence.start), min(end, sentence.end)))
    return spans


def cut(text: str, span: Span, settings: ChunkSettings) -> Iterator[Span]:
    """A span over the limit in pieces of about the target length, at white space where there is any."""
    start, end = span
    while end - start > settings.longest:
        stop = start + settings.target
        space = text.rfind(" ", start + 1, stop + 1)
        stop = space if space > start + settings.target // 2 else stop
        piece = visible(text, start, stop)
        if piece[0] < piece[1]:
            yield piece
        start = stop
    piece = visible(text, start, end)
    if piece[0] < piece[1]:
        yield piece


def pack(text: str, spans: Sequence[Span], settings: ChunkSettings) -> Iterator[Span]:
    """Spans in order → longer ones up to the target length; a span over the limit is cut."""
    run: Span | None = None
    for piece in (piece for span in spans for piece in cut(text, span, settings)):
        if run is not None and piece[1] - run[0] <= settings.target:
            run = (run[0], piece[1])
            continue
        if run is not None:
            yield run
        run = piece
    if run is not None:
        yield run
