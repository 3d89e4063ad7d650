"""A corpus record is a passage somebody already cut: it stays one chunk."""

from __future__ import annotations

from typing import Final

from kure_rag.types import Chunk, Document, chunk_id

_FINGERPRINT: Final = "record-1"


def chunk_record(document: Document) -> Chunk:
    """The one chunk of a record: its whole text, or its title where it has no text."""
    return Chunk(
        id=chunk_id(document.id, 0, len(document.text), document.text, _FINGERPRINT),
        document_id=document.id,
        text=document.text,
        start=0,
        end=len(document.text),
        pages=(),
        breadcrumb=(document.title,) if document.title and document.title != document.text else (),
        kind="record",
        metadata=document.metadata,
    )
