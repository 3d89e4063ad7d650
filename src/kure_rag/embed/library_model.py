"""What sparse models, late interaction and rerankers share: a card, a folder, and one model loaded when it is used."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from kure_rag.embed.batches import batches
from kure_rag.embed.cards import check_name, find_card, folder_of
from kure_rag.embed.files import bundled_path, check_folder
from kure_rag.embed.hub import first_line, model_folder, no_telemetry
from kure_rag.embed.kinds import require_kind
from kure_rag.embed.loading import check_device, require_all_weights
from kure_rag.embed.model_card import USED_BY, Kind, ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.tokens import TextTokenizer
from kure_rag.errors import EmbeddingError, TextTooLongError

_log = logging.getLogger(__name__)
_NOT_USED: Final = ("pooling", "normalize", "dense_weight", "dimension", "cache", "cache_bytes", "timeout", "retries")
_CPU_TOKENS: Final = 4096
_GPU_TOKENS: Final = 32_768


class LibraryModel:
    """A model that sentence-transformers runs, used as its card says.

    Args:
        model: A name on the model hub, an alias, or the folder of a local copy.
        settings: What to do differently from the model's card. Only torch runs these models, in fp32 on one device;
            how dense vectors are made, weighted, cached or fetched means nothing to them.
        card: The card to use instead of the one found by name, for a local copy under another name.

    Raises:
        UnknownModelError: The name can be no model.
        EmbeddingError: The model is of another kind.
        ValueError: A setting that means nothing to these models.
    """

    kind: ClassVar[Kind]

    def __init__(
        self, model: str, settings: EmbedSettings | None = None, *, card: ModelCard | str | None = None
    ) -> None:
        check_name(model)
        self._made_from = (model, settings, card)
        self.settings = settings or EmbedSettings()
        self._refuse_what_is_not_used()
        self._folder = folder_of(model)
        self.card = self._found(model, card)
        if self.card.kind != self.kind:
            raise EmbeddingError(
                f"{self.card.name} is a {self.card.kind} model: "
                f"use {USED_BY[self.card.kind]}, not {type(self).__name__}"
            )
        self._lock = threading.Lock()
        self._model: Any = None
        self._tokenizer: TextTokenizer | None = None
        self._warned: set[str] = set()

    def _refuse_what_is_not_used(self) -> None:
        if self.settings.backend != "torch":
            raise ValueError(f"backend={self.settings.backend!r}: a {self.kind} model runs on torch only")
        for name in _NOT_USED:
            if (value := getattr(self.settings, name)) is not None:
                raise ValueError(f"{name}={value!r} means nothing to a {self.kind} model; leave it out")
        if self.settings.precision not in {"auto", "fp32"}:
            raise ValueError(f"precision={self.settings.precision!r}: a {self.kind} model runs in fp32; leave it out")
        if "," in (self.settings.device or ""):
            raise ValueError(f"device={self.settings.device!r}: a {self.kind} model runs on one device; name one")

    def __reduce__(self) -> tuple[Any, ...]:
        model, settings, card = self._made_from
        return _remade, (type(self), model, settings, card)

    @property
    def name(self) -> str:
        """The card's name, or the last part of the folder of a model without a card."""
        return self._folder.name if self._folder is not None and find_card(self.card.name) is None else self.card.name

    def load(self) -> Any:
        """The model, loaded at the first call.

        Raises:
            ModelNotAvailableError: The weights cannot be reached; says the three things that help.
            EmbeddingError: They are there and cannot be used.
        """
        with self._lock:
            if self._model is None:
                self._model = self._loaded()
                self._tokenizer = TextTokenizer(self._model.tokenizer, None)
            return self._model

    def _found(self, model: str, card: ModelCard | str | None) -> ModelCard:
        if isinstance(card, str):
            check_name(card)
            card = find_card(card)
        found = card or find_card(model)
        if found is None:
            found = ModelCard(name=model, kind=self.kind, query_prefix=None, passage_prefix=None, normalize=False)
        elif card is not None and self._folder is None and find_card(model) != found:
            found = replace(found, name=model, revision=None)
        changes = {
            key: value
            for key in ("revision", "query_prefix", "passage_prefix")
            if (value := getattr(self.settings, key)) is not None
        }
        return replace(found, **changes)

    def _loaded(self) -> Any:
        check_device(self.settings.device)
        folder = self._folder or bundled_path(self.card.name)
        if folder is None:
            folder = model_folder(self.card.name, self.card.revision, self.settings)
        check_folder(folder, code=self.settings.trust_remote_code)
        require_kind(folder, self.kind)
        no_telemetry()
        try:
            model = self._made(
                str(folder),
                device=self.settings.device,
                local_files_only=True,
                trust_remote_code=self.settings.trust_remote_code,
            )
        except Exception as error:  # tokenizers and safetensors raise it bare for broken files
            raise EmbeddingError(f"{folder}: the model could not be loaded ({first_line(error)})") from error
        require_all_weights(folder, model)
        if (limit := self._limit(model)) is not None and model.max_seq_length != limit:
            model.max_seq_length = limit
        return model.eval()

    def _made(self, where: str, **common: Any) -> Any:
        """The library's object."""
        raise NotImplementedError

    def _limit(self, model: Any) -> int | None:
        limits = (getattr(model, "max_seq_length", None), self.card.max_tokens, self.settings.max_tokens)
        whole = [limit for limit in limits if isinstance(limit, int)]
        return min(whole, default=None)

    def _tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, before anything is cut."""
        self.load()
        assert self._tokenizer is not None  # noqa: S101 - loaded with the model
        return [len(row) for row in self._tokenizer.encode(texts).ids]

    def _in_batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Positions in groups of nearly one length, under the token budget."""
        budget = self.settings.batch_tokens
        if budget is None:
            budget = _CPU_TOKENS if self.load().device.type == "cpu" else _GPU_TOKENS
        limit = self._limit(self._model)
        return batches([min(length, limit or length) for length in lengths], budget)

    def _check_lengths(self, lengths: Sequence[int], what: str) -> None:
        """Warns once about texts over the limit, or raises, as the settings say."""
        limit = self._limit(self.load())
        over = [(i, length) for i, length in enumerate(lengths) if limit is not None and length > limit]
        if not over:
            return
        position, tokens = over[0]
        if self.settings.too_long == "raise":
            raise TextTooLongError(
                f"{what} {position} has {tokens:,} tokens and {self.name} uses {limit:,}; cut it into chunks, "
                "or set too_long='warn' to use its beginning",
                position=position,
                tokens=tokens,
            )
        self._warn_once(
            "length",
            "%s: %d of %d %ss are over its limit of %s tokens (the first has %d) and only their beginnings are used; "
            "cut them into shorter chunks (said once)",
            len(over),
            len(lengths),
            what,
            limit,
            tokens,
        )

    def _warn_once(self, about: str, message: str, *values: object) -> None:
        if about not in self._warned:
            self._warned.add(about)
            _log.warning(message, self.name, *values)


def _remade(
    kind: Callable[..., LibraryModel], model: str, settings: EmbedSettings | None, card: ModelCard | str | None
) -> LibraryModel:
    return kind(model, settings, card=card)
