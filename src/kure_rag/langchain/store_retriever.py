"""A vector store of ours as a LangChain ``VectorStoreRetriever``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.retrievers import LangSmithRetrieverParams
from langchain_core.vectorstores import VectorStoreRetriever
from pydantic import model_validator

from kure_rag.langchain.filters import to_where
from kure_rag.langchain.retriever import IndexRetriever
from kure_rag.langchain.store_methods import StoreSearches
from kure_rag.langchain.written import FILTERS, Written, revived_in, written
from kure_rag.pipeline import KureIndex


class KureVectorStoreRetriever(Written, IndexRetriever, VectorStoreRetriever):
    """What :meth:`KureVectorStore.as_retriever` gives."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(asked := given.get("search_kwargs"), Mapping):
            return {**given, "search_kwargs": revived_in(asked)}
        return given

    def _keywords(self) -> dict[str, Any]:
        asked = {name: written(value) for name, value in self.search_kwargs.items() if name not in FILTERS}
        for name in FILTERS:
            if name in self.search_kwargs:
                asked[name] = written(to_where(self.search_kwargs[name]))
        return {"vectorstore": written(self.vectorstore), "search_kwargs": asked}

    @property
    def _its_index(self) -> KureIndex | None:
        return self.vectorstore.index if isinstance(self.vectorstore, StoreSearches) else None

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        if (index := self._its_index) is not None:
            params["ls_embedding_model"] = index.embedder.name
        return params
