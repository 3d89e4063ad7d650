"""kill -9 while documents are added, updated and deleted: at random moments, and at every named failpoint.

Nothing acknowledged is lost, nothing appears that was never put, and the index that is finished afterwards answers as
one that nobody disturbed.
"""

import random
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
FLUSH = 1_000  # vectors that Chroma keeps in its log before it writes the graph, by its own default


def shake(path: Path, seed: int, count: int, kills: int) -> list[list[list[tuple[str, float]]]]:
    """Kills the child again and again, checks after each kill, lets it finish; gives the index's answers."""
    chance = random.Random(seed)
    first = 0
    for _ in range(kills):
        run = run_child(path, seed, count, first, kill_after=chance.uniform(0.0, 1.2))
        if not (path / "catalog.sqlite3").exists():
            continue
        first = 1 + check(path, seed, count, max(run.acknowledged, first - 1))
        if run.finished:
            break
    assert run_child(path, seed, count, first).finished
    with KureIndex.open(path, embeddings=SeededEmbedder()) as index:
        assert index.verify().ok
        return answers(index)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "calm", 7, 120)
    assert shake(tmp_path / "shaken", 7, 120, kills=4) == wanted


@pytest.mark.crash
@pytest.mark.parametrize("count", [50, FLUSH - 1, FLUSH, FLUSH + 1, 2_500])
@pytest.mark.parametrize("seed", range(4))
def test_many_kills(tmp_path: Path, count: int, seed: int) -> None:
    """Ten kills for each of twenty: two hundred in all."""
    wanted = undisturbed(tmp_path / "calm", seed, count)
    assert shake(tmp_path / "shaken", seed, count, kills=10) == wanted


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
    check(path, 5, 1_001, 7)
