"""A sparse model, a late-interaction model or a reranker on several devices at once.

See :class:`~kure_rag.embed.backends.child_pool.ChildPool`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from kure_rag.embed.backends.child_pool import Answer, ChildPool
from kure_rag.embed.base import Role
from kure_rag.embed.library_engine import Facts, Item, Row, TooLong
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings

_CHILD: Final = "kure_rag.embed.library_child"
_LEAST: Final = 8


class LibraryProcesses:
    """A model in several processes. See :class:`~kure_rag.embed.library_engine.Engine`.

    Args:
        folder: Its files.
        card: How it is used; its kind says what it is.
        settings: ``device`` names more than one.

    Attributes:
        facts: What is known of the model.

    Raises:
        EmbeddingError: The model cannot be loaded, or a child died.
    """

    def __init__(self, folder: Path, card: ModelCard, settings: EmbedSettings) -> None:
        one = replace(settings, too_long="warn")  # the parent knows where in its list a text stands, and raises
        self._pool = ChildPool(_CHILD, folder, card, one, least=_LEAST)
        self.facts = Facts(**self._pool.told)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that are there."""
        return self._pool.pids

    def encode(self, items: Sequence[Item], role: Role, too_long: TooLong) -> list[Row]:
        """See :class:`~kure_rag.embed.library_engine.Engine`; ``too_long`` is told of all at once, at the end.

        Raises:
            EmbeddingError: In a child, or the child died. The next call starts another.
        """
        out: list[Row] = [()] * len(items)
        over: list[tuple[int, int]] = []

        def message(some: Sequence[Item]) -> dict[str, Any]:
            return {"items": list(some), "role": role}

        def take(at: int, count: int, answer: Answer) -> None:
            told, payload = answer
            out[at : at + count] = unpacked(told["rows"], payload)
            over.extend((at + position, tokens) for position, tokens in told["too_long"])

        self._pool.share_out(items, message, take)
        if over:
            too_long(sorted(over))
        return out

    def names(self, ids: Sequence[int]) -> list[str]:
        """See :class:`~kure_rag.embed.library_engine.Engine`."""
        answer, _ = self._pool.ask({"names": list(ids)})
        return [str(name) for name in answer["names"]]

    def close(self) -> None:
        """Ends all children, also those at work."""
        self._pool.close()


def packed(rows: Sequence[Row]) -> tuple[list[list[tuple[str, tuple[int, ...]]]], bytes]:
    """Rows as what a message says of them, (type, shape) of each array, and their bytes."""
    told = [[(array.dtype.str, array.shape) for array in row] for row in rows]
    return told, b"".join(np.ascontiguousarray(array).tobytes() for row in rows for array in row)


def unpacked(told: Sequence[Sequence[tuple[str, Sequence[int]]]], payload: bytes) -> list[Row]:
    """What :func:`packed` was given. The arrays can be written to."""
    whole, at, out = bytearray(payload), 0, []
    for row in told:
        arrays = []
        for kind, shape in row:
            count = int(np.prod(shape, dtype=np.int64))
            arrays.append(np.frombuffer(whole, dtype=kind, count=count, offset=at).reshape(shape))
            at += arrays[-1].nbytes
        out.append(tuple(arrays))
    return out
