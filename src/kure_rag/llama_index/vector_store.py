"""Our index as a LlamaIndex vector store."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr, field_serializer, field_validator
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores import MetadataFilters, VectorStoreQuery, VectorStoreQueryResult
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from kure_rag.llama_index.convert import to_node as hit_to_node
from kure_rag.llama_index.endpoints import refuse_hidden, without_key
from kure_rag.llama_index.keywords import refuse_unknown
from kure_rag.llama_index.nodes import to_entry, to_node
from kure_rag.llama_index.vector_store_embedding import IndexEmbedding
from kure_rag.llama_index.vector_store_model import check_vectors, open_index
from kure_rag.llama_index.vector_store_query import asks_nothing, restricted, to_search
from kure_rag.pipeline import KureIndex
from kure_rag.pipeline.entries import ALL_ENTRIES, GROUP_FIELD
from kure_rag.pipeline.given import STORE_WAIT, refuse_text
from kure_rag.types import Hit


class KureVectorStore(BasePydanticVectorStore):
    """Nodes in an index, found by their embeddings, by their words, or by both.

    Ids, texts, metadata, relationships and offsets of nodes come back as they were. A node of the same id takes the
    place of the older one; both legs of a search, and a filter, see it at once and whole.

    **Embeddings** are those that LlamaIndex hands over, as they are. An index belongs to one model, and a vector does
    not say whose it is. So the store opens an index with ``Settings.embed_model``, or with what is given as
    ``embeddings``, and refuses one that another model made; and with the first nodes that it adds, it embeds the texts
    of three again and compares. What it cannot see is a question that another model embedded: give ``VectorStoreIndex``
    the model that you give the store, or the store's own ``embed_model``. Vectors of another length are always refused.

    An index that holds files too (:meth:`kure_rag.KureIndex.add_paths`) is searched as a whole; what adds, lists and
    removes here is about nodes only.

    Example:
        >>> from llama_index.core import StorageContext, VectorStoreIndex
        >>> from kure_rag.llama_index import KureVectorStore
        >>> store = KureVectorStore(path="my-index", embeddings="static-ko")  # doctest: +SKIP
        >>> context = StorageContext.from_defaults(vector_store=store)  # doctest: +SKIP
        >>> index = VectorStoreIndex.from_documents(documents, storage_context=context)  # doctest: +SKIP
        >>> engine = index.as_query_engine(vector_store_query_mode="hybrid")  # doctest: +SKIP

    Attributes:
        path: The index folder. With the next four it is all that ``to_dict()`` keeps: ``from_dict()`` opens the same
            folder again, an embedding object, which is not kept, being ``Settings.embed_model`` or the index's own. An
            endpoint that may hold a key is kept without it, and has to be given again.
        embeddings: The name or folder of the model that embeds the nodes.
        embed_settings: Keywords of ``KureEmbeddings`` beside a name, such as ``{"backend": "openvino"}``.
        verify_embeddings: Compare the first nodes' embeddings with what the model makes of their texts.
        wait: Seconds that adding and removing wait for another process that is writing. Several processes add in turn.
        stores_text: It does.
        is_embedding_query: Questions come embedded, but for the modes that go by words.
        flat_metadata: Metadata may be nested.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # an endpoint among the settings may hold a key

    path: str
    embeddings: str | None = None
    embed_settings: dict[str, Any] | None = Field(default=None, repr=False)  # an endpoint's address may hold a key
    verify_embeddings: bool = True
    wait: float = Field(default=STORE_WAIT, ge=0)
    stores_text: bool = True
    is_embedding_query: bool = True
    flat_metadata: bool = False

    _index: KureIndex = PrivateAttr()
    _owned: bool = PrivateAttr(default=True)
    _unverified: bool = PrivateAttr(default=True)
    _guard: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @field_validator("path", mode="before")
    @classmethod
    def _path_as_text(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path  # JSON knows no paths

    @field_serializer("embed_settings")
    def _settings_without_key(self, settings: dict[str, Any] | None) -> dict[str, Any] | None:
        return settings and {name: without_key(one) if name == "endpoint" else one for name, one in settings.items()}

    def __init__(
        self,
        index: KureIndex | None = None,
        *,
        path: str | Path | None = None,
        embeddings: object = None,
        embed_settings: Mapping[str, Any] | None = None,
        verify_embeddings: bool = True,
        wait: float = STORE_WAIT,
        create: bool = True,
        **fields: Any,
    ) -> None:
        """Opens an index folder, or makes one, or takes an index that is open.

        Args:
            index: An open index, which the store leaves open; in place of the three below.
            path: The index folder.
            embeddings: What makes the nodes' embeddings, as :meth:`kure_rag.KureIndex.open` takes it: a name, a folder,
                or an object such as ``KureEmbedding``. By default ``Settings.embed_model`` where one was set, otherwise
                the model that the index was made with.
            embed_settings: As :meth:`kure_rag.KureIndex.open` takes them.
            verify_embeddings: See above.
            wait: See above.
            create: Make an index where there is none.
            **fields: What ``to_dict()`` gives beside these.

        Raises:
            ValueError: Neither or both of ``index`` and ``path``; or a new index, and nobody said which model.
            IndexNotFoundError: There is none, and ``create`` is false.
            FingerprintMismatchError: The index was made with another model.
            TypeError: A keyword that there is none of.
        """
        refuse_unknown(type(self), fields)
        if (index is None) == (path is None):
            raise ValueError("give an open index, or the path of one: one of the two")
        if index is not None and (embeddings is not None or embed_settings):
            raise ValueError("an open index has its model already; leave embeddings and embed_settings out")
        refuse_hidden((embed_settings or {}).get("endpoint"), advice='from_dict(..., embed_settings={"endpoint": "…"})')
        fields |= {
            "path": str(index.path) if index is not None else path,
            "embeddings": embeddings if isinstance(embeddings, str) else None,
            "embed_settings": None if embed_settings is None else dict(embed_settings),
            "verify_embeddings": verify_embeddings,
            "wait": wait,
        }
        super().__init__(**fields)
        self._owned = index is None
        self._index = open_index(self.path, embeddings, embed_settings, create=create) if index is None else index

    @classmethod
    def from_path(cls, path: str | Path, **settings: Any) -> Self:
        """``KureVectorStore(path=path, ...)``, as the retriever has it; but an index must be there.

        Raises:
            IndexNotFoundError: There is none.
        """
        return cls(path=path, **{"create": False, **settings})

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it in serialised form."""
        return "KureVectorStore"

    @property
    def client(self) -> KureIndex:
        """The index."""
        return self._index

    @property
    def embed_model(self) -> BaseEmbedding:
        """The index's own model, for questions and for new nodes.

        ``VectorStoreIndex.from_vector_store(store, embed_model=store.embed_model)`` embeds as the index was made.
        """
        return IndexEmbedding(self._index.embedder)

    # Nodes in and out

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Adds nodes, or replaces those of the same ids: all of them or none.

        Args:
            nodes: With their embeddings. Of one id the last counts.
            **add_kwargs: None that this store knows; LlamaIndex hands through what its indices were given.

        Returns:
            Their ids, in the order given.

        Raises:
            EntryError: A node that cannot be stored: an empty text, metadata that are no JSON values, an embedding of
                another length. Names it. It is a ``ValueError`` too.
            ValueError: A node without an embedding.
            FingerprintMismatchError: The embeddings are another model's.
            IndexLockedError: Another process was writing as long as the store waits.
        """
        refuse_text("nodes", nodes)
        if not nodes:
            return []
        entries = [to_entry(node) for node in nodes]
        self._verify(nodes)
        return self._index.put(entries, wait=self.wait)

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """:meth:`add` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Nodes by their ids, by a filter, or by both; all where neither is given.

        Args:
            node_ids: Which, and in which order; those that are not there are left out.
            filters: LlamaIndex's.

        Returns:
            The nodes, without embeddings; without ids in the order in which they were added.

        Raises:
            FilterError: A filter's value cannot be compared with.
        """
        refuse_text("node_ids", node_ids)
        if filters is None:
            ids = self._index.entry_ids() if node_ids is None else node_ids
        else:
            ids = self._index.entry_ids(where=restricted(filters))
            if node_ids is not None:
                there = set(ids)
                ids = [id_ for id_ in node_ids if id_ in there]
        return [to_node(entry) for entry in self._index.entries(ids)]

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """:meth:`get_nodes` in a thread, so that an event loop goes on."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Removes all nodes of a document, in both legs at once; an unknown one has none.

        Args:
            ref_doc_id: The document's id, or that of a node that was cut from none.
            **delete_kwargs: None that this store knows.

        Raises:
            IndexLockedError: Another process was writing as long as the store waits.
        """
        where = {GROUP_FIELD: ref_doc_id}
        # An older index may hold nodes with metadata of that name, which a filter would take for their document.
        there = self._index.entries(self._index.entry_ids(where=where))
        self._index.delete_entries([one.id for one in there if one.group == ref_doc_id], where=where, wait=self.wait)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """:meth:`delete` in a thread, so that an event loop goes on."""
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Removes nodes by their ids, by a filter, or by what both name; unknown ids are passed over.

        Args:
            node_ids: Which.
            filters: LlamaIndex's.
            **delete_kwargs: None that this store knows.

        Raises:
            ValueError: Neither was given, which would remove everything: :meth:`clear` does.
            IndexLockedError: Another process was writing as long as the store waits.
        """
        refuse_text("node_ids", node_ids)
        if node_ids is None and filters is None:
            raise ValueError("say which nodes: by node_ids, or by filters; clear() removes all")
        where = restricted(filters)
        if node_ids is None and where is None:
            raise ValueError("these filters hold for everything; clear() removes all")
        self._index.delete_entries(node_ids, where=where, wait=self.wait)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """:meth:`delete_nodes` in a thread, so that an event loop goes on."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    def clear(self) -> None:
        """Removes all nodes. Documents that were added as files stay."""
        self._index.delete_entries(where=ALL_ENTRIES, wait=self.wait)

    async def aclear(self) -> None:
        """:meth:`clear` in a thread, so that an event loop goes on."""
        await asyncio.to_thread(self.clear)

    # Searching

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes that answer a query, best first.

        ======================  ========================================================================================
        ``default``             the ``similarity_top_k`` nearest to ``query_embedding``; the similarity is the cosine
        ``sparse``              the first ``sparse_top_k`` (or ``similarity_top_k``) by the words of ``query_str``
        ``text_search``         likewise, ``similarity_top_k`` of them
        ``hybrid``              both legs fused, the first ``hybrid_top_k`` (or ``similarity_top_k``). ``alpha`` is the
                                weight of the embeddings, from 0 to 1, by default that of the model's card. With
                                ``sparse_top_k``, the keyword leg names so many; with ``hybrid_top_k``, the other leg
                                names ``similarity_top_k``. Otherwise a hundred of each are looked at, at the least
        ``mmr``                 as ``default``, with less of the same; the similarity stays the cosine
        ======================  ========================================================================================

        A ``default`` query that asks nothing, with neither embedding nor words, gives the first ``similarity_top_k``
        nodes for which its filters hold, in the order in which they were added, without similarities.

        Args:
            query: Filters with all operators and conditions, ``node_ids`` and ``doc_ids`` hold in every mode, before
                anything is ranked. An empty list of ids restricts nothing, as ``VectorStoreIndex`` means it. (That one
                names its ``IndexNode`` and ``ImageNode`` objects there, where it was built with some among others: a
                ``VectorIndexRetriever(index)`` made by itself searches all.)
            **kwargs: Keywords of :meth:`kure_rag.KureIndex.search`, such as ``where``, ``rerank`` or ``fold``; for
                ``mmr`` also ``mmr_threshold`` (1 ranks by likeness to the question alone; 0.5 by default),
                ``mmr_prefetch_factor`` (4 by default) or ``mmr_prefetch_k``.

        Raises:
            ValueError: A mode that there is none of here, or both ``mmr_prefetch_factor`` and ``mmr_prefetch_k``.
            SearchError: The query lacks what its mode needs, has an embedding of another length, or a value makes no
                sense.
            FilterError: A filter's value cannot be compared with.
        """
        if asks_nothing(query):
            return self._first(query, **kwargs)
        search = to_search(query, kwargs, dense_weight=self._index.embedder.dense_weight)
        return _result(self._index.search(search.text, vector=search.vector, options=search.options))

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """:meth:`query` in a thread, so that an event loop goes on; cancelling it ends the search."""
        if asks_nothing(query):
            return await asyncio.to_thread(self._first, query, **kwargs)
        search = to_search(query, kwargs, dense_weight=self._index.embedder.dense_weight)
        return _result(await self._index.asearch(search.text, vector=search.vector, options=search.options))

    def _first(self, query: VectorStoreQuery, *, where: Mapping[str, Any] | None = None) -> VectorStoreQueryResult:
        where = restricted(query.filters, query.node_ids or None, query.doc_ids or None, where)
        ids = self._index.entry_ids(where=where)[: query.similarity_top_k]
        nodes = [to_node(entry) for entry in self._index.entries(ids)]
        return VectorStoreQueryResult(nodes=nodes, ids=[node.node_id for node in nodes])

    # The store itself

    def close(self) -> None:
        """Lets go of the index's files and threads, unless the index was given open."""
        if self._owned:
            self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _verify(self, nodes: Sequence[BaseNode]) -> None:
        with self._guard:
            if self.verify_embeddings and self._unverified:
                check_vectors(self._index, nodes)
                self._unverified = False


def _result(hits: Sequence[Hit]) -> VectorStoreQueryResult:
    nodes = [hit_to_node(hit).node for hit in hits]
    return VectorStoreQueryResult(
        nodes=nodes, similarities=[hit.score for hit in hits], ids=[node.node_id for node in nodes]
    )
