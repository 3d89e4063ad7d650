"""Hits → LangChain documents."""

from __future__ import annotations

from langchain_core.documents import Document

from kure_rag.citation import hit_metadata
from kure_rag.types import Hit


def to_document(hit: Hit) -> Document:
    """A hit as a LangChain document: the chunk's id and text, and :func:`kure_rag.citation.hit_metadata`."""
    return Document(id=hit.chunk.id, page_content=hit.chunk.text, metadata=hit_metadata(hit))
