"""The text around a hit: some chunks on each side, or the section that it stands in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from kure_rag.errors import IndexCorruptError
from kure_rag.types import Chunk, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandSettings:
    """How far a hit's context reaches.

    Attributes:
        by: So many chunks on each side, or ``section``: the chunks on each side that stand under the same headings.
        limit: Characters of a context, at most. A neighbour that would go beyond it is left out, with all behind it; a
            hit that is longer itself is cut.
    """

    by: int | Literal["section"] = 1
    limit: int = 4000

    def __post_init__(self) -> None:
        if self.by != "section" and (not isinstance(self.by, int) or self.by < 0):
            raise ValueError(f"expand={self.by!r}: give a number of chunks on each side, or 'section'")
        if self.limit < 1:
            raise ValueError(f"a context holds at least 1 character, not {self.limit}")


Fetch = Callable[[Sequence[str]], dict[str, Chunk]]


def span_around(chunk: Chunk, fetch: Fetch, settings: ExpandSettings) -> tuple[int, int, tuple[str, ...]]:
    """Where the context of a chunk begins and ends, and the ids of the chunks in it, in order.

    Neighbours are taken in turn, one before and one after, so that a limit leaves the hit in the middle.

    Args:
        chunk: The hit's.
        fetch: Chunk ids → those that are there, by id.
        settings: How far.
    """
    start, end = chunk.start, chunk.end
    if end - start >= settings.limit:
        return start, start + settings.limit, (chunk.id,) if end - start == settings.limit else ()
    ids = [chunk.id]
    ends: dict[str, str | None] = {"before": chunk.prev_id, "after": chunk.next_id}
    steps = 0
    while any(ends.values()) and (settings.by == "section" or steps < settings.by):
        found = fetch([id_ for id_ in ends.values() if id_ is not None])
        for side, id_ in list(ends.items()):
            other = found.get(id_) if id_ is not None else None
            ends[side] = None
            if other is None or not _belongs(other, chunk, settings):
                continue
            wider = min(start, other.start), max(end, other.end)
            if wider[1] - wider[0] > settings.limit:
                continue
            start, end = wider
            ids.insert(0 if side == "before" else len(ids), other.id)
            ends[side] = other.prev_id if side == "before" else other.next_id
        steps += 1
    return start, end, tuple(ids)


def _belongs(other: Chunk, chunk: Chunk, settings: ExpandSettings) -> bool:
    return settings.by != "section" or other.breadcrumb == chunk.breadcrumb


def context_of(text: str, span: tuple[int, int, tuple[str, ...]], chunk: Chunk) -> Context:
    """The context of a chunk.

    Args:
        text: What stands at the span.
        span: From :func:`span_around`.
        chunk: The hit's, which tells whether that is the text it was cut from: a part of a text has no checksum.

    Raises:
        IndexCorruptError: It is not.
    """
    start, end, ids = span
    at = chunk.start - start
    own = chunk.text[: end - chunk.start]
    if text[at : at + len(own)] != own:
        raise IndexCorruptError(
            f"the text of document {chunk.document_id} does not hold its chunk {chunk.id} at {chunk.start}; "
            "restore the index from a backup or ingest anew"
        )
    return Context(text, start, end, ids)
