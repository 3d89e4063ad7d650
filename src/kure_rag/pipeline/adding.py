"""Adding to an index: files, folders, corpora, and folders that it mirrors."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Final

from kure_rag.embed import Embedder
from kure_rag.index.catalog import NewDocument
from kure_rag.index.take_over import RejectedRow
from kure_rag.ingest import IngestReport, IngestRow, WorkerPool, ingest_files, ingest_records
from kure_rag.ingest.collections import ingest_collection
from kure_rag.ingest.places import corpus_name
from kure_rag.ingest.sync import check_folder, planned, settle
from kure_rag.ingest.target import Target
from kure_rag.pipeline.parts import Parts, Progress, RowListener, check_domain, fingerprint_of
from kure_rag.read import FileType, ReadLimits, ReadSettings, Record, find_files, read_corpus
from kure_rag.read.file_types import PDF_ONLY
from kure_rag.types import Domain

_CATCH_UP: Final = 5_000  # chunks after which the views are brought up in the middle of a long ingest


class Adding(Parts):
    """What adds to an index."""

    def add_paths(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        file_types: Collection[FileType] = PDF_ONLY,
        domain: Domain | None = None,
        read: ReadSettings | None = None,
        limits: ReadLimits | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
        on_row: RowListener | None = None,
    ) -> IngestReport:
        """Adds PDF and text files, and all PDF files of folders.

        Each file is added whole or rejected with a reason; none stops those after it. A file whose bytes are in the
        index is left alone. One that was changed since takes the place of its older version, at once and whole; files
        of one name in two folders are two files. Interrupting keeps what was acknowledged.

        Args:
            paths: Files and folders; files that end in ``.txt`` or ``.md`` are read as text.
            file_types: What is taken from folders: ``pdf``, ``txt``, ``md``.
            domain: What the documents are; found out for each when ``None``.
            read: How files are read: tables, OCR.
            limits: What a file may cost.
            workers: Processes that read; by default one for each core, four at most.
            progress: Called with files done, files in all, and the name of the last.
            on_row: Called with each file's row as soon as the file is stored for good.

        Raises:
            IndexLockedError: Another process is writing.
            ModelNotAvailableError: The model's weights cannot be reached.
        """
        check_domain(domain)
        found = list(find_files([paths] if isinstance(paths, str | Path) else paths, file_types))
        return self._ingest(
            lambda target, pool: ingest_files(target, pool, found, domain),
            self._pool(workers=workers, limits=limits, read=read),
            progress=None if progress is None else lambda done, name: progress(done, len(found), name),
            on_row=on_row,
        )

    def sync(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        file_types: Collection[FileType] = PDF_ONLY,
        domain: Domain | None = None,
        read: ReadSettings | None = None,
        limits: ReadLimits | None = None,
        workers: int | None = None,
        allow_empty: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
        on_row: RowListener | None = None,
    ) -> IngestReport:
        """Makes the index hold what a folder holds: adds new files, updates changed ones, removes those that left.

        Documents of other folders stay, and a document of which copies lie in several folders stays until the last one
        leaves. What left a part of the folder leaves also where that part was synced by itself; the other way round,
        what was found through a larger folder only is removed by syncing that. A changed file that cannot be read keeps
        its older version, and as long as a part of the folder cannot be listed, nothing is removed.

        Args:
            folder: With all that is below it.
            name: What the folder is known by in place of its path: for one that lies elsewhere on another machine.
            file_types: What is taken: ``pdf``, ``txt``, ``md``. Documents of files of other types are removed.
            domain: What the documents are; found out for each when ``None``.
            read: How files are read: tables, OCR.
            limits: What a file may cost.
            workers: Processes that read.
            allow_empty: Remove all documents of a folder that holds no files any more.
            dry_run: Only say what would be done.
            progress: Called with files done, files in all, and the name of the last.
            on_row: Called with each row as soon as it holds for good.

        Raises:
            SourceNotFoundError: There is no such folder, or it is empty and ``allow_empty`` is false.
            IndexLockedError: Another process is writing.
        """
        check_domain(domain)
        place = Path(folder)
        found = list(find_files([place], file_types)) if place.is_dir() else []
        catalog = self._store.catalog
        check_folder(catalog, place, found, name, empty_ok=allow_empty)
        if dry_run:
            return IngestReport(rows=tuple(planned(catalog, place, found, name)), seconds=0.0)

        def rows_of(target: Target, pool: WorkerPool) -> Iterator[IngestRow]:
            yield from ingest_files(target, pool, found, domain, name)
            yield from settle(catalog, place, found, name)

        return self._ingest(
            rows_of,
            self._pool(workers=workers, limits=limits, read=read),
            progress=None if progress is None else lambda done, name: progress(min(done, len(found)), len(found), name),
            on_row=on_row,
        )

    def add_corpus(
        self,
        path: str | Path,
        *,
        workers: int | None = None,
        progress: Progress | None = None,
        on_row: RowListener | None = None,
    ) -> IngestReport:
        """Adds the records of a BEIR-style ``corpus.jsonl`` (or ``.jsonl.gz``), see :meth:`add_records`.

        Raises:
            CorpusFormatError: A line breaks the format; the records before it are in the index.
        """
        return self.add_records(
            read_corpus(Path(path)), corpus=corpus_name(Path(path)), workers=workers, progress=progress, on_row=on_row
        )

    def add_records(
        self,
        records: Iterable[Record],
        *,
        corpus: str = "",
        workers: int | None = None,
        progress: Progress | None = None,
        on_row: RowListener | None = None,
    ) -> IngestReport:
        """Adds ready passages. Each becomes one document with one chunk.

        Its ``source`` is the record's id, or the file that the record says it was cut from.

        Args:
            records: Streamed. One whose id, title and text are in the index is left alone.
            corpus: What the records are known by together. A record with the id of another one of the same corpus takes
                its place; without a name every record stands for itself.
            workers: Processes that analyse.
            progress: Called with records done, ``None``, and the id of the last.
            on_row: Called with each record's row as soon as it is stored for good.
        """
        return self._ingest(
            lambda target, pool: ingest_records(target, pool, records, corpus),
            self._pool(workers=workers),
            progress=None if progress is None else lambda done, name: progress(done, None, name),
            on_row=on_row,
        )

    def _pool(
        self, *, workers: int | None, limits: ReadLimits | None = None, read: ReadSettings | None = None
    ) -> WorkerPool:
        """Reading processes that cut and analyse as this index does."""
        words = self._tokenizer.user_words
        return WorkerPool(workers=workers, limits=limits, chunks=self._chunks, read=read, user_words=words)

    def _ingest(
        self,
        rows_of: Callable[[Target, WorkerPool], Iterator[IngestRow]],
        pool: WorkerPool,
        *,
        progress: Callable[[int, str], None] | None,
        on_row: RowListener | None,
    ) -> IngestReport:
        began = time.monotonic()
        rows: list[IngestRow] = []
        since = 0
        # The target is left last: reading processes and the lock are gone before it waits for a model still loading.
        with Target(self._store, self.embedder, self._claim) as target, pool, self._store.writing():
            if self._store.catalog.get("fingerprint") is not None:
                self._claim()  # another process may have made it its own since we opened it
            for row in rows_of(target, pool):
                rows.append(row)
                if on_row is not None:
                    on_row(row)
                if progress is not None:
                    progress(len(rows), row.source)
                since += row.chunks
                if since >= _CATCH_UP:
                    self._store.catch_up()
                    since = 0
        return IngestReport(rows=tuple(rows), seconds=time.monotonic() - began)

    def _take(self, found: Iterable[NewDocument | RejectedRow], name: str, on_row: RowListener | None) -> None:
        """Adds documents that have their vectors, from a collection."""
        with Target(self._store, self.embedder, self._claim) as target, self._store.writing():
            for row in ingest_collection(target, found, name):
                if on_row is not None:
                    on_row(row)

    def _claim(self) -> None:
        """A new index takes our settings for its own; an old one was made with the same.

        Done with the first vectors, not before: a model that never loaded must not keep another one out.
        """
        wanted = fingerprint_of(self.embedder.fingerprint, self._chunks, self._tokenizer)
        if self._store.catalog.get("fingerprint") is None:
            self._store.catalog.set(
                fingerprint=wanted,
                engine=self.embedder.engine if isinstance(self.embedder, Embedder) else None,
                chunks=asdict(self._chunks),
                dense_weight=self.embedder.dense_weight,
                user_words=[astuple(word) for word in self._tokenizer.user_words],
            )
        else:
            self._store.check_fingerprint(wanted)
