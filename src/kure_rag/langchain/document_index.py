"""Our index as a LangChain ``DocumentIndex``: a retriever that documents can be put into."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from langchain_core.documents import Document
from langchain_core.indexing import DocumentIndex, UpsertResponse
from langchain_core.indexing.base import DeleteResponse
from pydantic import Field

from kure_rag.langchain.convert import of_entry, to_entries
from kure_rag.langchain.retriever import KureRetriever
from kure_rag.pipeline import KureIndex
from kure_rag.pipeline.given import STORE_WAIT


class KureDocumentIndex(KureRetriever, DocumentIndex):
    """A :class:`~kure_rag.langchain.KureRetriever` with ``upsert``, ``get`` and ``delete``.

    ``get`` gives documents as they were put; what a search finds carries its citation and scores too, as all retrievers
    of ours do. Passages of files in the same index are found and can be read, and are neither replaced nor deleted.

    Example:
        >>> from kure_rag.langchain import KureDocumentIndex
        >>> documents = KureDocumentIndex.from_path("my-index")  # doctest: +SKIP
        >>> documents.upsert([Document(id="휴가-15", page_content="연차휴가는 15일로 한다.")])  # doctest: +SKIP
        >>> documents.invoke("연차휴가는 며칠인가요?")  # doctest: +SKIP

    Attributes:
        wait: Seconds that ``upsert`` and ``delete`` wait for another process that is writing.
    """

    wait: float = Field(default=STORE_WAIT, ge=0)

    @classmethod
    def from_path(
        cls,
        path: str | Path,
        *,
        embeddings: object = None,
        embed_settings: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Self:
        """Opens an index, or makes one where there is none; otherwise as :meth:`KureRetriever.from_path`."""
        KureIndex.open(path, embeddings=embeddings, embed_settings=embed_settings).close()
        return super().from_path(path, embeddings=embeddings, embed_settings=embed_settings, **fields)

    def upsert(self, items: Sequence[Document], /, **kwargs: Any) -> UpsertResponse:
        """Adds documents, or replaces those of the same ids: all or none, and searches see them all at once.

        Args:
            items: With ids of their own, or without: one is made then. They are not changed.
            **kwargs: Nothing is taken.

        Raises:
            EntryError: An empty text, or metadata that are no JSON values. Names the id; it is a ``ValueError`` too.
            MetadataError: Metadata with the index's own name ``entry_group``; it is a ``ValueError`` too.
            IndexLockedError: Another process was writing as long as this waits.
            TypeError: What is no document.
        """
        _refuse("upsert", kwargs)
        return UpsertResponse(succeeded=self.index.put(to_entries(items), wait=self.wait), failed=[])

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> DeleteResponse:
        """Removes documents that were put.

        Args:
            ids: Which; unknown ones are passed over.
            **kwargs: Nothing is taken.

        Raises:
            ValueError: No ids were given.
        """
        _refuse("delete", kwargs)
        if ids is None:
            raise ValueError("say which documents to delete, by their ids")
        before = {entry.id for entry in self.index.entries(ids)}
        count = self.index.delete_entries(ids, wait=self.wait)
        left = {entry.id for entry in self.index.entries(ids)}
        gone = [id_ for id_ in dict.fromkeys(ids) if id_ in before - left]
        return DeleteResponse(num_deleted=count, succeeded=gone, num_failed=0, failed=[])

    def get(self, ids: Sequence[str], /, **kwargs: Any) -> list[Document]:
        """Documents by their ids, in that order; those that are not there are left out."""
        _refuse("get", kwargs)
        return [of_entry(entry) for entry in self.index.entries(ids)]

    async def aupsert(self, items: Sequence[Document], /, **kwargs: Any) -> UpsertResponse:
        """:meth:`upsert` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.upsert, items, **kwargs)

    async def adelete(self, ids: list[str] | None = None, **kwargs: Any) -> DeleteResponse:
        """:meth:`delete` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.delete, ids, **kwargs)

    async def aget(self, ids: Sequence[str], /, **kwargs: Any) -> list[Document]:
        """:meth:`get` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.get, ids, **kwargs)


def _refuse(method: str, unknown: dict[str, Any]) -> None:
    if unknown:
        raise TypeError(f"{method} takes no keyword {', '.join(map(repr, unknown))}")
