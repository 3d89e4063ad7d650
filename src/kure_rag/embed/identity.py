"""Which model a name means, how it is used, and what its vectors depend on. Loads no weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from kure_rag.embed.backends.manifest import is_export, read_manifest
from kure_rag.embed.base import Fingerprint
from kure_rag.embed.cards import ModelCard, check_name, find_card, folder_of
from kure_rag.embed.files import bundled_path, local_revision
from kure_rag.embed.folder_use import FolderUse, folder_use, hub_use
from kure_rag.embed.folders import FolderFacts, read_folder, stated_dimension
from kure_rag.embed.hub import cached_folder, commit_of
from kure_rag.embed.loading import stored_prompts
from kure_rag.embed.model_card import USED_BY
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError, EndpointError

_SETTINGS_OF_CARD = ("revision", "query_prefix", "passage_prefix", "pooling", "normalize", "dense_weight")


class ModelIdentity:
    """A dense model by its name, an alias or a folder, with the settings applied to its card.

    Args:
        model: As :class:`~kure_rag.embed.model.Embedder` takes it.
        settings: Likewise.
        card: Likewise.

    Attributes:
        card: How the model is used.
        is_known: Whether that card was found, or given, rather than made up for a model without one.
        folder: Where a local or bundled model lies; ``None`` for one of the hub or of a server.
        export: What an exported model's folder says of itself; ``None`` for all others.

    Raises:
        UnknownModelError: The name can be no model.
        EmbeddingError: The model is a sparse or late-interaction model or a reranker.
    """

    def __init__(self, model: str, settings: EmbedSettings, card: ModelCard | str | None) -> None:
        self._settings = settings
        if not self._is_remote:  # a server may call its model anything
            check_name(model)
        self.folder = folder_of(model)
        # An export says what it was made from: its vectors are that model's.
        self.export = read_manifest(self.folder) if self.folder is not None and is_export(self.folder) else None
        origin = self.export.model if self.export else model
        found = _given_card(card) or find_card(model) or find_card(origin)
        if card is not None and found is not None and self.folder is None and (own := find_card(model)) != found:
            # Used as the card says, but the weights of its own name, of which the model may be an alias.
            name = model if own is None else own.name
            found = replace(found, name=name, revision=found.revision if found.name == name else None)
        # A model without a card is used as it says itself: `None` prefixes mean its own stored prompts.
        unknown = ModelCard(name=origin, query_prefix=None, passage_prefix=None, normalize=True)
        self._use = FolderUse(card=found or unknown)
        if self.folder is not None and self.export is None and not self._is_remote:
            self._use = folder_use(self.folder, found or unknown, known=found is not None)
        self.card = _override(self._use.card, settings)
        self.is_known = found is not None
        if self.card.kind != "dense":
            raise EmbeddingError(
                f"{self.card.name} is a {self.card.kind} model: use {USED_BY[self.card.kind]}, not an embedder of "
                "one vector a text"
            )
        if self.folder is None:
            self.folder = bundled_path(self.card.name)

    @property
    def _is_remote(self) -> bool:
        return self._settings.backend == "remote"

    @property
    def name(self) -> str:
        """The card's name, or the folder's last part for a local copy of an unknown model."""
        if self.export is not None:
            return self.export.model
        if self.card.name in (None, "") or (self.folder and find_card(self.card.name) is None):
            return self.folder.name if self.folder else self.card.name
        return self.card.name

    @cached_property
    def prefixes(self) -> tuple[str, str]:
        """What is put before queries and before passages.

        Raises:
            ModelNotAvailableError: They are on no card, and the model's files cannot be reached.
        """
        query, passage = self.card.query_prefix, self.card.passage_prefix
        stored = self._stored_prompts() if None in (query, passage) else ("", "")
        return stored[0] if query is None else query, stored[1] if passage is None else passage

    def _stored_prompts(self) -> tuple[str, str]:
        try:
            return stored_prompts(self.folder or self.card.name, self.revision, self._settings)
        except EmbeddingError as error:
            if not self._is_remote:
                raise
            raise EndpointError(
                f"which prefixes {self.card.name!r} needs is on no card, and cannot be read from the model hub; "
                "pass query_prefix= and passage_prefix=, '' for none, or card= with the model that it was made from"
            ) from error

    @cached_property
    def revision(self) -> str | None:
        """Of a model from the hub its commit, so that fingerprint, prompts and weights are of one copy."""
        if self.folder is not None or self._is_remote:
            return self.card.revision
        return commit_of(self.card.name, self.card.revision, self._settings)

    @cached_property
    def dimension(self) -> int | None:
        """Numbers in a vector, where files or card say; ``None`` where only the loaded model does."""
        if self.export is not None:
            return self.export.dimension
        if self.folder is None or self.folder == bundled_path(self.card.name):
            return self.card.dimension
        return stated_dimension(self.folder)  # which may be smaller than the model whose name it has

    def fingerprint(self, served_revision: Callable[[], str | None]) -> Fingerprint:
        """All that changes the vectors.

        Args:
            served_revision: Asks a server which commit it runs; not called for other models.
        """
        query, passage = self.prefixes
        dimension = {} if self._settings.dimension is None else {"dimension": self._settings.dimension}
        return {
            **dimension,
            **self._cut_and_tokenizer(),
            "model": self.name,
            "revision": self._used_revision(served_revision),
            "query_prefix": query,
            "passage_prefix": passage,
            "pooling": self.card.pooling,
            "normalize": self.card.normalize,
        }

    def assumed(self) -> str | None:
        """What to say, once the model is here, of how it is used that neither its files nor settings tell.

        Returns:
            ``None`` for nothing.
        """
        if self.folder is not None:
            return self._use.assumed(self.folder, self._settings, self.prefixes)
        if self.is_known or self._is_remote:
            return None
        folder = cached_folder(self.card.name, self.revision, self._settings)
        use = None if folder is None else hub_use(folder, self.card)
        return None if use is None else use.assumed(self.card.name, self._settings, self.prefixes)

    def facts(self) -> FolderFacts | None:
        """How a model without a card is used, and what of that is assumed; it must be here.

        Returns:
            ``None`` for a model with a card, and for one of a server.
        """
        if self.is_known or self._is_remote:
            return None
        if self.folder is not None:
            return read_folder(self.folder, self._settings)
        folder = cached_folder(self.card.name, self.revision, self._settings)
        return None if folder is None else read_folder(folder, self._settings, from_hub=True)

    def _cut_and_tokenizer(self) -> dict[str, Any]:
        """What tokens are made of a text and where they are cut, as far as that is not what the name stands for.

        What the name's own card says is left out, so that indexes made before a card could be given fit still.
        """
        if self._is_remote:
            return {}  # both are the server's
        found: dict[str, Any] = {}
        most, told, own = self._settings.max_tokens, self.card.max_tokens, self._own_card()
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
        if self.folder is None or self.export is not None or find_card(self.name) is not None:
            return card
        return folder_use(self.folder, card, known=False).card

    def _used_revision(self, served_revision: Callable[[], str | None]) -> str:
        if self._is_remote:  # a server may say what it runs
            return served_revision() or self.revision or "newest"
        if self.export is not None:
            return self.export.revision
        return local_revision(self.folder) if self.folder else (self.revision or "newest")


def _given_card(card: ModelCard | str | None) -> ModelCard | None:
    if not isinstance(card, str):
        return card
    check_name(card)
    return find_card(card)


def _override(card: ModelCard, settings: EmbedSettings) -> ModelCard:
    given = {key: value for key in _SETTINGS_OF_CARD if (value := getattr(settings, key)) is not None}
    return replace(card, **given)
