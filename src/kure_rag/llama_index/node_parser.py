"""Our chunk profiles as a LlamaIndex node parser."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.node_parser import NodeParser
from llama_index.core.node_parser.node_utils import IdFuncCallable, default_id_func
from llama_index.core.schema import BaseNode, Document, MetadataMode, NodeRelationship, TextNode
from llama_index.core.utils import get_tqdm_iterable

from kure_rag.chunk import ChunkSettings
from kure_rag.errors import NoTextError
from kure_rag.llama_index.keywords import refuse_unknown
from kure_rag.pipeline.passages import CutSettings, cut_text, places_in
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Domain

_NAMES: Final = uuid.UUID("a3b0f6f4-6a38-4a57-9c4e-9d2f1b8d7c10")  # our own, so that nobody else makes the same ids


class KureNodeParser(NodeParser):
    """Cuts documents at articles, headings and sentences, never within a word.

    Nodes know their neighbours, source, and offsets in the document, but for nodes in which reading changed something:
    marks of Markdown, line ends, a Unicode form other than NFC. They carry ``breadcrumb`` (the headings above),
    ``kind`` and, where they have one, ``lead``, beside the metadata of their document. The same document gives the same
    node ids each time.

    Example:
        >>> from kure_rag.llama_index import KureNodeParser
        >>> KureNodeParser(profile="legal").get_nodes_from_documents(documents)  # doctest: +SKIP

    Attributes:
        profile: ``auto`` (by each text's domain), ``general``, ``finance``, ``legal``, ``medical``, or an own one as
            ``package.module:NAME``.
        target: Characters of a node.
        longest: Characters over which a sentence is cut; twice the target by default.
        domain: What the documents are; found out for each when ``None``.
        markdown: Read headings, code and tables of Markdown.
        user_words: Terms for the analyser to keep whole.

    Raises:
        TypeError: A keyword that there is none of.
    """

    profile: str = "auto"
    target: int = Field(default=400, gt=0)
    longest: int | None = None
    domain: Domain | None = None
    markdown: bool = False
    user_words: list[str] = Field(default_factory=list)
    # Ours are made from place and content. LlamaIndex writes the function into a dictionary that it cannot read again.
    id_func: IdFuncCallable = Field(default=default_id_func, exclude=True)

    _cut: CutSettings = PrivateAttr()
    _tokenizer: KiwiTokenizer = PrivateAttr()

    def __init__(self, **settings: Any) -> None:
        refuse_unknown(type(self), settings)
        super().__init__(**settings)

    def model_post_init(self, context: Any, /) -> None:
        """Checks the settings."""
        super().model_post_init(context)
        chunks = ChunkSettings(target=self.target, longest=self.longest or 2 * self.target, profile=self.profile)
        self._cut = CutSettings(domain=self.domain, chunks=chunks)
        self._tokenizer = KiwiTokenizer(self.user_words)

    @classmethod
    def class_name(cls) -> str:
        """The name it is stored under."""
        return "KureNodeParser"

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        watched = get_tqdm_iterable(nodes, show_progress, "Parsing nodes")
        return [piece for node in watched for piece in self._pieces(node)]

    async def _aparse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        return await asyncio.to_thread(self._parse_nodes, nodes, show_progress, **kwargs)  # not on the event loop

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]) -> list[BaseNode]:
        """LlamaIndex looks for each node's text anew, and may find it elsewhere: ours is kept, also if it is none."""
        places = [(node.start_char_idx, node.end_char_idx) if isinstance(node, TextNode) else None for node in nodes]
        nodes = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, place in zip(nodes, places, strict=True):
            if isinstance(node, TextNode) and place is not None:
                node.start_char_idx, node.end_char_idx = place
        return nodes

    def _pieces(self, node: BaseNode) -> Iterator[TextNode]:
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        try:
            read, chunks = cut_text(text, self._tokenizer, self._cut, source="text.md" if self.markdown else "text.txt")
        except NoTextError:
            return
        for chunk, start in zip(chunks, places_in(text, read, chunks), strict=True):
            place: dict[str, Any] = {"breadcrumb": list(chunk.breadcrumb), "kind": chunk.kind}
            if chunk.lead:
                place["lead"] = chunk.lead
            own = {**chunk.metadata, **place}
            # What is embedded is the headings, the lead and the text; what a model reads, the same without the lead.
            yield TextNode(
                id_=str(uuid.uuid5(_NAMES, f"{node.node_id} {node.hash} {chunk.start} {chunk.end}")),
                text=chunk.text,
                start_char_idx=start,
                end_char_idx=None if start is None else start + len(chunk.text),
                metadata=own,
                excluded_embed_metadata_keys=[
                    *node.excluded_embed_metadata_keys,
                    *(name for name in own if name not in ("breadcrumb", "lead")),
                ],
                excluded_llm_metadata_keys=[
                    *node.excluded_llm_metadata_keys,
                    *(name for name in own if name != "breadcrumb"),
                ],
                relationships={NodeRelationship.SOURCE: node.as_related_node_info()},
            )
