"""Batches without equal texts: what they hold, how many there are, and a schedule that ends with them."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up_triplets as made_up
import pytest
from toy_recipe import ToySettings

from kure_rag.errors import TrainingError
from kure_rag.train.recipe import Stage
from kure_rag.train.recipes import find_recipe

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")

import datasets

from kure_rag.train.distinct_batches import DistinctBatchSampler, count_batches
from kure_rag.train.trainer import left_out, steps_of


def rows_of(count: int, texts: int, seed: int = 1) -> Any:
    """Pairs of texts, each of so many."""
    chance = random.Random(seed)
    pairs = [(f"질문 {chance.randrange(texts)}", f"답 {chance.randrange(texts)}") for _ in range(count)]
    return datasets.Dataset.from_dict(
        {"query": [a for a, _ in pairs], "positive": [b for _, b in pairs], "label": [i % 2 for i in range(count)]}
    )


def stage_of(dataset: Any, **settings: Any) -> Stage:
    told = ToySettings(**settings)
    return Stage(name="pairs", datasets={"rows": dataset}, losses=lambda _: {}, settings=told, no_duplicates=True)


@pytest.mark.parametrize(("count", "texts", "size"), [(400, 4_000, 16), (400, 60, 16), (200, 20, 16), (90, 9, 8)])
def test_every_epoch_has_the_batches_that_were_counted_and_no_text_twice_in_one(
    count: int, texts: int, size: int
) -> None:
    dataset = rows_of(count, texts)
    sampler = DistinctBatchSampler(dataset, size, seed=3)
    assert len(sampler) == count_batches(dataset, size, 3) > 0
    for epoch in range(6):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        for batch in batches:
            found = [dataset[i][name] for i in batch for name in ("query", "positive")]
            assert len(batch) == size
            assert len(set(found)) == 2 * size
        assert batches == list(sampler)  # a training that goes on is given the same again


def test_the_first_epoch_sees_no_row_twice() -> None:
    rows = [i for batch in DistinctBatchSampler(rows_of(200, 20), 16, seed=3) for i in batch]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(("count", "texts"), [(400, 4_000), (1_000, 400), (300, 40)])
def test_they_are_the_librarys_until_these_run_short(count: int, texts: int) -> None:
    """So that a training whose texts do not repeat is what it was."""
    import torch
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    dataset = rows_of(count, texts)
    own = DistinctBatchSampler(dataset, 16, seed=5)
    labels: dict[str, Any] = {"valid_label_columns": ["label"], "generator": torch.Generator(), "seed": 5}
    library = NoDuplicatesBatchSampler(dataset, 16, drop_last=True, **labels)
    for epoch in range(3):
        own.set_epoch(epoch)
        library.set_epoch(epoch)
        assert list(own) == list(library)[: len(own)]


def test_many_rows_with_one_text_are_counted_and_not_tried_one_by_one() -> None:
    half = 3_000
    dataset = datasets.Dataset.from_dict(
        {
            "query": [f"질문 {i}" for i in range(2 * half)],
            "positive": ["같은 답"] * half + [f"답 {i}" for i in range(half)],
        }
    )
    looked: list[int] = []

    class Counting:
        """The digests, and how often a row was looked at."""

        def __init__(self, digests: Any) -> None:
            self._digests = digests

        def __len__(self) -> int:
            return len(self._digests)

        def __getitem__(self, place: Any) -> Any:
            if isinstance(place, int):
                looked.append(place)
            return self._digests[place]

    sampler: Any = DistinctBatchSampler(dataset, 16, seed=1)
    sampler._texts = Counting(sampler._texts)
    batches = list(sampler)
    # 15 of 16 rows of a batch need texts of their own.
    assert half // 16 <= len(batches) <= half // 15 + 1
    assert len(looked) < 3 * len(dataset)


def test_steps_are_those_of_one_pass_over_the_rows() -> None:
    dataset = rows_of(200, 20)
    batches = len(list(DistinctBatchSampler(dataset, 16, seed=42)))
    assert batches < 200 // 16
    stage = stage_of(dataset, epochs=3)
    assert steps_of(stage) == 3 * batches
    assert steps_of(stage, processes=2) == 3 * (batches // 2)
    assert steps_of(replace(stage, no_duplicates=False)) == 3 * (200 // 16)
    (said,) = left_out(stage)
    assert said.startswith(f"each epoch sees {16 * batches} of the 200 rows of rows")
    assert left_out(stage_of(rows_of(400, 4_000))) == []


def test_rows_that_fill_no_batch_are_told_at_once() -> None:
    with pytest.raises(TrainingError, match="not one batch of 16 could be made"):
        steps_of(stage_of(rows_of(60, 3)))


@pytest.mark.train
def test_a_schedule_ends_where_the_steps_end_and_the_card_says_what_was_seen(tmp_path: Path) -> None:
    from kure_rag.train.run import train

    rows = list(made_up.triplets(0))
    alike = [{**row, "positive": rows[i % 24]["positive"]} for i, row in enumerate(rows[:160])]
    data = made_up.write(tmp_path / "rows.jsonl", alike)
    dev = made_up.write(tmp_path / "scored.jsonl", rows[200:240])
    recipe = find_recipe("koe5")
    settings = replace(
        recipe.smallest(recipe.settings),
        negatives=0,
        batch_size=16,
        epochs=2,
        max_steps=None,
        checkpoints=3,
        warmup=0.0,
    )
    moved: list[tuple[int, int | None]] = []
    report = train(
        recipe,
        [data],
        dev=[dev],
        out=tmp_path / "model",
        base="scratch:static-32",
        settings=settings,
        progress=lambda done, total, _: moved.append((done, total)),
    )
    (steps,) = report.steps.values()
    assert steps < 2 * (160 // 16)
    assert moved[-1] == (steps, steps)
    with (report.out / "loss.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    rates = [float(row["learning_rate"]) for row in found if row["learning_rate"]]
    assert rates[-1] == pytest.approx(settings.learning_rate / steps, rel=1e-3)  # of the last step, before it is 0
    (note,) = [note for note in report.notes if note.startswith("each epoch sees")]
    assert note.startswith(f"each epoch sees {8 * steps} of the 160 rows")
    assert note in (report.out / "README.md").read_text(encoding="utf-8")
