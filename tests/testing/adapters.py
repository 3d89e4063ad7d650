"""How LangChain's and LlamaIndex's adapters are asked, for the contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from langchain_core.documents import Document as ChainDocument
from llama_index.core.schema import Document as LlamaDocument
from llama_index.core.schema import (
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters, VectorStoreQuery
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from kure_rag import Entry, Hit, KureEmbeddings, KureIndex
from kure_rag.langchain import KurePDFLoader, KureReranker, KureRetriever, KureTextSplitter, KureVectorStore
from kure_rag.langchain.convert import to_document as hit_to_document
from kure_rag.llama_index import KureEmbedding, KureNodeParser, KurePDFReader, KureRerank, to_node
from kure_rag.llama_index import KureRetriever as LlamaKureRetriever
from kure_rag.llama_index import KureVectorStore as LlamaVectorStore
from kure_rag.testing import Found, Piece


class ChainRetrieving:
    def retrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return [self._found(one) for one in KureRetriever(index=index).invoke(query, k=k, **search)]

    async def aretrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        return [self._found(one) for one in await KureRetriever(index=index).ainvoke(query, k=k, **search)]

    @staticmethod
    def _found(one: ChainDocument) -> Found:
        return Found(one.id or "", one.page_content, one.metadata["score"], one.metadata)


class LlamaRetrieving:
    def retrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        found = LlamaKureRetriever(index, similarity_top_k=k, **search).retrieve(query)
        return [self._found(one) for one in found]

    async def aretrieve(self, index: KureIndex, query: str, k: int, **search: Any) -> Sequence[Found]:
        found = await LlamaKureRetriever(index, similarity_top_k=k, **search).aretrieve(query)
        return [self._found(one) for one in found]

    @staticmethod
    def _found(one: NodeWithScore) -> Found:
        return Found(one.node_id, one.text, one.score, one.metadata)


class ChainEmbedding:
    def make(self, model: str, **settings: Any) -> KureEmbeddings:
        return KureEmbeddings(model, **settings)

    def embed_query(self, embeddings: KureEmbeddings, text: str) -> Sequence[float]:
        return embeddings.embed_query(text)

    def embed_passages(self, embeddings: KureEmbeddings, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return embeddings.embed_documents(list(texts))

    async def aembed_query(self, embeddings: KureEmbeddings, text: str) -> Sequence[float]:
        return await embeddings.aembed_query(text)

    async def aembed_passages(self, embeddings: KureEmbeddings, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return await embeddings.aembed_documents(list(texts))


class LlamaEmbedding:
    def make(self, model: str, **settings: Any) -> KureEmbedding:
        return KureEmbedding(model, **settings)

    def embed_query(self, embeddings: KureEmbedding, text: str) -> Sequence[float]:
        return embeddings.get_query_embedding(text)

    def embed_passages(self, embeddings: KureEmbedding, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return embeddings.get_text_embedding_batch(list(texts))

    async def aembed_query(self, embeddings: KureEmbedding, text: str) -> Sequence[float]:
        return await embeddings.aget_query_embedding(text)

    async def aembed_passages(self, embeddings: KureEmbedding, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return await embeddings.aget_text_embedding_batch(list(texts))


class ChainReading:
    units = ("chunk", "page", "file")

    def load(self, paths: Sequence[Path], unit: Any, *, skip_errors: bool = False) -> Sequence[Piece]:
        loader = KurePDFLoader(paths, unit=unit, skip_errors=skip_errors, workers=1)
        return [Piece(one.id, one.page_content, None, one.metadata) for one in loader.lazy_load()]


class LlamaReading:
    units = ("page", "file")

    def load(self, paths: Sequence[Path], unit: Any, *, skip_errors: bool = False) -> Sequence[Piece]:
        reader = KurePDFReader(unit=unit, skip_errors=skip_errors, workers=1)
        return [Piece(one.id_, one.text, None, one.metadata) for one in reader.load_data(paths)]


class ChainSplitting:
    def split(self, text: str, metadata: Any, **settings: Any) -> Sequence[Piece]:
        pieces = KureTextSplitter(**settings).split_documents([ChainDocument(page_content=text, metadata=metadata)])
        return [Piece(one.id, one.page_content, one.metadata.get("start_index"), one.metadata) for one in pieces]


class LlamaSplitting:
    def split(self, text: str, metadata: Any, **settings: Any) -> Sequence[Piece]:
        nodes = KureNodeParser(**settings).get_nodes_from_documents([LlamaDocument(text=text, metadata=metadata)])
        return [Piece(one.node_id, one.text, one.start_char_idx, one.metadata) for one in nodes if _is_text(one)]


class ChainReranking:
    def rerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Sequence[tuple[int, float]]:
        kept = KureReranker(model=model, top_n=top_n).compress_documents(self._documents(hits), query)
        return [(_position(hits, one.id), one.metadata["relevance_score"]) for one in kept]

    async def arerank(
        self, model: str, query: str, hits: Sequence[Hit], top_n: int | None
    ) -> Sequence[tuple[int, float]]:
        kept = await KureReranker(model=model, top_n=top_n).acompress_documents(self._documents(hits), query)
        return [(_position(hits, one.id), one.metadata["relevance_score"]) for one in kept]

    @staticmethod
    def _documents(hits: Sequence[Hit]) -> list[ChainDocument]:
        return [hit_to_document(hit) for hit in hits]


class LlamaReranking:
    def rerank(self, model: str, query: str, hits: Sequence[Hit], top_n: int | None) -> Sequence[tuple[int, float]]:
        kept = KureRerank(model=model, top_n=top_n).postprocess_nodes(self._nodes(hits), QueryBundle(query))
        return [(_position(hits, one.node_id), one.score or 0.0) for one in kept]

    async def arerank(
        self, model: str, query: str, hits: Sequence[Hit], top_n: int | None
    ) -> Sequence[tuple[int, float]]:
        kept = await KureRerank(model=model, top_n=top_n).apostprocess_nodes(self._nodes(hits), QueryBundle(query))
        return [(_position(hits, one.node_id), one.score or 0.0) for one in kept]

    @staticmethod
    def _nodes(hits: Sequence[Hit]) -> list[NodeWithScore]:
        return [to_node(hit) for hit in hits]


class ChainStore:
    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        made = [ChainDocument(id=one.id, page_content=one.text, metadata=dict(one.metadata)) for one in entries]
        return KureVectorStore(index).add_documents(made)

    def get(self, index: KureIndex, ids: Sequence[str]) -> Sequence[Piece]:
        return [Piece(one.id, one.page_content, None, one.metadata) for one in KureVectorStore(index).get_by_ids(ids)]

    def delete(self, index: KureIndex, ids: Sequence[str]) -> None:
        KureVectorStore(index).delete(list(ids))

    def search(
        self, index: KureIndex, query: str, k: int, *, mode: Any, where: Mapping[str, Any] | None = None
    ) -> Sequence[Found]:
        found = KureVectorStore(index, mode=mode).similarity_search_with_score(query, k=k, filter=where)
        return [Found(one.id or "", one.page_content, score, one.metadata) for one, score in found]


class LlamaStore:
    MODES: ClassVar = {"hybrid": "hybrid", "lexical": "text_search", "dense": "default"}

    def add(self, index: KureIndex, entries: Sequence[Entry]) -> Sequence[str]:
        vectors = index.embedder.embed_passages([one.text for one in entries]) if entries else ()
        nodes = [
            TextNode(
                id_=one.id,
                text=one.text,
                metadata=dict(one.metadata),
                embedding=vector.tolist(),
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=one.group)},
            )
            for one, vector in zip(entries, vectors, strict=True)
        ]
        return LlamaVectorStore(index).add(nodes)

    def get(self, index: KureIndex, ids: Sequence[str]) -> Sequence[Piece]:
        nodes = LlamaVectorStore(index).get_nodes(list(ids))
        return [Piece(one.node_id, one.get_content(MetadataMode.NONE), None, one.metadata) for one in nodes]

    def delete(self, index: KureIndex, ids: Sequence[str]) -> None:
        LlamaVectorStore(index).delete_nodes(list(ids))

    def search(
        self, index: KureIndex, query: str, k: int, *, mode: str, where: Mapping[str, Any] | None = None
    ) -> Sequence[Found]:
        vector = index.embedder.embed_queries([query])[0].tolist()
        filters = None if where is None else MetadataFilters(filters=[_filter(*item) for item in where.items()])
        kind = VectorStoreQueryMode(self.MODES[mode])
        asked = VectorStoreQuery(
            query_str=query, query_embedding=vector, similarity_top_k=k, mode=kind, filters=filters
        )
        found = LlamaVectorStore(index).query(asked)
        rows = zip(found.nodes or (), found.similarities or (), strict=True)
        return [Found(one.node_id, one.get_content(MetadataMode.NONE), score, one.metadata) for one, score in rows]


def _filter(name: str, value: Any) -> MetadataFilter:
    if isinstance(value, dict):
        return MetadataFilter(key=name, value=value["$gte"], operator=FilterOperator.GTE)
    return MetadataFilter(key=name, value=value)


def _is_text(node: Any) -> bool:
    return isinstance(node, TextNode) and node.text == node.get_content(metadata_mode=MetadataMode.NONE)


def _position(hits: Sequence[Hit], id_: str | None) -> int:
    return [hit.chunk.id for hit in hits].index(str(id_))
