"""Our index as a LlamaIndex ``BaseRetriever``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, Unpack

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters

from kure_rag.llama_index.convert import to_node
from kure_rag.llama_index.filters import to_where
from kure_rag.pipeline import KureIndex
from kure_rag.search import SearchKeywords, SearchOptions
from kure_rag.search.options import check_count, options_of


class KureRetriever(BaseRetriever):
    """Passages of an index, as nodes that carry their citation, place and scores.

    Only ``query_str`` of a query bundle is used: the keyword leg needs the words, and the index its own model's vector.

    Example:
        >>> from kure_rag import KureIndex
        >>> from kure_rag.llama_index import KureRetriever
        >>> retriever = KureRetriever(KureIndex.open("my-index"), similarity_top_k=5)  # doctest: +SKIP
        >>> retriever.retrieve("연차휴가는 며칠인가요?")[0].metadata["citation"]  # doctest: +SKIP
        '취업규정.pdf p.2 취업규정 > 제3장 휴가 > 제15조(연차휴가)'

    Args:
        index: Where to search.
        similarity_top_k: Nodes for each query, at most.
        filters: LlamaIndex's; only chunks for which they hold. Not beside ``where``, which takes a filter of ours.
        options: How to search otherwise; by default as the index was opened.
        callback_manager: LlamaIndex's.
        verbose: LlamaIndex's.
        **search: Any keyword of :meth:`kure_rag.KureIndex.search` but ``k``: ``mode``, ``where``, ``fusion``,
            ``score_threshold``, ``expand``, ``rerank``, and the others.

    Raises:
        ValueError: Both ``filters`` and ``where``.
        SearchError: A setting that makes no sense.
        TypeError: ``k``, or another keyword that a search does not take.
    """

    def __init__(
        self,
        index: KureIndex,
        *,
        similarity_top_k: int = 4,
        filters: MetadataFilters | MetadataFilter | None = None,
        options: SearchOptions | None = None,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
        **search: Unpack[SearchKeywords],
    ) -> None:
        if filters is not None:
            if search.get("where") is not None:
                raise ValueError("both filters and where say which chunks to search: give one of them")
            search["where"] = to_where(filters)
        if "k" in search:
            raise TypeError(f"{type(self).__name__} takes no keyword 'k'; say similarity_top_k, as LlamaIndex calls it")
        check_count("similarity_top_k", similarity_top_k)
        search["k"] = similarity_top_k
        self.index = index
        self.options = options_of(options or index.search_options, search)
        super().__init__(callback_manager=callback_manager, verbose=verbose)

    @classmethod
    def from_path(
        cls,
        path: str | Path,
        *,
        embeddings: object = None,
        embed_settings: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Self:
        """Opens an index that exists and makes a retriever over it.

        Args:
            path: The index folder.
            embeddings: As :meth:`kure_rag.KureIndex.open` takes it; by default the model the index was made with.
            embed_settings: As :meth:`kure_rag.KureIndex.open` takes them, such as ``{"backend": "openvino"}``.
            **settings: What the class takes.

        Raises:
            IndexNotFoundError: There is none.
            FingerprintMismatchError: The index was made with another model.
        """
        index = KureIndex.open(path, embeddings=embeddings, embed_settings=embed_settings, create=False)
        try:
            return cls(index, **settings)
        except BaseException:
            index.close()
            raise

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [to_node(hit) for hit in self.index.search(query_bundle.query_str, options=self.options)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [to_node(hit) for hit in await self.index.asearch(query_bundle.query_str, options=self.options)]
