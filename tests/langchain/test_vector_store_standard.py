"""LangChain's own suites for vector stores and document indexes, as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import DocumentIndex
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from langchain_tests.integration_tests.indexer import AsyncDocumentIndexTestSuite, DocumentIndexerTestSuite

from kure_rag import KureIndex
from kure_rag.langchain import KureDocumentIndex, KureVectorStore
from kure_rag.pipeline.entries import ALL_ENTRIES
from kure_rag.types import Mode


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    embeddings = DeterministicFakeEmbedding(size=6)  # as the suites' own
    with KureIndex.open(tmp_path_factory.mktemp("standard") / "ix", embeddings=embeddings) as index:
        yield index


@pytest.fixture
def empty(shared: KureIndex) -> KureIndex:
    shared.delete_entries(where=ALL_ENTRIES)
    return shared


class TestHybrid(VectorStoreIntegrationTests):
    mode: Mode = "hybrid"

    @pytest.fixture
    def vectorstore(self, empty: KureIndex) -> VectorStore:
        return KureVectorStore(empty, mode=self.mode)


class TestDense(TestHybrid):
    mode: Mode = "dense"


class TestDocumentIndex(DocumentIndexerTestSuite):
    @pytest.fixture
    def index(self, empty: KureIndex) -> DocumentIndex:  # type: ignore[override]
        return KureDocumentIndex(index=empty)


class TestAsyncDocumentIndex(AsyncDocumentIndexTestSuite):
    @pytest.fixture
    async def index(self, empty: KureIndex) -> DocumentIndex:  # type: ignore[override]
        return KureDocumentIndex(index=empty)
