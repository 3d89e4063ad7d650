"""Several processes that put entries into one index."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import HashEmbedder

from kure_rag import Entry, KureIndex
from kure_rag.errors import IndexLockedError

TESTS = str(Path(__file__).parents[1])
LEAVE = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."
SICK = "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다."

BUSY_EMBEDDING = """
import sys
sys.path.insert(0, sys.argv[2])
from support import HashEmbedder
from kure_rag import Entry, KureIndex

class Slow(HashEmbedder):
    def embed_passages(self, texts):
        print("embedding", flush=True)
        sys.stdin.readline()
        return self.embed_queries(texts)

with KureIndex.open(sys.argv[1], embeddings=Slow()) as index:
    index.put([Entry(id="병가", text="병가는 진단서를 낸 직원에게 60일까지 허가한다.")])
print("put", flush=True)
"""
HOLDING = """
import sys
from pathlib import Path
from kure_rag.index.lock import WriterLock
with WriterLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.readline()
print("free", flush=True)
"""
ADDING = """
import sys
sys.path.insert(0, sys.argv[2])
from support import HashEmbedder
from kure_rag import Entry, KureIndex
with KureIndex.open(sys.argv[1], embeddings=HashEmbedder()) as index:
    print("open", flush=True)
    sys.stdin.readline()
    for i in range(4):
        index.put([Entry(id=f"{sys.argv[3]} {i}", text=f"{sys.argv[3]} 규정 제{i}조는 휴가를 정한다.")], wait=120)
print("put", flush=True)
"""


@contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        try:
            yield child
        finally:
            child.kill()
            child.wait()


def says(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as opened:
        opened.put([Entry(id="처음", text=LEAVE)])
        yield opened


def test_nobody_is_kept_out_while_another_process_embeds_a_few_texts(index: KureIndex) -> None:
    """Loading a model takes seconds, and it happens there."""
    with running(BUSY_EMBEDDING, str(index.path), TESTS) as child:
        assert says(child) == "embedding"
        assert index.put([Entry(id="여기", text=SICK)]) == ["여기"]
        tell(child)
        assert says(child) == "put"
    assert [entry.id for entry in index.entries(["처음", "여기", "병가"])] == ["처음", "여기", "병가"]


def test_what_another_process_put_under_the_same_id_meanwhile_is_replaced_whole(index: KureIndex) -> None:
    with running(BUSY_EMBEDDING, str(index.path), TESTS) as child:
        assert says(child) == "embedding"
        index.put([Entry(id="병가", text=SICK, metadata={"판": 1})])
        tell(child)
        assert says(child) == "put"
    [entry] = index.entries(["병가"])
    assert (entry.text, entry.metadata) == ("병가는 진단서를 낸 직원에게 60일까지 허가한다.", {})
    assert index.info()["documents"] == 2


def test_a_writer_waits_as_long_as_it_was_told(index: KureIndex) -> None:
    with running(HOLDING, str(index.path)) as child:
        assert says(child) == "held"
        with pytest.raises(IndexLockedError, match=f"process {child.pid} on"):
            index.put([Entry(id="여기", text=SICK)])
        with pytest.raises(IndexLockedError, match=f"process {child.pid} on"):
            index.delete_entries(["처음"], wait=0)
        free = threading.Timer(1.0, tell, [child])  # later than a writer waits that was told nothing
        free.start()
        assert index.put([Entry(id="여기", text=SICK)], wait=120) == ["여기"]
        free.join()
    with running(HOLDING, str(index.path)) as child:
        assert says(child) == "held"
        free = threading.Timer(1.0, tell, [child])
        free.start()
        assert index.delete_entries(["처음"], wait=120) == 1
        free.join()


def test_who_cannot_write_is_told_so_before_a_model_is_loaded(index: KureIndex) -> None:
    embedded: list[str] = []
    with running(HOLDING, str(index.path)) as child:
        assert says(child) == "held"
        index.embedder.embed_passages = embedded.extend  # type: ignore[method-assign, assignment]
        with pytest.raises(IndexLockedError):
            index.put([Entry(id="여기", text=SICK)])
    assert not embedded


@pytest.mark.parametrize("wait", [-1, float("nan"), "3", True])
def test_what_is_no_time_to_wait_is_refused(index: KureIndex, wait: object) -> None:
    with pytest.raises(ValueError, match="give the seconds to wait"):
        index.put([Entry(id="여기", text=SICK)], wait=wait)  # type: ignore[arg-type]


def test_two_processes_put_in_turn(index: KureIndex) -> None:
    path = str(index.path)
    with running(ADDING, path, TESTS, "인사") as one, running(ADDING, path, TESTS, "회계") as other:
        assert (says(one), says(other)) == ("open", "open")
        tell(one)
        tell(other)
        assert (says(one), says(other)) == ("put", "put")
    assert sorted(index.entry_ids()) == sorted(["처음", *(f"{who} {i}" for who in ("인사", "회계") for i in range(4))])
