"""A Chroma collection that somebody else made → the catalog, with the vectors it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kure_rag.index.catalog import NewDocument
from kure_rag.index.take_over import RejectedRow
from kure_rag.ingest.report import IngestRow
from kure_rag.ingest.target import Target

_BATCH: Final = 1_000  # chunks stored together


def ingest_collection(target: Target, found: Iterable[NewDocument | RejectedRow]) -> Iterator[IngestRow]:
    """Stores what :func:`kure_rag.index.take_over.take_over` reads.

    Yields:
        A row for each document once it is stored for good, and for each entry that cannot be taken.
    """
    batch: list[NewDocument] = []
    for item in found:
        if isinstance(item, RejectedRow):
            yield IngestRow(source=item.id, status="rejected", reason=item.reason)
        elif target.catalog.has_document(item.document.id) or any(item.document.id == b.document.id for b in batch):
            yield IngestRow(source=item.document.source, status="unchanged", document_id=item.document.id)
        else:
            batch.append(item)
            if sum(len(one.chunks) for one in batch) >= _BATCH:
                yield from _store(target, batch)
                batch = []
    yield from _store(target, batch)


def _store(target: Target, batch: list[NewDocument]) -> Iterator[IngestRow]:
    if batch:
        target.put(batch)
    for item in batch:
        yield IngestRow(
            source=item.document.source,
            status="added",
            document_id=item.document.id,
            pages=len({page for chunk in item.chunks for page in chunk.pages}),
            chunks=len(item.chunks),
        )
