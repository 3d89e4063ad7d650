"""The published rows: all there, unchanged, and averaged as KURE's README averages them."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import pytest

from kure_rag.leaderboard import AVERAGE, KS, METRICS, TASKS, published_entries
from kure_rag.leaderboard.published import parameters_of

# Printed by github.com/nlpai-lab/KURE in README_EN.md (December 2024).
README = Path(__file__).with_name("kure_readme_averages.csv")
SHARED = Path(os.environ.get("KURE_RAG_DATA", Path(__file__).parents[3] / "shared" / "data")) / "published"
BY_NAME = {entry.label: entry for entry in published_entries()}


def test_eighteen_models_have_every_metric_on_all_eight_tasks() -> None:
    assert len(BY_NAME) == 18
    wanted = {(task, metric, k) for task in TASKS for metric in METRICS for k in KS}
    for entry in BY_NAME.values():
        assert entry.scores.keys() == wanted
        assert all(0 < score.value <= 1 for score in entry.scores.values())
        assert entry.origin == "published"
        assert entry.whole


def test_averages_are_those_of_kures_readme() -> None:
    rows = list(csv.DictReader(README.open(encoding="utf-8")))
    assert len(rows) == 36
    for row in rows:
        for metric in ("recall", "precision", "ndcg", "f1"):
            ours = BY_NAME[row["model"]].value(AVERAGE, metric, int(row["k"]))
            assert ours == pytest.approx(float(row[metric]), abs=1e-5), (row["model"], metric, row["k"])


def test_the_first_of_them_is_kure_v1() -> None:
    averages = {name: entry.value(AVERAGE, "ndcg", 1) or 0.0 for name, entry in BY_NAME.items()}
    assert max(averages, key=averages.__getitem__) == "nlpai-lab/KURE-v1"
    best = BY_NAME["nlpai-lab/KURE-v1"]
    at_1 = [round(best.value(AVERAGE, metric, 1) or 0.0, 5) for metric in ("recall", "precision", "ndcg", "f1")]
    assert at_1 == pytest.approx([0.52640, 0.60551, 0.60551, 0.55784], abs=1e-5)


def test_f1_is_made_of_a_tasks_mean_precision_and_recall() -> None:
    for entry in BY_NAME.values():
        for task in TASKS:
            for k in KS:
                precision, recall = entry.value(task, "precision", k), entry.value(task, "recall", k)
                assert precision is not None
                assert recall is not None
                f1 = 2 * precision * recall / (precision + recall)
                assert entry.value(task, "f1", k) == pytest.approx(f1, abs=1e-6)


@pytest.mark.data
@pytest.mark.skipif(not (SHARED / "kure_results.csv").is_file(), reason="the shared data are not here")
def test_no_value_was_changed() -> None:
    for row in csv.DictReader((SHARED / "kure_results.csv").open(encoding="utf-8")):
        if row["k"] in {"1", "3", "5", "10"}:
            ours = BY_NAME[row["model"]].value(row["task"], row["metric"], int(row["k"]))
            assert ours == float(row["value"]), row


def test_sizes_are_known_for_all_but_the_closed_model() -> None:
    unknown = [name for name, entry in BY_NAME.items() if entry.parameters is None]
    assert unknown == ["openai/text-embedding-3-large"]
    assert BY_NAME["nlpai-lab/KURE-v1"].parameters == 567_754_752


def test_sizes_are_found_by_an_alias_and_for_the_bundled_model_counted_in_its_weights() -> None:
    from safetensors import safe_open

    import kure_rag.embed

    weights = Path(kure_rag.embed.__file__).parent / "static_ko" / "model.safetensors"
    with safe_open(str(weights), "np") as file:
        counted = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping
    assert parameters_of("static-ko") == parameters_of("kure-rag/static-ko") == counted
    assert parameters_of("KoE5") == parameters_of("nlpai-lab/KoE5")
    assert parameters_of("our/own-model") is None
