"""Corpus records → the catalog, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kure_rag.chunk import chunk_record
from kure_rag.errors import KureError, ReadError
from kure_rag.ingest.places import Place, record_key, standing
from kure_rag.ingest.pool import TermsJob, WorkerPool
from kure_rag.ingest.report import IngestRow, Status
from kure_rag.ingest.target import Ready, Target
from kure_rag.read import Record
from kure_rag.read.corpus import record_id
from kure_rag.types import Chunk, Document

_BATCH: Final = 256  # records that are analysed, embedded and stored together
_MOST: Final = 4_096  # records of a batch of which most need no analysis


@dataclass(frozen=True, slots=True)
class _Pair:
    document: Document
    chunk: Chunk
    place: Place


@dataclass(slots=True)
class _Batch:
    """Records in order, and those of them that were not in the index when they came."""

    pairs: list[_Pair] = field(default_factory=list)
    new: list[_Pair] = field(default_factory=list)

    def add(self, pair: _Pair, *, known: bool) -> None:
        self.pairs.append(pair)
        if not known:
            self.new.append(pair)

    @property
    def is_full(self) -> bool:
        return len(self.new) == _BATCH or len(self.pairs) == _MOST


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
        corpus: What they are known by together: a record of a known id takes the place of its older version, also of
            one before it in ``records``. Without it every record stands for itself, until it is deleted.
    """
    waiting: deque[_Batch] = deque()
    target.warm_up()

    def jobs() -> Iterator[TermsJob]:
        batch = _Batch()
        failed: KureError | None = None
        try:
            for record in records:
                pair = _pair(record, corpus)
                batch.add(pair, known=target.catalog.has_document(pair.document.id))
                if batch.is_full:
                    waiting.append(batch)
                    yield _job(batch.new)
                    batch = _Batch()
        except KureError as error:  # a bad line: the records before it are stored first
            failed = error
        if batch.pairs:
            waiting.append(batch)
            yield _job(batch.new)
        if failed is not None:
            raise failed

    for _, answer in pool.terms(jobs()):
        batch = waiting.popleft()
        if isinstance(answer, ReadError):
            yield from _one_by_one(target, pool, batch.pairs)
            continue
        terms = {pair.document.id: words for pair, words in zip(batch.new, answer, strict=True)}
        for pairs in _of_different_keys(batch.pairs):
            if all(pair.document.id in terms or target.catalog.has_document(pair.document.id) for pair in pairs):
                yield from _store(target, pairs, terms)
            else:  # a record before these took the place of one that needed no analysis
                yield from _one_by_one(target, pool, pairs)


def _of_different_keys(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """Parts in order, in each of which no record takes another's place: all of a part can be stored at once."""
    part: list[_Pair] = []
    ids: dict[str, str] = {}  # by key
    for pair in pairs:
        if pair.place.key and ids.setdefault(pair.place.key, pair.document.id) != pair.document.id:
            yield part
            part, ids = [], {pair.place.key: pair.document.id}
        part.append(pair)
    if part:
        yield part


def _one_by_one(target: Target, pool: WorkerPool, pairs: Sequence[_Pair]) -> Iterator[IngestRow]:
    for pair, (_, answer) in zip(pairs, pool.terms(_job([pair]) for pair in pairs), strict=True):
        id_ = pair.document.id
        if isinstance(answer, ReadError) and not target.catalog.has_document(id_):
            yield IngestRow(source=pair.document.source, status="rejected", reason=answer.reason)
        else:
            yield from _store(target, [pair], {} if isinstance(answer, ReadError) else {id_: answer[0]})


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
    name = "" if not pairs else pairs[0].document.source
    name = f"{len(pairs)} records from {name}" if len(pairs) > 1 else name
    return TermsJob([pair.chunk.contextualized() for pair in pairs], name)


def _store(target: Target, pairs: Sequence[_Pair], terms: Mapping[str, Sequence[str]]) -> Iterator[IngestRow]:
    fresh = {
        pair.document.id: Ready(pair.document, [pair.chunk], [terms[pair.document.id]], pair.place)
        for pair in pairs
        if not target.catalog.has_document(pair.document.id)
    }
    known = [pair for pair in pairs if pair.document.id not in fresh]  # by another corpus, or without one, perhaps
    if known:
        target.catalog.settle_places(standing(pair.place, pair.document.id, pair.document.source) for pair in known)
    older = {id_ for id_, item in fresh.items() if target.catalog.by_key(item.place.key)}
    if fresh:
        target.add(list(fresh.values()))
    for pair in pairs:
        id_ = pair.document.id
        added = fresh.pop(id_, None) is not None  # the same record twice is added once
        status: Status = "unchanged" if not added else "updated" if id_ in older else "added"
        yield IngestRow(source=pair.document.source, status=status, document_id=id_, chunks=int(added))
