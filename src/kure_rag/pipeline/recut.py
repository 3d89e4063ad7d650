"""An index's documents in another index, cut otherwise: nothing is read again, and known texts are not embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Final

import numpy as np

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.embed import EmbedderLike
from kure_rag.embed.base import Fingerprint, Vectors
from kure_rag.index import IndexStore
from kure_rag.ingest.target import Ready, Target
from kure_rag.pipeline.index import KureIndex
from kure_rag.pipeline.parts import Progress
from kure_rag.pipeline.terms import is_cut
from kure_rag.types import Chunk, Document

_TOGETHER: Final = 256  # chunks that are embedded and stored in one transaction


def holds_uncut(index: KureIndex) -> bool:
    """Whether any of an index's documents was cut by a profile, and can be cut by another."""
    return any(is_cut(index.chunks(row.id)) for row in index.documents())


def recut(
    index: KureIndex, folder: Path, chunks: ChunkSettings, *, embeds: bool = True, progress: Progress | None = None
) -> KureIndex:
    """Makes an index of the same documents, or finishes one that was begun.

    Ready passages, such as the records of a corpus, stay as they are.

    Args:
        index: Has the documents, and vectors of those texts that do not change.
        folder: Of the new index.
        chunks: How it is cut.
        embeds: Whether its vectors are needed; without, it can be searched by keywords only.
        progress: Called with documents done, documents in all, and the name of the last.
    """
    embedder: EmbedderLike = KnownVectors(index.embedder, index._store) if embeds else _NoVectors()
    words = [astuple(word) for word in index._tokenizer.user_words]
    made = KureIndex.open(folder, embeddings=embedder, chunks=chunks, user_dictionary=words)
    try:
        _fill(made, index, chunks, progress)
    except BaseException:
        made.close()
        raise
    return made


def _fill(made: KureIndex, index: KureIndex, chunks: ChunkSettings, progress: Progress | None) -> None:
    listed = index.documents()
    waiting: list[Ready] = []
    with Target(made._store, made.embedder, made._claim) as target, made._store.writing():
        for done, row in enumerate(listed, start=1):
            document = None if made._store.catalog.has_document(row.id) else index.document(row.id)
            if document is not None:
                waiting.append(_ready(made, document, index.chunks(row.id), chunks))
            if waiting and (done == len(listed) or sum(len(item.chunks) for item in waiting) >= _TOGETHER):
                target.add(waiting)
                waiting = []
            if progress is not None:
                progress(done, len(listed), row.source)
        if waiting:
            target.add(waiting)


def _ready(made: KureIndex, document: Document, old: Sequence[Chunk], chunks: ChunkSettings) -> Ready:
    if is_cut(old):
        cut = chunk_document(document, made._tokenizer, chunks)
        return Ready(document, [item.chunk for item in cut], [item.terms for item in cut])
    return Ready(document, old, made._tokenizer.terms_batch([chunk.contextualized() for chunk in old]))


class KnownVectors:
    """A model that is not asked for the passages whose vectors an index has.

    Args:
        embedder: The model.
        store: The index.
    """

    def __init__(self, embedder: EmbedderLike, store: IndexStore) -> None:
        self._embedder = embedder
        self._catalog = store.catalog
        self._rows: dict[bytes, int] | None = None

    @property
    def name(self) -> str:
        """The model's."""
        return self._embedder.name

    @property
    def fingerprint(self) -> Fingerprint:
        """The model's."""
        return self._embedder.fingerprint

    @property
    def dense_weight(self) -> float:
        """The model's."""
        return self._embedder.dense_weight

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """By the model."""
        return self._embedder.embed_queries(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """From the index, and by the model those that it has not."""
        known = self._known(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, self._embedder.embed_passages(missing), strict=True))
        return np.stack([known[text] for text in texts]).astype(np.float32) if texts else np.zeros((0, 0), np.float32)

    def _known(self, texts: Sequence[str]) -> dict[str, Vectors]:
        if self._rows is None:
            numbers = [row for row, _ in self._catalog.all_rows()]
            self._rows = {_digest(words.text): row for row, words in self._catalog.keywords(numbers).items()}
        rows = {text: row for text in texts if (row := self._rows.get(_digest(text))) is not None}
        found = dict(zip(*self._catalog.vectors(sorted(set(rows.values()))), strict=True)) if rows else {}
        return {text: found[row] for text, row in rows.items() if row in found}


class _NoVectors:
    """Stands for a model where only keywords are searched."""

    name = "none"
    dense_weight = 0.0

    @property
    def fingerprint(self) -> Fingerprint:
        return {"model": self.name, "class": f"{__name__}.{type(self).__qualname__}"}

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return np.ones((len(texts), 1), dtype=np.float32)

    embed_passages = embed_queries


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
