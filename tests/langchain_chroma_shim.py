"""A pytest plugin that puts our store in the place of langchain-chroma's ``Chroma``, for langchain-chroma's own tests.

Only the way to make a store, and Chroma's names for what ours calls otherwise, are translated here. What is searched,
added, read or deleted goes to :class:`kure_rag.langchain.KureVectorStore` as it is. What our store has no counterpart
for, such as ``get`` or ``similarity_search_with_vectors``, is not made up: those tests fail, and
docs/langchain-chroma-cases.md says why. ``tests/langchain_chroma_suite.py`` runs them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import chromadb
import langchain_chroma
import langchain_chroma.vectorstores
from chromadb.api.rust import RustBindingsAPI
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from pydantic import PrivateAttr

from kure_rag.langchain import KureVectorStore

MODE = os.environ.get("KURE_MODE", "hybrid")


class Server:
    """What a test stops so that it can remove the folder: our store is closed then."""

    __class__ = property(lambda self: RustBindingsAPI)  # type: ignore[assignment]  # for isinstance

    def __init__(self, store: KureVectorStore) -> None:
        self._store = store

    def stop(self) -> None:
        """See the class."""
        self._store.close()


class Client:
    """Knows one collection, which is there until it is deleted."""

    __class__ = property(lambda self: chromadb.ClientCreator)  # type: ignore[assignment]  # for isinstance

    def __init__(self, store: Store) -> None:
        self._store, self._server = store, Server(store)

    def get_collection(self, name: str) -> Collection:
        """The collection, or Chroma's error."""
        if self._store._deleted:
            raise ValueError(f"Collection {name} does not exist")
        return self._store._collection


class Collection:
    """What the tests ask of a collection directly."""

    def __init__(self, store: Store) -> None:
        self._store, self.name = store, store.collection_name

    def count(self) -> int:
        """The number of documents."""
        return len(self._store.index.entry_ids())

    def peek(self) -> dict[str, Any]:
        """Ids and vectors."""
        entries = self._store.index.entries(self._store.index.entry_ids(), vectors=True)
        return {"ids": [entry.id for entry in entries], "embeddings": [entry.vector for entry in entries]}


class Store(KureVectorStore):
    """Our store, with Chroma's names for what it can do."""

    _name: str = PrivateAttr(default="langchain")
    _deleted: bool = PrivateAttr(default=False)

    @property
    def collection_name(self) -> str:
        """What the test called it; our store is its folder and has no other name."""
        return self._name

    @property
    def _collection(self) -> Collection:
        return Collection(self)

    @property
    def _chroma_collection(self) -> Collection:
        return self._collection

    @property
    def _client(self) -> Client:
        return Client(self)

    def delete_collection(self) -> None:
        """Empties and closes it."""
        self.delete()
        self.close()
        self._deleted = True

    def reset_collection(self) -> None:
        """Empties it."""
        self.delete()

    def update_document(self, document_id: str, document: Document) -> None:
        """Puts it again."""
        self.add_documents([document], ids=[document_id])

    def similarity_search_by_vector_with_relevance_scores(
        self, embedding: list[float], k: int = 4, **given: Any
    ) -> list[tuple[Document, float]]:
        """Another name."""
        return self.similarity_search_with_score_by_vector(embedding, k, **given)


class Chroma:
    """Chroma's three ways to make a store. What only Chroma's client or server understands is left out."""

    def __new__(  # type: ignore[misc]
        cls,
        collection_name: str = "langchain",
        embedding_function: Embeddings | None = None,
        persist_directory: str | None = None,
        **_: Any,
    ) -> Store:
        return cls.from_texts([], embedding_function, None, None, collection_name, persist_directory)

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Sequence[dict[str, Any]] | None = None,
        ids: Sequence[str] | None = None,
        collection_name: str = "langchain",
        persist_directory: str | None = None,
        **_: Any,
    ) -> Store:
        """An index in ``persist_directory``, or in a temporary folder as Chroma is in memory."""
        model = embedding or DeterministicFakeEmbedding(size=10)  # Chroma's own would be downloaded
        store = Store.from_texts(texts, model, metadatas, ids=ids, path=persist_directory, mode=MODE)
        store._name = collection_name
        return store

    @classmethod
    def from_documents(
        cls,
        documents: Sequence[Document],
        embedding: Embeddings | None = None,
        ids: Sequence[str] | None = None,
        collection_name: str = "langchain",
        persist_directory: str | None = None,
        **_: Any,
    ) -> Store:
        """The same; the documents' own ids count where no others are given."""
        store = cls.from_texts([], embedding, None, None, collection_name, persist_directory)
        store.add_documents(documents, ids=ids)
        return store


langchain_chroma.Chroma = langchain_chroma.vectorstores.Chroma = Chroma  # type: ignore[assignment, misc]
