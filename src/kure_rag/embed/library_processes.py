"""A sparse model, a late-interaction model or a reranker on several devices at once: a child process for each.

As :mod:`kure_rag.embed.backends.processes` does it for dense models, whose children these are but for what they run.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import numpy as np

from kure_rag.embed.backends.children import Child, end_all, first_message, leave
from kure_rag.embed.base import Role
from kure_rag.embed.library_engine import Facts, Item, Row, TooLong
from kure_rag.embed.machine import named_devices
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings

_CHILD: Final = "kure_rag.embed.library_child"
_PIECE: Final = 512  # items sent at once at most: enough to sort by length, few enough to share out evenly
_LEAST: Final = 8


class LibraryProcesses:
    """A model in several processes. See :class:`~kure_rag.embed.library_engine.Engine`.

    Args:
        folder: Its files.
        card: How it is used; its kind says what it is.
        settings: ``device`` names more than one.

    Raises:
        EmbeddingError: The model cannot be loaded, or a child died.
    """

    def __init__(self, folder: Path, card: ModelCard, settings: EmbedSettings) -> None:
        names = named_devices(settings.device)
        one = replace(settings, too_long="warn")  # the parent knows where in its list a text stands, and raises
        firsts = [first_message(folder, card, one, name, len(names)) for name in names]
        self._children = [Child(name, first, module=_CHILD) for name, first in zip(names, firsts, strict=True)]
        self._free: SimpleQueue[Child] = SimpleQueue()
        for child in self._children:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(len(names), thread_name_prefix="kure-embed")
        weakref.finalize(self, end_all, self._children, self._threads)  # also at exit
        try:
            ready = [future.result() for future in [self._threads.submit(child.start) for child in self._children]]
        except BaseException:
            self.close()
            raise
        self.facts = Facts(**ready[0])

    def encode(self, items: Sequence[Item], role: Role, too_long: TooLong) -> list[Row]:
        """See :class:`~kure_rag.embed.library_engine.Engine`; ``too_long`` is told of all at once, at the end.

        Raises:
            EmbeddingError: In a child, or the child died. The next call starts another.
        """
        size = min(_PIECE, max(_LEAST, -(-len(items) // (2 * len(self._children)))))
        pieces: dict[Future[tuple[list[Row], list[tuple[int, int]]]], int] = {
            self._threads.submit(self._piece, items[at : at + size], role): at for at in range(0, len(items), size)
        }
        out: list[Row] = []
        over: list[tuple[int, int]] = []
        try:
            for future, at in pieces.items():
                rows, cut = future.result()
                out.extend(rows)
                over.extend((at + position, tokens) for position, tokens in cut)
        except Exception:
            leave(pieces)  # those at work are waited for: the next call must not read their answers
            raise
        except BaseException:  # Ctrl-C: now, not in a while
            for child in self._children:
                child.stop()
            leave(pieces)
            raise
        if over:
            too_long(over)
        return out

    def names(self, ids: Sequence[int]) -> list[str]:
        """See :class:`~kure_rag.embed.library_engine.Engine`."""
        child = self._free.get()
        try:
            answer, _ = child.ask({"names": list(ids)})
        finally:
            self._free.put(child)
        return [str(name) for name in answer["names"]]

    def close(self) -> None:
        """Ends all children, also those at work."""
        end_all(self._children, self._threads)

    def _piece(self, items: Sequence[Item], role: Role) -> tuple[list[Row], list[tuple[int, int]]]:
        child = self._free.get()
        try:
            answer, payload = child.ask({"items": list(items), "role": role})
        finally:
            self._free.put(child)
        return unpacked(answer["rows"], payload), [(position, tokens) for position, tokens in answer["too_long"]]


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
