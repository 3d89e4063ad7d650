"""Our cross-encoder as a LlamaIndex node postprocessor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from kure_rag.citation import contextualized_by
from kure_rag.embed import EmbedSettings, KureReranker
from kure_rag.embed.rerank import DEFAULT_RERANKER, Ranked
from kure_rag.llama_index.keywords import refuse_unknown


class KureRerank(BaseNodePostprocessor):
    """Puts nodes in the order of a cross-encoder that reads each of them with the question.

    It reads what ``rerank=`` of a search reads: a node's text below its headings and lead, where its metadata have our
    ``breadcrumb``. Of other nodes it reads what LlamaIndex embeds: metadata and text.

    Example:
        >>> from kure_rag.llama_index import KureRerank
        >>> engine = index.as_query_engine(node_postprocessors=[KureRerank(top_n=3)])  # doctest: +SKIP

    Attributes:
        model: The name or folder of a cross-encoder.
        top_n: How many nodes to keep; all when ``None``.
        score_threshold: Nodes below it are dropped; the score is from 0 to 1 where the model ends in one label.
        keep_retrieval_score: Put the retriever's score into the metadata as ``retrieval_score``.
        settings: As :class:`kure_rag.KureReranker` takes them, such as ``{"device": "cuda"}``.

    Raises:
        TypeError: A keyword that there is none of.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    model: str = DEFAULT_RERANKER
    top_n: int | None = Field(default=4, ge=1)
    score_threshold: float | None = None
    keep_retrieval_score: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)

    _core: KureReranker = PrivateAttr()

    def __init__(self, **settings: Any) -> None:
        refuse_unknown(type(self), settings)
        super().__init__(**settings)

    def model_post_init(self, context: Any, /) -> None:
        """Checks the name and the settings; nothing is loaded yet."""
        super().model_post_init(context)
        self._core = KureReranker(self.model, EmbedSettings(**self.settings))

    @classmethod
    def class_name(cls) -> str:
        """The name it is stored under."""
        return "KureRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes:
            return []
        return self._kept(nodes, self._core.rank(_query(query_bundle), _texts(nodes), top_k=self.top_n))

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes:
            return []
        return self._kept(nodes, await self._core.arank(_query(query_bundle), _texts(nodes), top_k=self.top_n))

    def _kept(self, nodes: Sequence[NodeWithScore], ranked: Sequence[Ranked]) -> list[NodeWithScore]:
        kept = []
        for item in ranked:
            if self.score_threshold is not None and item.score < self.score_threshold:
                break
            found = nodes[item.position]
            node = found.node
            if self.keep_retrieval_score:
                metadata = {**node.metadata, "retrieval_score": found.score}
                hidden = [*node.excluded_embed_metadata_keys, "retrieval_score"]
                shown = [*node.excluded_llm_metadata_keys, "retrieval_score"]
                node = node.model_copy(
                    update={
                        "metadata": metadata,
                        "excluded_embed_metadata_keys": hidden,
                        "excluded_llm_metadata_keys": shown,
                    }
                )
            kept.append(NodeWithScore(node=node, score=item.score))
        return kept


def _query(bundle: QueryBundle | None) -> str:
    if bundle is None:
        raise ValueError("KureRerank needs the question: give query_str or query_bundle")
    return bundle.query_str


def _texts(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [_text(found.node) for found in nodes]


def _text(node: BaseNode) -> str:
    ours = contextualized_by(node.metadata, node.get_content(metadata_mode=MetadataMode.NONE))
    return node.get_content(metadata_mode=MetadataMode.EMBED) if ours is None else ours
