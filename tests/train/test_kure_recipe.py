"""KURE: its loss with a guide, the guide itself, and all that a recipe has to hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up_triplets as made_up
import numpy as np
import pytest
from training_kit import RecipeContract

from kure_rag.errors import ConfigError, UnknownModelError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.koe5 import KoE5Recipe
from kure_rag.train.recipes.kure import Guide, KureRecipe, KureSettings, gist_loss
from kure_rag.train.recipes.triplet_data import require_prompts

ROWS = list(made_up.triplets(3, own_words=False))


def small(**changed: Any) -> KureSettings:
    recipe = KureRecipe()
    return replace(recipe.smallest(recipe.settings), **changed)


def scratch_model(folder: Path) -> Any:
    recipe = KureRecipe()
    texts = [str(value) for row in ROWS for value in (row["query"], row["positive"])]
    base = find_base("scratch:bert-1x32", recipe)
    return load_base(base, recipe, texts=lambda: iter(texts), work=folder, max_length=48, seed=3).eval()


def columns(count: int) -> list[list[str]]:
    rows: list[Any] = ROWS[:count]
    return [
        [row["query"] for row in rows],
        [row["positive"] for row in rows],
        [row["negatives"][0] for row in rows],
        [row["negatives"][1] for row in rows],
    ]


def by_hand(texts: list[list[str]], model: Any, guide: Any, *, temperature: float, margin: float) -> Any:
    """GISTEmbed in plain loops: strangers that the guide finds nearer than the positive are left out."""
    import torch

    def embedded(one: Any, column: list[str]) -> Any:
        return torch.nn.functional.normalize(one(one.preprocess(column))["sentence_embedding"])

    mine = [embedded(model, column) for column in texts]
    with torch.no_grad():
        theirs = [embedded(guide, column) for column in texts]
    query, positive = mine[0], mine[1]
    losses = []
    for i in range(len(query)):
        limit = (theirs[0][i] @ theirs[1][i]).item() - margin
        kept = []
        for j in range(len(query)):
            if j == i or (theirs[0][i] @ theirs[1][j]).item() <= limit:
                kept.append(query[i] @ positive[j])
            if (theirs[0][i] @ theirs[0][j]).item() <= limit:
                kept.append(query[i] @ query[j])
            if (theirs[1][i] @ theirs[1][j]).item() <= limit:
                kept.append(positive[i] @ positive[j])
            for k in range(2, len(mine)):
                if (theirs[0][i] @ theirs[k][j]).item() <= limit:
                    kept.append(query[i] @ mine[k][j])
        logits = torch.stack(kept) / temperature
        losses.append(logits.exp().sum().log() - (query[i] @ positive[i]) / temperature)
    return torch.stack(losses).mean()


def test_the_values_are_those_of_kure() -> None:
    settings = KureRecipe().settings
    assert (settings.batch_size, settings.learning_rate, settings.epochs, settings.negatives) == (4096, 2e-5, 1.0, 5)
    assert (KureRecipe.base, KureRecipe.pooling, settings.guide) == ("BAAI/bge-m3", "cls", "BAAI/bge-m3")


@pytest.mark.parametrize(("margin", "mini_batch"), [(0.0, 2), (0.0, 64), (0.1, 3)])
def test_the_loss_leaves_out_what_the_guide_finds_nearer(tmp_path: Path, margin: float, mini_batch: int) -> None:
    from sentence_transformers import SentenceTransformer

    from kure_rag.embed.files import bundled_path

    model = scratch_model(tmp_path)
    guide = Guide.load("static-ko")
    settings = small(margin=margin, mini_batch_size=mini_batch)
    loss = gist_loss(model, guide, settings)
    texts = columns(5)
    found = loss([model.preprocess(column) for column in texts], None)
    found.backward()
    weight = next(model.parameters())
    gradient = weight.grad.clone()
    model.zero_grad()
    plain = SentenceTransformer(str(bundled_path("kure-rag/static-ko")), device="cpu")
    expected = by_hand(texts, model, plain, temperature=settings.temperature, margin=margin)
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    np.testing.assert_allclose(gradient.numpy(), weight.grad.numpy(), atol=1e-4)


def test_the_guide_is_neither_trained_nor_kept(tmp_path: Path) -> None:
    from kure_rag.train.callbacks import loss_weights

    model = scratch_model(tmp_path)
    guide = Guide.load("static-ko")
    loss = gist_loss(model, guide, small())
    assert {id(weight) for weight in loss.parameters()} == {id(weight) for weight in model.parameters()}
    assert loss_weights({"triplets": loss}, model) == {}
    before = guide(guide.preprocess(["휴가는 며칠인가"]))["sentence_embedding"].clone()
    loss([model.preprocess(column) for column in columns(4)], None).backward()
    after = guide(guide.preprocess(["휴가는 며칠인가"]))["sentence_embedding"]
    np.testing.assert_array_equal(before.numpy(), after.numpy())


def test_a_table_of_vectors_is_refused_with_what_to_do(tiny_model: Path) -> None:
    from sentence_transformers import SentenceTransformer

    with pytest.raises(ConfigError, match="needs a base with layers"):
        gist_loss(SentenceTransformer(str(tiny_model)), Guide.load("static-ko"), small())


def test_an_unknown_guide_is_told_before_the_data_are_read(tmp_path: Path) -> None:
    sources = Sources(train=(tmp_path / "not-there.jsonl",), work=tmp_path)
    with pytest.raises(UnknownModelError, match="no-such-guide"):
        KureRecipe().plan(sources, small(guide="no-such-guide"), lambda _: None)


def test_a_guide_with_other_prefixes_is_refused() -> None:
    require_prompts("bge-m3", ("", ""), ("query: ", "passage: "))
    require_prompts("e5", ("query: ", "passage: "), ("query: ", "passage: "))
    with pytest.raises(ConfigError, match="expects 'query: ' before queries"):
        require_prompts("e5", ("query: ", "passage: "), ("", ""))


def test_an_interrupted_training_does_not_go_on_with_another_guide(tmp_path: Path, tiny_model: Path) -> None:
    Guide.load("static-ko").require_same(tmp_path)
    Guide.load("static-ko").require_same(tmp_path)
    with pytest.raises(ConfigError, match="its weights are others"):
        Guide.load(str(tiny_model)).require_same(tmp_path)


@pytest.mark.parametrize("change", [{"temperature": 0}, {"margin": -0.1}, {"negatives": -1}, {"batch_size": 0}])
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(KureSettings(), **change)


class _Plain(KoE5Recipe):
    """Without prefixes, for a base."""

    query_prefix = ""
    passage_prefix = ""


@pytest.mark.train
class TestKure(RecipeContract):
    """From a base that was trained on other passages: the first token of random weights says nothing of its text."""

    recipe = "kure"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        from kure_rag.train.run import train

        others = made_up.write(folder / "others.jsonl", list(made_up.triplets(1)))
        recipe = _Plain()
        settings = replace(recipe.smallest(recipe.settings), checkpoints=0, negatives=0)
        base = train(recipe, [others], out=folder / "base", base="scratch:bert-2x64", settings=settings)
        type(self).base = str(base.out)
        return [made_up.write(folder / "rows.jsonl", ROWS)], []
