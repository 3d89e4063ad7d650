"""Corpus records → the catalog, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from kure_rag.chunk import chunk_record
from kure_rag.errors import KureError, ReadError
from kure_rag.ingest.pool import TermsJob, WorkerPool
from kure_rag.ingest.report import IngestRow
from kure_rag.ingest.target import Target
from kure_rag.read import Record
from kure_rag.read.corpus import record_id
from kure_rag.types import Chunk, Document

_BATCH: Final = 256
Pair = tuple[Document, Chunk]


def ingest_records(target: Target, pool: WorkerPool, records: Iterable[Record]) -> Iterator[IngestRow]:
    """Stores records, each as one document with one chunk.

    Gives a row for each once it is stored for good, in the order of the records. A batch whose analysis fails is tried
    record by record, so that only the culprit is rejected.
    """
    waiting: deque[list[Pair]] = deque()
    target.warm_up()

    def jobs() -> Iterator[TermsJob]:
        batch: list[Pair] = []
        failed: KureError | None = None
        try:
            for record in records:
                batch.append(_pair(record))
                if len(batch) == _BATCH:
                    waiting.append(batch)
                    yield _job(batch)
                    batch = []
        except KureError as error:  # a bad line: the records before it are stored first
            failed = error
        if batch:
            waiting.append(batch)
            yield _job(batch)
        if failed is not None:
            raise failed

    for _, answer in pool.terms(jobs()):
        pairs = waiting.popleft()
        if not isinstance(answer, ReadError):
            yield from _store(target, pairs, answer)
            continue
        for (document, chunk), (_, alone) in zip(pairs, pool.terms(_job([pair]) for pair in pairs), strict=True):
            if isinstance(alone, ReadError):
                yield IngestRow(source=document.source, status="rejected", reason=alone.reason)
            else:
                yield from _store(target, [(document, chunk)], alone)


def _pair(record: Record) -> Pair:
    text = record.text if record.text.strip() else record.title
    place = record.place
    document = Document(
        id=record_id(record),
        source=place.source if place else record.id,
        title=record.title,
        domain=place.domain if place else "general",
        text=text,
        metadata=record.metadata,
    )
    chunk = chunk_record(document)
    if place:
        chunk = replace(chunk, pages=place.pages, breadcrumb=place.breadcrumb, lead=place.lead)
    return document, chunk


def _job(pairs: Sequence[Pair]) -> TermsJob:
    first = pairs[0][0].source
    name = first if len(pairs) == 1 else f"{len(pairs)} records from {first}"
    return TermsJob([chunk.contextualized() for _, chunk in pairs], name)


def _store(target: Target, pairs: Sequence[Pair], terms: Sequence[Sequence[str]]) -> Iterator[IngestRow]:
    fresh = {
        document.id: (document, [chunk], [words])
        for (document, chunk), words in zip(pairs, terms, strict=True)
        if not target.catalog.has_document(document.id)
    }
    if fresh:
        target.add(list(fresh.values()))
    for document, _ in pairs:
        added = fresh.pop(document.id, None) is not None  # the same record twice is added once
        yield IngestRow(
            source=document.source,
            status="added" if added else "unchanged",
            document_id=document.id,
            chunks=int(added),
        )
