"""The object a user holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, Unpack

import numpy as np
import numpy.typing as npt

from kure_rag.chunk import ChunkSettings
from kure_rag.config import Config, read_config
from kure_rag.embed import EmbedderLike
from kure_rag.errors import FingerprintMismatchError, IndexNotFoundError
from kure_rag.index import IndexStore
from kure_rag.index.backup import restore
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.store import Progress
from kure_rag.index.take_over import find_collection, take_over
from kure_rag.index.unopened import kept_settings
from kure_rag.pipeline.entries import Entries
from kure_rag.pipeline.keeping import Keeping
from kure_rag.pipeline.maintenance import Maintenance, maintain, reanalyse
from kure_rag.pipeline.opening import (
    Opening,
    Settled,
    holds_documents,
    leaving_nothing,
    make_terms_anew,
    settings_in,
    settle,
)
from kure_rag.pipeline.parts import Progress as AddingProgress
from kure_rag.pipeline.parts import RowListener, SynonymGroups, synonyms_of
from kure_rag.search import Pool, Searcher, SearchKeywords, SearchOptions
from kure_rag.tokenize import KiwiTokenizer, Synonyms
from kure_rag.tokenize.user_dictionary import Dictionary
from kure_rag.types import Domain, Hit

_ANOTHER_CHUNKING: Final = (
    "Its config asks for another chunking: ingest the documents into a new folder with it (`kure-rag ingest DOCUMENTS "
    "--index NEW --config FILE`), or remove `chunk:` from the file to search this index as it is cut."
)


class KureIndex(Entries, Keeping):
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
        opened_with: What :meth:`open` was given, for those who open it again.
    """

    def __init__(
        self,
        path: Path,
        store: IndexStore,
        embedder: EmbedderLike,
        chunks: ChunkSettings,
        tokenizer: KiwiTokenizer | None = None,
        synonyms: Synonyms | None = None,
        search: SearchOptions | None = None,
        opened_with: Opening | None = None,
    ) -> None:
        super().__init__(path, store, embedder, chunks, tokenizer)
        self.opened_with = opened_with
        self._searcher = Searcher(store, self._tokenizer, embedder, synonyms, search)

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
        config: str | Path | Config | None = None,
        create: bool = True,
        reanalyse: bool = False,
        progress: Progress | None = None,
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
            config: A ``kure-rag.yaml``, as ``kure-rag tune`` writes it, see :mod:`kure_rag.config`: how documents are
                cut where ``chunks`` is left out, and how every search is done that does not say otherwise. Nothing of
                it is stored.
            create: Make a new index where there is none.
            reanalyse: Where the index was made with another analyser or user dictionary, and with nothing else that
                differs, make its terms anew; see :meth:`reanalyse`.
            progress: Called with a label, chunks done and chunks in all when a torn or lost view is rebuilt from the
                catalog, now or later, and while terms are made anew.

        Raises:
            IndexNotFoundError: There is none, and ``create`` is false.
            IndexPathError: The folder cannot be made or written.
            FingerprintMismatchError: The index was made with another model or other settings. It is as it was.
            UnknownModelError: ``embeddings`` names no model.
            ConfigError: A line of the dictionary, of the synonyms or of ``config`` makes no sense.
            MissingExtraError: ``config`` is a file, and the extra ``autorag`` is not installed.
            ValueError: ``embed_settings`` beside an object, or with a value that makes no sense.
        """
        folder = Path(path).expanduser()
        given = None if user_dictionary is None else KiwiTokenizer(user_dictionary)
        said = config if isinstance(config, Config) else Config() if config is None else read_config(config)
        chunks = chunks or said.chunks

        opening = Opening(
            embeddings=embeddings,
            embed_settings=embed_settings,
            synonyms=synonyms,
            config=config,
            secrets=chroma is not None and bool(chroma.token or chroma.headers),
        )

        def settled(kept: Mapping[str, Any]) -> Settled:
            found = settle(
                folder, kept, embeddings=embeddings, embed_settings=embed_settings, chunks=chunks, tokenizer=given
            )
            asked_by_config = said.chunks is not None and chunks is said.chunks
            return replace(found, advice=_ANOTHER_CHUNKING) if asked_by_config and _is_cut_otherwise(found) else found

        made, unopened = None, kept_settings(folder)
        if unopened is not None:  # refused before it is opened, which may change its format
            made = settled(unopened.values)
            made.check(folder, terms_may_differ=reanalyse)
        try:
            store = IndexStore(folder, create=False, dense=chroma, progress=progress)
        except IndexNotFoundError:
            if not create:
                raise
            made = settled({})  # no folder for a wrong name
            found = synonyms_of(synonyms, made.tokenizer)
            store = IndexStore(folder, create=True, dense=chroma, progress=progress)
            return cls(folder, store, made.embedder, made.chunks, made.tokenizer, found, said.search, opening)
        try:
            kept = settings_in(store.catalog)
            if made is None or kept != made.kept:  # another process may have written to it meanwhile
                made = settled(kept)
            if made.check(folder, terms_may_differ=reanalyse):
                with store.writing():
                    if (kept := settings_in(store.catalog)) != made.kept:  # or have made the terms
                        made = settled(kept)
                    if made.check(folder, terms_may_differ=True):
                        make_terms_anew(store, made.tokenizer, made.chunks, progress)
            if made.fingerprint is not None:
                store.check_fingerprint(made.fingerprint)
            found = synonyms_of(synonyms, made.tokenizer)
        except BaseException:
            store.close()
            raise
        return cls(folder, store, made.embedder, made.chunks, made.tokenizer, found, said.search, opening)

    @classmethod
    def maintain(
        cls, path: str | Path, *, chroma: DenseSettings | None = None, progress: Progress | None = None
    ) -> Maintenance:
        """Opens an index only to look after it: list, delete, verify, back up, rebuild, compact; not search or add.

        Its model need not be at hand, and what it was made with is not compared: a damaged index, or one of another
        version, can be looked at and copied. One whose format is older, and that this version could not search
        afterwards, is never changed: what would change it says so.

        Args:
            path: The index folder.
            chroma: As for :meth:`open`.
            progress: As for :meth:`open`.

        Raises:
            IndexNotFoundError: There is none.
        """
        return maintain(path, chroma, progress)

    @classmethod
    def reanalyse(
        cls,
        path: str | Path,
        *,
        user_dictionary: Dictionary | None = None,
        chroma: DenseSettings | None = None,
        progress: Progress | None = None,
    ) -> bool:
        """Makes the terms of an index anew, for another version of the analyser or another user dictionary.

        Nothing is read or embedded again. Searches go on meanwhile, with the old terms until all new ones are there;
        what was interrupted goes on where it was. An index without documents has nothing to analyse; it keeps a user
        dictionary for its first documents.

        Args:
            path: The index folder.
            user_dictionary: As for :meth:`open`; the index's own by default, an empty list for none.
            chroma: As for :meth:`open`.
            progress: Called with a label, chunks done and chunks in all.

        Returns:
            Whether anything was changed.

        Raises:
            IndexNotFoundError: There is none.
            IndexLockedError: Another process is writing.
            FingerprintMismatchError: Its documents were cut by another version, so new terms would not open it.
        """
        return reanalyse(path, user_dictionary, chroma, progress)

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
        Run again, it adds what was added to the collection since, and a document whose texts, metadata or vectors were
        changed takes the place of its older version; what left the collection stays.

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
            FingerprintMismatchError: The vectors were not made by ``embeddings``. A new index leaves nothing behind.
            KureIndexError: This is no collection.
        """
        chosen, folder = find_collection(collection), Path(path).expanduser()
        with leaving_nothing(folder, unless=lambda: holds_documents(folder)):
            index = cls.open(path, embeddings=embeddings, **opening)
            try:
                found = take_over(
                    chosen,
                    embeddings=index.embedder,
                    tokenizer=index._tokenizer,
                    verify_embeddings=verify_embeddings,
                    domain=domain,
                    progress=progress,
                )
                index._take(found, str(chosen.name), on_row)
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
            FingerprintMismatchError: It was made with another model or other settings. Nothing is left in the folder.
        """
        folder, backup = Path(path).expanduser(), Path(file).expanduser()
        restored = False
        with leaving_nothing(folder, unless=lambda: not restored):
            restore(backup, folder)
            restored = True  # what is there now is ours
            try:
                index = cls.open(folder, create=False, progress=progress, **opening)
            except FingerprintMismatchError as error:
                if error.differences.keys() != {"tokenizer"}:
                    raise
                advice = "Restore it with `kure-rag restore --terms` (reanalyse=True), which embeds nothing."
                raise FingerprintMismatchError(backup, error.differences, advice=advice) from error
        for view in sorted(index._store.catalog.state().stale):  # what opening it has not made already
            index.rebuild(view, progress=progress)
        return index

    @property
    def search_options(self) -> SearchOptions:
        """How a search is done that does not say otherwise: by ``config``, or the defaults."""
        return self._searcher.options

    @property
    def chunk_settings(self) -> ChunkSettings:
        """How documents are cut."""
        return self._chunks

    def search(
        self,
        query: str,
        *,
        options: SearchOptions | None = None,
        vector: npt.ArrayLike | None = None,
        **given: Unpack[SearchKeywords],
    ) -> list[Hit]:
        """The best passages for a query, best first.

        Args:
            query: In any language; Korean is what the keyword leg analyses. It may be empty beside a vector where the
                mode is ``dense`` and neither a reranker nor a highlight needs its words.
            options: How to search; as the index was opened to, by default.
            vector: The query's vector, shape (dimension,), where it was made already, by the index's model; the query
                is not embedded then. With ``mode="dense"`` the ``k`` nearest passages are hits however far they are,
                also those of a cosine below zero, which a query in words does not find.
            **given: Options in place of those, such as ``k=3``, ``mode="lexical"``, ``where={"domain": "legal"}``,
                ``rerank="dragonkue/bge-reranker-v2-m3-ko"``, ``score_threshold=0.5``, ``expand="section"`` or
                ``highlight=True``; :class:`~kure_rag.search.SearchOptions` has them all.

        Raises:
            SearchError: An empty query, an option that makes no sense, or a vector of another dimension or beside an
                option that has no use for it (``mode="lexical"``, ``multi_query``, ``hyde``).
            FilterError: ``where`` breaks its grammar.
        """
        return self._searcher.search(query, options=options, vector=vector, **given)

    def search_batch(
        self, queries: Sequence[str], *, options: SearchOptions | None = None, **given: Unpack[SearchKeywords]
    ) -> list[list[Hit]]:
        """:meth:`search` for many queries at once, analysed and embedded together; one list a query."""
        return self._searcher.search_batch(queries, options=options, **given)

    def pools(
        self,
        queries: Sequence[str],
        *,
        options: SearchOptions | None = None,
        vectors: npt.NDArray[np.float32] | None = None,
    ) -> list[Pool]:
        """What both legs find for each query, to be ranked in many ways without searching again.

        Args:
            queries: As for :meth:`search_batch`.
            options: Of which the engines, the filter and the number of candidates count.
            vectors: The queries', shape (queries, dimension), where they were made already.
        """
        return self._searcher.pools(queries, options=options, vectors=vectors)

    async def asearch(
        self,
        query: str,
        *,
        options: SearchOptions | None = None,
        vector: npt.ArrayLike | None = None,
        **given: Unpack[SearchKeywords],
    ) -> list[Hit]:
        """:meth:`search` in a thread, so that an event loop goes on; cancelling it ends the search."""
        return await self._searcher.asearch(query, options=options, vector=vector, **given)

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


def _is_cut_otherwise(settled: Settled) -> bool:
    return settled.differences.keys() == {"chunker"}
