"""Corpus records → the catalog, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kure_rag.chunk import chunk_record
from kure_rag.errors import KureError, ReadError
from kure_rag.ingest.places import Place, record_key
from kure_rag.ingest.pool import TermsJob, WorkerPool
from kure_rag.ingest.report import IngestRow, Status
from kure_rag.ingest.target import Ready, Target
from kure_rag.read import Record
from kure_rag.read.corpus import record_id
from kure_rag.types import Chunk, Document

_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class _Pair:
    document: Document
    chunk: Chunk
    place: Place


def ingest_records(
    target: Target, pool: WorkerPool, records: Iterable[Record], corpus: str = ""
) -> Iterator[IngestRow]:
    """Stores records, each as one document with one chunk.

    Gives a row for each once it is stored for good, in the order of the records. A batch whose analysis fails is tried
    record by record, so that only the culprit is rejected.

    Args:
        target: The index.
        pool: What analyses.
        records: Streamed.
        corpus: What they are known by together: a record of a known id takes the place of its older version. Without
            it every record stands for itself.
    """
    waiting: deque[list[_Pair]] = deque()
    target.warm_up()

    def jobs() -> Iterator[TermsJob]:
        batch: list[_Pair] = []
        failed: KureError | None = None
        try:
            for record in records:
                batch.append(_pair(record, corpus))
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
        for pair, (_, alone) in zip(pairs, pool.terms(_job([pair]) for pair in pairs), strict=True):
            if isinstance(alone, ReadError):
                yield IngestRow(source=pair.document.source, status="rejected", reason=alone.reason)
            else:
                yield from _store(target, [pair], alone)


def _pair(record: Record, corpus: str) -> _Pair:
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
    return _Pair(document, chunk, Place(record_key(corpus, record.id)))


def _job(pairs: Sequence[_Pair]) -> TermsJob:
    first = pairs[0].document.source
    name = first if len(pairs) == 1 else f"{len(pairs)} records from {first}"
    return TermsJob([pair.chunk.contextualized() for pair in pairs], name)


def _store(target: Target, pairs: Sequence[_Pair], terms: Sequence[Sequence[str]]) -> Iterator[IngestRow]:
    fresh = {
        pair.document.id: Ready(pair.document, [pair.chunk], [words], pair.place)
        for pair, words in zip(pairs, terms, strict=True)
        if not target.catalog.has_document(pair.document.id)
    }
    older = _with_an_older_version(target, fresh)
    if fresh:
        target.add(list(fresh.values()))
    for pair in pairs:
        id_ = pair.document.id
        added = fresh.pop(id_, None) is not None  # the same record twice is added once
        status: Status = "unchanged" if not added else "updated" if id_ in older else "added"
        yield IngestRow(source=pair.document.source, status=status, document_id=id_, chunks=int(added))


def _with_an_older_version(target: Target, fresh: Mapping[str, Ready]) -> set[str]:
    """Ids of those that take another's place: one in the index, or one before it in the same batch."""
    seen: set[str] = set()
    older = set()
    for id_, item in fresh.items():
        key = item.place.key
        if key and (key in seen or target.catalog.by_key(key)):
            older.add(id_)
        seen.add(key)
    return older
