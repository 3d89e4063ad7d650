"""The reranker: its losses, its rows, the candidates it is scored on, and all that a recipe has to hold."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up_triplets as made_up
import numpy as np
import pytest
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.development_sets import RerankDev
from kure_rag.train.readers import LabelledPair, Triplet
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes.reranker import LOSSES, RerankerRecipe, RerankerSettings, candidate_development, rerank_loss
from kure_rag.train.report import change

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


def labelled(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The same as a judge's rows: a passage each, .9 or .1."""
    found: list[dict[str, object]] = []
    for row in rows:
        negatives = row["negatives"]
        assert isinstance(negatives, list)
        found.append({"query": row["query"], "passage": row["positive"], "label": 0.9})
        found += [{"query": row["query"], "passage": text, "label": 0.1} for text in negatives]
    return found


def test_labelled_pairs_are_learnt_from_with_their_labels(tmp_path: Path) -> None:
    plan = planned(tmp_path, labelled(ROWS), small())
    dataset = plan.stages[0].datasets["candidates"]
    assert set(dataset["label"]) == {0.9, 0.1}
    (dev,) = plan.development
    assert isinstance(dev, RerankDev)
    asked = {query for query, _ in dev._pairs}
    assert asked
    assert asked.isdisjoint(dataset["query"])
    answers = {pair["passage"] for pair in labelled(ROWS) if pair["query"] in asked and pair["label"] == 0.9}
    assert answers.isdisjoint(dataset["passage"])
    assert {gain for gains in dev.relevant.values() for gain in gains.values()} == {0.9}
    assert any("rows were held back for development" in note for note in plan.notes)


def test_triplets_and_labelled_pairs_are_split_together(tmp_path: Path) -> None:
    triplets = made_up.write(tmp_path / "triplets.jsonl", ROWS)
    pairs = made_up.write(tmp_path / "pairs.jsonl", labelled(ROWS))
    plan = RerankerRecipe().plan(Sources(train=(tmp_path,), work=tmp_path / "work"), small(), lambda _: None)
    dataset = plan.stages[0].datasets["candidates"]
    assert set(dataset["label"]) == {0.9, 0.1, 1.0, 0.0}
    (dev,) = plan.development
    assert isinstance(dev, RerankDev)
    assert {query for query, _ in dev._pairs}.isdisjoint(dataset["query"])
    assert triplets.exists()
    assert pairs.exists()


def test_labelled_pairs_to_score_on_are_not_trained_on(tmp_path: Path) -> None:
    dev = made_up.write(tmp_path / "scored.jsonl", labelled(ROWS[:20]))
    sources = Sources(
        train=(made_up.write(tmp_path / "rows.jsonl", labelled(ROWS)),), dev=(dev,), work=tmp_path / "work"
    )
    plan = RerankerRecipe().plan(sources, small(), lambda _: None)
    assert [one.name for one in plan.development] == ["scored"]
    queries = set(plan.stages[0].datasets["candidates"]["query"])
    assert queries.isdisjoint(str(row["query"]) for row in ROWS[:20])
    assert len(queries) == len(ROWS) - 20


def test_files_to_score_on_of_one_name_are_all_scored_and_never_trained_on(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    first = made_up.write(tmp_path / "first" / "dev.jsonl", ROWS[:20])
    second = made_up.write(tmp_path / "second" / "dev.jsonl", ROWS[20:30])
    train_on = made_up.write(tmp_path / "rows.jsonl", ROWS)
    sources = Sources(train=(train_on,), dev=(first, second), work=tmp_path / "work")
    plan = RerankerRecipe().plan(sources, small(), lambda _: None)
    assert [(one.name, len(one.relevant)) for one in plan.development if isinstance(one, RerankDev)] == [
        ("dev", 20),
        ("dev", 10),
    ]
    queries = set(plan.stages[0].datasets["candidates"]["query"])
    assert queries.isdisjoint(str(row["query"]) for row in ROWS[:30])


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (labelled(ROWS), {"loss": "listwise"}, "loss listwise judges the candidates of a query against each other"),
        ([{**row, "label": 0.2} for row in labelled(ROWS)], {}, "no passage answers its query"),
        ([row for row in labelled(ROWS) if row["label"] == 0.9], {}, "no query has negatives"),
    ],
)
def test_labelled_pairs_that_teach_nothing_are_refused(
    tmp_path: Path, rows: list[dict[str, object]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises((ConfigError, CorpusFormatError), match=message):
        planned(tmp_path, rows, small(**changes))


def test_one_label_alone_is_refused(tmp_path: Path) -> None:
    rows = [row for row in labelled(ROWS) if row["label"] == 0.9]
    dev = made_up.write(tmp_path / "scored.jsonl", ROWS[:20])
    sources = Sources(train=(made_up.write(tmp_path / "rows.jsonl", rows),), dev=(dev,), work=tmp_path / "work")
    with pytest.raises(CorpusFormatError, match=r"every row has the score 0\.9"):
        RerankerRecipe().plan(sources, small(), lambda _: None)


def test_texts_are_queries_with_passages_as_they_are_read(tmp_path: Path) -> None:
    plan = planned(tmp_path, ROWS, small(negatives=2))
    texts = [f"{row['query']} {row['passage']}" for row in plan.stages[0].datasets["candidates"]]
    assert list(plan.texts()) == texts
    assert list(planned(tmp_path, ROWS, small(negatives=2, loss="listwise")).texts()) == texts


def test_questions_about_one_passage_are_one_draw() -> None:
    class Model:
        def predict(self, pairs: list[tuple[str, str]], **_: Any) -> Any:
            return np.arange(len(pairs), dtype=float)

    rows = [Triplet(query=f"질문 {i}", positive=f"답 {i // 4}", negatives=("아님",)) for i in range(12)]
    found = candidate_development("dev", rows).score(Model())
    assert found.groups is not None
    assert len(set(found.groups.values())) == 3
    assert change("dev", "mrr@10", found, found).groups == 3
    judged = [LabelledPair(query=f"질문 {i}", passage=f"답 {i}", label=1.0) for i in range(3)]
    judged += [LabelledPair(query=f"질문 {i}", passage="아님", label=0.4) for i in range(3)]
    assert candidate_development("dev", judged).score(Model()).groups is None


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
def test_labelled_pairs_train(tmp_path: Path) -> None:
    from kure_rag.train.run import train

    rows = made_up.write(tmp_path / "rows.jsonl", labelled(list(made_up.judged())))
    settings = small(max_steps=4, checkpoints=0)
    report = train("reranker", [rows], out=tmp_path / "model", base="scratch:bert-1x32", settings=settings)
    assert math.isfinite(report.loss)
    assert report.changes[0].name == "held-back"


@pytest.mark.train
class TestReranker(RecipeContract):
    """On candidates of which some answer nothing at all: to match words takes a cross-encoder more than these steps."""

    recipe = "reranker"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return [made_up.write(folder / "rows.jsonl", list(made_up.judged()))], []
