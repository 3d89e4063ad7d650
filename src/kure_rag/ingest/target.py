"""Where documents go: embedded, then put into the catalog in one transaction."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from kure_rag.embed import EmbedderLike
from kure_rag.errors import FingerprintMismatchError, KureError
from kure_rag.index import Catalog, IndexStore
from kure_rag.index.catalog import NewDocument
from kure_rag.ingest.places import Place
from kure_rag.types import Chunk, Document


@dataclass(frozen=True, slots=True)
class Ready:
    """A document that is read, cut and analysed.

    Attributes:
        document: With its text.
        chunks: In order.
        terms: Index terms of each chunk.
        place: What a later version of it is recognised by.
    """

    document: Document
    chunks: Sequence[Chunk]
    terms: Sequence[Sequence[str]]
    place: Place = field(default_factory=Place)


@dataclass(slots=True)
class Target:
    """An index being written to; a context manager that leaves no thread of its own, except on Ctrl-C.

    Attributes:
        store: The index.
        embedder: What makes its vectors.
        claim: Called when vectors are made and before they are stored: a new index takes the settings for its own only
            once the model has proved that it works.
    """

    store: IndexStore
    embedder: EmbedderLike
    claim: Callable[[], None] = lambda: None
    _loading: threading.Thread | None = field(default=None, init=False, repr=False)

    def warm_up(self) -> None:
        """Loads the model in the background, while the first files are being read.

        What goes wrong is left to the first call that needs the model, which says so in the user's own thread.
        """
        load = getattr(self.embedder, "load", None)
        if load is not None:
            # No daemon: Python waits for it at its exit. Taken apart under a thread in C++, it would end with SIGABRT.
            self._loading = threading.Thread(target=_quietly, args=(load,), name="kure-rag-warm-up")
            self._loading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for a model that is still loading, but not on Ctrl-C, which is to be quick."""
        if kind is not None and not issubclass(kind, Exception):
            return
        while self._loading is not None and self._loading.is_alive():
            self._loading.join(0.2)  # in turns: on Windows, Ctrl-C does not end a wait

    @property
    def catalog(self) -> Catalog:
        """The index's catalog."""
        return self.store.catalog

    def add(self, items: Sequence[Ready]) -> None:
        """Embeds the chunks of some documents together and stores the documents in one transaction.

        A document takes the place of the one with its key.

        Raises:
            FingerprintMismatchError: The vectors have another length than those in the index.
        """
        texts = [chunk.contextualized() for item in items for chunk in item.chunks]
        vectors = self.embedder.embed_passages(texts) if texts else np.zeros((0, 0), np.float32)
        rows, at = [], 0
        for item in items:
            own = vectors[at : at + len(item.chunks)]
            place = item.place
            rows.append(NewDocument(item.document, item.chunks, item.terms, own, place.key, place.root, place.path))
            at += len(item.chunks)
        self.put(rows)

    def put(self, rows: Sequence[NewDocument], *, together: bool = False) -> None:
        """Stores documents that have their vectors, in one transaction.

        Args:
            rows: The documents.
            together: Searches see all of them or none; no id may occur twice, then.

        Raises:
            FingerprintMismatchError: The vectors have another length than those in the index.
        """
        self.claim()
        for dimension in {int(np.shape(row.vectors)[1]) for row in rows if len(row.chunks)}:
            self._check_dimension(dimension)
        self.catalog.add_many(rows, together=together)

    def _check_dimension(self, dimension: int) -> None:
        known = self.catalog.get("dimension")
        if known is None:
            self.catalog.set(dimension=dimension)
        elif known != dimension:
            raise FingerprintMismatchError(self.store.folder, {"dimension": (known, dimension)})


def _quietly(load: Callable[[], object]) -> None:
    with contextlib.suppress(KureError):
        load()
