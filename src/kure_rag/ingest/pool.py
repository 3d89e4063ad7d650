"""The parent's side: a few child processes, jobs handed out and answers given back in order.

A child that dies or takes too long costs its one job; the next job gets a fresh child. Children are started with
``python -m``, not by multiprocessing, which would run the user's own script again in each.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self

from kure_rag.chunk import ChunkSettings, find_profile
from kure_rag.errors import ReadCrashError, ReadError, ReadLimitError
from kure_rag.ingest.messages import Prepared, receive, send, to_error, to_prepared
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.types import Domain

_log = logging.getLogger(__name__)
_START_SECONDS: Final = 120.0
_LAST_WORDS: Final = 5.0  # seconds for a child that closed its pipe to be gone
_STOPPED: Final = "not read: the run was stopped"


@dataclass(frozen=True, slots=True)
class PdfJob:
    """A PDF to read and chunk, and to analyse where its terms are wanted for an index."""

    path: Path
    name: str
    domain: Domain | None = None
    terms: bool = True


@dataclass(frozen=True, slots=True)
class TermsJob:
    """Texts to analyse; ``name`` is for messages."""

    texts: Sequence[str]
    name: str


class _Clock:
    """Kills a process that is late: with its job, or with one page of it."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, page_seconds: float | None = None) -> None:
        self._process = process
        self._page_seconds = page_seconds
        self._end = time.monotonic() + seconds
        self._page_end = float("inf")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="kure-rag-clock")
        self.page = 0
        self.late = ""
        self._thread.start()

    def turn(self, page: int) -> None:
        """The process begins a page; 0 means that it is done with pages."""
        self.page = page
        if self._page_seconds is not None:
            self._page_end = time.monotonic() + self._page_seconds if page else float("inf")

    def stop(self) -> None:
        """From here on it kills nothing."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(min(0.5, max(0.01, min(self._end, self._page_end) - time.monotonic()))):
            now = time.monotonic()
            if now >= min(self._end, self._page_end):
                self.late = "page" if now >= self._page_end else "job"
                self._process.kill()
                return


class _Child:
    """One child process."""

    def __init__(self, limits: ReadLimits, chunks: ChunkSettings, settings: ReadSettings) -> None:
        self._limits = limits
        self._chunks = chunks
        self._settings = settings
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
            message = {"op": "pdf", **asdict(job), "path": os.fspath(job.path)}
        process = self._started()
        answer, clock = self._ask(process, message, self._limits.max_seconds, self._limits.max_page_seconds)
        if answer is not None:
            if clock.late:  # killed in the moment it answered
                self.stop()
            if "error" in answer:
                raise to_error(answer)
            return answer
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WORDS)  # how it ended by itself, not how we end it
        self.stop()
        where = f"page {clock.page}" if clock.page else "the file"
        if clock.late:
            page = clock.late == "page"
            what = f"page {clock.page}" if page else "the whole file"
            seconds = self._limits.max_page_seconds if page else self._limits.max_seconds
            advice = "leave that page out" if page else "split the file"
            raise ReadLimitError(job.name, f"{what} not read within {seconds:g} s; {advice}")
        how = _how(process.returncode)
        if process.returncode == -signal.SIGABRT:  # what pdfium does when it gets no more memory
            how += f", as when more than {self._limits.max_memory // 2**20} MiB are needed"
        raise ReadCrashError(job.name, f"the reading process died at {where} ({how}); re-save the file in a PDF reader")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kure_rag.ingest.worker"],  # -P: never import from the working folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(self._chunks),
            start_new_session=True,  # Ctrl-C is for the parent, which then stops us
        )
        settings = {
            "limits": asdict(self._limits),
            "chunks": asdict(self._chunks),
            "read": asdict(self._settings),
        }
        process = self._process  # another thread may stop us and take it away
        answer, clock = self._ask(process, settings, _START_SECONDS)
        if answer is None or clock.late:
            code = process.poll()
            self.stop()
            raise ReadCrashError("kure_rag.ingest.worker", f"the reading process did not start ({_how(code)})")
        return process

    @staticmethod
    def _ask(
        process: subprocess.Popen[bytes], message: dict[str, Any], seconds: float, page_seconds: float | None = None
    ) -> tuple[dict[str, Any] | None, _Clock]:
        clock = _Clock(process, seconds, page_seconds)
        answer = None
        try:
            if process.stdin is not None and process.stdout is not None:
                send(process.stdin, message)
                while (answer := receive(process.stdout)) is not None and "page" in answer:
                    clock.turn(int(answer["page"]))
        except (OSError, ValueError):  # the child is gone, or its pipes were closed by another thread
            answer = None
        finally:
            clock.stop()
        return answer, clock

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
        chunks: How documents are cut.
        read: How files are read.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        limits: ReadLimits | None = None,
        chunks: ChunkSettings | None = None,
        read: ReadSettings | None = None,
    ) -> None:
        self.workers = max(1, workers if workers is not None else min(4, os.cpu_count() or 1))
        limits, chunks, read = limits or ReadLimits(), chunks or ChunkSettings(), read or ReadSettings()
        find_profile(chunks.profile, "general")  # a wrong name is the caller's error, not every file's
        self._children = [_Child(limits, chunks, read) for _ in range(self.workers)]
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


def _environment(chunks: ChunkSettings) -> dict[str, str]:
    """Ours, with this package importable from where it was imported here, and the module of one's own profile."""
    paths = [str(Path(__file__).resolve().parents[2])]
    if ":" in chunks.profile:
        paths += [str(Path(path).resolve()) for path in sys.path]  # "" is the working folder
    if old := os.environ.get("PYTHONPATH"):
        paths.append(old)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _how(code: int | None) -> str:
    if code is None:
        return "no answer"
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit status {code}"
