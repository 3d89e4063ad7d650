"""What the adapters say of a hit, in one place, so that LangChain and LlamaIndex say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kure_rag.types import ENTRY_KIND, Chunk, Document, Hit, cite, contextualized

LLAMA_NODE: Final = "_llama_node"
"""Where the LlamaIndex adapter keeps, among an entry's metadata, what it needs to give back the node it was given."""


def shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata without what an adapter keeps there for itself, in a new dictionary."""
    return {name: value for name, value in metadata.items() if name != LLAMA_NODE}


def hit_metadata(hit: Hit) -> dict[str, Any]:
    """Everything about a hit but its text, as JSON values.

    Args:
        hit: A search result.

    Returns:
        A new dictionary. The place: ``source``, ``title``, ``domain``, ``pages`` (all, ascending), ``page`` (the first,
        or ``None``), ``breadcrumb``, ``start``, ``end``, ``citation``. The passage: ``chunk_id``, ``document_id``,
        ``kind``, ``lead``, ``prev_id``, ``next_id``. The search: ``score``, ``rank``, and ``legs``, for example
        ``{"lexical": {"rank": 1, "score": 7.2}}``; where they were asked for, ``relevance``, ``context`` (the text
        around), ``highlights`` (pairs of offsets in the text), ``duplicates`` (their citations) and ``warnings``. Then
        the chunk's own metadata under its own names; one that is ours already, such as an article's ``title``, is
        ``chunk_title``. An entry's metadata keeps its names in the place of ours, but for those of the search. What an
        adapter keeps there for itself is not shown.
    """
    found: dict[str, Any] = {
        "score": hit.score,
        "rank": hit.rank,
        "legs": {name: {"rank": leg.rank, "score": leg.score} for name, leg in hit.legs.items()},
    }
    if hit.relevance is not None:
        found["relevance"] = hit.relevance
    if hit.context is not None:
        found["context"] = hit.context.text
    if hit.highlights is not None:
        found["highlights"] = [list(span) for span in hit.highlights]
    if hit.duplicates:
        found["duplicates"] = [twin.citation() for twin in hit.duplicates]
    if hit.warnings:
        found["warnings"] = list(hit.warnings)
    place = _place(hit.chunk, source=hit.source, title=hit.title, domain=hit.domain)
    return _with_own(place, found, hit.chunk)


def chunk_metadata(document: Document, chunk: Chunk) -> dict[str, Any]:
    """Everything about a chunk of a document but its text, under the names of :func:`hit_metadata`."""
    return place_metadata(chunk, source=document.source, title=document.title, domain=document.domain)


def place_metadata(chunk: Chunk, *, source: str, title: str, domain: str) -> dict[str, Any]:
    """:func:`chunk_metadata`, given what its document says of it."""
    place = _place(chunk, source=source, title=title, domain=domain)
    return _with_own(place, {}, chunk)


def contextualized_by(metadata: Mapping[str, Any], text: str) -> str | None:
    """A passage's text below its headings and lead, as :meth:`kure_rag.Chunk.contextualized` gives it.

    Args:
        metadata: Those of :func:`hit_metadata`, of a splitter or of a node parser.
        text: The passage's.

    Returns:
        ``None`` where ``breadcrumb`` is no list of headings: the metadata are not ours.
    """
    breadcrumb, lead = metadata.get("breadcrumb"), metadata.get("lead")
    if not isinstance(breadcrumb, list | tuple) or not all(isinstance(heading, str) for heading in breadcrumb):
        return None
    return contextualized(breadcrumb, text, lead if isinstance(lead, str) else "")


def _place(chunk: Chunk, *, source: str, title: str, domain: str) -> dict[str, Any]:
    return {
        "source": source,
        "title": title,
        "domain": domain,
        "pages": list(chunk.pages),
        "page": chunk.pages[0] if chunk.pages else None,
        "breadcrumb": list(chunk.breadcrumb),
        "start": chunk.start,
        "end": chunk.end,
        "citation": cite(source, chunk.pages, chunk.breadcrumb),
        "chunk_id": chunk.id,
        "document_id": chunk.document_id,
        "kind": chunk.kind,
        "lead": chunk.lead,
        "prev_id": chunk.prev_id,
        "next_id": chunk.next_id,
    }


def _with_own(place: dict[str, Any], search: dict[str, Any], chunk: Chunk) -> dict[str, Any]:
    taken = search if chunk.kind == ENTRY_KIND else place | search
    own = {f"chunk_{name}" if name in taken else name: value for name, value in shown(chunk.metadata).items()}
    return place | search | own
