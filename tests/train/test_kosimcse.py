"""KoSimCSE: the first token's vector, its loss by hand, dropout views, its three tasks, and a whole training."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_sentences import given, inferences, pairs, write_nli, write_sts
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.readers import NliRow
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes import find_recipe
from kure_rag.train.recipes.kosimcse import KoSimCseRecipe, KoSimCseSettings
from kure_rag.train.recipes.nli_sts import inference_development
from kure_rag.train.report import TrainReport
from kure_rag.train.run import train

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")


@pytest.mark.train
class TestKoSimCse(RecipeContract):
    recipe = "kosimcse"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return given(folder, sts=False)

    def test_its_vector_is_the_first_tokens_without_a_pooler(self, trained: TrainReport) -> None:
        from transformers import AutoModel, AutoTokenizer

        from kure_rag import KureEmbeddings

        text = "의사가 마당에서 책을 판다."
        words = AutoTokenizer.from_pretrained(trained.out)(text, return_tensors="pt")
        with torch.no_grad():
            first = AutoModel.from_pretrained(trained.out).eval()(**words).last_hidden_state[0, 0].numpy()
        vector = KureEmbeddings(model=str(trained.out)).embed_query(text)
        np.testing.assert_allclose(vector, first / np.linalg.norm(first), atol=1e-5)


class Given(torch.nn.Module):
    """Stands for a model: the vectors of its texts are what it is given."""

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def planned(folder: Path, *files: Path, dev: tuple[Path, ...] = (), **changes: Any) -> Plan:
    recipe = KoSimCseRecipe()
    settings = replace(recipe.smallest(recipe.settings), **changes)
    return recipe.plan(Sources(train=files, dev=dev, work=folder / "work"), settings, lambda _: None)


def scratch(folder: Path, plan: Plan, name: str) -> Any:
    recipe = KoSimCseRecipe()
    return load_base(find_base(name, recipe), recipe, texts=plan.texts, work=folder / name[8:], max_length=32, seed=1)


def test_its_values_are_the_papers() -> None:
    recipe = find_recipe("kosimcse")
    settings = recipe.settings
    assert (settings.task, settings.batch_size, settings.epochs, settings.learning_rate) == ("supervised", 256, 2, 1e-4)
    assert (settings.temperature, settings.warmup, settings.weight_decay) == (0.05, 0.05, 0.1)
    assert recipe.pooling == "cls"


def test_supervised_rows_are_premise_entailment_and_contradiction(tmp_path: Path) -> None:
    files, dev = given(tmp_path, sts=False)
    plan = planned(tmp_path, *files, dev=tuple(dev))
    (stage,) = plan.stages
    rows = list(inferences())
    assert stage.no_duplicates
    assert stage.datasets["nli"][0] == {"anchor": rows[0][0], "positive": rows[0][1], "negative": rows[2][1]}
    assert plan.rows == {"triplets": len(rows) // 3}


def test_the_loss_is_info_nce_with_hard_negatives_at_its_temperature(tmp_path: Path) -> None:
    files, dev = given(tmp_path, sts=False)
    plan = planned(tmp_path, *files, dev=tuple(dev), temperature=0.05)
    loss = plan.stages[0].losses(Given())["nli"]
    chance = np.random.default_rng(7)
    anchors, positives, negatives = chance.normal(size=(3, 4, 6))

    def value(first: np.ndarray) -> float:
        total = 0.0
        for i in range(4):
            scores = [
                float(first[i] @ other / np.linalg.norm(first[i]) / np.linalg.norm(other)) / 0.05
                for other in (*positives, *negatives)
            ]
            total += math.log(sum(math.exp(score) for score in scores)) - scores[i]
        return total / 4

    tensor = torch.tensor(anchors, requires_grad=True)
    got = loss([{"vectors": tensor}, {"vectors": torch.tensor(positives)}, {"vectors": torch.tensor(negatives)}], None)
    got.backward()
    assert got.item() == pytest.approx(value(anchors), rel=1e-9)
    step = 1e-6
    for i, j in ((0, 0), (1, 3), (3, 5)):
        moved = anchors.copy()
        moved[i, j] += step
        less = anchors.copy()
        less[i, j] -= step
        assert tensor.grad is not None
        assert tensor.grad[i, j].item() == pytest.approx((value(moved) - value(less)) / (2 * step), abs=1e-5)


def test_unsupervised_views_are_equal_texts_and_unequal_vectors(tmp_path: Path) -> None:
    files, dev = given(tmp_path)
    plan = planned(tmp_path, *files, dev=tuple(dev), task="unsupervised")
    (stage,) = plan.stages
    rows = stage.datasets["texts"]
    assert rows["text"] == rows["again"]
    assert len(set(rows["text"])) == len(rows) == plan.rows["texts"]
    assert set(rows["text"]) == {text for row in inferences() for text in row[:2]} | {
        text for row in pairs(480) for text in row[1:]
    }
    model = scratch(tmp_path, plan, "scratch:bert-2x64").train()
    texts = list(rows["text"][:4])
    first, second = (model(model.preprocess(texts))["sentence_embedding"] for _ in range(2))
    assert not torch.allclose(first, second, atol=1e-4)
    torch.manual_seed(3)
    value = stage.losses(model)["texts"]([model.preprocess(texts), model.preprocess(texts)], None)
    torch.manual_seed(3)
    first, second = (model(model.preprocess(texts))["sentence_embedding"] for _ in range(2))
    cosines = torch.nn.functional.cosine_similarity(first[:, None], second[None], dim=2) / 0.05
    by_hand = sum(math.log(sum(math.exp(c) for c in row)) - row[i] for i, row in enumerate(cosines.tolist())) / 4
    assert value.item() == pytest.approx(by_hand, rel=1e-4)


def test_unsupervised_reads_plain_text(tmp_path: Path) -> None:
    lines = ["강에 물이 많다.", "산이 높다.", "강에 물이 많다.", "들이 넓다."]
    notes = tmp_path / "notes.txt"
    notes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    dev = write_sts(tmp_path / "dev.tsv", [(1.0, "들이  넓다.", "바다"), (2.0, "가", "나"), (3.0, "다", "라")])
    plan = planned(tmp_path, notes, dev=(dev,), task="unsupervised", batch_size=2)
    assert list(plan.stages[0].datasets["texts"]["text"]) == lines[:2]  # each once, and none that is scored on
    folder = tmp_path / "folder"
    folder.mkdir()
    notes.rename(folder / "notes.txt")
    (folder / "notes.dev.txt").write_text("따로 둔 글이다.\n", encoding="utf-8")
    write_nli(folder / "nli.tsv", list(inferences())[:3])
    plan = planned(tmp_path, folder, dev=(dev,), task="unsupervised", batch_size=2)
    found = set(plan.stages[0].datasets["texts"]["text"])
    assert found == {*lines[:2], *(text for row in list(inferences())[:3] for text in row[:2])}
    with pytest.raises(CorpusFormatError, match=r"notes\.txt"):
        planned(tmp_path, folder / "notes.txt", dev=(dev,))  # supervised


def test_a_batch_of_one_text_is_told_from_nothing() -> None:
    with pytest.raises(ValueError, match="batch_size is 1"):
        KoSimCseSettings(task="unsupervised", batch_size=1)
    assert KoSimCseSettings(batch_size=1).batch_size == 1  # its contradiction is a negative


def test_premises_that_entail_one_hypothesis_are_one_draw() -> None:
    class Model:
        def encode(self, texts: list[str], **_: Any) -> Any:
            return np.random.default_rng(1).normal(size=(len(texts), 4))

    rows = [NliRow(premise=f"전제 {i}", hypothesis=f"가설 {i // 3}", label="entailment") for i in range(9)]
    found = inference_development("dev", rows).score(Model())
    assert found.groups is not None
    assert len(set(found.groups.values())) == 3
    assert inference_development("dev", rows[::3]).score(Model()).groups is None


def test_a_base_without_dropout_has_no_two_views(tmp_path: Path) -> None:
    files, dev = given(tmp_path)
    plan = planned(tmp_path, *files, dev=tuple(dev), task="unsupervised")
    with pytest.raises(ConfigError, match="has no dropout"):
        plan.stages[0].losses(scratch(tmp_path, plan, "scratch:static"))


def test_multitask_adds_pairs_so_often(tmp_path: Path) -> None:
    files, dev = given(tmp_path)
    plan = planned(tmp_path, *files, dev=tuple(dev), task="multitask", sts_passes=3)
    (stage,) = plan.stages
    assert stage.mix == "proportional"
    assert list(stage.datasets) == list(stage.losses(Given())) == ["nli", "sts"]
    assert len(stage.datasets["sts"]) == 3 * 480
    value = stage.losses(Given())["sts"](
        [{"vectors": torch.tensor([[1.0, 0.0]])}, {"vectors": torch.tensor([[1.0, 1.0]])}], torch.tensor([0.5])
    )
    assert value.item() == pytest.approx((math.sqrt(0.5) - 0.5) ** 2, rel=1e-5)


def test_texts_of_the_development_files_are_not_trained_on(tmp_path: Path) -> None:
    files, _ = given(tmp_path, sts=False)
    dev = write_nli(tmp_path / "dev.tsv", list(inferences())[:30])
    plan = planned(tmp_path, *files, dev=(dev,), task="unsupervised")
    premises = {row[0] for row in list(inferences())[:30]}
    assert premises.isdisjoint(plan.stages[0].datasets["texts"]["text"])
    assert plan.development[0].main == "ndcg@10"


def test_what_cannot_be_trained_on_is_said_at_once(tmp_path: Path) -> None:
    (nli, sts), (dev,) = given(tmp_path)
    only = write_nli(tmp_path / "only.tsv", [row for row in inferences() if row[2] == "entailment"])
    with pytest.raises(CorpusFormatError, match="no contradiction in it"):
        planned(tmp_path, only, dev=(dev,))
    with pytest.raises(ConfigError, match="a batch of 268 is larger than"):
        planned(tmp_path, nli, dev=(dev,), batch_size=268)
    with pytest.raises(ConfigError, match="a batch of 5000 is larger than the training texts"):
        planned(tmp_path, nli, dev=(dev,), task="unsupervised", batch_size=5000)
    with pytest.raises(ConfigError, match="no STS rows"):
        planned(tmp_path, nli, dev=(dev,), task="multitask")
    same = write_sts(tmp_path / "same.tsv", [(1.0, a, b) for _, a, b in pairs(40)])
    with pytest.raises(CorpusFormatError, match="every row has the score 1"):
        planned(tmp_path, nli, same, dev=(dev,), task="multitask")
    with pytest.raises(CorpusFormatError, match="holds STS, which this recipe does not take"):
        planned(tmp_path, sts, dev=(dev,))
    with pytest.raises(ValueError, match="choose one of supervised"):
        KoSimCseSettings(task="self")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="temperature is 0"):
        KoSimCseSettings(temperature=0)


@pytest.mark.train
@pytest.mark.parametrize("task", ["unsupervised", "multitask"])
def test_the_other_tasks_train_too(tmp_path: Path, task: Any) -> None:
    files, dev = given(tmp_path)
    recipe = KoSimCseRecipe()
    settings = replace(recipe.smallest(recipe.settings), task=task, max_steps=60)
    report = train(recipe, files, out=tmp_path / "out", base="scratch:bert-2x64", dev=dev, settings=settings)
    with (report.out / "loss.csv").open(encoding="utf-8", newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    # Losses of pairs are below 1, of contrasts above until it has learnt.
    contrasts = losses if task == "unsupervised" else [loss for loss in losses if loss > 1]
    assert sum(contrasts[-5:]) / 5 < 0.9 * sum(contrasts[:5]) / 5
