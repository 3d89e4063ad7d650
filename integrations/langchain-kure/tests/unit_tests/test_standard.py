"""LangChain's standard unit tests."""

from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_kure import KureEmbeddings
from langchain_tests.unit_tests import EmbeddingsUnitTests


class TestKureEmbeddings(EmbeddingsUnitTests):
    """KureEmbeddings, unit."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KureEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "static-ko"}
