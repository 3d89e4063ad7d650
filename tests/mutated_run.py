"""Reads many broken PDFs and keeps account of what must not happen: a crash, a hang, a parent that grows."""

from __future__ import annotations

import gc
import resource
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kure_rag.errors import ReadCrashError, ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob

MOST_GROWTH: Final = 50_000_000  # bytes
WARM_UP: Final = 50  # files: what the first ones make the parent load is not growth
_PATIENCE: Final = 15.0  # seconds over a file's limit, for a new child to start


@dataclass(slots=True, kw_only=True)
class Account:
    """What happened to the files.

    Attributes:
        max_seconds: What the pool lets one file take.
        outcome: Number of files by the kind of their answer.
        crashes: Files whose child died of something else than its limits, with the reason.
        starved: Files whose child aborted as it does at its memory limit.
        longest: Seconds of the longest wait for an answer, and the file waited for.
        growth: Bytes that the parent took after its first files.
    """

    max_seconds: float
    outcome: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    starved: list[PdfJob] = field(default_factory=list)
    longest: tuple[float, str] = (0.0, "")
    growth: int = 0

    def watch(self, pool: WorkerPool, jobs: Iterable[PdfJob]) -> Iterator[tuple[PdfJob, Prepared | ReadError]]:
        """The answers of the pool, each entered as it comes; what the caller does with one is not waited for."""
        first, began = resident(), time.monotonic()
        for job, answer in pool.prepare(jobs):
            self.longest = max(self.longest, (time.monotonic() - began, job.name))
            self.enter(job, answer)
            yield job, answer
            if self.outcome.total() <= WARM_UP:
                first = resident()
            began = time.monotonic()
        self.growth = resident() - first

    def enter(self, job: PdfJob, answer: Prepared | ReadError) -> None:
        """Counts one answer."""
        self.outcome[type(answer).__name__] += 1
        if isinstance(answer, ReadCrashError):
            if died_at_memory_limit(answer):
                self.starved.append(job)
            else:
                self.crashes.append(f"{job.name}: {answer.reason}")

    def faults(self, files: int) -> list[str]:
        """What must not be, of a run over that many files; empty if all is well."""
        found = [f"a child crashed: {crash}" for crash in self.crashes]
        if self.outcome.total() != files:
            found.append(f"{self.outcome.total()} answers for {files} files")
        if self.longest[0] > self.max_seconds + _PATIENCE:
            found.append(f"hung: {self.longest[0]:.1f} s for {self.longest[1]}")
        if self.growth >= MOST_GROWTH:
            found.append(f"the parent grew by {self.growth / 1e6:.1f} MB")
        return found


def die_again(pool: WorkerPool, starved: Iterable[PdfJob]) -> list[str]:
    """Files whose child dies in a pool with more memory too, so that it was not the limit, with the reason."""
    return [
        f"{job.name}: {answer.reason}" for job, answer in pool.prepare(starved) if isinstance(answer, ReadCrashError)
    ]


def died_at_memory_limit(error: ReadCrashError) -> bool:
    """Whether a child died of SIGABRT, which is how pdfium ends when it gets no more memory."""
    return "(SIGABRT, as when more than " in error.reason


def resident() -> int:
    """Bytes of memory that this process holds; Linux only."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
