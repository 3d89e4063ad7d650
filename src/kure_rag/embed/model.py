"""The embedder: a model used as its card says, whatever engine runs it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed.backends import Backend, Progress, make_backend
from kure_rag.embed.backends.http_client import server_url
from kure_rag.embed.backends.manifest import is_export, read_manifest
from kure_rag.embed.backends.precision import refuse_int8
from kure_rag.embed.backends.remote import refuse_max_tokens
from kure_rag.embed.base import Fingerprint, Role, Vectors
from kure_rag.embed.cards import DEFAULT_MODEL, ModelCard, check_name, find_card, folder_of
from kure_rag.embed.engine import engine_record
from kure_rag.embed.folders import FolderUse, folder_use, stated_dimension
from kure_rag.embed.loading import bundled_path, commit_of, local_revision, stored_prompts
from kure_rag.embed.model_card import USED_BY
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.texts import DOUBLED, prefixed
from kure_rag.errors import EmbeddingError, EndpointError, InvalidTextError, TextTooLongError

if TYPE_CHECKING:
    from kure_rag.embed.cache import EmbeddingCache

_log = logging.getLogger(__name__)

_OTHER_PREFIX: Final = (
    "%s: %d of %d texts begin with %r, the prefix of the other role, which stays in the text; queries and passages "
    "have a method each, which puts the prefix (said once)"
)
_OVER: Final = (
    "%s: %s%d of %d texts are over its limit%s (the first has %s) and only their beginnings are embedded; "
    "cut them into shorter chunks (said once)"
)
_CUT: Final = (
    "%s: vectors are cut to %d of %d numbers, for which it is not known to be trained (it is for %s): try whether they "
    "still find what you need"
)


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
        else:  # a server may call its model anything
            check_name(model)
        self.folder = folder_of(model)
        # An export says what it was made from: its vectors are that model's.
        self._export = read_manifest(self.folder) if self.folder is not None and is_export(self.folder) else None
        origin = self._export.model if self._export else model
        found = self._given_card(card) or find_card(model) or find_card(origin)
        if card is not None and found is not None and self.folder is None and (own := find_card(model)) != found:
            # Used as the card says, but the weights of its own name, of which the model may be an alias.
            name = model if own is None else own.name
            found = replace(found, name=name, revision=found.revision if found.name == name else None)
        # A model without a card is used as it says itself: `None` prefixes mean its own stored prompts.
        unknown = ModelCard(name=origin, query_prefix=None, passage_prefix=None, normalize=True)
        self._use = FolderUse(card=found or unknown)
        if self.folder is not None and self._export is None and self.settings.backend != "remote":
            self._use = folder_use(self.folder, found or unknown, known=found is not None)
        self.card = _override(self._use.card, self.settings)
        self._is_known = found is not None
        if self.card.kind != "dense":
            raise EmbeddingError(
                f"{self.card.name} is a {self.card.kind} model: use {USED_BY[self.card.kind]}, not an embedder of "
                "one vector a text"
            )
        if self.folder is None:
            self.folder = bundled_path(self.card.name)
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._warned: set[str] = set()
        self._prompts: tuple[str, str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Frameworks copy their models: a copy is made from the same settings and loads its weights when it is used.
        return _remade, self._made_from

    @staticmethod
    def _given_card(card: ModelCard | str | None) -> ModelCard | None:
        if not isinstance(card, str):
            return card
        check_name(card)
        return find_card(card)

    @property
    def name(self) -> str:
        """The card's name, or the folder's last part for a local copy of an unknown model."""
        if self._export is not None:
            return self._export.model
        if self.card.name in (None, "") or (self.folder and find_card(self.card.name) is None):
            return self.folder.name if self.folder else self.card.name
        return self.card.name

    @property
    def dense_weight(self) -> float:
        """The card's weight beside keyword scores."""
        return self.card.dense_weight

    @property
    def prefixes(self) -> tuple[str, str]:
        """What is put before queries and before passages."""
        if self._prompts is None:
            stored = self._stored_prompts() if None in (self.card.query_prefix, self.card.passage_prefix) else ("", "")
            query, passage = self.card.query_prefix, self.card.passage_prefix
            self._prompts = (stored[0] if query is None else query, stored[1] if passage is None else passage)
        return self._prompts

    def _stored_prompts(self) -> tuple[str, str]:
        try:
            return stored_prompts(self.folder or self.card.name, self.revision, self.settings)
        except EmbeddingError as error:
            if self.settings.backend != "remote":
                raise
            raise EndpointError(
                f"which prefixes {self.card.name!r} needs is on no card, and cannot be read from the model hub; "
                "pass query_prefix= and passage_prefix=, '' for none, or card= with the model that it was made from"
            ) from error

    @cached_property
    def revision(self) -> str | None:
        """Of a model from the hub its commit, so that fingerprint, prompts and weights are of one copy."""
        if self.folder is not None or self.settings.backend == "remote":
            return self.card.revision
        return commit_of(self.card.name, self.card.revision, self.settings)

    @cached_property
    def cache(self) -> EmbeddingCache | None:
        """The cache of vectors that the settings name."""
        folder = self.settings.cache
        if folder is None:
            return None
        from kure_rag.embed.cache import CacheSettings, EmbeddingCache, engine_of

        most = self.settings.cache_bytes
        int8 = self._export is not None and self._export.weights == "int8"  # an export need not be asked for it
        settings = replace(self.settings, precision="int8") if int8 else self.settings
        return EmbeddingCache(
            Path(folder).expanduser(),
            fingerprint={**self.fingerprint, **engine_of(settings)},
            settings=None if most is None else CacheSettings(max_bytes=most),
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """All that changes the vectors."""
        query, passage = self.prefixes
        dimension = {} if self.settings.dimension is None else {"dimension": self.settings.dimension}
        return {
            **dimension,
            **self._cut_and_tokenizer(),
            "model": self.name,
            "revision": self._used_revision(),
            "query_prefix": query,
            "passage_prefix": passage,
            "pooling": self.card.pooling,
            "normalize": self.card.normalize,
        }

    def _cut_and_tokenizer(self) -> dict[str, Any]:
        """What tokens are made of a text and where they are cut, as far as that is not what the name stands for.

        What the name's own card says is left out, so that indexes made before a card could be given fit still.
        """
        if self.settings.backend == "remote":
            return {}  # both are the server's
        found: dict[str, Any] = {}
        most, told, own = self.settings.max_tokens, self.card.max_tokens, self._own_card()
        if told != own.max_tokens:
            limit = min((value for value in (most, told) if value is not None), default=None)
            if limit is not None and (own.max_tokens is None or limit <= own.max_tokens):
                most = limit  # as if it were asked for in the settings
            else:
                found["card_max_tokens"] = "none" if told is None else told
        if most is not None:
            found["max_tokens"] = most
        if self.card.tokenizer != own.tokenizer:
            found["tokenizer_of_card"] = self.card.tokenizer
        return found

    def _own_card(self) -> ModelCard:
        """How the model is used where no card is given."""
        card = find_card(self.name) or ModelCard(name=self.name)
        if self.folder is None or self._export is not None or find_card(self.name) is not None:
            return card
        return folder_use(self.folder, card, known=False).card

    def _used_revision(self) -> str:
        if self.settings.backend == "remote":  # a server may say what it runs
            return getattr(self.load(), "revision", None) or self.revision or "newest"
        if self._export is not None:
            return self._export.revision
        return local_revision(self.folder) if self.folder else (self.revision or "newest")

    @property
    def engine(self) -> dict[str, str]:
        """Backend, precision and address: what an index keeps beside the fingerprint.

        Raises:
            EndpointError: The endpoint is no ``http`` URL, or holds a password.
        """
        if self.settings.endpoint is not None:
            server_url(self.settings.endpoint)
        return engine_record(self.settings, weights=self._export.weights if self._export else None)

    @property
    def dimension(self) -> int:
        """Numbers in a vector. Loads the model where settings, files and card do not say."""
        if self.settings.dimension is not None:
            return self.settings.dimension
        if self._backend is None and (stated := self._stated_dimension) is not None:
            return stated
        return self.load().dimension

    @cached_property
    def _stated_dimension(self) -> int | None:
        if self._export is not None:
            return self._export.dimension
        if self.folder is None or self.folder == bundled_path(self.card.name):
            return self.card.dimension
        return stated_dimension(self.folder)  # which may be smaller than the model whose name it has

    def load(self) -> Backend:
        """The engine with the model, loaded at the first call.

        Raises:
            ModelNotAvailableError: The weights cannot be reached; says the three things that help.
            EmbeddingError: They are there and cannot be used, or are shorter than the dimension asked for.
            MissingExtraError: The engine named in the settings is not installed.
        """
        with self._lock:
            if self._backend is None:
                self._backend = make_backend(self.folder, replace(self.card, revision=self.revision), self.settings)
                if self.folder is not None and (told := self._use.assumed(self.folder, self.settings, self.prefixes)):
                    _log.warning("%s", told)
            return self._backend

    def embed_queries(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Vectors of queries.

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

    def _embed(self, texts: Sequence[str], role: Role, progress: Progress | None) -> Vectors:
        if isinstance(texts, str):  # otherwise each of its letters would be a text
            raise InvalidTextError(f"one text ({texts[:40]!r}) where a list is wanted; pass [text]", position=0)
        prefix, other = self.prefixes if role == "query" else self.prefixes[::-1]
        ready, doubled = prefixed(texts, prefix)
        if doubled:
            self._warn_once("prefix", DOUBLED, doubled, len(texts), prefix)
        if other and other != prefix and (mixed := sum(text.startswith(prefix + other) for text in ready)):
            self._warn_once(f"other prefix {role}", _OTHER_PREFIX, mixed, len(texts), other)
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
            self._warn_cut(over, len(ready))
        return vectors

    def _warn_cut(self, over: Mapping[int, int], count: int) -> None:
        # A server that has been told to cut does not say what it cuts from then on.
        least = "at least " if self.settings.backend == "remote" else ""
        limit = None if self._backend is None else self._backend.max_tokens  # no model is loaded to say it
        told = "" if limit is None else f" of {limit:,} tokens"
        self._warn_once("length", _OVER, least, len(over), count, told, _tokens(over[min(over)], limit))

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
                raise TextTooLongError(
                    f"text {position} has {_tokens(tokens, backend.max_tokens)} tokens and {self.name} uses "
                    f"{backend.max_tokens:,}; cut it into chunks, or set too_long='warn' to embed its beginning",
                    position=position,
                    tokens=tokens,
                )
            over.update((positions[i], tokens) for i, tokens in found)

        vectors = backend.encode([ready[i] for i in positions], role=role, too_long=too_long, progress=progress)
        if self.card.dimension not in (None, vectors.shape[1]):
            self._warn_once(
                "width",
                "%s: its card says vectors of %d numbers, and these have %d: another model, or a smaller one, has "
                "this name; `kure-rag doctor --model` checks it",
                self.card.dimension,
                vectors.shape[1],
            )
        if (dimension := self.settings.dimension) is not None:
            if vectors.shape[1] < dimension:
                raise EmbeddingError(f"{self.name} has vectors of {vectors.shape[1]} numbers: no {dimension} to keep")
            if dimension < vectors.shape[1] and dimension not in self.card.dimensions and self._is_known:
                trained = ", ".join(map(str, self.card.dimensions[1:])) or "no other length"
                self._warn_once("cut", _CUT, dimension, vectors.shape[1], trained)
            vectors = vectors[:, :dimension]
        if not np.isfinite(vectors).all():
            bad = positions[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            raise EmbeddingError(
                f"{self.name} gave a vector that is not finite for text {bad} ({ready[bad][:40]!r}); "
                "try device='cpu', precision='fp32', or another revision of the model"
            )
        return _unit(vectors) if self.card.normalize else np.ascontiguousarray(vectors)

    def _warn_once(self, about: str, message: str, *values: object) -> None:
        if about not in self._warned:
            self._warned.add(about)
            _log.warning(message, self.name, *values)


def _tokens(tokens: int, limit: int | None) -> str:
    """How many tokens a text has. A server that cuts tells what it used, and the text has that many or more."""
    return f"at least {tokens:,}" if tokens == limit else f"{tokens:,}"


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def _remade(model: str, settings: EmbedSettings | None, card: ModelCard | str | None) -> Embedder:
    return Embedder(model, settings, card=card)


def _override(card: ModelCard, settings: EmbedSettings) -> ModelCard:
    given = {
        key: value
        for key in ("revision", "query_prefix", "passage_prefix", "pooling", "normalize", "dense_weight")
        if (value := getattr(settings, key)) is not None
    }
    return replace(card, **given)
