"""Where documents go: embedded, then put into the catalog in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kure_rag.embed import EmbedderLike
from kure_rag.errors import FingerprintMismatchError
from kure_rag.index import Catalog, IndexStore
from kure_rag.types import Chunk, Document

Item = tuple[Document, Sequence[Chunk], Sequence[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Target:
    """An index being written to."""

    store: IndexStore
    embedder: EmbedderLike

    @property
    def catalog(self) -> Catalog:
        """The index's catalog."""
        return self.store.catalog

    def add(self, items: Sequence[Item]) -> None:
        """Embeds the chunks of some documents together and stores the documents in one transaction.

        Raises:
            FingerprintMismatchError: The vectors have another length than those in the index.
        """
        texts = [chunk.contextualized() for _, chunks, _ in items for chunk in chunks]
        vectors = self.embedder.embed_passages(texts) if texts else np.zeros((0, 0), np.float32)
        if texts:
            self._check_dimension(int(vectors.shape[1]))
        rows, at = [], 0
        for document, chunks, terms in items:
            rows.append((document, chunks, terms, vectors[at : at + len(chunks)]))
            at += len(chunks)
        self.catalog.add_many(rows)

    def _check_dimension(self, dimension: int) -> None:
        known = self.catalog.get("dimension")
        if known is None:
            self.catalog.set(dimension=dimension)
        elif known != dimension:
            raise FingerprintMismatchError(self.store.folder, {"dimension": (known, dimension)})
