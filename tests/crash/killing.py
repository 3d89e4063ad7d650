"""Kills the process that changes an index, and checks what must be true afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from crash.changes import SeededEmbedder, changes, text_of

from kure_rag import KureIndex

CHILD = Path(__file__).with_name("changes.py")
QUESTIONS = ("예금 업무를 정한 규정", "보험 금액은 얼마인가", "휴가 규정 2판", "정산 문서", "임대 계약 세금")
KILLED = (-signal.SIGKILL, 137)


@dataclass
class Run:
    """One life of the child.

    Attributes:
        acknowledged: The last change that it said was made; -1 for none.
        finished: Whether it lived to the end.
        status: Its exit status.
    """

    acknowledged: int = -1
    finished: bool = False
    status: int | None = None
    said: list[str] = field(default_factory=list)


def run_child(
    index: Path, seed: int, count: int, first: int, *, kill_after: float | None = None, failpoint: str | None = None
) -> Run:
    """Lets the child work from a change on, until it is killed: after some seconds, or at a failpoint."""
    environment = {**os.environ, **({"KURE_RAG_FAILPOINT": failpoint} if failpoint else {})}
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(index), str(seed), str(count), str(first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    run = Run()
    errors: list[str] = []
    assert child.stdout is not None
    assert child.stderr is not None
    readers = [
        threading.Thread(target=run.said.extend, args=((line.strip() for line in child.stdout),)),
        threading.Thread(target=errors.extend, args=(child.stderr,)),
    ]
    for reader in readers:
        reader.start()
    if kill_after is not None:
        while not run.said and child.poll() is None:
            time.sleep(0.005)
        try:
            child.wait(timeout=kill_after)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
    run.status = child.wait(timeout=300)
    for reader in readers:
        reader.join()
    run.finished = "done" in run.said
    run.acknowledged = max((int(word) for word in run.said if word.isdigit()), default=-1)
    assert run.finished or run.status in KILLED, f"the child failed ({run.status}): {''.join(errors)[-2000:]}"
    return run


def contents(index: KureIndex) -> dict[str, str]:
    """Text by source: what the index holds."""
    held: dict[str, str] = {}
    for row in index.documents():
        document = index.document(row.id)
        assert document is not None
        assert row.source not in held, f"two versions of {row.source}"
        held[row.source] = document.text
    return held


def expected(seed: int, count: int, number: int) -> dict[str, str]:
    """What it has to hold after a change; nothing before the first."""
    if number < 0:
        return {}
    _, held = list(changes(seed, count))[number]
    return {key: text_of(key, version) for key, version in held.items()}


def answers(index: KureIndex) -> list[list[list[tuple[str, float]]]]:
    """The ten best for some questions in all modes, with their scores.

    Of all candidates: where many passages score alike, which hundred of them a leg gives hangs on its segments.
    """
    return [
        [
            [(hit.chunk.id, round(hit.score, 5)) for hit in hits]
            for hits in index.search_batch(QUESTIONS, k=10, mode=m, candidates=10_000)
        ]
        for m in ("lexical", "dense", "hybrid")
    ]


def check(path: Path, seed: int, count: int, acknowledged: int) -> int:
    """Opens a shaken index and checks it.

    Returns:
        The number of the last change that it holds: the acknowledged one, or the one after it.
    """
    with KureIndex.open(path, embeddings=SeededEmbedder()) as index:
        found = index.verify()
        assert found.ok, found.problems
        held = contents(index)
        for number in (acknowledged, acknowledged + 1):
            total = len(list(changes(seed, count)))
            if number < total and held == expected(seed, count, number):
                break
        else:
            # A put of many documents is one transaction: nothing lies between two changes.
            raise AssertionError(f"holds neither change {acknowledged} nor the one after it")
        shown = {hit.chunk.text for hits in index.search_batch(QUESTIONS, k=50) for hit in hits}
        assert shown <= set(held.values()), "a passage that is in no document"
        return number


def undisturbed(path: Path, seed: int, count: int) -> list[list[list[tuple[str, float]]]]:
    """Answers of an index that nobody killed."""
    assert run_child(path, seed, count, 0).finished
    with KureIndex.open(path, embeddings=SeededEmbedder()) as index:
        assert index.verify().ok
        return answers(index)
