"""The parent's side: a few child processes, jobs handed out and answers given back in order.

A child that dies or takes too long costs its one job; the next job gets a fresh child. Children are started with
``python -m``, not by multiprocessing, which would run the user's own script again in each.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self

from kure_rag.chunk import ChunkSettings
from kure_rag.errors import ReadCrashError, ReadError, ReadLimitError
from kure_rag.ingest.messages import Prepared, receive, send, to_error, to_prepared
from kure_rag.read import ReadLimits
from kure_rag.types import Domain

_log = logging.getLogger(__name__)
_START_SECONDS: Final = 120.0
_STOPPED: Final = "not read: the run was stopped"


@dataclass(frozen=True, slots=True)
class PdfJob:
    """A PDF to read, chunk and analyse."""

    path: Path
    name: str
    domain: Domain | None = None


@dataclass(frozen=True, slots=True)
class TermsJob:
    """Texts to analyse; ``name`` is for messages."""

    texts: Sequence[str]
    name: str


class _Child:
    """One child process."""

    def __init__(self, limits: ReadLimits, chunks: ChunkSettings) -> None:
        self._limits = limits
        self._chunks = chunks
        self._process: subprocess.Popen[bytes] | None = None

    def do(self, job: PdfJob | TermsJob) -> dict[str, Any]:
        """One job's answer.

        Raises:
            ReadError: Of the kind the child named, or because it died or was killed.
        """
        message: dict[str, Any]
        if isinstance(job, TermsJob):
            message = {"op": "terms", "texts": list(job.texts), "name": job.name}
        else:
            # The path as the operating system has it: names need not be valid Unicode.
            message = {"op": "pdf", "path": os.fspath(job.path), "name": job.name, "domain": job.domain}
        process = self._started()
        answer, timed_out = self._ask(process, message, self._limits.max_seconds)
        if answer is not None:
            if timed_out:  # killed in the moment it answered
                self.stop()
            if "error" in answer:
                raise to_error(answer)
            return answer
        self.stop()
        if timed_out:
            raise ReadLimitError(job.name, f"not read within {self._limits.max_seconds:g} s; split the file")
        raise ReadCrashError(
            job.name, f"the reading process died ({_how(process.returncode)}); re-save the file in a PDF reader"
        )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kure_rag.ingest.worker"],  # -P: never import from the working folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the parent, which then stops us
        )
        settings = {"limits": asdict(self._limits), "chunks": asdict(self._chunks)}
        process = self._process  # another thread may stop us and take it away
        answer, timed_out = self._ask(process, settings, _START_SECONDS)
        if answer is None or timed_out:
            code = process.poll()
            self.stop()
            raise ReadCrashError("kure_rag.ingest.worker", f"the reading process did not start ({_how(code)})")
        return process

    @staticmethod
    def _ask(
        process: subprocess.Popen[bytes], message: dict[str, Any], seconds: float
    ) -> tuple[dict[str, Any] | None, bool]:
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            process.kill()

        clock = threading.Timer(seconds, give_up)
        clock.daemon = True
        clock.start()
        answer = None
        try:
            if process.stdin is not None and process.stdout is not None:
                send(process.stdin, message)
                answer = receive(process.stdout)
        except (OSError, ValueError):  # the child is gone, or its pipes were closed by another thread
            answer = None
        finally:
            clock.cancel()
            clock.join()  # from here on it kills nothing
        return answer, timed_out.is_set()

    def stop(self) -> None:
        """Ends the child, at once."""
        process, self._process = self._process, None  # two threads may stop it: the caller's and the one it serves
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                _log.debug("a dead child's pipe could not be flushed")


class WorkerPool:
    """Child processes that read files.

    Args:
        workers: Number of children; by default one for each core, four at most.
        limits: What a file may cost.
        chunks: How long a chunk is.
    """

    def __init__(
        self, *, workers: int | None = None, limits: ReadLimits | None = None, chunks: ChunkSettings | None = None
    ) -> None:
        self.workers = max(1, workers if workers is not None else min(4, os.cpu_count() or 1))
        limits, chunks = limits or ReadLimits(), chunks or ChunkSettings()
        self._children = [_Child(limits, chunks) for _ in range(self.workers)]
        self._free: SimpleQueue[_Child] = SimpleQueue()
        for child in self._children:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="kure-rag-read")
        self._closed = False

    def prepare(self, jobs: Iterable[PdfJob]) -> Iterator[tuple[PdfJob, Prepared | ReadError]]:
        """Reads files, several at once, and gives their answers in the order of the jobs.

        Jobs are taken only a few ahead, so that neither files nor answers pile up.
        """
        for job, answer in self._in_order(jobs):
            yield job, answer if isinstance(answer, ReadError) else to_prepared(answer)

    def terms(self, jobs: Iterable[TermsJob]) -> Iterator[tuple[TermsJob, list[list[str]] | ReadError]]:
        """Analyses texts, several lists at once, in the order of the jobs."""
        for job, answer in self._in_order(jobs):
            yield job, answer if isinstance(answer, ReadError) else answer["terms"]

    def _in_order(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, dict[str, Any] | ReadError]]:
        waiting: deque[tuple[Any, Future[dict[str, Any] | ReadError]]] = deque()
        source = iter(jobs)
        failed: Exception | None = None
        exhausted = False
        while True:
            while not exhausted and len(waiting) < 2 * self.workers:
                try:
                    job = next(source)
                except StopIteration:
                    exhausted = True
                except Exception as error:  # noqa: BLE001 - raised below, after the answers to the jobs before it
                    failed, exhausted = error, True
                else:
                    waiting.append((job, self._submit(job)))
            if not waiting:
                break
            job, future = waiting.popleft()
            yield job, future.result()
        if failed is not None:
            raise failed

    def _submit(self, job: PdfJob | TermsJob) -> Future[dict[str, Any] | ReadError]:
        try:
            return self._threads.submit(self._do, job)
        except RuntimeError:
            if not self._closed:
                raise
            answered: Future[dict[str, Any] | ReadError] = Future()
            answered.set_result(ReadError(job.name, _STOPPED))
            return answered

    def _do(self, job: PdfJob | TermsJob) -> dict[str, Any] | ReadError:
        child = self._free.get()
        try:
            if self._closed:
                return ReadError(job.name, _STOPPED)
            return child.do(job)
        except ReadError as error:
            return error
        finally:
            self._free.put(child)

    def close(self) -> None:
        """Ends all children, also those at work."""
        self._closed = True
        for child in self._children:
            child.stop()
        self._threads.shutdown(wait=True)  # jobs that wait are answered: the run was stopped
        for child in self._children:  # one may have been starting
            child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _environment() -> dict[str, str]:
    """Ours, with this package importable from where it was imported here."""
    here = str(Path(__file__).resolve().parents[2])
    old = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{old}" if old else here}


def _how(code: int | None) -> str:
    if code is None:
        return "no answer"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"
