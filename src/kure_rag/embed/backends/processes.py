"""One model on several devices at once: a child process for each, fed from one queue."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import numpy as np

from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.backends.children import Child, end_all, first_message, leave
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.machine import named_devices
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings

_CHILD: Final = "kure_rag.embed.backends.process_child"
_PIECE: Final = 512  # texts sent at once at most: enough to sort by length, few enough to share out evenly
_LEAST: Final = 16


class ProcessBackend:
    """A model in several processes. See :class:`~kure_rag.embed.backends.base.Backend`.

    Args:
        folder: A local copy, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: ``device`` names more than one.

    Raises:
        EmbeddingError: The model cannot be loaded, of the kind the child named, or a child died.
    """

    def __init__(self, folder: Path | None, card: ModelCard, settings: EmbedSettings) -> None:
        names = named_devices(settings.device)
        firsts = [first_message(folder, card, settings, name, len(names)) for name in names]
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
        self.dimension = int(ready[0]["dimension"])
        self.max_tokens: int | None = ready[0]["max_tokens"]

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`; ``too_long`` is told piece by piece, as they are done.

        Raises:
            EmbeddingError: In a child, of the kind it named; or the child died. The next call starts another.
        """
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        size = min(_PIECE, max(_LEAST, -(-len(texts) // (2 * len(self._children)))))
        pieces = {
            self._threads.submit(self._piece, texts[at : at + size], role): at for at in range(0, len(texts), size)
        }
        try:
            self._collect(pieces, out, too_long, progress)
        except Exception:
            leave(pieces)  # those at work are waited for: the next call must not read their answers
            raise
        except BaseException:  # Ctrl-C: now, not in a while
            for child in self._children:
                child.stop()
            leave(pieces)
            raise
        return out

    def close(self) -> None:
        """Ends all children, also those at work."""
        end_all(self._children, self._threads)

    def _collect(
        self,
        pieces: Mapping[Future[tuple[Vectors, list[tuple[int, int]]]], int],
        out: Vectors,
        too_long: TooLong | None,
        progress: Progress | None,
    ) -> None:
        waiting, done = set(pieces), 0
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=pieces.__getitem__):
                vectors, cut = future.result()
                at = pieces[future]
                if cut and too_long is not None:
                    too_long([(at + position, tokens) for position, tokens in cut])
                out[at : at + len(vectors)] = vectors
                done += len(vectors)
                if progress is not None:
                    progress(done)

    def _piece(self, texts: Sequence[str], role: Role) -> tuple[Vectors, list[tuple[int, int]]]:
        """Vectors of texts, and (position, tokens) of those that were cut."""
        child = self._free.get()
        try:
            answer, payload = child.ask({"texts": list(texts), "role": role})
        finally:
            self._free.put(child)
        vectors = np.frombuffer(payload, dtype=np.float32).reshape(answer["shape"])
        return vectors, [(position, tokens) for position, tokens in answer["too_long"]]
