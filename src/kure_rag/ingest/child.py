"""The parent's hold on one child process: asks it, watches its clocks, ends it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import IO, Any, Final

from kure_rag.chunk import ChunkSettings
from kure_rag.errors import ReadCrashError, ReadLimitError
from kure_rag.ingest.messages import pack, receive, receive_packed, send, send_packed, to_error
from kure_rag.ingest.shared_work import SharedWork
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.tokenize import UserWord
from kure_rag.types import Domain

_log = logging.getLogger(__name__)
_START_SECONDS: Final = 120.0
_LAST_WORDS: Final = 5.0  # seconds for a child that closed its pipe to be gone
_MOST_TASKS: Final = 10_000  # a child that offers more is not to be believed


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


# Takes the tasks that a child offers to others, the name of its job and when that must be done; see SharedWork.
Share = Callable[[list[bytes], str, float], SharedWork]


class Clock:
    """Kills a process that is late: with its job, or with one page of it.

    Attributes:
        end: On the monotonic clock, when the job must be done.
        page: 1-based number of the page the process is at, or 0.
        late: ``job`` or ``page`` once it killed the process, or an empty string.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, page_seconds: float | None = None) -> None:
        self._process = process
        self._page_seconds = page_seconds
        self.end = time.monotonic() + seconds
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
        while not self._stopped.wait(min(0.5, max(0.01, min(self.end, self._page_end) - time.monotonic()))):
            now = time.monotonic()
            if now >= min(self.end, self._page_end):
                self.late = "page" if now >= self._page_end else "job"
                self._process.kill()
                return


class Child:
    """One child process.

    Args:
        limits: What a file may cost.
        chunks: How documents are cut.
        settings: How files are read.
        share: Where its offers of work go; without it none is made.
        user_words: The user dictionary by which texts are analysed.
    """

    def __init__(
        self,
        limits: ReadLimits,
        chunks: ChunkSettings,
        settings: ReadSettings,
        share: Share | None = None,
        user_words: Sequence[UserWord] = (),
    ) -> None:
        self._limits = limits
        self._chunks = chunks
        self._settings = settings
        self._share = share
        self._user_words = user_words
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
            message = {"op": "pdf", **asdict(job), "path": os.fspath(job.path), "share": self._share is not None}
        return self._answer(pack(message), job.name, self._limits.max_seconds)

    def help(self, task: bytes, name: str, end: float) -> bytes | None:
        """What another child offered, done.

        Args:
            task: As that child packed it.
            name: Of its job, for messages.
            end: When the job must be done, on the monotonic clock.

        Returns:
            The packed answer, or ``None`` where it is too long to be passed on.

        Raises:
            ReadError: As :meth:`do`.
        """
        part: bytes | None = self._answer(task, name, max(0.01, end - time.monotonic())).get("part")
        return part

    def _answer(self, message: bytes, name: str, seconds: float) -> dict[str, Any]:
        process = self.started()
        answer, clock = self._ask(process, message, seconds, self._limits.max_page_seconds, self._sharing(name))
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
            limit = self._limits.max_page_seconds if page else self._limits.max_seconds
            advice = "leave that page out" if page else "split the file"
            raise ReadLimitError(name, f"{what} not read within {limit:g} s; {advice}")
        how = _how(process.returncode)
        if process.returncode == -signal.SIGABRT:  # what pdfium does when it gets no more memory
            how += f", as when more than {self._limits.max_memory // 2**20} MiB are needed"
        raise ReadCrashError(name, f"the reading process died at {where} ({how}); re-save the file in a PDF reader")

    def _sharing(self, name: str) -> Callable[[list[bytes], float], SharedWork] | None:
        share = self._share
        return None if share is None else lambda tasks, end: share(tasks, name, end)

    def started(self) -> subprocess.Popen[bytes]:
        """The process, started if there is none.

        Raises:
            ReadCrashError: It did not start.
        """
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
            "user_words": [astuple(word) for word in self._user_words],
        }
        process = self._process  # another thread may stop us and take it away
        answer, clock = self._ask(process, pack(settings), _START_SECONDS)
        if answer is None or clock.late:
            code = process.poll()
            self.stop()
            raise ReadCrashError("kure_rag.ingest.worker", f"the reading process did not start ({_how(code)})")
        return process

    @staticmethod
    def _ask(
        process: subprocess.Popen[bytes],
        message: bytes,
        seconds: float,
        page_seconds: float | None = None,
        share: Callable[[list[bytes], float], SharedWork] | None = None,
    ) -> tuple[dict[str, Any] | None, Clock]:
        clock = Clock(process, seconds, page_seconds)
        answer = None
        try:
            if process.stdin is not None and process.stdout is not None:
                send_packed(process.stdin, message)
                answer = _converse(process.stdin, process.stdout, clock, share)
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


def _converse(
    to: IO[bytes], out: IO[bytes], clock: Clock, share: Callable[[list[bytes], float], SharedWork] | None
) -> dict[str, Any] | None:
    """What a child answers in the end; until then it says where it is, and offers work to others."""
    work: SharedWork | None = None
    try:
        while (answer := receive(out)) is not None:
            if "page" in answer:
                clock.turn(int(answer["page"]))
            elif "share" in answer and share is not None:
                if work is not None:
                    work.close()
                work = share(_offered(out, int(answer["share"])), clock.end)
            elif "next" in answer and work is not None:
                clock.turn(0)
                turn = work.next(failed=answer["failed"], enough=bool(answer["enough"]))
                send(to, {"task": turn.task, "done": [number for number, _ in turn.done], "more": turn.more})
                for _, packed in turn.done:
                    send_packed(to, packed)
            elif "part" in answer:
                part = receive_packed(out)
                return None if part is None else {"part": part}
            else:
                return answer
        return None
    finally:
        if work is not None:
            work.close()


def _offered(out: IO[bytes], count: int) -> list[bytes]:
    if not 0 < count <= _MOST_TASKS:
        raise ValueError(f"a child offers {count} tasks")
    tasks = []
    for _ in range(count):
        task = receive_packed(out)
        if task is None:
            raise ValueError("a child broke off in its offer")
        tasks.append(task)
    return tasks


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
