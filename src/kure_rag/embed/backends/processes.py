"""A dense model on several devices at once, see :class:`~kure_rag.embed.backends.child_pool.ChildPool`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.backends.child_pool import Answer, ChildPool
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings

_CHILD: Final = "kure_rag.embed.backends.process_child"
_LEAST: Final = 16


class ProcessBackend:
    """A model in several processes. See :class:`~kure_rag.embed.backends.base.Backend`.

    Args:
        folder: A local copy, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: ``device`` names more than one.

    Attributes:
        dimension: Numbers in a vector.
        max_tokens: Tokens of a text that are used; ``None`` for no limit.

    Raises:
        EmbeddingError: The model cannot be loaded, of the kind the child named, or a child died.
    """

    def __init__(self, folder: Path | None, card: ModelCard, settings: EmbedSettings) -> None:
        self._pool = ChildPool(_CHILD, folder, card, settings, least=_LEAST)
        self.dimension = int(self._pool.told["dimension"])
        self.max_tokens: int | None = self._pool.told["max_tokens"]

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that are there."""
        return self._pool.pids

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`; ``too_long`` is told piece by piece, as they are done.

        Raises:
            EmbeddingError: In a child, of the kind it named; or the child died. The next call starts another.
        """
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        done = 0

        def message(some: Sequence[str]) -> dict[str, Any]:
            return {"texts": list(some), "role": role}

        def take(at: int, count: int, answer: Answer) -> None:
            nonlocal done
            told, payload = answer
            if told["too_long"] and too_long is not None:
                too_long([(at + position, tokens) for position, tokens in told["too_long"]])
            out[at : at + count] = np.frombuffer(payload, dtype=np.float32).reshape(told["shape"])
            done += count
            if progress is not None:
                progress(done)

        self._pool.share_out(texts, message, take)
        return out

    def close(self) -> None:
        """Ends all children, also those at work."""
        self._pool.close()
