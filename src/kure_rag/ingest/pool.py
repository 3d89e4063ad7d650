"""The parent's side: a few child processes, jobs handed out and answers given back in order.

A child that dies or takes too long costs its one job; the next job gets a fresh child. Children are started with
``python -m``, not by multiprocessing, which would run the user's own script again in each. Children that are free help
the one that has a large file, see :mod:`kure_rag.ingest.shared_work`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Self

from kure_rag.chunk import ChunkSettings, find_profile
from kure_rag.errors import ReadCrashError, ReadError
from kure_rag.ingest.child import Child, PdfJob, TermsJob
from kure_rag.ingest.messages import Prepared, from_error, pack, to_prepared
from kure_rag.ingest.shared_work import SharedWork
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.tokenize import UserWord

__all__ = ["PdfJob", "TermsJob", "WorkerPool"]

_log = logging.getLogger(__name__)
_STOPPED: Final = "not read: the run was stopped"
# Jobs for each child that are taken ahead: one at work and one that waits. Of texts more, since the children go on with
# them while the parent stores what they answered and brings the views up.
_AHEAD: Final = 2
_TEXTS_AHEAD: Final = 6


class WorkerPool:
    """Child processes that read files.

    Args:
        workers: Number of children; by default one for each core, four at most.
        limits: What a file may cost.
        chunks: How documents are cut.
        read: How files are read.
        user_words: The user dictionary by which texts are analysed.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        limits: ReadLimits | None = None,
        chunks: ChunkSettings | None = None,
        read: ReadSettings | None = None,
        user_words: Sequence[UserWord] = (),
    ) -> None:
        self.workers = max(1, workers if workers is not None else min(4, os.cpu_count() or 1))
        limits, chunks, read = limits or ReadLimits(), chunks or ChunkSettings(), read or ReadSettings()
        find_profile(chunks.profile, "general")  # a wrong name is the caller's error, not every file's
        share = self._share if self.workers > 1 else None
        self._children = [Child(limits, chunks, read, share, user_words) for _ in range(self.workers)]
        self._free: SimpleQueue[Child] = SimpleQueue()
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
        """Analyses texts, several lists at once, in the order of the jobs; no child is asked where there is no text."""
        for job, answer in self._in_order(jobs, _TEXTS_AHEAD):
            yield job, answer if isinstance(answer, ReadError) else answer["terms"]

    def _in_order(self, jobs: Iterable[Any], ahead: int = _AHEAD) -> Iterator[tuple[Any, dict[str, Any] | ReadError]]:
        waiting: deque[tuple[Any, Future[dict[str, Any] | ReadError]]] = deque()
        source = iter(jobs)
        failed: Exception | None = None
        exhausted = False
        while True:
            while not exhausted and len(waiting) < ahead * self.workers:
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
        if isinstance(job, TermsJob) and not job.texts:
            return {"terms": []}
        child = self._free.get()
        try:
            if self._closed:
                return ReadError(job.name, _STOPPED)
            return child.do(job)
        except ReadError as error:
            return error
        finally:
            self._free.put(child)

    def _share(self, tasks: list[bytes], name: str, end: float) -> SharedWork:
        """Offers a child's tasks to the others; they come when they are done with the jobs that were there before."""
        work = SharedWork(tasks, end)
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            for _ in range(min(self.workers, len(tasks)) - 1):
                self._threads.submit(self._help, work, name)
        return work

    def _help(self, work: SharedWork, name: str) -> None:
        child = self._free.get()
        try:
            while not self._closed and work.is_open():
                child.started()  # before a task is taken: the child that offered it can do it as well
                if (taken := work.take()) is None:
                    return
                _help_with(*taken, work, name, child)
        except ReadCrashError as error:
            _log.warning("no help for %s: %s", name, error.reason)
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


def _help_with(number: int, task: bytes, work: SharedWork, name: str, child: Child) -> None:
    """Whatever happens, the task ends: somebody waits for it."""
    try:
        part = child.help(task, name, work.end)
    except ReadError as error:
        work.put(number, pack(from_error(error)), failed=True)
    except BaseException:
        work.put(number, pack(from_error(ReadError(name, _STOPPED))), failed=True)
        raise
    else:
        if part is None:
            work.give_back(number)
        else:
            work.put(number, part)
