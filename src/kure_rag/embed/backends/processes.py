"""One model on several devices at once: a child process for each, fed from one queue.

Children are started with ``python -m``, not by multiprocessing, which would run the user's own script again in each.
They are in a session of their own, so that Ctrl-C reaches this process alone, which then stops them; and they end by
themselves when this process is gone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import fields, replace
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Final

import numpy as np

from kure_rag import errors
from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.backends.frames import receive, send
from kure_rag.embed.base import Role, Vectors
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError

_PIECE: Final = 512  # texts sent at once at most: enough to sort by length, few enough to share out evenly
_LEAST: Final = 16
_LAST_WORDS: Final = 5.0  # seconds for a child that closed its pipe to be gone


def devices(settings: EmbedSettings) -> tuple[str, ...]:
    """The devices that settings name, none for the best there is: ``cuda:0,cuda:1`` → two."""
    return tuple(name for part in (settings.device or "").split(",") if (name := part.strip()))


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
        names = devices(settings)
        self._children = [_Child(name, _first(folder, card, settings, name, len(names))) for name in names]
        self._free: SimpleQueue[_Child] = SimpleQueue()
        for child in self._children:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(len(names), thread_name_prefix="kure-embed")
        weakref.finalize(self, _end, self._children, self._threads)  # also at exit
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
            self._leave(pieces)  # those at work are waited for: the next call must not read their answers
            raise
        except BaseException:  # Ctrl-C: now, not in a while
            for child in self._children:
                child.stop()
            self._leave(pieces)
            raise
        return out

    def close(self) -> None:
        """Ends all children, also those at work."""
        _end(self._children, self._threads)

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

    @staticmethod
    def _leave(pieces: Mapping[Future[Any], int]) -> None:
        for future in pieces:
            future.cancel()
        for future in pieces:
            with contextlib.suppress(Exception, CancelledError):
                future.result()

    def _piece(self, texts: Sequence[str], role: Role) -> tuple[Vectors, list[tuple[int, int]]]:
        child = self._free.get()
        try:
            return child.encode(texts, role)
        finally:
            self._free.put(child)


class _Child:
    """One process with the model on one device. Used by one thread at a time, but for :meth:`stop`."""

    def __init__(self, device: str, first: Mapping[str, Any]) -> None:
        self._device = device
        self._first = first
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> dict[str, Any]:
        """Starts the process and loads the model; returns what the child says of it."""
        with self._lock:
            if self._closed:
                raise EmbeddingError(f"{self._device}: embedding was stopped")
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - its last words, should it die
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "kure_rag.embed.backends.process_child",
                ],  # -P: not from the working folder
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=_environment(),
                start_new_session=True,
            )
            process = self._process
        answer, _ = self._ask(process, self._first)
        return answer

    def encode(self, texts: Sequence[str], role: Role) -> tuple[Vectors, list[tuple[int, int]]]:
        """Vectors of texts, and (position, tokens) of those that were cut."""
        process = self._process
        if process is None or process.poll() is not None:
            self.start()
            process = self._process
        if process is None:
            raise EmbeddingError(f"{self._device}: embedding was stopped")
        answer, payload = self._ask(process, {"texts": list(texts), "role": role})
        vectors = np.frombuffer(payload, dtype=np.float32).reshape(answer["shape"])
        return vectors, [(position, tokens) for position, tokens in answer["too_long"]]

    def _ask(self, process: subprocess.Popen[bytes], message: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        answer = None
        try:
            if process.stdin is not None and process.stdout is not None:
                send(process.stdin, message)
                answer = receive(process.stdout)
        except (OSError, ValueError):  # the child is gone, or its pipes were closed by another thread
            answer = None
        if answer is None:
            raise EmbeddingError(self._how_it_died(process))
        if "error" in answer[0]:
            raise _as_error(answer[0], self._device)
        return answer

    def _how_it_died(self, process: subprocess.Popen[bytes]) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WORDS)
        code, last = process.returncode, ""
        with contextlib.suppress(OSError, ValueError):
            if self._said is not None:
                self._said.seek(0)
                last = self._said.read().decode("utf-8", "replace").strip().rpartition("\n")[2][-300:]
        self.stop()
        said = f"; it said: {last}" if last else ""
        return (
            f"the embedding process for {self._device} died (exit status {code}){said}. A negative status is a signal, "
            "and -9 most often too little memory: name fewer devices, or a smaller batch_tokens"
        )

    def stop(self, *, for_good: bool = False) -> None:
        """Ends the process, at once."""
        with self._lock:
            self._closed = self._closed or for_good
            process, self._process = self._process, None
            said, self._said = self._said, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, said):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()


def _end(children: Sequence[_Child], threads: ThreadPoolExecutor) -> None:
    for child in children:
        child.stop(for_good=True)
    threads.shutdown(wait=False, cancel_futures=True)


def _first(
    folder: Path | None, card: ModelCard, settings: EmbedSettings, device: str, processes: int
) -> dict[str, Any]:
    """What a child is told first: the model, and its share of the cores where it computes on them."""
    own = replace(settings, device=device, cache=None)
    return {
        "folder": None if folder is None else str(folder.resolve()),
        "card": _plain(card),
        "settings": _plain(own),
        "threads": max(1, _cores() // processes) if device == "cpu" else None,
    }


def _plain(settings: ModelCard | EmbedSettings) -> dict[str, Any]:
    """The fields that JSON can carry; what a card has besides is published figures."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {name: value for name, value in values.items() if isinstance(value, str | int | float | bool | None)}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _environment() -> dict[str, str]:
    """Ours, with this package importable from where it was imported here."""
    paths = [str(Path(__file__).resolve().parents[3])]
    if old := os.environ.get("PYTHONPATH"):
        paths.append(old)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _as_error(answer: Mapping[str, Any], device: str) -> Exception:
    kind = getattr(errors, str(answer["error"]), None)
    message = str(answer["message"])
    if isinstance(kind, type) and issubclass(kind, EmbeddingError) and not issubclass(kind, errors.InvalidTextError):
        return kind(message)
    return EmbeddingError(f"{device}: {message}")
