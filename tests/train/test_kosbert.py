"""KoSBERT: its two losses by hand, its plan, its refusals, and a whole training."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_sentences import given, inferences, pairs, write_nli, write_sts
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes import find_recipe
from kure_rag.train.recipes.kosbert import KoSbertRecipe, KoSbertSettings
from kure_rag.train.recipes.nli_sts import read_sentences

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")


@pytest.mark.train
class TestKoSbert(RecipeContract):
    recipe = "kosbert"
    killed_in = "sts"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return given(folder)


class Given(torch.nn.Module):
    """Stands for a model: the vectors of its texts are what it is given."""

    device = torch.device("cpu")

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def get_embedding_dimension(self) -> int:
        return self.dimension

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def planned(folder: Path, *files: Path, dev: tuple[Path, ...] = (), **changes: object) -> Plan:
    recipe = KoSbertRecipe()
    settings = replace(recipe.smallest(recipe.settings), **changes)  # type: ignore[arg-type]
    return recipe.plan(Sources(train=files, dev=dev, work=folder / "work"), settings, lambda _: None)


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    return given(tmp_path)


def test_its_values_are_the_papers() -> None:
    recipe = find_recipe("kosbert")
    settings = recipe.settings
    assert (settings.epochs, settings.sts_epochs, settings.batch_size, settings.warmup) == (1, 4, 32, 0.1)
    assert (recipe.base, recipe.pooling) == ("klue/roberta-base", "mean")


def test_inferences_come_first_and_similarities_after(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    plan = planned(tmp_path, *files[0], dev=tuple(files[1]), epochs=1.0, sts_epochs=3.0)
    nli, sts = plan.stages
    assert [nli.name, sts.name] == ["nli", "sts"]
    assert (nli.settings.epochs, sts.settings.epochs) == (1.0, 3.0)
    rows = list(inferences())
    first = nli.datasets["nli"][0]
    assert nli.datasets["nli"].column_names == ["first", "second", "label"]
    assert (first["first"], first["second"], first["label"]) == (*rows[0][:2], 1)
    labels = nli.datasets["nli"]["label"]
    assert {label: list(labels).count(label) for label in (0, 1, 2)} == dict.fromkeys((0, 1, 2), len(rows) // 3)
    scores = list(sts.datasets["sts"]["score"])
    assert min(scores) == 0
    assert max(scores) == 1
    assert scores[:9] == pytest.approx([score / 5 for score, _, _ in pairs(9)])
    assert [one.name for one in plan.development] == ["sts-dev"]


def test_the_softmax_loss_is_cross_entropy_over_u_v_and_their_distance(
    tmp_path: Path, files: tuple[list[Path], list[Path]]
) -> None:
    plan = planned(tmp_path, *files[0], dev=tuple(files[1]))
    torch.manual_seed(5)
    loss = plan.stages[0].losses(Given(4))["nli"]
    chance = np.random.default_rng(0)
    u, v, labels = chance.normal(size=(3, 4)), chance.normal(size=(3, 4)), [2, 0, 1]
    weight = loss.classifier.weight.detach().double().numpy()
    bias = loss.classifier.bias.detach().double().numpy()
    expected, slope = 0.0, np.zeros_like(weight)
    for row in range(3):
        seen = [*u[row], *v[row], *(abs(a - b) for a, b in zip(u[row], v[row], strict=True))]
        logits = [sum(w * x for w, x in zip(weight[k], seen, strict=True)) + bias[k] for k in range(3)]
        total = sum(math.exp(one) for one in logits)
        expected -= math.log(math.exp(logits[labels[row]]) / total) / 3
        for k in range(3):
            slope[k] += (math.exp(logits[k]) / total - (k == labels[row])) * np.asarray(seen) / 3
    left, right = (torch.tensor(one, dtype=torch.float32, requires_grad=True) for one in (u, v))
    value = loss([{"vectors": left}, {"vectors": right}], torch.tensor(labels))
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(loss.classifier.weight.grad, slope, atol=1e-5)
    # By hand for u: W_u' d + sign(u - v) W_d' d.
    delta = _softmax_delta(weight, bias, u, v, labels)
    by_hand = delta @ weight[:, :4] + np.sign(u - v) * (delta @ weight[:, 8:])
    np.testing.assert_allclose(left.grad, by_hand, atol=1e-5)


def _softmax_delta(weight: np.ndarray, bias: np.ndarray, u: np.ndarray, v: np.ndarray, labels: list[int]) -> np.ndarray:
    logits = np.concatenate([u, v, abs(u - v)], axis=1) @ weight.T + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shares[np.arange(len(labels)), labels] -= 1
    return np.asarray(shares / len(labels))


def test_the_cosine_loss_is_the_mean_squared_difference(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    plan = planned(tmp_path, *files[0], dev=tuple(files[1]))
    loss = plan.stages[1].losses(Given(2))["sts"]
    u, v, scores = [[3.0, 4.0], [1.0, 0.0]], [[4.0, 3.0], [0.0, 2.0]], [0.5, 0.2]
    left = torch.tensor(u, requires_grad=True)
    value = loss([{"vectors": left}, {"vectors": torch.tensor(v)}], torch.tensor(scores))
    value.backward()
    assert value.item() == pytest.approx(((24 / 25 - 0.5) ** 2 + (0 - 0.2) ** 2) / 2, rel=1e-5)
    # d cos / d u = v / (|u| |v|) - cos u / |u|²
    first = 2 * (24 / 25 - 0.5) / 2 * (np.array([4, 3]) / 25 - 24 / 25 * np.array([3, 4]) / 25)
    second = 2 * (0 - 0.2) / 2 * (np.array([0, 2]) / 2)
    np.testing.assert_allclose(left.grad, [first, second], atol=1e-6)


def test_without_development_files_a_tenth_is_held_back(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    plan = planned(tmp_path, *files[0])
    assert [one.name for one in plan.development] == ["STS-held-back"]
    trained = plan.stages[1].datasets["sts"]
    texts = {*trained["first"], *trained["second"]}
    held = {*plan.development[0]._first, *plan.development[0]._second}
    assert len(plan.development[0]._first) == 48
    assert texts.isdisjoint(held)
    assert any("held back" in note for note in plan.notes)


def test_pairs_that_it_is_scored_on_are_not_trained_on(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    rows = list(pairs(480))
    turned = [(score, second, first) for score, first, second in rows[:5]]
    dev = write_sts(tmp_path / "seen.tsv", [*turned, *pairs(20, held_out=True)])
    plan = planned(tmp_path, *files[0], dev=(dev,))
    known = {frozenset(row[1:]) for row in turned}
    trained = plan.stages[1].datasets["sts"]
    left = [frozenset(pair) for pair in zip(trained["first"], trained["second"], strict=True)]
    assert known.isdisjoint(left)
    gone = sum(frozenset(row[1:]) in known for row in rows)
    assert len(left) == len(rows) - gone
    assert any(note.startswith(f"{gone} training rows") for note in plan.notes)


def test_what_cannot_be_trained_on_is_said_at_once(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    nli, sts = files[0]
    one = write_nli(tmp_path / "one.tsv", [row for row in inferences() if row[2] == "neutral"])
    with pytest.raises(CorpusFormatError, match="every row has the label neutral"):
        planned(tmp_path, one, sts)
    two = write_nli(tmp_path / "two.tsv", [row for row in inferences() if row[2] != "neutral"])
    with pytest.raises(CorpusFormatError, match="no row has the label neutral"):
        planned(tmp_path, two, sts)
    same = write_sts(tmp_path / "same.tsv", [(2.5, a, b) for _, a, b in pairs(60)])
    with pytest.raises(CorpusFormatError, match=r"every row has the score 2\.5"):
        planned(tmp_path, nli, same)
    with pytest.raises(ConfigError, match="batch of 4096 is larger than the NLI data, which has 801 rows"):
        planned(tmp_path, nli, sts, batch_size=4096)
    with pytest.raises(ConfigError, match="no STS rows in the training data"):
        planned(tmp_path, nli)
    with pytest.raises(ConfigError, match="no NLI rows in the training data"):
        planned(tmp_path, sts)
    (empty := tmp_path / "empty.tsv").write_text("", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"empty\.tsv: empty"):
        planned(tmp_path, nli, sts, empty)
    with pytest.raises(ValueError, match="sts_epochs is 0"):
        KoSbertSettings(sts_epochs=0)


def test_a_faulty_line_is_named_or_left_out(tmp_path: Path, files: tuple[list[Path], list[Path]]) -> None:
    nli, sts = files[0]
    torn = tmp_path / "torn.tsv"
    torn.write_text(nli.read_text("utf-8") + "전제만 있다\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"torn\.tsv: line 803"):
        planned(tmp_path, torn, sts)
    plan = planned(tmp_path, torn, sts, skip_faults=True)
    assert plan.rows["NLI rows"] == 801
    assert any(note.startswith("torn.tsv: 1 row left out") for note in plan.notes)
    torn.write_text(sts.read_text("utf-8") + "made\tup\t2024\t9999\t7.5\t비가 온다.\t눈이 온다.\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"torn\.tsv: line 482: score '7\.5' is no number from 0 to 5"):
        planned(tmp_path, nli, torn, dev=tuple(files[1]))
    plan = planned(tmp_path, nli, torn, dev=tuple(files[1]), skip_faults=True)
    assert plan.rows["STS pairs"] == 480
    assert "torn.tsv: 1 row left out, its score is no number from 0 to 5 (the first at line 482)" in plan.notes


def test_inferences_are_not_held_in_memory(tmp_path: Path) -> None:
    """KorNLI's 950,000 rows would take more than all else in a training of a small model."""
    _, (dev,) = given(tmp_path)
    rows = [(f"{i // 3}번째 사람이 " * 20, f"{i}번째 일 " * 20, ("entailment", "neutral")[i % 2]) for i in range(6_000)]
    nli = write_nli(tmp_path / "many.tsv", [*rows, *rows[:10]])
    sources = Sources(train=(nli,), dev=(dev,), work=tmp_path / "work")
    assert sum(len(text) for row in rows for text in row[:2]) > 1_800_000, "2 bytes each as Python's strings"
    del rows
    tracemalloc.start()
    try:
        data = read_sentences(sources, ("nli",), skip_faults=False, seed=1, say=lambda _: None)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(data.nli), sum(1 for _ in data.texts())) == (6_000, 12_000)
    assert "10 NLI rows that repeat another were left out" in data.notes
    assert held < 500_000
    assert peak < 3_000_000
