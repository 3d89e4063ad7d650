"""A persistent cache of vectors, keyed by model fingerprint, role and text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kure_rag.embed.base import Fingerprint, Role, Vectors


class EmbeddingCache:
    """To be written."""

    def __init__(self, folder: Path, *, fingerprint: Fingerprint) -> None:
        self.folder = folder

    def through(
        self, texts: Sequence[str], role: Role, dimension: int, compute: Callable[[Sequence[int]], Vectors]
    ) -> Vectors:
        """Vectors of texts: those that are known, and the others by ``compute`` of their positions, which are kept."""
        return compute(range(len(texts)))
