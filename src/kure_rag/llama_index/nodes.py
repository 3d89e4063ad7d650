"""LlamaIndex nodes ↔ entries of an index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)

from kure_rag.citation import LLAMA_NODE, shown
from kure_rag.pipeline.entries import GROUP_FIELD, Entry

_KINDS: Final[Mapping[str, type[BaseNode]]] = {
    kind.class_name(): kind for kind in (TextNode, Node, ImageNode, IndexNode, Document, ImageDocument)
}


def to_entry(node: BaseNode) -> Entry:
    """A node as an entry: its id, its text without metadata, its metadata as they are, and its embedding.

    Its group is the id of the document it was cut from, or its own where it was not cut from any.

    Raises:
        ValueError: It has no embedding, its metadata are no JSON values, or one of them has a name of ours.
        TypeError: It is no node.
    """
    if not isinstance(node, BaseNode):
        raise TypeError(f"nodes hold {node!r:.60}, which is {type(node).__name__}; give TextNode(text=...) objects")
    if node.embedding is None:
        raise ValueError(
            f"node {node.node_id!r} has no embedding: add it through a VectorStoreIndex, or an IngestionPipeline with "
            "an embedding model among its transformations, or set node.embedding"
        )
    for name in (LLAMA_NODE, GROUP_FIELD):
        if name in node.metadata:
            what = f"metadata may not be named {name!r}, which the index uses itself; give that value another name"
            raise ValueError(f"node {node.node_id!r}: {what}")
    try:
        kept = node.dict(mode="json")
        # pydantic would write NaN as null, and say nothing.
        json.dumps(node.metadata, allow_nan=False, default=lambda _: None)
    except ValueError as error:
        what = f"node {node.node_id!r} cannot be written as JSON ({error}); give plain values in its metadata"
        raise ValueError(what) from error
    metadata = kept.pop("metadata")
    for name in ("id_", "embedding", "text"):
        kept.pop(name, None)
    for name, resource in node:
        if isinstance(resource, MediaResource) and resource.data is not None:  # which LlamaIndex leaves out
            kept[name]["data"] = resource.data.decode("ascii")
    if isinstance(kept.get("text_resource"), dict):  # what else it has, such as a MIME type, stays
        kept["text_resource"]["text"] = None
    return Entry(
        id=node.node_id,
        text=node.get_content(metadata_mode=MetadataMode.NONE),
        metadata={**metadata, LLAMA_NODE: kept},
        group=node.ref_doc_id or node.node_id,
        vector=np.asarray(node.embedding, dtype=np.float32),
    )


def to_node(entry: Entry) -> BaseNode:
    """The node that an entry was made of, without its embedding.

    An entry that another framework put becomes a ``TextNode`` with its metadata, cut from its group.
    """
    metadata = shown(entry.metadata)
    kept = entry.metadata.get(LLAMA_NODE)
    if not isinstance(kept, Mapping):
        source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=entry.group, node_type=ObjectType.DOCUMENT)}
        return TextNode(id_=entry.id, text=entry.text, metadata=metadata, relationships=source if entry.group else {})
    data: dict[str, Any] = {**kept, "id_": entry.id, "metadata": metadata}
    kind = _KINDS.get(str(kept.get("class_name")), TextNode)
    if issubclass(kind, TextNode):
        data["text"] = entry.text
    elif isinstance(kept.get("text_resource"), Mapping):
        data["text_resource"] = {**kept["text_resource"], "text": entry.text}
    node = kind.from_dict(data)
    separator = kept.get("metadata_separator", node.metadata_separator)
    if node.metadata_separator != separator:  # older versions of LlamaIndex read another field's value into it
        node.metadata_separator = separator
    return node
