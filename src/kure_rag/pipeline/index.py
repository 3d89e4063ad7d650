"""The object a user holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from kure_rag.chunk import ChunkSettings
from kure_rag.embed import Embedder, EmbedderLike
from kure_rag.embed.recorded import Remembered, embedder_for
from kure_rag.errors import IndexNotFoundError
from kure_rag.index import IndexStore
from kure_rag.index.backup import restore
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.store import Progress
from kure_rag.index.take_over import take_over
from kure_rag.pipeline.adding import Adding
from kure_rag.pipeline.keeping import Keeping
from kure_rag.pipeline.parts import Progress as AddingProgress
from kure_rag.pipeline.parts import RowListener, SynonymGroups, fingerprint_of, synonyms_of
from kure_rag.search import Searcher, SearchKeywords, SearchOptions
from kure_rag.tokenize import KiwiTokenizer, Synonyms
from kure_rag.tokenize.user_dictionary import Dictionary
from kure_rag.types import Domain, Hit


class KureIndex(Adding, Keeping):
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

    def __init__(
        self,
        path: Path,
        store: IndexStore,
        embedder: EmbedderLike,
        chunks: ChunkSettings,
        tokenizer: KiwiTokenizer | None = None,
        synonyms: Synonyms | None = None,
    ) -> None:
        super().__init__(path, store, embedder, chunks, tokenizer)
        self._searcher = Searcher(store, self._tokenizer, embedder, synonyms)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        embeddings: object = None,
        embed_settings: Mapping[str, Any] | None = None,
        chunks: ChunkSettings | None = None,
        chroma: DenseSettings | None = None,
        user_dictionary: Dictionary | None = None,
        synonyms: Synonyms | SynonymGroups | None = None,
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
            chroma: Where Chroma keeps the vectors: a server, a collection of another name, with texts. By default as
                the index was made; token and headers of a server are never stored and have to be given each time.
            user_dictionary: Terms of your domain that the analyser is to keep whole: a file or a list, see
                :mod:`kure_rag.tokenize.user_dictionary`. The index keeps them with its first documents; from then on
                it need not be given again, and another one is an error.
            synonyms: What else words of a question may mean: a file or groups of words, see
                :mod:`kure_rag.tokenize.synonyms`. Nothing of it is stored.
            create: Make a new index where there is none.

        Raises:
            IndexNotFoundError: There is none, and ``create`` is false.
            IndexPathError: The folder cannot be made or written.
            FingerprintMismatchError: The index was made with another model or other settings.
            UnknownModelError: ``embeddings`` names no model.
            ConfigError: A line of the dictionary or of the synonyms makes no sense.
            ValueError: ``embed_settings`` beside an object, or with a value that makes no sense.
        """
        folder = Path(path).expanduser()
        given = None if user_dictionary is None else KiwiTokenizer(user_dictionary)
        try:
            store = IndexStore(folder, create=False, dense=chroma)
        except IndexNotFoundError:
            if not create:
                raise
            embedder = embedder_for(folder, embeddings, embed_settings, Remembered())  # no folder for a wrong name
            tokenizer = given or KiwiTokenizer()
            found = synonyms_of(synonyms, tokenizer)
            store = IndexStore(folder, create=True, dense=chroma)
            return cls(folder, store, embedder, chunks or ChunkSettings(), tokenizer, found)
        try:
            chunks = chunks or ChunkSettings(**(store.catalog.get("chunks") or {}))
            remembered = Remembered(
                fingerprint=store.catalog.get("fingerprint"),
                engine=store.catalog.get("engine"),
                dense_weight=store.catalog.get("dense_weight"),
            )
            embedder = embedder_for(folder, embeddings, embed_settings, remembered)
            tokenizer = given or KiwiTokenizer(store.catalog.get("user_words") or ())
            if remembered.fingerprint:
                # A server that the index itself names is asked what it runs when it is used, not to open the index.
                as_remembered = embeddings is None and not embed_settings and _is_remote(embedder)
                own = remembered.model if as_remembered else embedder.fingerprint
                store.check_fingerprint(fingerprint_of(own, chunks, tokenizer))
            found = synonyms_of(synonyms, tokenizer)
        except BaseException:
            store.close()
            raise
        return cls(folder, store, embedder, chunks, tokenizer, found)

    @classmethod
    def from_chroma(
        cls,
        collection: object,
        path: str | Path,
        *,
        embeddings: object,
        verify_embeddings: bool = True,
        domain: Domain | None = None,
        progress: AddingProgress | None = None,
        on_row: RowListener | None = None,
        **opening: Any,
    ) -> Self:
        """Takes over a Chroma collection that LangChain, LlamaIndex or anybody else made.

        Its texts, metadata and vectors become an index with a catalog and a keyword view; the collection is only read.
        Run again, it adds what was added to the collection since.

        Args:
            collection: A Chroma collection, a client that has just one, or a LangChain or LlamaIndex store around one.
            path: The index folder.
            embeddings: What made the vectors, as for :meth:`open`.
            verify_embeddings: Embed a few texts again and compare.
            domain: What the documents are; by default what their metadata says, or ``general``.
            progress: Called with rows done, rows in all, and the source of the last.
            on_row: Called with each document's row once it is stored, and with entries that cannot be taken.
            **opening: As for :meth:`open`.

        Raises:
            FingerprintMismatchError: The vectors were not made by ``embeddings``.
        """
        index = cls.open(path, embeddings=embeddings, **opening)
        try:
            found = take_over(
                collection,
                embeddings=index.embedder,
                tokenizer=index._tokenizer,
                verify_embeddings=verify_embeddings,
                domain=domain,
                progress=progress,
            )
            index._take(found, on_row)
        except BaseException:
            index.close()
            raise
        return index

    @classmethod
    def restore(cls, file: str | Path, path: str | Path, *, progress: Progress | None = None, **opening: Any) -> Self:
        """Makes an index from a backup. Nothing is read, analysed or embedded again.

        Args:
            file: Made by :meth:`backup`.
            path: A folder without an index.
            progress: Called with a label, chunks done and chunks in all.
            **opening: As for :meth:`open`.

        Raises:
            IndexPathError: There is an index in that folder.
            IndexCorruptError: The file is no backup, or a damaged one.
        """
        folder = Path(path).expanduser()
        restore(Path(file).expanduser(), folder)
        index = cls.open(folder, create=False, **opening)
        for view in sorted(index._store.catalog.state().stale):  # what opening it has not made already
            index.rebuild(view, progress=progress)
        return index

    def search(self, query: str, *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]) -> list[Hit]:
        """The best passages for a query, best first.

        Args:
            query: In any language; Korean is what the keyword leg analyses.
            options: How to search.
            **given: Options in place of those, such as ``k=3``, ``mode="lexical"``, ``where={"domain": "legal"}``,
                ``rerank="dragonkue/bge-reranker-v2-m3-ko"``, ``score_threshold=0.5``, ``expand="section"`` or
                ``highlight=True``; :class:`~kure_rag.search.SearchOptions` has them all.

        Raises:
            SearchError: An empty query, or an option that makes no sense.
            FilterError: ``where`` breaks its grammar.
        """
        return self._searcher.search(query, options=options, **given)

    def search_batch(
        self, queries: Sequence[str], *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[list[Hit]]:
        """:meth:`search` for many queries at once, analysed and embedded together; one list a query."""
        return self._searcher.search_batch(queries, options=options, **given)

    async def asearch(
        self, query: str, *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[Hit]:
        """:meth:`search` in a thread, so that an event loop goes on; cancelling it ends the search."""
        return await self._searcher.asearch(query, options=options, **given)

    async def asearch_batch(
        self, queries: Sequence[str], *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[list[Hit]]:
        """:meth:`search_batch` in a thread, so that an event loop goes on."""
        return await self._searcher.asearch_batch(queries, options=options, **given)

    def close(self) -> None:
        """Lets go of all files and threads."""
        self._searcher.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_remote(embedder: EmbedderLike) -> bool:
    return isinstance(embedder, Embedder) and embedder.settings.backend == "remote"
