"""Our cross-encoder as a LangChain ``BaseDocumentCompressor``."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr

from kure_rag.citation import contextualized_by
from kure_rag.embed import EmbedSettings
from kure_rag.embed import KureReranker as Core
from kure_rag.embed.rerank import DEFAULT_RERANKER, Ranked
from kure_rag.langchain.written import Written, written


class KureReranker(Written, BaseDocumentCompressor):
    """Puts documents in the order of a cross-encoder that reads each of them with the question.

    For LangChain's ``ContextualCompressionRetriever`` and wherever else a compressor goes, over any retriever.
    :class:`~kure_rag.langchain.KureRetriever` takes it as ``rerank=`` too, and then knows its time limit.

    It reads what ``rerank=`` reads: a passage's text below its headings and lead, where its metadata have our
    ``breadcrumb``; otherwise the text alone.

    Example:
        >>> from kure_rag.langchain import KureReranker
        >>> reranker = KureReranker(model="dragonkue/bge-reranker-v2-m3-ko", top_n=3)
        >>> reranker.compress_documents(documents, "연차휴가는 며칠인가요?")  # doctest: +SKIP

    Attributes:
        model: The name or folder of a cross-encoder.
        top_n: How many documents to keep; all when ``None``.
        score_threshold: Documents below it are dropped; the score is from 0 to 1 where the model ends in one label.
        settings: As :class:`kure_rag.KureReranker` takes them, such as ``{"device": "cuda"}``.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)  # a mistaken endpoint may hold a key

    model: str = DEFAULT_RERANKER
    top_n: int | None = Field(default=4, ge=1)
    score_threshold: float | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    _core: Core = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Checks the name and the settings; nothing is loaded yet."""
        self._core = Core(self.model, EmbedSettings(**self.settings))

    def _keywords(self) -> dict[str, Any]:
        return {"settings": written(self.settings)}  # none of them is a key: nothing here goes to a server

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The best documents, best first, each a copy with ``relevance_score`` in its metadata.

        Raises:
            InvalidTextError: An empty text, with its position.
            ModelNotAvailableError: The weights cannot be reached.
        """
        if not documents:
            return []
        ranked = self._core.rank(query, _texts(documents), top_k=self.top_n)
        return self._kept(documents, ranked)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """As :meth:`compress_documents`; the loop goes on meanwhile."""
        if not documents:
            return []
        ranked = await self._core.arank(query, _texts(documents), top_k=self.top_n)
        return self._kept(documents, ranked)

    def scores(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """As :meth:`kure_rag.KureReranker.scores`, so that a search of ours takes it as its ``rerank``."""
        return self._core.scores(pairs)

    def load(self) -> None:
        """Loads the weights now and not with the first question."""
        self._core.load()

    def _kept(self, documents: Sequence[Document], ranked: Sequence[Ranked]) -> list[Document]:
        kept = []
        for item in ranked:
            if self.score_threshold is not None and item.score < self.score_threshold:
                break
            document = copy(documents[item.position])
            document.metadata = {**document.metadata, "relevance_score": item.score}
            kept.append(document)
        return kept


def _texts(documents: Sequence[Document]) -> list[str]:
    return [contextualized_by(one.metadata, one.page_content) or one.page_content for one in documents]
