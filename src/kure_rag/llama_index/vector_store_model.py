"""Which model a LlamaIndex vector store belongs to, and whether the vectors it is given are that model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from llama_index.core import Settings
from llama_index.core.schema import BaseNode, MetadataMode

from kure_rag.embed import EmbedderLike
from kure_rag.embed.foreign import RecordedEmbedder
from kure_rag.errors import FingerprintMismatchError, IndexNotFoundError
from kure_rag.index.unopened import kept_settings
from kure_rag.pipeline import KureIndex

_CHECKED: Final = 3  # nodes whose text is embedded again
_ALIKE: Final = 0.99


def open_index(
    path: str | Path, embeddings: object, embed_settings: Mapping[str, Any] | None, *, create: bool
) -> KureIndex:
    """Opens the index of a store, or makes one.

    Args:
        path: The index folder.
        embeddings: As :meth:`kure_rag.KureIndex.open` takes it. By default ``Settings.embed_model`` where one was set,
            since LlamaIndex embeds with that; otherwise the model an index was made with.
        embed_settings: As :meth:`kure_rag.KureIndex.open` takes them; beside a name, or for the index's own model.
        create: Make an index where there is none.

    Raises:
        ValueError: A new index, and nobody said which model.
        FingerprintMismatchError: The index was made with another model.
    """
    # Asked for by its public name, LlamaIndex would make a model of its own where none was set.
    default = None if embeddings is not None or embed_settings else getattr(Settings, "_embed_model", None)
    if embeddings is not None or default is None:
        if embeddings is None and create and not embed_settings:
            return _of_its_own(path)
        return KureIndex.open(path, embeddings=embeddings, embed_settings=embed_settings, create=create)
    try:
        return KureIndex.open(path, embeddings=default, create=create)
    except FingerprintMismatchError as error:
        if error.differences.keys() <= {"tokenizer", "chunker"}:
            raise
        advice = (
            "LlamaIndex embeds with Settings.embed_model unless it is told otherwise: set that to the index's model, "
            "or say which model you use with embeddings=... here and embed_model=... there."
        )
        raise FingerprintMismatchError(Path(path), error.differences, advice=advice) from error


def check_vectors(index: KureIndex, nodes: Sequence[BaseNode]) -> None:
    """Embeds the texts of a few nodes again, and compares.

    A model that cannot be had from what the index knows of it is not asked.

    Raises:
        FingerprintMismatchError: The nodes' embeddings are not those of the index's model.
    """
    if isinstance(index.embedder, RecordedEmbedder):
        return
    chosen = [node for node in nodes if node.embedding is not None and node.get_content().strip()]
    step = max(1, len(chosen) // _CHECKED)
    cosines = [_cosine(index.embedder, node) for node in chosen[::step][:_CHECKED]]
    if cosines and (figure := float(np.median(cosines))) < _ALIKE:
        what = f"cosine of {len(cosines)} nodes' embeddings with those its model makes of their texts (median)"
        advice = (
            "Embed the nodes with the index's model, give the store the model that you use (embeddings=...) and a new "
            "folder, or pass verify_embeddings=False if they are meant to be of another text."
        )
        raise FingerprintMismatchError(index.path, {what: (f"at least {_ALIKE}", round(figure, 4))}, advice=advice)


def _of_its_own(path: str | Path) -> KureIndex:
    kept = kept_settings(Path(path).expanduser())
    # One that was made and never added to knows no model either.
    cause: Exception | None = None
    if kept is None or kept.values.get("fingerprint"):
        try:
            return KureIndex.open(path, create=False)
        except IndexNotFoundError as error:
            cause = error
    raise ValueError(
        f"{path}: a new index has to know which model makes the nodes' embeddings: set Settings.embed_model first, "
        'or pass embeddings="static-ko", the name of another model, or the embedding object itself'
    ) from cause


def _cosine(embedder: EmbedderLike, node: BaseNode) -> float:
    """With the nearer of what LlamaIndex embeds of a node, metadata before the text, and its text alone."""
    texts = dict.fromkeys((node.get_content(metadata_mode=MetadataMode.EMBED), node.get_content()))
    made = embedder.embed_passages([text for text in texts if text.strip()]).astype(np.float64)
    given = np.asarray(node.embedding, dtype=np.float64)
    if made.shape[1] != len(given):
        return -1.0
    lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(given)
    return float((made @ given / np.where(lengths == 0, 1, lengths)).max())
