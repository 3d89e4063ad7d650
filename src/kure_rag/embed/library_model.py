"""What sparse models, late interaction and rerankers share: a card, a folder, and one model loaded when it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np

from kure_rag.embed.base import Role
from kure_rag.embed.cards import check_name, find_card, folder_of
from kure_rag.embed.files import check_folder, local_revision, refuse_revision
from kure_rag.embed.hub import model_folder, no_telemetry
from kure_rag.embed.kinds import require_kind
from kure_rag.embed.library_engine import Engine, Item, LibraryEngine, Row
from kure_rag.embed.library_kinds import LIBRARIES
from kure_rag.embed.library_processes import LibraryProcesses
from kure_rag.embed.machine import check_device, named_devices
from kure_rag.embed.model_card import USED_BY, Kind, ModelCard
from kure_rag.embed.notices import Notices
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError, TextTooLongError

_NOT_USED: Final = ("pooling", "normalize", "dense_weight", "dimension", "cache", "cache_bytes", "timeout", "retries")


class LibraryModel:
    """A model that sentence-transformers runs, used as its card says. One object can be shared between threads.

    Args:
        model: A name on the model hub, an alias, or the folder of a local copy.
        settings: What to do differently from the model's card. Only torch runs these models; how dense vectors are
            made, weighted, cached or fetched means nothing to them. ``precision="auto"`` is half precision on a GPU
            where this model's cosine to fp32, measured when it is loaded, is at least .9995, and fp32 otherwise.
            Several devices, as ``cuda:0,cuda:1``, are used at once, one process each.
        card: The card to use instead of the one found by name, for a local copy under another name.

    Attributes:
        card: How the model is used, settings applied.
        settings: As given.
        folder: Where a local model lies; ``None`` for one of the hub.

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
        self.folder = folder_of(model)
        self.card = self._found(model, card)
        if self.card.kind != self.kind:
            raise EmbeddingError(
                f"{self.card.name} is a {self.card.kind} model: "
                f"use {USED_BY[self.card.kind]}, not {type(self).__name__}"
            )
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._notices = Notices(lambda: self.name)

    def _refuse_what_is_not_used(self) -> None:
        if self.settings.backend != "torch":
            raise ValueError(f"backend={self.settings.backend!r}: a {self.kind} model runs on torch only")
        for name in self._meaningless():
            if (value := getattr(self.settings, name)) is not None:
                raise ValueError(f"{name}={value!r} means nothing to a {self.kind} model; leave it out")
        if self.settings.precision == "int8":
            raise ValueError(f"precision='int8': a {self.kind} model runs in fp32, bf16 or fp16; leave it out")

    def _meaningless(self) -> tuple[str, ...]:
        return _NOT_USED

    def __reduce__(self) -> tuple[Any, ...]:
        model, settings, card = self._made_from
        return _remade, (type(self), model, settings, card)

    @property
    def name(self) -> str:
        """The card's name, or the last part of the folder of a model without a card."""
        return self.folder.name if self.folder is not None and find_card(self.card.name) is None else self.card.name

    @property
    def revision(self) -> str:
        """Of a model of the hub what is loaded, of a local copy a hash of its files."""
        return (self.card.revision or "newest") if self.folder is None else local_revision(self.folder)

    @property
    def engine(self) -> dict[str, str]:
        """Backend, precision and devices: of a loaded model what it computes in, otherwise what was asked for."""
        precision = self.settings.precision if self._engine is None else self._engine.facts.precision
        where = {} if self.settings.device is None else {"device": self.settings.device}
        return {"backend": "torch", "precision": precision, **where}

    def load(self) -> Engine:
        """The model, loaded at the first call.

        Raises:
            ModelNotAvailableError: The weights cannot be reached; says the three things that help.
            EmbeddingError: They are there and cannot be used.
        """
        with self._lock:
            if self._engine is None:
                self._engine = self._loaded()
            return self._engine

    def _found(self, model: str, card: ModelCard | str | None) -> ModelCard:
        if isinstance(card, str):
            check_name(card)
            card = find_card(card)
        found = card or find_card(model)
        if found is None:
            found = ModelCard(name=model, kind=self.kind, query_prefix=None, passage_prefix=None, normalize=False)
        elif card is not None and self.folder is None and find_card(model) != found:
            found = replace(found, name=model, revision=None)
        changes = {
            key: value
            for key in ("revision", "query_prefix", "passage_prefix")
            if (value := getattr(self.settings, key)) is not None
        }
        return replace(found, **changes)

    def _loaded(self) -> Engine:
        check_device(self.settings.device)
        names = named_devices(self.settings.device)
        folder = self.folder
        if folder is not None:
            refuse_revision(folder, self.settings.revision)
        else:
            folder = model_folder(self.card.name, self.card.revision, self.settings)
        check_folder(folder, code=self.settings.trust_remote_code)
        require_kind(folder, self.kind)
        no_telemetry()
        if len(names) > 1:
            return LibraryProcesses(folder, self.card, self.settings)
        one = replace(self.settings, device=names[0] if names else None)
        return LibraryEngine(LIBRARIES[self.kind], folder, self.card, one)

    def compute(self, items: Sequence[Item], role: Role, what: str) -> list[Row]:
        """What the model makes of items as they are: no prefix is put, and nothing is checked but their lengths.

        Args:
            items: Texts with their prefix, or pairs.
            role: Which of the model's two ways is taken, and whose limit holds.
            what: A text or a pair, for messages.

        Returns:
            A row for each, in order.

        Raises:
            TextTooLongError: One over the limit, where settings say ``too_long="raise"``.
            EmbeddingError: A number is not finite.
        """
        engine = self.load()
        limit = engine.facts.query_tokens if role == "query" else engine.facts.passage_tokens

        def too_long(over: Sequence[tuple[int, int]]) -> None:
            position, tokens = over[0]
            if self.settings.too_long == "raise":
                raise TextTooLongError(
                    f"{what} {position} has {tokens:,} tokens and {self.name} uses {limit:,}; cut it into chunks, "
                    "or set too_long='warn' to use its beginning",
                    position=position,
                    tokens=tokens,
                )
            self._notices.once(
                f"length of {role}",
                "%s: %d of %d %ss are over its limit of %s tokens (the first has %d) and only their beginnings are "
                "used; cut them into shorter chunks (said once)",
                len(over),
                len(items),
                what,
                limit,
                tokens,
            )

        rows = engine.encode(items, role, too_long)
        for item, row in zip(items, rows, strict=True):
            if not all(np.isfinite(array).all() for array in row):
                shown = item if isinstance(item, str) else item[1]
                raise EmbeddingError(
                    f"{self.name} gave a number that is not finite for {shown[:40]!r}; try device='cpu', "
                    "precision='fp32', or another revision of the model"
                )
        return rows


def _remade(
    kind: Callable[..., LibraryModel], model: str, settings: EmbedSettings | None, card: ModelCard | str | None
) -> LibraryModel:
    return kind(model, settings, card=card)
