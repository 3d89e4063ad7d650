"""Hits and entries ↔ LangChain documents."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from itertools import repeat

from langchain_core.documents import Document

from kure_rag.citation import hit_metadata, shown
from kure_rag.pipeline import Entry, entry_of
from kure_rag.pipeline.given import refuse_text
from kure_rag.types import Hit


def to_document(hit: Hit) -> Document:
    """A hit as a LangChain document: the chunk's id and text, and :func:`kure_rag.citation.hit_metadata`."""
    return Document(id=hit.chunk.id, page_content=hit.chunk.text, metadata=hit_metadata(hit))


def to_stored(hit: Hit) -> Document:
    """A hit as the document that was put under its id, without anything of the search.

    A file's or a record's passage has its place for metadata, see :func:`kure_rag.citation.chunk_metadata`.
    """
    return of_entry(entry_of(hit))


def of_entry(entry: Entry) -> Document:
    """An entry as the document that it was; one that LlamaIndex put as a document of its text and metadata."""
    return Document(id=entry.id, page_content=entry.text, metadata=shown(entry.metadata))


def to_entries(documents: Iterable[Document], ids: Sequence[str | None] | None = None) -> list[Entry]:
    """Documents as entries.

    Args:
        documents: The documents; they are not changed.
        ids: In the place of their own. An id is made for a document that has none.

    Raises:
        ValueError: As many ids as documents are needed.
        TypeError: What is no document, or one id instead of a list.
    """
    given = only_documents(documents)
    refuse_text("ids", ids)
    if ids is not None and len(ids) != len(given):
        raise ValueError(f"{len(ids)} ids for {len(given)} documents: give one id for each document, or none at all")
    return [
        Entry(id=id_ or document.id or str(uuid.uuid4()), text=document.page_content, metadata=document.metadata)
        for document, id_ in zip(given, repeat(None) if ids is None else ids, strict=ids is not None)
    ]


def only_documents(given: Iterable[Document]) -> list[Document]:
    """Documents, and nothing else.

    Raises:
        TypeError: What is no document; says what it is.
    """
    refuse_text("documents", given)
    documents = list(given)
    for one in documents:
        if not isinstance(one, Document):
            raise TypeError(
                f"documents hold {one!r:.60}, which is {type(one).__name__}; give Document(page_content=...), "
                "or texts where there is a method for texts"
            )
    return documents
