"""Where documents go: embedded, then put into the catalog in one transaction."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kure_rag.embed import EmbedderLike
from kure_rag.errors import FingerprintMismatchError, KureError
from kure_rag.index import Catalog, IndexStore
from kure_rag.types import Chunk, Document

Item = tuple[Document, Sequence[Chunk], Sequence[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Target:
    """An index being written to.

    Attributes:
        store: The index.
        embedder: What makes its vectors.
        claim: Called when vectors are made and before they are stored: a new index takes the settings for its own only
            once the model has proved that it works.
    """

    store: IndexStore
    embedder: EmbedderLike
    claim: Callable[[], None] = lambda: None

    def warm_up(self) -> None:
        """Loads the model in the background, while the first files are being read.

        What goes wrong is left to the first call that needs the model, which says so in the user's own thread.
        """
        load = getattr(self.embedder, "load", None)
        if load is not None:
            threading.Thread(target=_quietly, args=(load,), daemon=True, name="kure-rag-warm-up").start()

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
        self.claim()
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


def _quietly(load: Callable[[], object]) -> None:
    with contextlib.suppress(KureError):
        load()
