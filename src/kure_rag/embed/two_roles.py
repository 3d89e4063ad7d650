"""Models that take queries and passages apart, each with the prefix it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kure_rag.embed.base import Role
from kure_rag.embed.library_model import LibraryModel
from kure_rag.embed.texts import DOUBLED, prefixed


class TwoRoles(LibraryModel):
    """A sparse or late-interaction model: texts in, one thing for each of them out."""

    @property
    def prefixes(self) -> tuple[str, str]:
        """What is put before queries and before passages: the card's, or what the model stores."""
        query, passage = self.card.query_prefix, self.card.passage_prefix
        if query is None or passage is None:
            stored: dict[str, str | None] = getattr(self.load(), "prompts", None) or {}
            query = (stored.get("query") or "") if query is None else query
            if passage is None:
                passage = next((found for role in ("document", "passage") if (found := stored.get(role))), "")
        return query, passage

    def _encode(self, texts: Sequence[str], role: Role) -> list[Any]:
        """What the library makes of each text, in order."""
        prefix = self.prefixes[0 if role == "query" else 1]
        ready, doubled = prefixed(texts, prefix)
        if doubled:
            self._warn_once("prefix", DOUBLED, doubled, len(texts), prefix)
        if not ready:
            return []
        lengths = self._tokens(ready)
        self._check_lengths(lengths, "text")
        out: list[Any] = [None] * len(ready)
        for group in self._in_batches(lengths):
            found = self._encoded([ready[i] for i in group], role)
            for i, vectors in zip(group, found, strict=True):
                out[i] = vectors
        return out

    def _encoded(self, texts: list[str], role: Role) -> Sequence[Any]:
        """One batch; its texts have their prefix."""
        raise NotImplementedError
