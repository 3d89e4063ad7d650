"""A child process that has a model on one device, and embeds what its parent sends until the pipe is closed.

python -m kure_rag.embed.backends.process_child
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from kure_rag.embed.backends.base import Backend
from kure_rag.embed.backends.frames import receive, send
from kure_rag.embed.backends.make import make_backend
from kure_rag.embed.machine import check_device
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.errors import KureError

_Model = TypeVar("_Model")


def main() -> int:
    """Serves until the parent closes the pipe."""
    return serve(_made, _answer)


def serve(
    make: Callable[[Mapping[str, Any], IO[bytes]], _Model | None],
    answer: Callable[[_Model, Mapping[str, Any], IO[bytes]], None],
) -> int:
    """Makes what the first message asks for, then answers one message after another until the parent closes the pipe.

    Args:
        make: Gives ``None`` when that cannot be done, and has said why.
        answer: Writes the answer to a message.

    Returns:
        The exit status.
    """
    # Whatever a library prints must not end up between two messages.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs = sys.stdin.buffer
    first = receive(jobs)
    if first is None:
        return 0
    model = make(first[0], out)
    if model is None:
        return 1
    while (job := receive(jobs)) is not None:
        answer(model, job[0], out)
    return 0


def _made(message: Mapping[str, Any], out: IO[bytes]) -> Backend | None:
    try:
        check_device(message["settings"]["device"])
        take_device(message["settings"]["device"], message["threads"])
        folder = None if message["folder"] is None else Path(message["folder"])
        backend = make_backend(folder, ModelCard(**message["card"]), EmbedSettings(**message["settings"]))
        send(out, {"dimension": backend.dimension, "max_tokens": backend.max_tokens})
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent's user must read it
        send(out, error_message(error))
        return None
    return backend


def take_device(device: str, threads: int | None) -> None:
    """Makes a device this process's own.

    Args:
        device: As torch names it.
        threads: Threads to compute with on the CPU; ``None`` for as many as torch takes.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)  # pinned memory would take room on the first device otherwise


def _answer(backend: Backend, job: Mapping[str, Any], out: IO[bytes]) -> None:
    cut: list[tuple[int, int]] = []

    def too_long(found: Sequence[tuple[int, int]]) -> None:
        cut.extend((int(position), int(tokens)) for position, tokens in found)

    try:
        vectors = backend.encode(job["texts"], role=job["role"], too_long=too_long)
    except Exception as error:  # noqa: BLE001 - as above; the next job may well succeed
        send(out, error_message(error))
        return
    send(out, {"shape": vectors.shape, "too_long": cut}, vectors.data.cast("B"))


def error_message(error: Exception) -> dict[str, Any]:
    """What the parent is sent of an error: its kind, and what a user can read."""
    kind = type(error).__name__
    return {"error": kind, "message": str(error) if isinstance(error, KureError) else f"{kind}: {error}"}


if __name__ == "__main__":
    sys.exit(main())
