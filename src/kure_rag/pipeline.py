"""The rooms joined: the object a user holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, get_args

from kure_rag.chunk import ChunkSettings, chunker_fingerprint
from kure_rag.embed import Embedder, EmbedderLike
from kure_rag.embed.recorded import Remembered, embedder_for
from kure_rag.errors import IndexNotFoundError
from kure_rag.index import DocumentRow, IndexStore, Verification
from kure_rag.index.store import Progress as StoreProgress
from kure_rag.ingest import IngestReport, IngestRow, WorkerPool, ingest_files, ingest_records
from kure_rag.ingest.target import Target
from kure_rag.read import FileType, ReadLimits, ReadSettings, Record, find_files, read_corpus
from kure_rag.read.file_types import PDF_ONLY
from kure_rag.search import Fusion, Searcher
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import DOMAINS, Chunk, Document, Domain, Hit, Mode

_CATCH_UP: Final = 5_000  # chunks after which the views are brought up in the middle of a long ingest
Progress = Callable[[int, int | None, str], None]
RowListener = Callable[[IngestRow], None]


class KureIndex:
    """An index of Korean documents: add files, search, and get passages with their places.

    Make one with :meth:`open`. Threads may share it; it is a context manager that closes itself.

    Example:
        >>> from kure_rag import KureIndex
        >>> index = KureIndex.open("my-index", embeddings="static-ko")  # doctest: +SKIP
        >>> index.add_paths("documents/")  # doctest: +SKIP
        >>> index.search("연차휴가는 며칠인가요?", k=3)[0].citation()  # doctest: +SKIP
        '취업규정.pdf p.2 취업규정 > 제3장 휴가 > 제15조(연차휴가)'

    Attributes:
        path: The index folder.
        embedder: What makes its vectors.
    """

    def __init__(self, path: Path, store: IndexStore, embedder: EmbedderLike, chunks: ChunkSettings) -> None:
        self.path = path
        self.embedder = embedder
        self._store = store
        self._chunks = chunks
        self._searcher = Searcher(store, KiwiTokenizer(), embedder)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        embeddings: object = None,
        embed_settings: Mapping[str, Any] | None = None,
        chunks: ChunkSettings | None = None,
        create: bool = True,
    ) -> Self:
        """Opens an index folder, or makes one.

        Args:
            path: The index folder.
            embeddings: A model name (``"static-ko"``, ``"nlpai-lab/KURE-v1"``), the folder of a local model,
                ``KureEmbeddings(...)`` or any other LangChain or LlamaIndex embedding object. By default the model the
                index was made with, and ``nlpai-lab/KURE-v1`` for a new one.
            embed_settings: Keywords of ``KureEmbeddings``, such as ``{"backend": "openvino"}``, for a model that is
                given by its name or is the index's own. Backend, precision and endpoint are otherwise those the index
                was made with. Another engine of the same model may search an index: that is said where its vectors
                differ by more than rounding, which 8-bit weights and servers may do.
            chunks: How documents are cut; by default as the index was made.
            create: Make a new index where there is none.

        Raises:
            IndexNotFoundError: There is none, and ``create`` is false.
            IndexPathError: The folder cannot be made or written.
            FingerprintMismatchError: The index was made with another model or other settings.
            UnknownModelError: ``embeddings`` names no model.
            ValueError: ``embed_settings`` beside an object, or with a value that makes no sense.
        """
        folder = Path(path).expanduser()
        try:
            store = IndexStore(folder, create=False)
        except IndexNotFoundError:
            if not create:
                raise
            embedder = embedder_for(folder, embeddings, embed_settings, Remembered())  # no folder for a wrong name
            return cls(folder, IndexStore(folder, create=True), embedder, chunks or ChunkSettings())
        try:
            chunks = chunks or ChunkSettings(**(store.catalog.get("chunks") or {}))
            remembered = Remembered(
                fingerprint=store.catalog.get("fingerprint"),
                engine=store.catalog.get("engine"),
                dense_weight=store.catalog.get("dense_weight"),
            )
            embedder = embedder_for(folder, embeddings, embed_settings, remembered)
            if remembered.fingerprint:
                # A server that the index itself names is asked what it runs when it is used, not to open the index.
                as_remembered = embeddings is None and not embed_settings and _is_remote(embedder)
                own = remembered.model if as_remembered else embedder.fingerprint
                store.check_fingerprint(_fingerprint(own, chunks))
        except BaseException:
            store.close()
            raise
        return cls(folder, store, embedder, chunks)

    # Adding and removing

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
        index is left alone. Interrupting keeps what was acknowledged.

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
        if domain is not None and domain not in DOMAINS:
            raise ValueError(f"no domain named {domain!r}; choose one of {', '.join(get_args(Domain))}")
        found = list(find_files([paths] if isinstance(paths, str | Path) else paths, file_types))
        return self._ingest(
            lambda target, pool: ingest_files(target, pool, found, domain),
            WorkerPool(workers=workers, limits=limits, chunks=self._chunks, read=read),
            progress=None if progress is None else lambda done, name: progress(done, len(found), name),
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
        return self.add_records(read_corpus(Path(path)), workers=workers, progress=progress, on_row=on_row)

    def add_records(
        self,
        records: Iterable[Record],
        *,
        workers: int | None = None,
        progress: Progress | None = None,
        on_row: RowListener | None = None,
    ) -> IngestReport:
        """Adds ready passages. Each becomes one document with one chunk.

        Its ``source`` is the record's id, or the file that the record says it was cut from.

        Args:
            records: Streamed. One whose id, title and text are in the index is left alone.
            workers: Processes that analyse.
            progress: Called with records done, ``None``, and the id of the last.
            on_row: Called with each record's row as soon as it is stored for good.
        """
        return self._ingest(
            lambda target, pool: ingest_records(target, pool, records),
            WorkerPool(workers=workers, chunks=self._chunks),
            progress=None if progress is None else lambda done, name: progress(done, None, name),
            on_row=on_row,
        )

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

    def _claim(self) -> None:
        """A new index takes our settings for its own; an old one was made with the same.

        Done with the first vectors, not before: a model that never loaded must not keep another one out.
        """
        wanted = _fingerprint(self.embedder.fingerprint, self._chunks)
        if self._store.catalog.get("fingerprint") is None:
            self._store.catalog.set(
                fingerprint=wanted,
                engine=self.embedder.engine if isinstance(self.embedder, Embedder) else None,
                chunks=asdict(self._chunks),
                dense_weight=self.embedder.dense_weight,
            )
        else:
            self._store.check_fingerprint(wanted)

    def delete(self, document: str) -> int:
        """Removes documents by id or by source, whole.

        Args:
            document: A document id, or a file name (all documents of that name go).

        Returns:
            How many documents were removed.
        """
        with self._store.writing():
            found = self._store.catalog.find_documents(document)
            if found:
                self._store.catalog.delete(found)
        return len(found)

    # Searching

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        fusion: Fusion | None = None,
    ) -> list[Hit]:
        """The best passages for a query, best first; see :meth:`kure_rag.search.Searcher.search_batch`."""
        return self._searcher.search_batch([query], k=k, mode=mode, where=where, fusion=fusion)[0]

    def search_batch(
        self,
        queries: Sequence[str],
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        fusion: Fusion | None = None,
    ) -> list[list[Hit]]:
        """Many queries at once, analysed and embedded together."""
        return self._searcher.search_batch(queries, k=k, mode=mode, where=where, fusion=fusion)

    async def asearch(
        self,
        query: str,
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        fusion: Fusion | None = None,
    ) -> list[Hit]:
        """:meth:`search` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.search, query, k=k, mode=mode, where=where, fusion=fusion)

    # Looking after it

    def documents(self) -> list[DocumentRow]:
        """Every document, by source."""
        return list(self._store.catalog.documents())

    def document(self, document_id: str) -> Document | None:
        """A document with its whole text, by id."""
        return self._store.catalog.document(document_id)

    def chunks(self, document_id: str) -> list[Chunk]:
        """The chunks of a document in order; none for an unknown id."""
        return [stored.chunk for stored in self._store.catalog.chunks_of(document_id)]

    def info(self) -> dict[str, Any]:
        """Numbers and settings of the index, as JSON values."""
        documents, chunks = self._store.catalog.counts()
        state = self._store.catalog.state()
        sizes = {
            part: sum(file.stat().st_size for file in self.path.glob(pattern) if file.is_file())
            for part, pattern in (
                ("catalog", "catalog.sqlite3*"),
                ("lexical", "lexical*/**/*"),
                ("dense", "dense*/**/*"),
            )
        }
        return {
            "path": str(self.path),
            "documents": documents,
            "chunks": chunks,
            "generation": state.generation,
            "visible_generation": state.visible,
            "dimension": self._store.catalog.get("dimension"),
            "fingerprint": self._store.catalog.get("fingerprint")
            or _fingerprint(self.embedder.fingerprint, self._chunks),
            "engine": self._store.catalog.get("engine"),
            "bytes": sizes,
        }

    def verify(self) -> Verification:
        """Compares catalog and views, without changing anything; the vector view is looked into by a child process."""
        return self._store.verify()

    def rebuild(self, view: str | None = None, *, progress: StoreProgress | None = None) -> None:
        """Makes a view anew from the catalog, without analysing or embedding anything again.

        Args:
            view: ``"lexical"`` or ``"dense"``; both when ``None``.
            progress: Called with a label, chunks done and chunks in all.
        """
        for name in (view,) if view else ("lexical", "dense"):
            self._store.rebuild(name, progress)

    def close(self) -> None:
        """Lets go of all files."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_remote(embedder: EmbedderLike) -> bool:
    return isinstance(embedder, Embedder) and embedder.settings.backend == "remote"


def _fingerprint(model: Mapping[str, Any], chunks: ChunkSettings) -> dict[str, Any]:
    return {
        **model,
        "tokenizer": KiwiTokenizer().fingerprint,
        "chunker": chunker_fingerprint(chunks),
    }
