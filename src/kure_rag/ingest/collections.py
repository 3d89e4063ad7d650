"""A Chroma collection that somebody else made → the catalog, with the vectors it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from kure_rag.index.catalog import Catalog, NewDocument
from kure_rag.index.rows import Standing
from kure_rag.index.take_over import RejectedRow
from kure_rag.ingest.places import collection_key
from kure_rag.ingest.report import IngestRow, Status
from kure_rag.ingest.target import Target

_BATCH: Final = 1_000  # chunks stored together


def ingest_collection(target: Target, found: Iterable[NewDocument | RejectedRow], name: str) -> Iterator[IngestRow]:
    """Stores what :func:`kure_rag.index.take_over.take_over` reads.

    Args:
        target: Where to.
        found: Documents, whose keys are the sources that the collection names, and rejected entries.
        name: Of the collection: what two of them name alike are two sources.

    Yields:
        A row for each document once it is stored for good, and for each entry that cannot be taken.
    """
    batch: list[NewDocument] = []
    for item in found:
        if isinstance(item, RejectedRow):
            yield IngestRow(source=item.id, status="rejected", reason=item.reason)
            continue
        document = replace(item, key=_key(target.catalog, name, item.key))
        if target.catalog.has_document(_id(document)):
            _keep(target.catalog, document)
            yield IngestRow(source=document.document.source, status="unchanged", document_id=_id(document))
            continue
        batch.append(document)
        if sum(len(one.chunks) for one in batch) >= _BATCH:
            yield from _store(target, batch)
            batch = []
    yield from _store(target, batch)


def _keep(catalog: Catalog, item: NewDocument) -> None:
    """What another collection holds too is this one's as well."""
    if catalog.by_key(item.key) != [_id(item)]:
        catalog.settle_places([Standing(item.key, "", _id(item), item.document.source)])


def _id(item: NewDocument) -> str:
    return item.document.id


def _key(catalog: Catalog, name: str, group: str) -> str:
    """A digest: a catalog shows nobody's folders. Older versions stored the path itself."""
    key = collection_key(name, group)
    for document_id in catalog.by_key(group):
        catalog.set_place(document_id, key=key, root="")
    return key


def _store(target: Target, batch: list[NewDocument]) -> Iterator[IngestRow]:
    statuses: list[Status] = ["updated" if target.catalog.by_key(item.key) else "added" for item in batch]
    if batch:
        target.put(batch)
    for item, status in zip(batch, statuses, strict=True):
        yield IngestRow(
            source=item.document.source,
            status=status,
            document_id=item.document.id,
            pages=len({page for chunk in item.chunks for page in chunk.pages}),
            chunks=len(item.chunks),
        )
