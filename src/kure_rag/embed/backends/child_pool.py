"""One model on several devices at once: a child process for each, all fed from one list."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from kure_rag.embed.backends.children import Child, end_all, first_message, leave
from kure_rag.embed.machine import named_devices
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings

Answer = tuple[dict[str, Any], bytes]
"""What a child says, and the bytes behind it."""

_Item = TypeVar("_Item")
_MOST: Final = 512  # items sent at once: enough to sort by length, few enough to share out evenly


class ChildPool:
    """The same model in a child process for each device that the settings name.

    Args:
        module: What ``python -m`` runs in a child.
        folder: A local copy, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: ``device`` names more than one.
        least: Items that are worth a message of their own.

    Attributes:
        told: What a child says of the model.

    Raises:
        EmbeddingError: The model cannot be loaded, of the kind the child named, or a child died.
    """

    def __init__(self, module: str, folder: Path | None, card: ModelCard, settings: EmbedSettings, *, least: int):
        names = named_devices(settings.device)
        firsts = [first_message(folder, card, settings, name, len(names)) for name in names]
        self._least = least
        self._children = [Child(name, first, module=module) for name, first in zip(names, firsts, strict=True)]
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
        self.told: dict[str, Any] = ready[0]

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that are there."""
        return tuple(pid for child in self._children if (pid := child.pid) is not None)

    def ask(self, message: Mapping[str, Any]) -> Answer:
        """What one of the children answers, as soon as one is free.

        Raises:
            EmbeddingError: Of the kind that the child named; or it died. The next message starts another.
        """
        child = self._free.get()
        try:
            return child.ask(message)
        finally:
            self._free.put(child)

    def share_out(
        self,
        items: Sequence[_Item],
        message: Callable[[Sequence[_Item]], Mapping[str, Any]],
        take: Callable[[int, int, Answer], None],
    ) -> None:
        """Has the children answer for all items, in pieces.

        Args:
            items: What is asked about.
            message: Of one piece.
            take: Called in this thread with the position of a piece's first item, how many it has, and the answer, as
                they come; may raise.

        Raises:
            EmbeddingError: See :meth:`ask`.
        """
        size = min(_MOST, max(self._least, -(-len(items) // (2 * len(self._children)))))
        pieces = {
            self._threads.submit(self.ask, message(items[at : at + size])): at for at in range(0, len(items), size)
        }
        try:
            waiting: set[Future[Answer]] = set(pieces)
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=pieces.__getitem__):
                    at = pieces[future]
                    take(at, min(size, len(items) - at), future.result())
        except Exception:
            leave(pieces)  # those at work are waited for: the next call must not read their answers
            raise
        except BaseException:  # Ctrl-C: now, not in a while
            for child in self._children:
                child.stop()
            leave(pieces)
            raise

    def close(self) -> None:
        """Ends all children, also those at work."""
        end_all(self._children, self._threads)
