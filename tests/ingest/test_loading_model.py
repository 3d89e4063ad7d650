"""The model that loads while the first files are read: it leaves no thread behind, and Ctrl-C does not wait for it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import HashEmbedder, numbered_pdf

from kure_rag import KureIndex
from kure_rag.errors import CorpusFormatError
from kure_rag.ingest import IngestRow
from kure_rag.read import Record

RECORD = Record("휴가", "취업규정", "연차휴가는 1년에 15일이다.")


class SlowEmbedder(HashEmbedder):
    """Its model is there once the test says so, or some time after its loading began."""

    def __init__(self, seconds: float = 0.5) -> None:
        super().__init__()
        self.loaded = False
        self.go_on = threading.Event()
        self._seconds = seconds

    def load(self) -> None:
        self.go_on.wait(self._seconds)
        self.loaded = True


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "ix", embeddings=SlowEmbedder()) as opened:
        yield opened


def ours() -> list[str]:
    """Threads of an ingest; those that search end with their index."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("kure-rag") and not name.startswith("kure-rag-search")]


def loaded(index: KureIndex) -> bool:
    assert isinstance(index.embedder, SlowEmbedder)
    return index.embedder.loaded


def test_no_thread_is_alive_after_an_ingest(index: KureIndex, tmp_path: Path) -> None:
    pdf = numbered_pdf(tmp_path, 1)
    assert index.add_paths(pdf, workers=1).counts()["added"] == 1
    assert loaded(index)
    assert ours() == []
    assert index.add_records([RECORD], workers=1).ok
    assert ours() == []


def test_no_thread_is_alive_after_an_ingest_of_nothing(index: KureIndex) -> None:
    """No vector was needed, so that nothing but the end of the ingest waits for the model."""
    assert index.add_records([], workers=1).rows == ()
    assert loaded(index)
    assert ours() == []


def test_no_thread_is_alive_after_an_ingest_that_raised(index: KureIndex, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("{broken\n" + json.dumps({"_id": "1", "text": "병가는 60일이다."}), encoding="utf-8")
    with pytest.raises(CorpusFormatError):
        index.add_corpus(corpus, workers=1)
    assert loaded(index)
    assert ours() == []

    def fail(row: IngestRow) -> None:
        raise ValueError(row.source)

    with pytest.raises(ValueError, match="휴가"):
        index.add_records([RECORD], workers=1, on_row=fail)
    assert ours() == []


def test_ctrl_c_does_not_wait_for_the_model(tmp_path: Path) -> None:
    embedder = SlowEmbedder(seconds=30)

    def records() -> Iterator[Record]:
        yield RECORD
        raise KeyboardInterrupt

    with KureIndex.open(tmp_path / "ix", embeddings=embedder) as index:
        try:
            with pytest.raises(KeyboardInterrupt):
                index.add_records(records(), workers=1)
            assert ours() == ["kure-rag-warm-up"]
        finally:
            embedder.go_on.set()
    for thread in threading.enumerate():
        if thread.name == "kure-rag-warm-up":
            thread.join()


_PROGRAM = """
import sys, threading, time
from support import HashEmbedder
from kure_rag import KureIndex

told = threading.Event()

class Slow(HashEmbedder):
    def load(self):
        told.wait()
        time.sleep(0.5)  # Python is at its exit by now
        print("loaded", flush=True)

def records():
    raise KeyboardInterrupt
    yield

with KureIndex.open(sys.argv[1], embeddings=Slow()) as index:
    try:
        index.add_records(records(), workers=1)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
told.set()
"""


def test_python_is_not_taken_apart_under_a_model_that_loads(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "ix")],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\nloaded\n"), done.stderr
