"""KoE5: its loss, its prefixes from the training texts to the finished model, and all that a recipe has to hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up_triplets as made_up
import numpy as np
import pytest
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes.koe5 import KoE5Recipe, KoE5Settings, ranking_loss

ROWS = list(made_up.triplets(2))


def planned(folder: Path, rows: list[dict[str, object]], settings: KoE5Settings, dev: tuple[Path, ...] = ()) -> Plan:
    folder.mkdir(exist_ok=True)
    sources = Sources(
        train=(made_up.write(folder / "rows.jsonl", rows),),
        dev=dev,
        work=folder / "work",
        query_prefix="query: ",
        passage_prefix="passage: ",
    )
    return KoE5Recipe().plan(sources, settings, lambda _: None)


def small(**changed: Any) -> KoE5Settings:
    recipe = KoE5Recipe()
    return replace(recipe.smallest(recipe.settings), **changed)


def scratch_model(plan: Plan, folder: Path) -> Any:
    recipe = KoE5Recipe()
    base = find_base("scratch:bert-1x32", recipe)
    return load_base(base, recipe, texts=plan.texts, work=folder, max_length=48, seed=3)


def test_the_values_are_those_of_koe5() -> None:
    settings = KoE5Recipe().settings
    assert (settings.batch_size, settings.learning_rate, settings.epochs, settings.negatives) == (512, 1e-5, 1.0, 1)
    assert KoE5Recipe.base == "intfloat/multilingual-e5-large"
    assert KoE5Recipe.pooling == "mean"


def test_a_batch_of_one_row_without_a_hard_negative_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size is 1"):
        planned(tmp_path, ROWS, small(negatives=0, batch_size=1))
    assert planned(tmp_path, ROWS, small(negatives=1, batch_size=1)).stages


@pytest.mark.parametrize("mini_batch", [1, 3, 64])
def test_the_loss_is_cross_entropy_of_each_query_over_all_passages(tmp_path: Path, mini_batch: int) -> None:
    """By hand: 4 queries against 4 positives and 4 negatives, cosines over .05, the own positive is right."""
    import torch

    plan = planned(tmp_path, ROWS, small())
    model = scratch_model(plan, tmp_path).eval()
    rows = [plan.stages[0].datasets["triplets"][i] for i in range(4)]
    columns = [[row[name] for row in rows] for name in ("query", "positive", "negative_1")]
    loss = ranking_loss(model, temperature=0.05, mini_batch_size=mini_batch)
    features = [model.preprocess(texts) for texts in columns]
    weight = next(model.parameters())
    found = loss(features, None)
    found.backward()
    gradient = weight.grad.clone()

    model.zero_grad()
    query, positive, negative = (
        torch.nn.functional.normalize(model(model.preprocess(texts))["sentence_embedding"]) for texts in columns
    )
    passages = [*positive, *negative]
    expected = torch.stack(
        [
            -(query[i] @ positive[i] / 0.05)
            + torch.stack([query[i] @ passage / 0.05 for passage in passages]).exp().sum().log()
            for i in range(4)
        ]
    ).mean()
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient.numpy(), weight.grad.numpy(), atol=1e-5)


def test_a_table_of_vectors_has_the_same_loss_without_the_cache(tiny_model: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    loss = ranking_loss(SentenceTransformer(str(tiny_model)), temperature=0.05, mini_batch_size=8)
    assert isinstance(loss, MultipleNegativesRankingLoss)
    assert loss.scale == pytest.approx(20)


def test_prompts_stand_before_every_column(tmp_path: Path) -> None:
    stage = planned(tmp_path, ROWS, small(negatives=2)).stages[0]
    assert stage.prompts == {
        "query": "query: ",
        "positive": "passage: ",
        "negative_1": "passage: ",
        "negative_2": "passage: ",
    }
    assert stage.no_duplicates


def test_no_query_and_no_positive_is_on_both_sides(tmp_path: Path) -> None:
    rows = list(made_up.triplets(6))
    plan = planned(tmp_path, rows, small(held_back=1000))
    trained = plan.stages[0].datasets["triplets"]
    held: Any = plan.development[0]
    asked = {text.removeprefix("query: ") for text in held._queries}
    answers = {text.removeprefix("passage: ") for text in held._passages}
    assert len(asked) == len(ROWS) // 10
    assert not asked & set(trained["query"])
    positives = {row["positive"] for row in rows if row["query"] in asked}
    assert positives <= answers
    assert not positives & (set(trained["positive"]) | set(trained["negative_1"]))
    assert len(trained) + len(asked) == len(ROWS)


def shared(passages: int, questions: int) -> list[dict[str, object]]:
    """Several questions about each passage."""
    return [{**row, "query": f"{row['query']} {i}"} for row in ROWS[:passages] for i in range(questions)]


def test_questions_about_one_passage_are_held_back_together(tmp_path: Path) -> None:
    """By query alone, a tenth of them would take nearly half of the rows away with their passages."""
    plan = planned(tmp_path, shared(40, 5), small())
    held: Any = plan.development[0]
    assert len(held.relevant) == 20
    assert len(set(held._groups.values())) == 4
    assert plan.rows["triplets"] == 180
    one_each: Any = planned(tmp_path / "one", ROWS, small()).development[0]
    assert one_each._groups is None


def test_where_all_questions_are_connected_a_tenth_is_held_back_all_the_same(tmp_path: Path) -> None:
    chain = [{**row, "query": ROWS[i // 2]["query"]} for i, row in enumerate(ROWS)]
    chain += [{**row, "query": ROWS[(i + 1) // 2]["query"]} for i, row in enumerate(ROWS)]
    plan = planned(tmp_path, chain, small())
    held: Any = plan.development[0]
    assert len(held.relevant) == len({row["query"] for row in chain}) // 10
    assert 100 < plan.rows["triplets"] < len(chain)


def test_too_few_different_passages_for_a_batch_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="180 rows have 36 different texts as positive, and a batch of 64 holds none"):
        planned(tmp_path, shared(40, 5), small(batch_size=64, negatives=0))


def test_the_smallest_ends_in_minutes_whatever_the_data() -> None:
    from kure_rag.train.recipes import find_recipe

    for name in ("kure", "koe5", "reranker", "clir", "domain", "kodiffcse"):
        recipe = find_recipe(name)
        assert recipe.smallest(recipe.settings).max_steps <= 500, name


def test_what_is_held_back_does_not_depend_on_the_order(tmp_path: Path) -> None:
    first: Any = planned(tmp_path / "a", ROWS, small()).development[0]
    second: Any = planned(tmp_path / "b", ROWS[::-1], small()).development[0]
    assert sorted(first._queries) == sorted(second._queries)


def test_given_development_triplets_are_left_out_of_training(tmp_path: Path) -> None:
    dev = made_up.write(tmp_path / "dev.jsonl", ROWS[:30])
    plan = planned(tmp_path, ROWS, small(), (dev,))
    assert [one.name for one in plan.development] == ["dev"]
    assert not {row["query"] for row in ROWS[:30]} & set(plan.stages[0].datasets["triplets"]["query"])
    assert any("30 rows were left out: their query or their positive" in note for note in plan.notes)


def test_rows_with_too_few_negatives_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [{**row, "negatives": row["negatives"][: i % 3]} for i, row in enumerate(ROWS)]  # type: ignore[index]
    plan = planned(tmp_path, rows, small(negatives=1))
    assert any("they have fewer than 1 hard negatives" in note for note in plan.notes)
    assert 0 < len(plan.stages[0].datasets["triplets"]) < len(rows)


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], small(), "empty"),
        ([{**row, "negatives": []} for row in ROWS], small(), "no row has 1 hard negatives, the most is 0; mine them"),
        (ROWS, small(batch_size=4096), "a batch of 4096 is larger than"),
        (ROWS[:5], small(), "too few to hold a tenth of them back"),
    ],
)
def test_bad_data_are_told_before_anything_is_trained(
    tmp_path: Path, rows: list[dict[str, object]], settings: KoE5Settings, message: str
) -> None:
    with pytest.raises((ConfigError, CorpusFormatError), match=message):
        planned(tmp_path, rows, settings)


@pytest.mark.parametrize("name", ["temperature", "mini_batch_size", "held_back"])
def test_settings_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(KoE5Settings(), **{name: 0})


@pytest.mark.train
def test_training_and_embedding_see_the_same_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prefixes reach the model in training, are stored in it, and come back when KureEmbeddings embeds a text."""
    from sentence_transformers import SentenceTransformer

    from kure_rag.embed.backends.torch_runner import TorchRunner
    from kure_rag.langchain import KureEmbeddings
    from kure_rag.train.run import train

    seen: list[list[int]] = []
    forward = SentenceTransformer.forward

    def listening(self: Any, features: Any, *args: Any, **more: Any) -> Any:
        rows = zip(features["input_ids"].tolist(), features["attention_mask"].tolist(), strict=True)
        seen.extend([token for token, kept in zip(ids, mask, strict=True) if kept] for ids, mask in rows)
        return forward(self, features, *args, **more)

    start = TorchRunner.start

    def started(self: Any, batch: Any) -> Any:
        seen.extend([*map(int, ids)] for ids in batch)
        return start(self, batch)

    monkeypatch.setattr(SentenceTransformer, "forward", listening)
    monkeypatch.setattr(TorchRunner, "start", started)
    rows = made_up.write(tmp_path / "rows.jsonl", ROWS)
    settings = small(max_steps=2, checkpoints=0)
    report = train("koe5", [rows], out=tmp_path / "model", base="scratch:bert-1x32", settings=settings)
    during = {tuple(ids) for ids in seen}
    seen.clear()
    embeddings = KureEmbeddings(model=str(report.out))
    dataset_row = next(row for row in ROWS if _ids(report.out, f"query: {row['query']}") in during)
    embeddings.embed_query(str(dataset_row["query"]))
    assert tuple(seen[-1]) in during
    assert tuple(seen[-1]) == _ids(report.out, f"query: {dataset_row['query']}")
    seen.clear()
    embeddings.embed_documents([str(dataset_row["positive"])])
    assert tuple(seen[-1]) == _ids(report.out, f"passage: {dataset_row['positive']}")
    assert tuple(seen[-1]) in during
    assert _ids(report.out, str(dataset_row["query"])) not in during


def _ids(folder: Path, text: str) -> tuple[int, ...]:
    from transformers import AutoTokenizer

    return tuple(AutoTokenizer.from_pretrained(folder)(text)["input_ids"])


@pytest.mark.train
class TestKoE5(RecipeContract):
    recipe = "koe5"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return [made_up.write(folder / "rows.jsonl", ROWS)], []
