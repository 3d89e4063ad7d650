"""PDF files → the catalog, one row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kure_rag.errors import ReadError
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.places import Place, bytes_id, file_name, follow, place_of, standing
from kure_rag.ingest.pool import PdfJob, WorkerPool
from kure_rag.ingest.report import IngestRow, Status
from kure_rag.ingest.target import Ready, Target
from kure_rag.read import Found
from kure_rag.types import Document, Domain


def ingest_files(
    target: Target, pool: WorkerPool, found: Sequence[Found], domain: Domain | None = None, name: str | None = None
) -> Iterator[IngestRow]:
    """Reads files and stores them, each whole and for good before its row is given.

    Rows come in the order of the files. A file whose bytes are in the catalog is not read again. One that the catalog
    holds with other bytes takes the place of those, at once and whole; where it cannot be read, they stay.

    Args:
        target: The index.
        pool: What reads.
        found: The files.
        domain: What they are; found out for each when ``None``. What the user said of an older version comes first.
        name: What the folder is known by in place of its path, see :mod:`kure_rag.ingest.places`.
    """
    ids = [bytes_id(item) for item in found]
    follow(target.catalog, found, ids, name)
    known: dict[int, IngestRow] = {}
    read: list[int] = []

    def jobs() -> Iterator[PdfJob]:
        for i, item in enumerate(found):
            row = _without_reading(target, item, ids[i], name)
            if row is None:
                if not read:
                    target.warm_up()
                read.append(i)
                yield PdfJob(item.path, file_name(item.path), _said_domain(target, item, name) or domain)
            else:
                known[i] = row

    at = 0
    for done, (job, answer) in enumerate(pool.prepare(jobs())):
        for i in range(at, read[done]):
            yield known.pop(i)
        at = read[done] + 1
        if isinstance(answer, ReadError):
            yield IngestRow(source=job.name, status="rejected", reason=answer.reason)
        else:
            yield _store(target, answer, place_of(found[read[done]], name))
    for i in range(at, len(found)):
        yield known.pop(i)


def _without_reading(target: Target, item: Found, document_id: str, folder: str | None) -> IngestRow | None:
    """The row of a path that need not be read."""
    name = file_name(item.path)
    if item.error is not None:
        return IngestRow(source=name, status="rejected", reason=item.error.reason)
    if not document_id:
        return IngestRow(source=name, status="rejected", reason="cannot be opened; check the file and its rights")
    if target.catalog.has_document(document_id):
        _keep(target, document_id, place_of(item, folder), name)
        return IngestRow(source=name, status="unchanged", document_id=document_id)
    return None


def _said_domain(target: Target, item: Found, folder: str | None) -> Domain | None:
    """What the user said of the version before: it is shown of this one too, so this one is cut by it."""
    place = place_of(item, folder)
    said = target.catalog.said_at(place.key, place.path)
    return said.domain if said else None


def _keep(target: Target, document_id: str, place: Place, source: str) -> None:
    """A file of known bytes: an older version of it, with other bytes, leaves if it stands nowhere else."""
    target.catalog.settle_places([standing(place, document_id, source)])


def page_warnings(document: Document) -> tuple[str, ...]:
    """What may be missing from a document's text, such as ``p.3: no text layer``."""
    return tuple(f"p.{page.number}: {warning}" for page in document.pages for warning in page.warnings)


def _store(target: Target, prepared: Prepared, place: Place) -> IngestRow:
    document, items = prepared.document, prepared.chunks
    if target.catalog.has_document(document.id):  # the same bytes under another name, earlier in this run
        _keep(target, document.id, place, document.source)
        return IngestRow(source=document.source, status="unchanged", document_id=document.id)
    status: Status = "updated" if target.catalog.by_key(place.key, place.path) else "added"
    target.add([Ready(document, [item.chunk for item in items], [item.terms for item in items], place)])
    return IngestRow(
        source=document.source,
        status=status,
        document_id=document.id,
        pages=len(document.pages),
        chunks=len(items),
        warnings=page_warnings(document),
    )
