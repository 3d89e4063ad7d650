"""Entries whose model is slow: others write meanwhile, and nothing that was made is made twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from support import HashEmbedder

from kure_rag import Entry, KureIndex
from kure_rag.errors import EntryError, FingerprintMismatchError, IndexLockedError

LEAVE = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."
SICK = "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다."
RULES = [Entry(id=str(i), text=f"제{i}조는 휴가 {i}일을 정한다.", metadata={"조": i}) for i in range(5)]


class Interrupted(HashEmbedder):
    """Lets others do something before each batch of passages, which it remembers."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.batches: list[list[str]] = []

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.batches.append(list(texts))
        self.meanwhile()
        return self.embed_queries(texts)


@pytest.fixture(autouse=True)
def _two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kure_rag.pipeline.entries._STEP", 2)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[KureIndex]:
    """What another process has open: its lock is its own."""
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as opened:
        opened.put([Entry(id="처음", text=LEAVE)])
        yield opened


@pytest.fixture
def model() -> Interrupted:
    return Interrupted(lambda: None)


@pytest.fixture
def index(other: KureIndex, model: Interrupted) -> Iterator[KureIndex]:
    with KureIndex.open(other.path, embeddings=model) as opened:
        yield opened


def test_texts_are_embedded_in_parts_and_counted(index: KureIndex, model: Interrupted) -> None:
    seen: list[tuple[int, int | None, str]] = []
    index.put(RULES, progress=lambda *given: seen.append(given))
    assert seen == [(2, 5, "1"), (4, 5, "3"), (5, 5, "4")]
    assert [len(batch) for batch in model.batches] == [2, 2, 1]
    assert index.entries([entry.id for entry in RULES]) == RULES


def test_another_writer_gets_in_before_every_part(index: KureIndex, model: Interrupted, other: KureIndex) -> None:
    def write() -> None:
        number = len(model.batches)
        other.put([Entry(id=f"사이 {number}", text=f"{SICK} {number}")], wait=0)
        assert not set(other.entry_ids()) & {entry.id for entry in RULES}, "all of a put or nothing of it"

    model.meanwhile = write
    index.put(RULES)
    there = ["처음", "사이 1", "사이 2", "사이 3", *(entry.id for entry in RULES)]
    assert index.entry_ids() == there
    assert sorted(hit.chunk.id for hit in index.search("휴가 병가 진단서", mode="lexical", k=20)) == sorted(there)
    assert index.verify().ok


def test_a_thread_of_the_same_index_gets_in_too(index: KureIndex, model: Interrupted) -> None:
    done: list[int] = []

    def delete() -> None:
        if not done:
            thread = threading.Thread(target=lambda: done.append(index.delete_entries(["처음"], wait=0)))
            thread.start()
            thread.join(30)

    model.meanwhile = delete
    index.put(RULES)
    assert done == [1]
    assert index.entry_ids() == [entry.id for entry in RULES]


def test_what_another_writer_takes_away_meanwhile_is_made_then(
    index: KureIndex, model: Interrupted, other: KureIndex
) -> None:
    """The vector of a text that is there already would have been the one that is there."""
    model.meanwhile = lambda: other.delete_entries(["처음"])
    wanted = [Entry(id="처음", text=LEAVE, metadata={"판": 2}), *RULES]
    index.put(wanted)
    assert [LEAVE in batch for batch in model.batches] == [False, False, False, True]
    assert index.entries([entry.id for entry in wanted]) == wanted
    assert index.verify().ok


def test_an_index_that_another_model_took_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "neu"
    model = Interrupted(lambda: None)
    with KureIndex.open(path, embeddings=model) as index, KureIndex.open(path, embeddings=HashEmbedder("2")) as other:
        model.meanwhile = lambda: other.put([Entry(id="처음", text=LEAVE)])
        with pytest.raises(FingerprintMismatchError):
            index.put(RULES)
        assert other.entry_ids() == ["처음"]


def test_nothing_is_made_twice_when_the_lock_cannot_be_had_in_the_end(
    index: KureIndex, model: Interrupted, other: KureIndex
) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with other._store.writing():
            held.set()
            assert let_go.wait(60)

    holder = threading.Thread(target=hold)

    def take() -> None:
        if not holder.ident:
            holder.start()
            assert held.wait(60)

    model.meanwhile = take
    with pytest.raises(IndexLockedError):
        index.put(RULES, wait=0)
    let_go.set()
    holder.join()
    made = sum(map(len, model.batches))
    seen: list[tuple[int, int | None, str]] = []
    index.put([*RULES, Entry(id="새", text=SICK)], progress=lambda *given: seen.append(given))
    assert (made, seen) == (5, [(1, 1, "새")])
    assert index.entries([entry.id for entry in RULES]) == RULES
    model.batches.clear()
    index.put([Entry(id="다시", text=RULES[0].text)])
    assert model.batches == [[RULES[0].text]], "kept for one call"


def test_a_model_that_fails_half_way_leaves_nothing(index: KureIndex, model: Interrupted) -> None:
    def fail() -> None:
        if len(model.batches) == 2:
            raise EntryError("2", "the model is gone")

    model.meanwhile = fail
    with pytest.raises(EntryError, match="the model is gone"):
        index.put(RULES)
    assert index.entry_ids() == ["처음"]
    model.meanwhile = lambda: None
    assert index.put(RULES) == [entry.id for entry in RULES]
