"""A child process that has a model on one device, as its parent sees it.

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
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import IO, Any, Final

from kure_rag import errors
from kure_rag.embed.backends.frames import receive, send
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import EmbeddingError

_LAST_WORDS: Final = 5.0  # seconds for a child that closed its pipe to be gone


class Child:
    """One process with the model on one device. Used by one thread at a time, but for :meth:`stop`.

    Args:
        device: For messages.
        first: What it is told first, see :func:`first_message`.
        module: What ``python -m`` runs in it.
    """

    def __init__(self, device: str, first: Mapping[str, Any], *, module: str) -> None:
        self._device = device
        self._first = first
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of its process; ``None`` where there is none."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> dict[str, Any]:
        """Starts the process and loads the model; returns what the child says of it."""
        with self._lock:
            if self._closed:
                raise EmbeddingError(f"{self._device}: embedding was stopped")
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - its last words, should it die
            self._process = subprocess.Popen(  # noqa: S603 - a module of ours
                [sys.executable, "-P", "-m", self._module],  # -P: not from the working folder
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=_environment(),
                start_new_session=True,
            )
            process = self._process
        answer, _ = self._ask(process, self._first)
        return answer

    def ask(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The child's answer and its bytes; a child that is gone is started again.

        Raises:
            EmbeddingError: Of the kind that the child named; or it died.
        """
        process = self._process
        if process is None or process.poll() is not None:
            self.start()
            process = self._process
        if process is None:
            raise EmbeddingError(f"{self._device}: embedding was stopped")
        return self._ask(process, message)

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


def end_all(children: Sequence[Child], threads: ThreadPoolExecutor) -> None:
    """Ends children for good, and the threads that ask them."""
    for child in children:
        child.stop(for_good=True)
    threads.shutdown(wait=False, cancel_futures=True)


def leave(pieces: Collection[Future[Any]]) -> None:
    """Gives up work that has not begun, and waits for what has: nobody may read another's answer."""
    for future in pieces:
        future.cancel()
    for future in pieces:
        with contextlib.suppress(Exception, CancelledError):
            future.result()


def first_message(
    folder: Path | None, card: ModelCard, settings: EmbedSettings, device: str, processes: int
) -> dict[str, Any]:
    """What a child is told first: the model, and its share of the cores where it computes on them.

    Args:
        folder: A local copy, or ``None`` to get it from the model hub.
        card: How the model is used.
        settings: Those of all of them; a cache is the parent's.
        device: That of this child.
        processes: How many children there are.
    """
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
