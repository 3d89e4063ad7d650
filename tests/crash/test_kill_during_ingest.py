"""kill -9 in the middle of an ingest: nothing acknowledged is lost, and the finished index is the undisturbed one."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import HashEmbedder, numbered_pdf

from kure_rag import KureIndex

CHILD = Path(__file__).with_name("ingest_child.py")
FILES = 24
KILLS = 6
QUESTIONS = ("예금 점검 결과는 언제 보고하나", "보험 담당자의 기록", "의약품 관리 규정 11호", "보고서 보관 기간")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pdfs")
    for number in range(FILES):
        numbered_pdf(folder, number)
    return folder


def answers(index: KureIndex) -> list[list[list[str]]]:
    return [
        [[hit.chunk.id for hit in hits] for hits in index.search_batch(QUESTIONS, k=10, mode=mode)]
        for mode in ("lexical", "dense", "hybrid")
    ]


def ingest_and_kill(index: Path, folder: Path, after: float) -> tuple[set[str], bool]:
    """Runs the child for some seconds after it opened the index; gives the documents it acknowledged."""
    child = subprocess.Popen([sys.executable, str(CHILD), str(index), str(folder)], stdout=subprocess.PIPE, text=True)
    said: list[str] = []

    def listen() -> None:
        assert child.stdout is not None
        said.extend(line.strip() for line in child.stdout)

    listener = threading.Thread(target=listen)
    listener.start()
    while not said and child.poll() is None:
        time.sleep(0.01)
    try:
        child.wait(timeout=after)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    listener.join()
    return {line for line in said if len(line) == 64}, "done" in said


def test_nothing_acknowledged_is_lost_and_the_finished_index_equals_an_undisturbed_one(
    folder: Path, tmp_path: Path
) -> None:
    with KureIndex.open(tmp_path / "calm", embeddings=HashEmbedder()) as calm:
        calm.add_paths(folder)
        wanted = answers(calm)
        wanted_documents = {row.id for row in calm.documents()}
    assert len(wanted_documents) == FILES

    chance = random.Random(20261120)
    path = tmp_path / "shaken"
    acknowledged: set[str] = set()
    kills = 0
    for number in range(KILLS):  # each later than the one before: start-up, reading, storing, catching up
        more, finished = ingest_and_kill(path, folder, after=0.2 + 0.4 * number + chance.uniform(0, 0.3))
        acknowledged |= more
        with KureIndex.open(path, embeddings=HashEmbedder()) as index:
            here = {row.id for row in index.documents()}
            assert acknowledged <= here
            found = index.verify()
            assert found.ok, found.problems
        if finished:
            break
        kills += 1
    assert kills >= 2, "the ingest finished before it could be killed: give it more files"

    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        index.add_paths(folder)
        assert index.verify().ok
        assert {row.id for row in index.documents()} == wanted_documents
        assert answers(index) == wanted


def test_operations_left_pending_are_done_at_the_next_opening(folder: Path, tmp_path: Path) -> None:
    """A crash right after the catalog's transaction, before either view has seen the document."""
    path = tmp_path / "index"
    index = KureIndex.open(path, embeddings=HashEmbedder())
    index._store.catch_up = lambda progress=None: None  # type: ignore[method-assign]
    index.add_paths(sorted(folder.glob("*.pdf"))[:2])
    assert index._store.catalog.pending_count("lexical") > 0
    index._store.catalog.close()

    with KureIndex.open(path, embeddings=HashEmbedder()) as again:
        assert again.verify().ok
        assert again.search("예금 담당자", k=1)


def test_replaying_twice_changes_nothing(folder: Path, tmp_path: Path) -> None:
    """The views did their work, but the note of it was lost."""
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        index.add_paths(sorted(folder.glob("*.pdf"))[:3])
        before = answers(index)
        catalog = index._store.catalog
        with catalog._transaction() as db:
            catalog._owe(db, "add", catalog.all_rows(), 1)
        with index._store.writing():
            pass
        assert index.verify().ok
        assert answers(index) == before
