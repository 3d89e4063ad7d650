"""bf16: each kind of loss learns in it, weights stay in float32, and what is broken off goes on to the same end."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import made_up_triplets
import numpy as np
import pytest
from made_up_sentences import given
from test_clir_recipe import pairs, write_bitext
from test_kodiffcse_recipe import write_notes, write_sts

from kure_rag.train.recipes import find_recipe
from kure_rag.train.report import TrainReport
from kure_rag.train.run import train

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")

pytestmark = pytest.mark.train

Files = tuple[list[Path], list[Path]]


def _triplets(folder: Path) -> Files:
    return [made_up_triplets.write(folder / "rows.jsonl", made_up_triplets.triplets(1, aspects=6))], []


def _judged(folder: Path) -> Files:
    return [made_up_triplets.write(folder / "rows.jsonl", made_up_triplets.judged())], []


def _bitext(folder: Path) -> Files:
    return [write_bitext(folder / "bitext.tsv", pairs(200, 2))], [write_bitext(folder / "held.tsv", pairs(40, 3))]


def _notes(folder: Path) -> Files:
    return [write_notes(folder / "notes.txt", 400, 1)], [write_sts(folder / "sts-dev.tsv", 60, 2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A recipe with a loss of its kind.

    Attributes:
        recipe: Its name.
        data: Writes files to train on, and files to score on.
        stage: The one that is broken off, and whose losses are looked at.
        base: What it starts from.
        changes: What differs from its smallest settings.
    """

    recipe: str
    data: Callable[[Path], Files]
    stage: str
    base: str = "scratch:bert-1x64"
    changes: Mapping[str, Any] = field(default_factory=dict)


KINDS = {
    "a cached loss": Kind(recipe="koe5", data=_triplets, stage="triplets", changes={"mini_batch_size": 8}),
    "a loss with weights of its own": Kind(recipe="kosbert", data=given, stage="nli", changes={"batch_size": 64}),
    "a reranker": Kind(recipe="reranker", data=_judged, stage="candidates"),
    "clir's": Kind(recipe="clir", data=_bitext, stage="bitext", changes={"batch_size": 16}),
    "kodiffcse's": Kind(
        recipe="kodiffcse", data=_notes, stage="sentences", changes={"batch_size": 32, "generator_steps": 5}
    ),
}
_STEPS = 24
_BROKEN_OFF = 15


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def losses(report: TrainReport, stage: str) -> list[float]:
    with (report.out / "loss.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file) if row["loss"] and row["stage"] == stage]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_of_loss_learns_in_bf16_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    from safetensors import safe_open

    recipe = find_recipe(kind.recipe)
    told = {"precision": "bf16", "max_steps": _STEPS, "checkpoints": 2, "epochs": 8.0, "learning_rate": 3e-3}
    settings = replace(recipe.smallest(recipe.settings), **{**told, **kind.changes})
    data, dev = kind.data(tmp_path)
    computed: set[torch.dtype] = set()
    plain = torch.nn.Linear.forward

    def noted(self: Any, given_to_it: Any) -> Any:
        found = plain(self, given_to_it)
        computed.add(found.dtype)
        return found

    def trained(out: str, **more: Any) -> TrainReport:
        return train(recipe, data, out=tmp_path / out, base=kind.base, dev=dev, settings=settings, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.Linear, "forward", noted)
        whole = trained("whole")
    assert torch.bfloat16 in computed
    found = losses(whole, kind.stage)
    assert len(found) == _STEPS
    assert all(map(math.isfinite, found))
    assert np.mean(found[-6:]) < 0.98 * np.mean(found[:6]), found
    for weights in whole.out.rglob("*.safetensors"):
        with safe_open(weights, framework="pt") as opened:
            assert {opened.get_slice(name).get_dtype() for name in opened.keys()} <= {"F32", "I64"}  # noqa: SIM118

    def breaks(done: int, _: int | None, words: str) -> None:
        if words.startswith(kind.stage) and done == _BROKEN_OFF:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="the power is gone"):
        trained("again", progress=breaks)
    again = trained("again")
    assert again.resumed
    assert (again.out / "loss.csv").read_bytes() == (whole.out / "loss.csv").read_bytes()
    assert again.loss == whole.loss
    assert _answers(whole.out, recipe.kind) == _answers(again.out, recipe.kind)


def _answers(folder: Path, kind: str) -> list[float]:
    """What the loaded model says, in full precision."""
    from kure_rag import KureEmbeddings, KureReranker

    if kind == "reranker":
        found = list(map(float, KureReranker(str(folder)).scores([("휴가의 기간은", "쉬는날 항목은 며칠동안")])))
    else:
        found = KureEmbeddings(model=str(folder)).embed_query("쉬는날 항목은 며칠동안")
    assert all(map(math.isfinite, found))
    assert any(found)
    return found
