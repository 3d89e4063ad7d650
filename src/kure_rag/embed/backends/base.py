"""What an engine is to the embedder, and what a local model is to the engine that feeds it tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kure_rag.embed.base import Role, Vectors

TooLong = Callable[[Sequence[tuple[int, int]]], None]
"""Told (position, tokens) of the texts that are over the limit, before anything is computed; may raise."""

Progress = Callable[[int], None]
"""Told the number of texts that are done, at times; it grows to the number given."""


class Backend(Protocol):
    """Texts → vectors on one engine. One object serves many threads."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are used; ``None`` for no limit or an unknown one."""
        ...

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """Vectors of texts that are checked, in NFC and have their prefix.

        Args:
            texts: At least one.
            role: For servers that are told; the prefix is already there.
            too_long: See :data:`TooLong`.
            progress: See :data:`Progress`.

        Returns:
            Shape (len(texts), dimension), float32, C-contiguous, as pooled: not scaled to unit length unless the
            model itself ends in that.
        """
        ...


class Runner(Protocol):
    """Token ids → pooled vectors: one model in one process on one device."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Tokens, with padding, that suit one forward pass."""
        ...

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Vectors]:
        """Begins a forward pass and returns what waits for its result, shape (len(batch), dimension), float32.

        On a GPU the pass runs while the caller goes on; elsewhere it may be over when this returns.
        """
        ...
