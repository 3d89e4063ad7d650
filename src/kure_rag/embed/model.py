"""The embedder: a model used as its card says, whatever engine runs it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kure_rag.embed.backends import Backend, Progress, check_engine, make_backend
from kure_rag.embed.backends.http_client import server_url
from kure_rag.embed.backends.precision import refuse_int8
from kure_rag.embed.backends.remote import refuse_max_tokens
from kure_rag.embed.base import Fingerprint, Role, Vectors
from kure_rag.embed.cards import DEFAULT_MODEL, ModelCard
from kure_rag.embed.engine import engine_record
from kure_rag.embed.finished import finished
from kure_rag.embed.identity import ModelIdentity
from kure_rag.embed.notices import Notices, tell_cut, tokens_of
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.texts import DOUBLED, OTHER_PREFIX, count_other_prefix, prefixed
from kure_rag.errors import InvalidTextError, TextTooLongError

if TYPE_CHECKING:
    from kure_rag.embed.cache import EmbeddingCache
    from kure_rag.embed.folders import FolderFacts

_log = logging.getLogger(__name__)


class Embedder:
    """Queries and passages → vectors, with the prefixes and pooling the model was trained with.

    Nothing is loaded or downloaded before the first text. One object can be shared between threads.

    Args:
        model: A name on the model hub, an alias such as ``static-ko``, or the folder of a local copy.
        settings: What to do differently from the model's card.
        card: The card to use instead of the one found by name, for a local copy under another name.

    Attributes:
        card: How the model is used, settings applied.
        settings: As given.
        folder: Where a local or bundled model lies; ``None`` for one of the hub or of a server.

    Raises:
        UnknownModelError: The name can be no model.
        EmbeddingError: The model is a sparse or late-interaction model or a reranker.
        ValueError: ``precision="int8"`` on torch, or ``max_tokens`` for a server.
    """

    def __init__(
        self, model: str = DEFAULT_MODEL, settings: EmbedSettings | None = None, *, card: ModelCard | str | None = None
    ) -> None:
        self._made_from = (model, settings, card)
        self.settings = settings or EmbedSettings()
        if self.settings.backend == "torch":
            refuse_int8(self.settings.precision)
        if self.settings.backend == "remote":
            refuse_max_tokens(self.settings.max_tokens)
        self._identity = ModelIdentity(model, self.settings, card)
        self.card = self._identity.card
        self.folder = self._identity.folder
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._notices = Notices(lambda: self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        # Frameworks copy their models: a copy is made from the same settings and loads its weights when it is used.
        return _remade, self._made_from

    @property
    def name(self) -> str:
        """The card's name, or the folder's last part for a local copy of an unknown model."""
        return self._identity.name

    @property
    def dense_weight(self) -> float:
        """The card's weight beside keyword scores."""
        return self.card.dense_weight

    @property
    def prefixes(self) -> tuple[str, str]:
        """What is put before queries and before passages."""
        return self._identity.prefixes

    @property
    def revision(self) -> str | None:
        """Of a model from the hub its commit, so that fingerprint, prompts and weights are of one copy."""
        return self._identity.revision

    @property
    def facts(self) -> FolderFacts | None:
        """How a model without a card is used, once it is here; ``None`` for one with a card, and for a server's.

        Raises:
            EmbeddingError: One of its files is broken.
        """
        return self._identity.facts()

    @cached_property
    def cache(self) -> EmbeddingCache | None:
        """The cache of vectors that the settings name."""
        folder = self.settings.cache
        if folder is None:
            return None
        from kure_rag.embed.cache import CacheSettings, EmbeddingCache, engine_of

        most, export = self.settings.cache_bytes, self._identity.export
        int8 = export is not None and export.weights == "int8"  # an export need not be asked for it
        settings = replace(self.settings, precision="int8") if int8 else self.settings
        return EmbeddingCache(
            Path(folder).expanduser(),
            fingerprint={**self.fingerprint, **engine_of(settings)},
            settings=None if most is None else CacheSettings(max_bytes=most),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """All that changes the vectors."""
        return self._identity.fingerprint(lambda: getattr(self.load(), "revision", None))

    @property
    def engine(self) -> dict[str, str]:
        """Backend, precision and address: what an index keeps beside the fingerprint.

        Raises:
            EndpointError: The endpoint is no ``http`` URL, or holds a password.
        """
        if self.settings.endpoint is not None:
            server_url(self.settings.endpoint)
        export = self._identity.export
        return engine_record(self.settings, weights=export.weights if export else None)

    @property
    def dimension(self) -> int:
        """Numbers in a vector. Loads the model where settings, files and card do not say."""
        if self.settings.dimension is not None:
            return self.settings.dimension
        if self._backend is None and (stated := self._identity.dimension) is not None:
            return stated
        return self.load().dimension

    def load(self) -> Backend:
        """The engine with the model, loaded at the first call.

        Raises:
            ModelNotAvailableError: The weights cannot be reached; says the three things that help.
            EmbeddingError: They are there and cannot be used, or are shorter than the dimension asked for; or a device
                that the settings name is not here, which is told before anything is looked for.
            MissingExtraError: The engine named in the settings is not installed.
        """
        with self._lock:
            if self._backend is None:
                check_engine(self.folder, self.card, self.settings)
                self._backend = make_backend(self.folder, replace(self.card, revision=self.revision), self.settings)
                if told := self._identity.assumed():
                    _log.warning("%s", told)
            return self._backend

    def embed_queries(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Vectors of queries.

        A text that already begins with the queries' prefix, however it is written, does not get it twice. One that
        begins with the passages' prefix keeps it, after its own. Each is warned of once.

        Args:
            texts: A list of strings that are not empty; put in Unicode form NFC here.
            progress: Told the number of texts that are done, at times.

        Returns:
            Shape (len(texts), dimension), float32.

        Raises:
            InvalidTextError: An empty text or a lone surrogate, with its position; or one string instead of a list.
            TextTooLongError: A text over the limit, where settings say ``too_long="raise"``.
            ModelNotAvailableError: See :meth:`load`.
        """
        return self._embed(texts, "query", progress)

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Vectors of passages; otherwise as :meth:`embed_queries`."""
        return self._embed(texts, "passage", progress)

    async def aembed_queries(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """As :meth:`embed_queries`, in a thread: the event loop goes on. ``progress`` is called in that thread."""
        return await asyncio.to_thread(self.embed_queries, texts, progress=progress)

    async def aembed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """As :meth:`embed_passages`, in a thread: the event loop goes on. ``progress`` is called in that thread."""
        return await asyncio.to_thread(self.embed_passages, texts, progress=progress)

    def _embed(self, texts: Sequence[str], role: Role, progress: Progress | None) -> Vectors:
        ready = self._ready(texts, role)
        if not ready:
            return np.zeros((0, self.dimension), dtype=np.float32)

        done = 0
        over: dict[int, int] = {}  # told part by part: counted over all before it is said

        def compute(positions: Sequence[int]) -> Vectors:
            nonlocal done
            before, done = done, done + len(positions)
            told = None if progress is None else lambda count: progress(before + count)
            return self._computed(ready, positions, role, told, over)

        if self.cache is None:
            vectors = compute(range(len(ready)))
        else:
            vectors = self.cache.through(ready, role, self.dimension, compute, over=over)
            if progress is not None:
                progress(len(ready))
        if over:
            backend = self._backend  # none where all vectors were known
            counts_all = self.settings.backend != "remote" if backend is None else getattr(backend, "counts_all", True)
            limit = None if backend is None else backend.max_tokens
            tell_cut(self._notices, over, len(ready), limit, all_counted=counts_all)
        return vectors

    def _ready(self, texts: Sequence[str], role: Role) -> list[str]:
        """Texts that are checked, in NFC and have their prefix once."""
        if isinstance(texts, str):  # otherwise each of its letters would be a text
            raise InvalidTextError(f"one text ({texts[:40]!r}) where a list is wanted; pass [text]", position=0)
        prefix, other = self.prefixes if role == "query" else self.prefixes[::-1]
        ready, doubled = prefixed(texts, prefix)
        if doubled:
            self._notices.once("prefix", DOUBLED, doubled, len(texts), prefix)
        if mixed := count_other_prefix(ready, prefix, other):
            self._notices.once(f"other prefix {role}", OTHER_PREFIX, mixed, len(texts), other)
        return ready

    def _computed(
        self,
        ready: list[str],
        positions: Sequence[int],
        role: Role,
        progress: Progress | None,
        over: dict[int, int],
    ) -> Vectors:
        """Vectors of the texts at some positions, which are all of them where nothing is cached.

        ``over`` gets the positions of those that are cut, and their tokens.
        """
        backend = self.load()

        def too_long(found: Sequence[tuple[int, int]]) -> None:
            position, tokens = positions[found[0][0]], found[0][1]
            if self.settings.too_long == "raise":
                limit = backend.max_tokens
                used = "fewer" if limit is None else f"{limit:,}"
                raise TextTooLongError(
                    f"text {position} has {tokens_of(tokens, limit)} tokens and {self.name} uses {used}; cut it into "
                    "chunks, or set too_long='warn' to embed its beginning",
                    position=position,
                    tokens=tokens,
                )
            over.update((positions[i], tokens) for i, tokens in found)

        vectors = backend.encode([ready[i] for i in positions], role=role, too_long=too_long, progress=progress)
        return finished(
            vectors,
            ready,
            positions,
            name=self.name,
            card=self.card,
            is_known=self._identity.is_known,
            dimension=self.settings.dimension,
            notices=self._notices,
        )


def _remade(model: str, settings: EmbedSettings | None, card: ModelCard | str | None) -> Embedder:
    return Embedder(model, settings, card=card)
