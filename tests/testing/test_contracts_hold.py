"""LangChain's and LlamaIndex's adapters keep every contract that a third adapter could inherit."""

from __future__ import annotations

import pytest
from adapters import (
    ChainEmbedding,
    ChainReading,
    ChainReranking,
    ChainRetrieving,
    ChainSplitting,
    ChainStore,
    LlamaEmbedding,
    LlamaReading,
    LlamaReranking,
    LlamaRetrieving,
    LlamaSplitting,
    LlamaStore,
)

from kure_rag import KureIndex
from kure_rag.testing import (
    AsyncEmbeddingsContract,
    AsyncRerankerContract,
    AsyncRetrieverContract,
    ReaderContract,
    SplitterContract,
    VectorStoreContract,
)


class _OneIndex:
    @pytest.fixture(scope="class")
    @classmethod
    def index(cls, contract_index: KureIndex) -> KureIndex:
        return contract_index


class TestLangChainRetriever(_OneIndex, ChainRetrieving, AsyncRetrieverContract):
    pass


class TestLlamaIndexRetriever(_OneIndex, LlamaRetrieving, AsyncRetrieverContract):
    pass


class TestLangChainEmbeddings(ChainEmbedding, AsyncEmbeddingsContract):
    pass


class TestLlamaIndexEmbedding(LlamaEmbedding, AsyncEmbeddingsContract):
    pass


class TestLangChainLoader(ChainReading, ReaderContract):
    pass


class TestLlamaIndexReader(LlamaReading, ReaderContract):
    pass


class TestLangChainSplitter(ChainSplitting, SplitterContract):
    pass


class TestLlamaIndexNodeParser(LlamaSplitting, SplitterContract):
    pass


class TestLangChainReranker(ChainReranking, AsyncRerankerContract):
    pass


class TestLlamaIndexRerank(LlamaReranking, AsyncRerankerContract):
    pass


class TestLangChainVectorStore(ChainStore, VectorStoreContract):
    pass


class TestLlamaIndexVectorStore(LlamaStore, VectorStoreContract):
    pass
