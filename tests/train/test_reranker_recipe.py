"""The reranker: its losses, its rows, the candidates it is scored on, and all that a recipe has to hold."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up_triplets as made_up
import pytest
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.readers import Triplet
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes.reranker import LOSSES, RerankerRecipe, RerankerSettings, candidate_development, rerank_loss

ROWS = list(made_up.triplets(3))
QUERY = "휴가의 기간은 어떻게 되나"
PASSAGES = [
    "쉬는날 항목은 며칠동안 순서로 한다",
    "쉬는날 항목은 몇만원 순서로 한다",
    "먼길 항목은 며칠동안 순서로 한다",
]


def small(**changed: Any) -> RerankerSettings:
    recipe = RerankerRecipe()
    return replace(recipe.smallest(recipe.settings), **changed)


def planned(folder: Path, rows: list[dict[str, object]], settings: RerankerSettings) -> Plan:
    sources = Sources(train=(made_up.write(folder / "rows.jsonl", rows),), work=folder / "work")
    return RerankerRecipe().plan(sources, settings, lambda _: None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    recipe = RerankerRecipe()
    texts = [text for row in ROWS for text in (str(row["query"]), str(row["positive"]))]
    base = find_base("scratch:bert-1x32", recipe)
    work = tmp_path_factory.mktemp("reranker")
    loaded = load_base(base, recipe, texts=lambda: iter(texts), work=work, max_length=64, seed=3)
    return loaded.eval()


def logits(model: Any) -> list[float]:
    import torch

    pairs = [(QUERY, passage) for passage in PASSAGES]
    return [float(score) for score in model.predict(pairs, activation_fn=torch.nn.Identity())]


def test_binary_cross_entropy_weighs_the_positive(model: Any) -> None:
    import torch

    loss = rerank_loss(model, small(), positive_weight=2.5)
    found = loss([[QUERY] * 3, PASSAGES], torch.tensor([1.0, 0.0, 0.0])).item()
    s = [1 / (1 + math.exp(-x)) for x in logits(model)]
    assert found == pytest.approx(-(2.5 * math.log(s[0]) + math.log(1 - s[1]) + math.log(1 - s[2])) / 3, rel=1e-5)


def test_listwise_puts_all_of_the_target_on_the_positive(model: Any, tmp_path: Path) -> None:
    """The library's softmax over labels of 1 and 0 would leave the positive 58 % among two negatives."""
    import torch

    dataset = planned(tmp_path, ROWS, small(loss="listwise", negatives=2)).stages[0].datasets["candidates"]
    labels = dataset[0]["labels"]
    loss = rerank_loss(model, small(loss="listwise"), positive_weight=None)
    found = loss([[QUERY], [PASSAGES]], [torch.tensor(labels)]).item()
    x = logits(model)
    expected = math.log(sum(math.exp(one) for one in x)) - x[0]
    assert found == pytest.approx(expected, abs=1e-3)


def test_lambda_weighs_each_pair_by_what_it_changes_of_ndcg(model: Any) -> None:
    import torch

    loss = rerank_loss(model, small(loss="lambda"), positive_weight=None)
    found = loss([[QUERY], [PASSAGES]], [torch.tensor([1.0, 0.0, 0.0])]).item()
    x = logits(model)
    order = sorted(range(3), key=lambda i: -x[i])
    rank = order.index(0)
    total = 0.0
    for other in range(3):
        if other == rank:
            continue
        apart = abs(rank - other)
        ndcg2 = abs(1 / math.log2(1 + apart) - 1 / math.log2(2 + apart))
        ranked = abs(1 / math.log2(2 + rank) - 1 / math.log2(2 + other))
        difference = x[order[rank]] - x[order[other]]
        total += (10 * ndcg2 + ranked) * math.log2(1 / (1 + math.exp(-difference)))
    assert found == pytest.approx(-total / 2, rel=1e-4)


def test_pairs_have_a_positive_and_its_negatives(tmp_path: Path) -> None:
    plan = planned(tmp_path, ROWS, small(negatives=2))
    dataset = plan.stages[0].datasets["candidates"]
    labels = Counter(dataset["label"])
    asked = len(set(dataset["query"]))
    assert labels[1.0] == asked
    assert asked < labels[0.0] <= 2 * asked
    loss: Any = None

    class Made:
        """Stands for a model with one score."""

    with pytest.raises(ValueError, match="CrossEncoder"):  # the library looks at what it is given
        loss = plan.stages[0].losses(Made())
    assert loss is None


def test_a_positive_counts_as_much_as_its_negatives(model: Any, tmp_path: Path) -> None:
    plan = planned(tmp_path, ROWS, small(negatives=3))
    labels = Counter(plan.stages[0].datasets["candidates"]["label"])
    loss = plan.stages[0].losses(model)["candidates"]
    assert float(loss.pos_weight) == pytest.approx(labels[0.0] / labels[1.0])


def test_candidates_are_shuffled_and_the_same_each_time() -> None:
    rows = [
        Triplet(query=f"질문 {i}", positive=f"답 {i}", negatives=tuple(f"아님 {i} {k}" for k in range(4)))
        for i in range(40)
    ]
    first: Any = candidate_development("dev", rows)
    second: Any = candidate_development("dev", rows[::-1])
    places = Counter(next(iter(gains)) for gains in first.relevant.values())
    assert len(places) == 5  # the positive stands in each of the five places
    assert first.relevant == {key: second.relevant[key] for key in first.relevant}


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], small(), "empty"),
        ([{**row, "negatives": []} for row in ROWS], small(), "no query has negatives"),
        (ROWS, small(batch_size=5000), "a batch of 5000 is larger than"),
    ],
)
def test_bad_data_are_told_before_anything_is_trained(
    tmp_path: Path, rows: list[dict[str, object]], settings: RerankerSettings, message: str
) -> None:
    with pytest.raises((ConfigError, CorpusFormatError), match=message):
        planned(tmp_path, rows, settings)


@pytest.mark.parametrize("change", [{"loss": "hinge"}, {"negatives": 0}, {"positive_weight": 0.0}])
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(RerankerSettings(), **change)


@pytest.mark.train
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "bce"])
def test_listwise_losses_train_and_load(tmp_path: Path, loss: Any) -> None:
    from kure_rag import KureReranker
    from kure_rag.train.run import train

    rows = made_up.write(tmp_path / "rows.jsonl", list(made_up.judged()))
    settings = small(loss=loss, max_steps=4, checkpoints=0)
    report = train("reranker", [rows], out=tmp_path / "model", base="scratch:bert-1x32", settings=settings)
    ranked = KureReranker(str(report.out)).rank(QUERY, PASSAGES)
    assert sorted(one.position for one in ranked) == [0, 1, 2]


@pytest.mark.train
class TestReranker(RecipeContract):
    """On candidates of which some answer nothing at all: to match words takes a cross-encoder more than these steps."""

    recipe = "reranker"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return [made_up.write(folder / "rows.jsonl", list(made_up.judged()))], []
