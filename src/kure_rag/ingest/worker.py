"""The child process: reads, chunks and analyses what the parent names, one job after another.

    python -m kure_rag.ingest.worker

Hostile files and texts are handled here and nowhere else. The parent kills the process when a job takes too long; an
alarm does it when the parent is gone.
"""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.errors import ReadError, ReadLimitError
from kure_rag.ingest.lead import Lead, SharedTokenizer
from kure_rag.ingest.messages import Prepared, from_error, from_prepared, pack, receive, send, send_packed
from kure_rag.ingest.parts import from_sentences, from_sheets
from kure_rag.read import ReadLimits, ReadSettings, file_type, ocr, read_file
from kure_rag.read.pdf import Share
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.sheets import read_sheets
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.tokenize.base import Tokenizer

_KIWI: Final = 2**30  # bytes of address space that the morphological analyser may take on top
_GRACE: Final = 10  # seconds that the parent has for its own clock before the alarm rings here
_LONGEST_PART: Final = 64 * 2**20  # bytes of an answer to another child: a longer one is not worth its way


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
    tokenizer = KiwiTokenizer(settings["user_words"])
    tokenizer.terms("준비")  # the seconds it takes to load are not the first file's
    _serve(sys.stdin.buffer, out, _Job(limits, chunks, read, tokenizer))
    return 0


@dataclass(slots=True)
class _OpenFile:
    """The file that another child had us read pages of, kept open from one range to the next."""

    digest: str = ""
    data: bytes = b""
    pdf: PdfFile | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    def opened(self, job: Mapping[str, Any], limits: ReadLimits) -> tuple[PdfFile, bytes]:
        if self.pdf is None or self.digest != job["digest"]:
            self.close()
            data, _ = _read_file(job, limits)
            if hashlib.sha256(data).hexdigest() != job["digest"]:
                raise ReadError(str(job["name"]), "was changed while it was read; ingest it again")
            self.pdf = self.closing.enter_context(PdfFile(data, str(job["name"])))
            self.digest, self.data = job["digest"], data
        return self.pdf, self.data

    def close(self) -> None:
        self.closing.close()
        self.digest, self.data, self.pdf = "", b"", None


@dataclass(frozen=True, slots=True)
class _Job:
    """What all jobs of a child share."""

    limits: ReadLimits
    chunks: ChunkSettings
    read: ReadSettings
    tokenizer: KiwiTokenizer
    file: _OpenFile = field(default_factory=_OpenFile)


def _serve(jobs: IO[bytes], out: IO[bytes], shared: _Job) -> None:
    send(out, {"ready": True})
    while (job := receive(jobs)) is not None:
        _alarm(shared.limits.max_seconds + _GRACE)
        packed: bytes | None = None
        try:
            if job["op"] != "sheets":
                shared.file.close()
            answer = _do(job, jobs, out, shared)
            if job.get("part"):
                packed, answer = pack(answer), {}
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
        if packed is None:
            send(out, answer)
        else:
            _send_part(out, packed)


def _send_part(out: IO[bytes], packed: bytes) -> None:
    """An answer to another child, which the parent passes on unread."""
    if len(packed) > _LONGEST_PART:
        send(out, {"too_long": True})
    else:
        send(out, {"part": True})
        send_packed(out, packed)


def _do(job: Mapping[str, Any], jobs: IO[bytes], out: IO[bytes], shared: _Job) -> dict[str, Any]:
    match job["op"]:
        case "terms":
            return {"terms": shared.tokenizer.terms_batch(job["texts"])}
        case "sentences":
            return {"sentences": from_sentences(shared.tokenizer.sentences(job["texts"]))}
        case "sheets":
            return _sheets(job, out, shared)
        case _:
            return _document(job, jobs, out, shared)


def _sheets(job: Mapping[str, Any], out: IO[bytes], shared: _Job) -> dict[str, Any]:
    """Some pages of a file that another child has."""
    pdf, data = shared.file.opened(job, shared.limits)
    sheets = read_sheets(
        pdf,
        data,
        job["first"],
        job["last"],
        settings=shared.read,
        limits=shared.limits,
        on_page=lambda number: send(out, {"page": number}),
    )
    send(out, {"page": 0})
    return {"sheets": from_sheets(sheets)}


def _document(job: Mapping[str, Any], jobs: IO[bytes], out: IO[bytes], shared: _Job) -> dict[str, Any]:
    name = str(job["name"])
    data, modified = _read_file(job, shared.limits)
    lead = Lead(jobs, out) if job["share"] else None
    tokenizer: Tokenizer = SharedTokenizer(shared.tokenizer, lead, name) if lead else shared.tokenizer
    share: Share | None = None
    if lead is not None:
        share = functools.partial(lead.sheets, path=str(job["path"]), name=name, data=data, limits=shared.limits)
    document = read_file(
        data,
        name,
        domain=job["domain"],
        settings=shared.read,
        limits=shared.limits,
        space_at=shared.tokenizer.space_at,
        # The parent's clock for the page, and what it says if we die.
        on_page=lambda number: send(out, {"page": number}),
        share=share,
    )
    document = replace(document, metadata={**document.metadata, "modified": modified})
    try:
        chunks = chunk_document(document, tokenizer, shared.chunks, terms=bool(job["terms"]))
    except ValueError as error:  # a profile of the user's own
        raise ReadError(name, f"cannot be chunked ({error})") from None
    return from_prepared(Prepared(document, tuple(chunks)))


def _read_file(job: Mapping[str, Any], limits: ReadLimits) -> tuple[bytes, str]:
    """A file's bytes, and when it was modified."""
    name, path = str(job["name"]), Path(job["path"])
    most = limits.of(file_type(name)).max_bytes
    try:
        if path.stat().st_size > most:
            raise ReadLimitError(name, f"{path.stat().st_size:,} bytes, over the limit of {most:,}; split the file")
        data = path.read_bytes()
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError as error:
        raise ReadError(name, f"cannot be opened ({error.strerror or error}); check the file and its rights") from None
    return data, modified


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
