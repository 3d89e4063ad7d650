"""Our index as a LangChain ``VectorStore``."""

from __future__ import annotations

import asyncio
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStoreRetriever
from pydantic import ConfigDict, Field, PrivateAttr, SkipValidation

from kure_rag.langchain.convert import of_entry, to_entries
from kure_rag.langchain.index_embeddings import IndexEmbeddings
from kure_rag.langchain.store_methods import StoreSearches
from kure_rag.langchain.store_retriever import KureVectorStoreRetriever
from kure_rag.langchain.store_search import StoreSearch, both_of
from kure_rag.langchain.written import NotWritableError, WrittenObject, opening_of, revived, to_open, written
from kure_rag.pipeline import Entry, KureIndex
from kure_rag.pipeline.entries import ALL_ENTRIES
from kure_rag.pipeline.given import STORE_WAIT, refuse_text
from kure_rag.search import SearchOptions
from kure_rag.types import Mode

Metadatas = Sequence[Mapping[str, Any] | None]
Ids = Sequence[str | None]


class KureVectorStore(StoreSearches, WrittenObject):
    """A vector store that also searches by Korean words.

    Documents are kept by their ids in an index folder: putting one again replaces it, one that did not change is left
    alone, and one of which only the metadata changed is not embedded again. What comes back is what was put. Files that
    were added to the same index are found too; their passages are neither replaced nor deleted here.

    All searches take ``filter`` (LangChain's grammar, or ours) and every keyword of :meth:`kure_rag.KureIndex.search`:
    ``store.similarity_search("연차휴가", k=3, mode="dense", filter={"source": "취업규정.pdf"})``. They give ``k``
    documents as long as the store has so many, as vector stores do.

    Scores are those of the search: higher is better, and they are comparable within one search only (with
    ``mode="dense"`` they are cosines). Relevance scores are from 0 to 1 and mean the same in every search, see
    :mod:`kure_rag.search.relevance`.

    LangChain's ``dumps`` writes the index's folder and model and all settings, and nothing of what it holds; what
    ``loads`` makes of that opens the index with its first use. A store in a temporary folder, or over a model object
    that LangChain cannot write, is not written.

    Example:
        >>> from kure_rag.langchain import KureVectorStore
        >>> store = KureVectorStore.from_path("my-index", embeddings="static-ko")  # doctest: +SKIP
        >>> store.add_documents(documents)  # doctest: +SKIP
        >>> store.similarity_search("연차휴가는 며칠인가요?", k=3)  # doctest: +SKIP

    Args:
        index: Where documents are kept; several stores may share it. Its owner closes it.
        mode: ``hybrid``, ``lexical`` or ``dense``, unless a search says otherwise; by default that of the options.
        options: All that a search can be told, by default as the index was opened (``config``); a filter of a call
            stands in the place of theirs.
        embedding: What the index was opened with, if that is a LangChain object, for :attr:`embeddings`.
        wait: Seconds that adding and deleting wait for another process that is writing. Several processes add in turn.
        **opening: In the place of an index, what ``dumps`` writes of it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: KureIndex = Field(exclude=True)
    wait: SkipValidation[float] = STORE_WAIT

    _search: StoreSearch = PrivateAttr()
    _embeddings: Embeddings = PrivateAttr()
    _temporary: bool = PrivateAttr(default=False)
    _finalizer: Any = PrivateAttr(default=None)

    def __init__(
        self,
        index: KureIndex | None = None,
        *,
        mode: Mode | None = None,
        options: SearchOptions | None = None,
        embedding: Embeddings | None = None,
        wait: float = STORE_WAIT,
        **opening: Any,
    ) -> None:
        model = opening.get("embeddings")
        found = to_open(opening) if index is None and "path" in opening else index
        _refuse(opening, "index, mode, options, embedding and wait")
        if found is None:
            raise TypeError("give an open index, KureVectorStore(index), or a folder, KureVectorStore.from_path(path)")
        fields: dict[str, Any] = {"index": found, "wait": wait}
        super().__init__(**fields)
        self._search = StoreSearch(found, mode, revived(options))
        own = model if isinstance(model, Embeddings) else None
        self._embeddings = embedding or own or IndexEmbeddings(found)
        if index is None:
            self._closing(found.close)

    def _keywords(self) -> dict[str, Any]:
        if self._temporary:
            raise NotWritableError("a temporary folder")
        said = {"mode": self._search.mode, "options": self._search.options}
        given = {name: written(value) for name, value in said.items() if value is not None}
        return {**opening_of(self.index), **given}

    @classmethod
    def from_path(
        cls,
        path: str | Path,
        *,
        embeddings: object = None,
        mode: Mode | None = None,
        options: SearchOptions | None = None,
        wait: float = STORE_WAIT,
        **opening: Any,
    ) -> Self:
        """Opens an index folder, or makes one; :meth:`close` closes it.

        Args:
            path: The index folder.
            embeddings: As :meth:`kure_rag.KureIndex.open` takes it; by default the model the index was made with.
            mode: See the class.
            options: Likewise.
            wait: Likewise.
            **opening: What else :meth:`kure_rag.KureIndex.open` takes.

        Raises:
            FingerprintMismatchError: The index was made with another model.
        """
        index = KureIndex.open(path, embeddings=embeddings, **opening)
        own = embeddings if isinstance(embeddings, Embeddings) else None
        return cls(index, mode=mode, options=options, embedding=own, wait=wait)._closing(index.close)

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: Metadatas | None = None,
        *,
        ids: Ids | None = None,
        path: str | Path | None = None,
        **opening: Any,
    ) -> Self:
        """A store with some texts.

        Args:
            texts: What to add.
            embedding: The model.
            metadatas: One for each text.
            ids: One for each text; made where there is none.
            path: The index folder, with what it holds already. Without one, a temporary folder is used, which is
                removed when the store is closed or is no longer used.
            **opening: As :meth:`from_path` takes it.
        """
        refuse_text("texts", texts)  # before a folder is made
        folder = None if path is not None else tempfile.TemporaryDirectory(prefix="kure-rag-")
        try:
            store = cls.from_path(Path(folder.name, "index") if folder else str(path), embeddings=embedding, **opening)
        except BaseException:
            if folder:
                folder.cleanup()
            raise
        if folder:
            store._closing(store.index.close, folder.cleanup)
            store._temporary = True
        try:
            store.add_texts(texts, metadatas, ids=ids)
        except BaseException:
            store.close()
            raise
        return store

    def _closing(self, *steps: Callable[[], object]) -> Self:
        """What closing does, and what is done when nobody uses the store any more."""
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _each, steps)
        return self

    def close(self) -> None:
        """Closes the index, if the store opened it."""
        if self._finalizer is not None:
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def embeddings(self) -> Embeddings:
        """The model."""
        return self._embeddings

    # Keeping

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Metadatas | None = None,
        *,
        ids: Ids | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Adds texts, or replaces those of the same ids; see :meth:`add_documents`.

        Args:
            texts: None of them empty.
            metadatas: One for each text, or ``None`` for one without.
            ids: One for each text; made where there is none.
            batch_size: See :meth:`add_documents`.
            **kwargs: Nothing else is taken.

        Returns:
            The ids in the order of the texts.

        Raises:
            ValueError: Other numbers of metadatas or ids than of texts, or what cannot be stored.
            TypeError: One text instead of a list.
        """
        refuse_text("texts", texts)
        return self.add_documents(_documents(list(texts), metadatas), ids=ids, batch_size=batch_size, **kwargs)

    def add_documents(
        self,
        documents: Iterable[Document],
        *,
        ids: Ids | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Adds documents, or replaces those of the same ids.

        All of a batch are added or none, and searches see them all at once.

        Args:
            documents: With ids of their own, or without: one is made then. They are not changed.
            ids: In the place of their own.
            batch_size: Documents of a batch; all are one by default.
            **kwargs: Nothing else is taken.

        Returns:
            The ids in the order of the documents.

        Raises:
            EntryError: An empty text, or metadata that are no JSON values. Names the id; it is a ``ValueError`` too.
            MetadataError: Metadata with the index's own name ``entry_group``; it is a ``ValueError`` too.
            IndexLockedError: Another process was writing as long as the store waits.
            TypeError: What is no document.
        """
        _refuse(kwargs, "documents, ids and batch_size")
        return self._put(to_entries(documents, ids), batch_size)

    def add_embeddings(
        self,
        text_embeddings: Iterable[tuple[str, Sequence[float]]],
        metadatas: Metadatas | None = None,
        *,
        ids: Ids | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """Adds texts of which the vectors were made already, by the index's model.

        Args:
            text_embeddings: Texts with their vectors, which are kept as they are.
            metadatas: See :meth:`add_texts`.
            ids: Likewise.
            batch_size: Likewise.
        """
        pairs = list(text_embeddings)
        entries = to_entries(_documents([text for text, _ in pairs], metadatas), ids)
        vectors = [np.asarray(vector, np.float32) for _, vector in pairs]
        both = zip(entries, vectors, strict=True)
        return self._put([replace(entry, vector=vector) for entry, vector in both], batch_size)

    def _put(self, entries: Sequence[Entry], batch_size: int | None) -> list[str]:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: give a number of at least 1, or none")
        step = batch_size or max(len(entries), 1)
        return [
            id_ for i in range(0, len(entries), step) for id_ in self.index.put(entries[i : i + step], wait=self.wait)
        ]

    def delete(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: Any = None,  # noqa: A002
        where: Any = None,
        **kwargs: Any,
    ) -> bool:
        """Removes documents. Passages of files stay.

        Args:
            ids: Which; unknown ones are passed over. Without ids and filter, all documents that were put.
            filter: Those for which it holds; beside ``ids`` both must hold.
            where: Another word for it.
            **kwargs: Nothing else is taken.

        Returns:
            ``True``.

        Raises:
            ValueError: No ids, and a filter that is empty: it may have lost what it was to say.
            FilterError: A filter breaks its grammar.
        """
        _refuse(kwargs, "ids, filter and where")
        everything = ids is None and filter is None and where is None
        wanted = both_of(filter, where)
        if ids is None and wanted is None and not everything:
            raise ValueError(
                "the filter is empty, which would remove everything: say what it is to hold for, or no filter"
            )
        self.index.delete_entries(ids, where=ALL_ENTRIES if everything else wanted, wait=self.wait)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Documents by their ids, in that order; those that are not there are left out."""
        return [of_entry(entry) for entry in self.index.entries(ids)]

    # The same in a thread, so that an event loop goes on

    async def aadd_texts(self, texts: Iterable[str], metadatas: Metadatas | None = None, **given: Any) -> list[str]:
        """See :meth:`add_texts`."""
        return await asyncio.to_thread(self.add_texts, texts, metadatas, **given)

    async def aadd_documents(self, documents: Iterable[Document], **given: Any) -> list[str]:
        """See :meth:`add_documents`."""
        return await asyncio.to_thread(self.add_documents, documents, **given)

    async def aadd_embeddings(self, text_embeddings: Iterable[tuple[str, Sequence[float]]], **given: Any) -> list[str]:
        """See :meth:`add_embeddings`."""
        return await asyncio.to_thread(self.add_embeddings, text_embeddings, **given)

    async def adelete(self, ids: Sequence[str] | None = None, **given: Any) -> bool:
        """See :meth:`delete`."""
        return await asyncio.to_thread(self.delete, ids, **given)

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """See :meth:`get_by_ids`."""
        return await asyncio.to_thread(self.get_by_ids, ids)

    @classmethod
    async def afrom_texts(
        cls, texts: Iterable[str], embedding: Embeddings, metadatas: Metadatas | None = None, **given: Any
    ) -> Self:
        """See :meth:`from_texts`."""
        return await asyncio.to_thread(cls.from_texts, texts, embedding, metadatas, **given)

    def as_retriever(self, **settings: Any) -> VectorStoreRetriever:
        """A retriever over this store, which tells LangSmith the model's name too.

        Args:
            **settings: ``search_type`` (``similarity``, ``mmr`` or ``similarity_score_threshold``) and
                ``search_kwargs``, which a search takes as keywords.
        """
        tags = settings.pop("tags", None) or self._get_retriever_tags()
        return KureVectorStoreRetriever(vectorstore=self, tags=tags, **settings)


def _documents(texts: Sequence[str], metadatas: Metadatas | None) -> list[Document]:
    if metadatas is not None and len(metadatas) != len(texts):
        raise ValueError(f"{len(metadatas)} metadatas for {len(texts)} texts: give one for each text, or none at all")
    said = [None] * len(texts) if metadatas is None else metadatas
    return [Document(page_content=text, metadata=dict(about or {})) for text, about in zip(texts, said, strict=True)]


def _refuse(unknown: Mapping[str, Any], known: str) -> None:
    if unknown:
        raise TypeError(f"a KureVectorStore takes no keyword {', '.join(map(repr, unknown))} here; it takes {known}")


def _each(steps: Sequence[Callable[[], object]]) -> None:
    for step in steps:
        step()
