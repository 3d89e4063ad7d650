"""A seeded set of broken and hostile PDFs: each ends as chunks or as a rejected file, and the next one is read."""

from __future__ import annotations

import mmap
import os
import random
import signal
from pathlib import Path

import pytest
from mutate import hostile, mutated
from mutated_run import MOST_GROWTH, Account, die_again, resident

from kure_rag.errors import ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.child import Clock
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.pool import PdfJob
from kure_rag.read import ReadLimits
from kure_rag.samples import sample_paths

OWN_WORKERS = True  # see kept_workers.py


@pytest.mark.parametrize(
    ("count", "seed"), [(70, 7), *(pytest.param(200, seed, marks=pytest.mark.crash) for seed in (7, 8))]
)
def test_every_mutated_pdf_ends_as_chunks_or_with_a_reason_and_the_parent_does_not_grow(
    tmp_path: Path, count: int, seed: int
) -> None:
    sound = sample_paths()[0]
    limits = ReadLimits(max_seconds=8, max_page_seconds=3, max_memory=2**30)  # the hostile ones use them up
    jobs = []
    for number, (kind, data) in enumerate(mutated([path.read_bytes() for path in sample_paths()], count, seed=seed)):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(data)
        jobs.append(PdfJob(path, f"{number} {kind}"))
    jobs.append(PdfJob(sound, "sound.pdf"))
    account = Account(max_seconds=limits.max_seconds)
    names = []
    answer: object = None
    with WorkerPool(workers=2, limits=limits) as pool:
        for job, answer in account.watch(pool, jobs):
            names.append(job.name)
            if isinstance(answer, ReadError):
                assert answer.source == job.name
                assert answer.reason
                assert "did not start" not in answer.reason
            else:
                text = answer.document.text
                assert all(text[item.chunk.start : item.chunk.end] == item.chunk.text for item in answer.chunks)
    assert names == [job.name for job in jobs]
    assert isinstance(answer, Prepared)
    assert not account.faults(len(jobs))
    assert account.outcome["Prepared"] > count / 5, account.outcome  # the mutations leave something to read
    assert len(account.outcome) >= 3, account.outcome
    assert len(account.starved) <= 5, account.starved  # only what is made to exhaust memory


@pytest.fixture
def greedy(tmp_path: Path) -> PdfJob:
    """A file that takes memory until there is no more, or time until that is over."""
    path = tmp_path / "greedy.pdf"
    path.write_bytes(dict(hostile(random.Random(3)))["a form that draws itself twice"])
    return PdfJob(path, "greedy.pdf")


def watched(job: PdfJob, limits: ReadLimits) -> Account:
    account = Account(max_seconds=limits.max_seconds)
    with WorkerPool(workers=1, limits=limits) as pool:
        assert len(list(account.watch(pool, [job]))) == 1
    return account


def test_a_child_that_dies_of_a_signal_is_a_fault(greedy: PdfJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clock, "turn", lambda self, page: os.kill(self._process.pid, signal.SIGSEGV))
    account = watched(greedy, ReadLimits())
    (fault,) = account.faults(1)
    assert fault.startswith("a child crashed: greedy.pdf: ")
    assert "SIGSEGV" in fault


def test_a_child_that_dies_of_its_limits_is_none(greedy: PdfJob) -> None:
    account = watched(greedy, ReadLimits(max_memory=3 * 2**27))
    assert account.outcome == {"ReadCrashError": 1}
    assert account.starved == [greedy]
    assert not account.faults(1)
    with WorkerPool(workers=1, limits=ReadLimits(max_page_seconds=1)) as pool:
        assert not die_again(pool, account.starved)


def test_a_child_that_aborts_with_more_memory_too_is_a_fault(greedy: PdfJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clock, "turn", lambda self, page: os.kill(self._process.pid, signal.SIGABRT))
    account = watched(greedy, ReadLimits())
    assert account.starved == [greedy]
    with WorkerPool(workers=1) as pool:
        (crash,) = die_again(pool, account.starved)
    assert "SIGABRT" in crash


def test_a_file_without_an_answer_a_hang_and_a_parent_that_grows_are_faults() -> None:
    account = Account(max_seconds=30, longest=(46.0, "7.pdf"), growth=MOST_GROWTH)
    missing, hung, grown = account.faults(1)
    assert missing == "0 answers for 1 files"
    assert hung == "hung: 46.0 s for 7.pdf"
    assert grown == "the parent grew by 50.0 MB"
    assert not Account(max_seconds=30, longest=(44.0, "7.pdf"), growth=MOST_GROWTH - 1).faults(0)


def test_memory_that_is_held_is_seen() -> None:
    before = resident()
    with mmap.mmap(-1, MOST_GROWTH) as held:  # pages of its own: Python may have room left from earlier tests
        held.write(b"x" * len(held))
        assert resident() - before > 0.9 * len(held)


def test_the_hostile_files_are_the_same_for_the_same_seed() -> None:
    first, second = (dict(hostile(random.Random(3))) for _ in range(2))
    assert first == second
    assert len(first) >= 18
