"""Our index as a LangChain ``BaseRetriever``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import ConfigDict, Field, SkipValidation

from kure_rag.langchain.convert import to_document
from kure_rag.langchain.filters import to_where
from kure_rag.pipeline import KureIndex
from kure_rag.search import Fusion, SearchKeywords, SearchOptions
from kure_rag.types import Mode

_OWN: Final = ("k", "mode", "where", "fusion", "score_threshold", "expand", "rerank")
_PER_CALL: Final = tuple(SearchKeywords.__annotations__)


class KureRetriever(BaseRetriever):
    """Passages of an index, as documents that carry their citation and scores.

    Every keyword of :meth:`kure_rag.KureIndex.search` can be given with a call too, and then stands in the place of the
    retriever's own: ``retriever.invoke(query, k=3, where={"domain": "legal"}, highlight=True)``; ``ainvoke`` takes the
    same. ``where=None`` in a call searches without a filter.

    Example:
        >>> from kure_rag import KureIndex, KureRetriever
        >>> retriever = KureRetriever(index=KureIndex.open("my-index"), k=5)  # doctest: +SKIP
        >>> retriever.invoke("연차휴가는 며칠인가요?")[0].metadata["citation"]  # doctest: +SKIP
        '취업규정.pdf p.2 취업규정 > 제3장 휴가 > 제15조(연차휴가)'

    Attributes:
        index: Where to search.
        k: Documents for each query, at most.
        mode: ``hybrid``, ``lexical`` or ``dense``.
        where: Only chunks for which this holds: a filter of ours, see :mod:`kure_rag.index.where`, or one that
            :func:`kure_rag.langchain.filters.to_where` knows, such as a structured query.
        fusion: For ``hybrid``; by default a convex combination with the model card's weight.
        score_threshold: Only documents of at least this relevance, from 0 to 1, see :mod:`kure_rag.search.relevance`.
        expand: The text around each, in ``metadata["context"]``: so many chunks on each side, or ``section``.
        rerank: A cross-encoder for the first candidates, its name, or settings.
        options: All else that a search can be told; what stands above wins over it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")  # a misspelt `where` must not be ignored

    index: KureIndex
    k: int = Field(default=4, ge=1)
    mode: Mode = "hybrid"
    where: Any = None
    fusion: SkipValidation[Fusion | None] = None  # a Protocol: anything with a `fuse` will do
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    expand: Any = None
    rerank: Any = None
    options: SkipValidation[SearchOptions | None] = None

    @classmethod
    def from_path(
        cls,
        path: str | Path,
        *,
        embeddings: object = None,
        embed_settings: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Self:
        """Opens an index that exists and makes a retriever over it.

        Args:
            path: The index folder.
            embeddings: As :meth:`kure_rag.KureIndex.open` takes it; by default the model the index was made with.
            embed_settings: As :meth:`kure_rag.KureIndex.open` takes them, such as ``{"backend": "openvino"}``.
            **fields: The attributes but ``index``, and what every LangChain retriever takes.

        Raises:
            IndexNotFoundError: There is none.
            FingerprintMismatchError: The index was made with another model.
        """
        index = KureIndex.open(path, embeddings=embeddings, embed_settings=embed_settings, create=False)
        try:
            return cls(index=index, **fields)
        except BaseException:
            index.close()
            raise

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        return [to_document(hit) for hit in self.index.search(query, **self._settings(given))]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        return [to_document(hit) for hit in await self.index.asearch(query, **self._settings(given))]

    def _settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """Our own settings under those of the call."""
        for name in given:
            if name not in (*_PER_CALL, "verbose"):  # `verbose` is LangChain's own, which it passes on
                raise TypeError(
                    f"{type(self).__name__} takes no keyword {name!r} with a call; it takes {', '.join(_PER_CALL)}"
                )
        said = _OWN if self.options is None else [name for name in _OWN if name in self.model_fields_set]
        settings = {name: getattr(self, name) for name in said}
        settings |= {name: value for name, value in given.items() if name != "verbose"}
        if settings.get("where") is not None:
            settings["where"] = to_where(settings["where"])
        return {"options": self.options, **settings}

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "kure_rag"
        params["ls_embedding_provider"] = "kure_rag"
        params["ls_embedding_model"] = self.index.embedder.name
        return params
