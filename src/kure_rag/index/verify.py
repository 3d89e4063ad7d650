"""What a check of an index says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verification:
    """Catalog and views compared.

    Attributes:
        documents: In the catalog.
        chunks: In the catalog.
        problems: One clause each; empty for a clean index.
    """

    documents: int
    chunks: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems
