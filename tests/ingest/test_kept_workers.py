"""What the reading processes start with, and that those that tests keep are as good as new ones."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

import kure_rag.ingest
from kure_rag.chunk import ChunkSettings
from kure_rag.errors import ReadError
from kure_rag.ingest.child import Child
from kure_rag.ingest.pool import TermsJob, WorkerPool

SHORT = TermsJob(["연차휴가를 신청한다"], "짧은 글")
LONG = TermsJob(["직원이 연차휴가를 신청하면 부서장이 승인한다. " * 400] * 400, "오래 걸리는 글")


def test_a_worker_loads_nothing_of_an_index_or_a_model() -> None:
    """Each ingest waits for it: an index and its libraries would double what it imports."""
    code = "import sys, kure_rag.ingest.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "kure_rag.chunk" in modules
    assert not modules & {
        "kure_rag.index",
        "kure_rag.embed",
        "kure_rag.search",
        "sqlite3",
        "chromadb",
        "tantivy",
        "torch",
    }


def test_the_names_of_the_package_are_imported_when_they_are_used() -> None:
    assert dir(kure_rag.ingest) == sorted(kure_rag.ingest.__all__)
    for name in kure_rag.ingest.__all__:
        assert getattr(kure_rag.ingest, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'WorkerPools'"):
        kure_rag.ingest.WorkerPools  # noqa: B018


def run(job: TermsJob, *, profile: str = "auto", killed: bool = False) -> tuple[int, list[list[str]] | ReadError]:
    """The answer of a new pool, and the process that gave it."""
    with WorkerPool(workers=1, chunks=ChunkSettings(profile=profile)) as pool:
        ((_, first),) = pool.terms([SHORT])
        assert isinstance(first, list)
        process = pool._children[0]._process
        assert process is not None
        if killed:
            process.kill()
            process.wait()
        ((_, answer),) = pool.terms([job])
        return process.pid, answer


def test_a_worker_goes_on_for_the_next_pool_of_the_same_settings_unless_it_died() -> None:
    first, answer = run(SHORT)
    assert run(SHORT) == (first, answer)
    other, same = run(SHORT, profile="general")
    assert other != first
    assert same == answer
    assert run(SHORT, killed=True)[1] == answer  # the pool starts a new one
    assert run(SHORT)[0] != first


def test_a_worker_that_is_at_work_when_its_pool_is_closed_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ask = threading.Event(), Child._ask

    def seen(*given: Any) -> Any:
        asked.set()
        return ask(*given)

    with WorkerPool(workers=1) as pool:
        list(pool.terms([SHORT]))
        process = pool._children[0]._process
        assert process is not None
        monkeypatch.setattr(Child, "_ask", staticmethod(seen))
        answer = pool._submit(LONG)
        assert asked.wait(60)
    assert process.poll() is not None
    assert isinstance(answer.result(), ReadError)
