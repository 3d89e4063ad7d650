"""Hits → LlamaIndex nodes."""

from __future__ import annotations

from typing import Final

from llama_index.core.schema import (
    NodeRelationship,
    NodeWithScore,
    ObjectType,
    RelatedNodeInfo,
    RelatedNodeType,
    TextNode,
)

from kure_rag.citation import LLAMA_NODE, hit_metadata
from kure_rag.llama_index.nodes import to_node as entry_to_node
from kure_rag.pipeline.entries import entry_of
from kure_rag.types import Hit

# LlamaIndex writes metadata into the text that it shows to a language model or embeds; ids and scores are noise there.
_SHOWN: Final = ("source", "pages", "breadcrumb", "citation")
_EMBEDDED: Final = ("breadcrumb", "lead")  # what others' rerankers read is then what was embedded: these and the text


def to_node(hit: Hit) -> NodeWithScore:
    """A hit as a LlamaIndex node: the chunk's id, text, place and neighbours, and its metadata.

    The metadata is :func:`kure_rag.citation.hit_metadata`; of it a language model sees ``source``, ``pages``,
    ``breadcrumb`` and ``citation``. A node that a vector store was given comes back as it was.
    """
    if LLAMA_NODE in hit.chunk.metadata:
        return NodeWithScore(node=entry_to_node(entry_of(hit)), score=hit.score)
    chunk, metadata = hit.chunk, hit_metadata(hit)
    relationships: dict[NodeRelationship, RelatedNodeType] = {
        NodeRelationship.SOURCE: RelatedNodeInfo(node_id=chunk.document_id, node_type=ObjectType.DOCUMENT)
    }
    for relationship, neighbour in ((NodeRelationship.PREVIOUS, chunk.prev_id), (NodeRelationship.NEXT, chunk.next_id)):
        if neighbour is not None:
            relationships[relationship] = RelatedNodeInfo(node_id=neighbour, node_type=ObjectType.TEXT)
    node = TextNode(
        id_=chunk.id,
        text=chunk.text,
        start_char_idx=chunk.start,
        end_char_idx=chunk.end,
        metadata=metadata,
        excluded_llm_metadata_keys=[name for name in metadata if name not in _SHOWN],
        excluded_embed_metadata_keys=[name for name in metadata if name not in _EMBEDDED or not metadata[name]],
        relationships=relationships,
    )
    return NodeWithScore(node=node, score=hit.score)
