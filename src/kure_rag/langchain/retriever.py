"""Our index as a LangChain ``BaseRetriever``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict, Field, SkipValidation, model_validator

from kure_rag.embed.foreign import ForeignEmbedder
from kure_rag.langchain.convert import to_document
from kure_rag.langchain.filters import to_where
from kure_rag.langchain.written import Written, opening_of, revived, to_open, written
from kure_rag.pipeline import KureIndex
from kure_rag.pipeline.lazy import LazyIndex
from kure_rag.search import Fusion, SearchKeywords, SearchOptions
from kure_rag.types import Mode

_OWN: Final = ("k", "mode", "where", "fusion", "score_threshold", "expand", "rerank")
_K: Final = 4  # as LangChain's vector stores have it
_WRITTEN: Final = ("fusion", "expand", "rerank", "options")  # may be objects of ours, which JSON does not know
_PER_CALL: Final = tuple(SearchKeywords.__annotations__)


class IndexRetriever(BaseRetriever):
    """A retriever over an index, which may have to be opened first."""

    @property
    def _its_index(self) -> KureIndex | None:
        """The index that is searched."""
        return None

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **given: Any) -> list[Document]:  # noqa: A002
        """As ``invoke``; an event loop goes on meanwhile, also where the index is opened first."""
        index = self._its_index
        if isinstance(index, LazyIndex):
            await index.aload()
        return await super().ainvoke(input, config, **given)


class KureRetriever(Written, IndexRetriever):
    """Passages of an index, as documents that carry their citation and scores.

    Every keyword of :meth:`kure_rag.KureIndex.search` can be given with a call too, and then stands in the place of the
    retriever's own: ``retriever.invoke(query, k=3, where={"domain": "legal"}, highlight=True)``; ``ainvoke`` takes the
    same. ``where=None`` in a call searches without a filter.

    LangChain's ``dumps`` writes the index's folder and model and all settings; what ``loads`` makes of that opens the
    index with its first question. Where the model, a reranker or another setting is an object that LangChain cannot
    write, none of it is written.

    Example:
        >>> from kure_rag import KureIndex, KureRetriever
        >>> retriever = KureRetriever(index=KureIndex.open("my-index"), k=5)  # doctest: +SKIP
        >>> retriever.invoke("연차휴가는 며칠인가요?")[0].metadata["citation"]  # doctest: +SKIP
        '취업규정.pdf p.2 취업규정 > 제3장 휴가 > 제15조(연차휴가)'

    What is ``None`` below is as ``options`` say, and without options as the index was opened (``config``).

    Attributes:
        index: Where to search.
        k: Documents for each query, at most; 4 where neither it nor options are given.
        mode: ``hybrid``, ``lexical`` or ``dense``.
        where: Only chunks for which this holds: a filter of ours, see :mod:`kure_rag.index.where`, or one that
            :func:`kure_rag.langchain.filters.to_where` knows, such as a structured query. It stands in the place of
            one of the options; an empty one, ``{}``, lifts that.
        fusion: For ``hybrid``; usually a convex combination with the model card's weight.
        score_threshold: Only documents of at least this relevance, from 0 to 1, see :mod:`kure_rag.search.relevance`.
        expand: The text around each, in ``metadata["context"]``: so many chunks on each side, or ``section``.
        rerank: A cross-encoder for the first candidates, its name, or settings.
        options: All that a search can be told.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")  # a misspelt `where` must not be ignored

    index: KureIndex = Field(exclude=True)
    # `None` is what was not said. Which fields were set does not tell: LangChain's `configurable_fields` sets them all.
    k: int | None = Field(default=None, ge=1)
    mode: Mode | None = None
    where: Any = None
    fusion: SkipValidation[Fusion | None] = None  # a Protocol: anything with a `fuse` will do
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    expand: Any = None
    rerank: Any = None
    options: SkipValidation[SearchOptions | None] = None

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        found = {name: revived(value) if name in _WRITTEN else value for name, value in given.items()}
        if "path" in found and "index" not in found:
            found["index"] = to_open(found)
        return found

    def _keywords(self) -> dict[str, Any]:
        own = {**self._said(), "options": self.options}
        if self.where is not None:
            own["where"] = to_where(self.where)
        given = {name: written(value) for name, value in own.items() if value is not None}
        return {**opening_of(self.index), **given}

    @property
    def _its_index(self) -> KureIndex:
        return self.index

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
        settings: dict[str, Any] = {"k": _K} if self.options is None else {}
        settings |= self._said()
        settings |= {name: value for name, value in given.items() if name != "verbose"}
        if settings.get("where") is not None:
            settings["where"] = to_where(settings["where"])
        return {"options": self.options, **settings}

    def _said(self) -> dict[str, Any]:
        """Our own settings, without those that are left to the options or the index."""
        return {name: value for name in _OWN if (value := getattr(self, name)) is not None}

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        params = super()._get_ls_params(**kwargs)
        params["ls_vector_store_provider"] = "kure_rag"
        embedder = self.index.embedder
        foreign = isinstance(embedder, ForeignEmbedder)
        params["ls_embedding_provider"] = str(embedder.fingerprint["class"]).split(".")[-1] if foreign else "kure_rag"
        params["ls_embedding_model"] = embedder.name
        return params
