"""The child process: reads, chunks and analyses what the parent names, one job after another.

    python -m kure_rag.ingest.worker

Hostile files and texts are handled here and nowhere else. The parent kills the process when a job takes too long; an
alarm does it when the parent is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.errors import ReadError, ReadLimitError
from kure_rag.ingest.messages import Prepared, from_error, from_prepared, receive, send
from kure_rag.read import ReadLimits, ReadSettings, file_type, ocr, read_file
from kure_rag.tokenize import KiwiTokenizer

_KIWI: Final = 2**30  # bytes of address space that the morphological analyser may take on top
_GRACE: Final = 10  # seconds that the parent has for its own clock before the alarm rings here


def main() -> int:
    """Serves until the parent closes the pipe."""
    # Whatever a library prints must not end up between two messages.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = receive(sys.stdin.buffer)
    if settings is None:
        return 0
    limits = ReadLimits(**settings["limits"])
    chunks = ChunkSettings(**settings["chunks"])
    read = ReadSettings(**settings["read"])
    if read.ocr != "never" and not ocr.available():
        ocr.load()  # its libraries are no part of what a file may take
    _limit_memory(limits.max_memory + _KIWI)
    tokenizer = KiwiTokenizer()
    tokenizer.terms("준비")  # the seconds it takes to load are not the first file's
    _serve(sys.stdin.buffer, out, _Job(limits, chunks, read, tokenizer))
    return 0


@dataclass(frozen=True, slots=True)
class _Job:
    """What all jobs of a child share."""

    limits: ReadLimits
    chunks: ChunkSettings
    read: ReadSettings
    tokenizer: KiwiTokenizer


def _serve(jobs: IO[bytes], out: IO[bytes], shared: _Job) -> None:
    send(out, {"ready": True})
    while (job := receive(jobs)) is not None:
        _alarm(shared.limits.max_seconds + _GRACE)
        try:
            answer = _do(job, out, shared)
        except ReadError as error:
            answer = from_error(error)
        except MemoryError:
            mebibytes = shared.limits.max_memory // 2**20
            answer = from_error(ReadLimitError(str(job["name"]), f"needs more than {mebibytes} MiB; split the file"))
        except RecursionError:
            answer = from_error(ReadLimitError(str(job["name"]), "nested too deeply; re-save it in a PDF reader"))
        except Exception as error:  # noqa: BLE001 - broken files break libraries in ways that nobody can list
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            answer = from_error(ReadError(str(job["name"]), f"cannot be read ({what}); re-save it in a PDF reader"))
        _alarm(0)
        send(out, answer)


def _do(job: Mapping[str, Any], out: IO[bytes], shared: _Job) -> dict[str, Any]:
    if job["op"] == "terms":
        return {"terms": shared.tokenizer.terms_batch(job["texts"])}
    name = str(job["name"])
    path = Path(job["path"])
    most = shared.limits.of(file_type(name)).max_bytes
    try:
        if path.stat().st_size > most:
            raise ReadLimitError(name, f"{path.stat().st_size:,} bytes, over the limit of {most:,}; split the file")
        data = path.read_bytes()
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError as error:
        raise ReadError(name, f"cannot be opened ({error.strerror or error}); check the file and its rights") from None
    document = read_file(
        data,
        name,
        domain=job["domain"],
        settings=shared.read,
        limits=shared.limits,
        space_at=shared.tokenizer.space_at,
        # The parent's clock for the page, and what it says if we die.
        on_page=lambda number: send(out, {"page": number}),
    )
    document = replace(document, metadata={**document.metadata, "modified": modified})
    try:
        chunks = chunk_document(document, shared.tokenizer, shared.chunks, terms=bool(job["terms"]))
    except ValueError as error:  # a profile of the user's own
        raise ReadError(name, f"cannot be chunked ({error})") from None
    return from_prepared(Prepared(document, tuple(chunks)))


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(more: int) -> None:
    """Caps the address space at what is in use now and ``more`` bytes, where the system can."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        now = pages * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))
    except (ImportError, OSError, ValueError):
        return  # Windows and macOS have no such limit; time and size limits still hold


if __name__ == "__main__":
    sys.exit(main())
