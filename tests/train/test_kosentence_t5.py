"""KoSentence-T5: the encoder's masked mean, its loss by hand, its plan, and a whole training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_sentences import given, inferences, write_nli
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes import find_recipe
from kure_rag.train.recipes.kosentence_t5 import KoSentenceT5Recipe, KoSentenceT5Settings
from kure_rag.train.report import TrainReport

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")


@pytest.mark.train
class TestKoSentenceT5(RecipeContract):
    recipe = "kosentence-t5"
    base = "scratch:t5-2x64"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return given(folder, sts=False)

    def test_its_vector_is_the_mean_of_the_encoders_tokens(self, trained: TrainReport) -> None:
        """Padding left out: a text has the same vector alone and beside a longer one."""
        from transformers import AutoTokenizer, T5EncoderModel

        from kure_rag import KureEmbeddings

        short, long = "의사가 판다.", "원장님이 마당에서 책을 판다. 아이가 길에서 밥을 나눈다."
        words = AutoTokenizer.from_pretrained(trained.out)(short, return_tensors="pt")
        with torch.no_grad():
            encoder = T5EncoderModel.from_pretrained(trained.out).eval()
            mean = encoder(words["input_ids"], attention_mask=words["attention_mask"]).last_hidden_state[0].mean(0)
        expected = (mean / mean.norm()).numpy()
        embeddings = KureEmbeddings(model=str(trained.out))
        np.testing.assert_allclose(embeddings.embed_query(short), expected, atol=1e-5)
        np.testing.assert_allclose(embeddings.embed_documents([short, long])[0], expected, atol=1e-5)


class Given(torch.nn.Module):
    """Stands for a model: the vectors of its texts are what it is given."""

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def planned(folder: Path, *files: Path, dev: tuple[Path, ...] = (), **changes: Any) -> Plan:
    recipe = KoSentenceT5Recipe()
    settings = replace(recipe.smallest(recipe.settings), **changes)
    return recipe.plan(Sources(train=files, dev=dev, work=folder / "work"), settings, lambda _: None)


def test_its_values_are_the_repositorys() -> None:
    recipe = find_recipe("kosentence-t5")
    settings = recipe.settings
    assert (settings.temperature, settings.batch_size, settings.learning_rate, settings.epochs) == (0.05, 64, 1e-4, 2)
    assert (settings.warmup, settings.max_length) == (0.01, 110)
    assert recipe.pooling == "mean"


def test_rows_are_premise_entailment_and_contradiction_once(tmp_path: Path) -> None:
    files, dev = given(tmp_path, sts=False)
    plan = planned(tmp_path, *files, dev=tuple(dev))
    (stage,) = plan.stages
    rows = list(inferences())
    assert stage.no_duplicates
    assert stage.datasets["nli"][1] == {"anchor": rows[3][0], "positive": rows[3][1], "negative": rows[5][1]}
    assert plan.rows == {"triplets": len(rows) // 3}
    assert set(plan.texts()) == {text for row in rows for text in row[:2]}


def test_the_loss_is_info_nce_with_hard_negatives_at_its_temperature(tmp_path: Path) -> None:
    files, dev = given(tmp_path, sts=False)
    plan = planned(tmp_path, *files, dev=tuple(dev), temperature=0.2)
    loss = plan.stages[0].losses(Given())["nli"]
    anchors = [[1.0, 0.0], [0.0, 2.0]]
    positives = [[1.0, 1.0], [0.0, 1.0]]
    negatives = [[0.0, 3.0], [1.0, 0.0]]
    half = math.sqrt(0.5)
    # Cosines of each anchor with both positives, then with both negatives.
    cosines = [[half, 0.0, 0.0, 1.0], [half, 1.0, 1.0, 0.0]]
    expected = sum(
        math.log(sum(math.exp(one / 0.2) for one in row)) - row[i] / 0.2 for i, row in enumerate(cosines)
    ) / len(cosines)
    tensors = [torch.tensor(one, requires_grad=True) for one in (anchors, positives, negatives)]
    value = loss([{"vectors": one} for one in tensors], None)
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-5)
    # The second anchor's negative is orthogonal to it; the first anchor is pushed from it, being equal to it.
    shares = [[math.exp(one / 0.2) / sum(math.exp(o / 0.2) for o in row) for one in row] for row in cosines]
    # d cos(a, x) / d a of the first anchor (1, 0) is (0, the other coordinate of x as a unit vector).
    other = [half, 1.0, 1.0, 0.0]
    slope = sum((share - (k == 0)) * other[k] for k, share in enumerate(shares[0])) / 0.2 / 2
    assert tensors[0].grad is not None
    np.testing.assert_allclose(tensors[0].grad[0], [0.0, slope], atol=1e-5)


def test_what_cannot_be_trained_on_is_said_at_once(tmp_path: Path) -> None:
    (nli,), (dev,) = given(tmp_path, sts=False)
    for label, missing in (("entailment", "no contradiction"), ("contradiction", "no entailment")):
        only = write_nli(tmp_path / f"{label}.tsv", [row for row in inferences() if row[2] == label])
        with pytest.raises(CorpusFormatError, match=f"{missing} in it"):
            planned(tmp_path, only, dev=(dev,))
    with pytest.raises(ConfigError, match="a batch of 300 is larger than"):
        planned(tmp_path, nli, dev=(dev,), batch_size=300)
    with pytest.raises(CorpusFormatError, match="holds STS, which this recipe does not take"):
        planned(tmp_path, dev)
    with pytest.raises(ValueError, match="temperature is -1"):
        KoSentenceT5Settings(temperature=-1)
