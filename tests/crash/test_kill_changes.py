"""kill -9 while documents are added, updated and deleted: at random moments, and at every named failpoint.

Nothing acknowledged is lost, nothing appears that was never put, and the index that is finished afterwards answers as
one that nobody disturbed.
"""

import random
import shutil
from pathlib import Path

import pytest
from crash.changes import SeededEmbedder
from crash.killing import answers, check, run_child, undisturbed

from kure_rag import KureIndex
from kure_rag.index.schema import VIEWS

FAILPOINTS = (  # what adding, updating and deleting pass through; tests/index/test_index_generations.py has the others
    "catch-up-begun",
    *(f"{view}-{step}" for view in VIEWS for step in ("applied", "marked", "purged")),
    "dense-unsealed",
    "dense-flushed",
    "dense-sealed",
    "purge-announced",
    "catalog-purged",
)
FLUSH = 1_000  # vectors in Chroma's log from which on the view has it write the graph; Chroma's own default too


Answers = list[list[list[tuple[str, float]]]]


def shake(path: Path, seed: int, count: int, kills: int, wanted: Answers) -> None:
    """Kills the child so many times and checks after each; an index that it finished meanwhile is begun anew."""
    chance = random.Random(seed)
    first = killed = 0
    while killed < kills:
        run = run_child(path, seed, count, first, kill_after=chance.uniform(0.0, 1.2))
        killed += not run.finished
        if (path / "catalog.sqlite3").exists():
            first = 1 + check(path, seed, count, max(run.acknowledged, first - 1))
        if run.finished:
            assert finished(path) == wanted
            shutil.rmtree(path)
            first = 0
    assert run_child(path, seed, count, first).finished
    assert finished(path) == wanted


def finished(path: Path) -> Answers:
    with KureIndex.open(path, embeddings=SeededEmbedder()) as index:
        assert index.verify().ok
        return answers(index)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "calm", 7, 120)
    shake(tmp_path / "shaken", 7, 120, 4, wanted)


@pytest.mark.crash
@pytest.mark.parametrize("count", [50, FLUSH - 1, FLUSH, FLUSH + 1, 2_500])
@pytest.mark.parametrize("seed", range(4))
def test_many_kills(tmp_path: Path, count: int, seed: int) -> None:
    """Ten kills for each of twenty: two hundred in all."""
    wanted = undisturbed(tmp_path / "calm", seed, count)
    shake(tmp_path / "shaken", seed, count, 10, wanted)


@pytest.mark.crash
@pytest.mark.parametrize("pass_", [1, 3, 5])
@pytest.mark.parametrize("name", FAILPOINTS)
def test_every_failpoint_at_several_passes(tmp_path: Path, name: str, pass_: int) -> None:
    path = tmp_path / "index"
    first = 0
    for _ in range(3):  # killed while it repairs what the kill before left, too
        run = run_child(path, 5, 1_001, first, failpoint=f"{name}:{pass_}")
        if (path / "catalog.sqlite3").exists():
            first = 1 + check(path, 5, 1_001, max(run.acknowledged, first - 1))
        if run.finished:
            break
    else:
        assert run_child(path, 5, 1_001, first).finished
    check(path, 5, 1_001, 8)
