"""Models that take queries and passages apart, each with the prefix it was trained with."""

from __future__ import annotations

from collections.abc import Sequence

from kure_rag.embed.base import Role
from kure_rag.embed.library_engine import Row
from kure_rag.embed.library_model import LibraryModel
from kure_rag.embed.texts import DOUBLED, OTHER_PREFIX, count_other_prefix, prefixed


class TwoRoles(LibraryModel):
    """A sparse or late-interaction model: texts in, one thing for each of them out."""

    @property
    def prefixes(self) -> tuple[str, str]:
        """What is put before queries and before passages: the card's, or what the model stores."""
        query, passage = self.card.query_prefix, self.card.passage_prefix
        if query is None or passage is None:
            stored = self.stored_prefixes
            query, passage = stored[0] if query is None else query, stored[1] if passage is None else passage
        return query, passage

    @property
    def stored_prefixes(self) -> tuple[str, str]:
        """What the model itself stores for queries and for passages, each empty where it stores none. Loads it."""
        stored = self.load().facts.prompts
        passage = next((found for role in ("document", "passage") if (found := stored.get(role))), "")
        return stored.get("query") or "", passage

    def _encode(self, texts: Sequence[str], role: Role) -> list[Row]:
        """What the library makes of each text, in order."""
        prefix, other = self.prefixes if role == "query" else self.prefixes[::-1]
        ready, doubled = prefixed(texts, prefix)
        if doubled:
            self._notices.once("prefix", DOUBLED, doubled, len(texts), prefix)
        if mixed := count_other_prefix(ready, prefix, other):
            self._notices.once(f"other prefix {role}", OTHER_PREFIX, mixed, len(texts), other)
        return self.compute(ready, role, "text") if ready else []
