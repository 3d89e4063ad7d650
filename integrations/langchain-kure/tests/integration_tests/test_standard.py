"""LangChain's standard integration tests, with the bundled model: no network and no key."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_kure import KureEmbeddings, KureRetriever, KureVectorStore
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)

from kure_rag import KureIndex
from kure_rag.read import Record

RECORDS = [
    Record("leave", "취업규정", "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."),
    Record("sick", "취업규정", "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다."),
    Record("pay", "보수규정", "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다."),
]


class TestKureEmbeddings(EmbeddingsIntegrationTests):
    """KureEmbeddings, integration."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KureEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "static-ko"}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("index") / "ix", embeddings="static-ko") as index:
        index.add_records(RECORDS, workers=1)
        yield index


class TestKureRetriever(RetrieversIntegrationTests):
    """KureRetriever, integration."""

    @pytest.fixture(autouse=True)
    def _take_index(self, index: KureIndex) -> None:
        self.index = index

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return KureRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"index": self.index}

    @property
    def retriever_query_example(self) -> str:
        return "급여는 언제 지급하나요?"


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureVectorStore]:
    embeddings = DeterministicFakeEmbedding(size=6)  # as the suite's own
    with KureVectorStore.from_path(tmp_path_factory.mktemp("store") / "ix", embeddings=embeddings) as store:
        yield store


class TestKureVectorStore(VectorStoreIntegrationTests):
    """KureVectorStore, integration."""

    @pytest.fixture
    def vectorstore(self, shared_store: KureVectorStore) -> VectorStore:
        shared_store.index.delete_entries(where={"kind": "entry"})  # the suite begins each test with an empty store
        return shared_store
