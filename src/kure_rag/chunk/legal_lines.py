"""The lines of a text that hold anything."""

from __future__ import annotations

from collections.abc import Iterator

from kure_rag.chunk.pack import Span, visible


def visible_lines(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Spans of the lines between two offsets, without white space at their ends and without empty ones."""
    end = len(text) if end is None else end
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        line = visible(text, start, stop)
        if line[0] < line[1]:
            yield line
        start = stop + 1
