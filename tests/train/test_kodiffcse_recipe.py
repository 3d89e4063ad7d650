"""``kodiffcse`` end to end on made-up notes, and the texts that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("datasets")

from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError, UnknownModelError
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.kodiffcse import KoDiffCseRecipe

SUBJECTS = tuple(
    f"{first}{last}" for first in "강산들물불" for last in ("마을", "나루", "시장", "고개", "다리", "학교")
)
WHEN, HOW = ("오늘", "어제", "다시"), ("자세히", "빨리", "모두")


def note(first: str, second: str, chance: np.random.Generator) -> str:
    """A sentence about two subjects; the rest is much the same in all."""
    return f"{chance.choice(WHEN)} 담당자가 {first} 관련 내용을 {chance.choice(HOW)} 확인하여 {second} 편에 정리함"


def write_notes(path: Path, count: int, seed: int) -> Path:
    chance = np.random.default_rng(seed)
    lines = [note(*map(str, chance.choice(SUBJECTS, 2, replace=False)), chance) for _ in range(count)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_sts(path: Path, count: int, seed: int) -> Path:
    """Pairs of notes that share both of their subjects, one, or none: 5, 2.5 or 0."""
    chance = np.random.default_rng(seed)
    rows = ["genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2"]
    for i in range(count):
        a, b, c, d = map(str, chance.choice(SUBJECTS, 4, replace=False))
        score, (first, second) = ((5.0, (a, b)), (2.5, (a, c)), (0.0, (c, d)))[i % 3]
        rows.append(f"made\tup\t2026\t{i}\t{score}\t{note(a, b, chance)}\t{note(first, second, chance)}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.train
class TestKoDiffCse(RecipeContract):
    recipe = "kodiffcse"

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return [write_notes(folder / "notes.txt", 4_000, 1)], [write_sts(folder / "sts-dev.tsv", 300, 2)]


def plan(tmp_path: Path, *train: Path, dev: tuple[Path, ...] = (), **settings: Any) -> Any:
    from dataclasses import replace

    recipe = KoDiffCseRecipe()
    chosen = replace(recipe.smallest(recipe.settings), batch_size=4, **settings)
    return recipe.plan(Sources(train=train, dev=dev, work=tmp_path / "work"), chosen, lambda _: None)


def sentences(made: Any) -> list[str]:
    return [row["first"] for row in made.stages[0].datasets["sentences"]]


def test_the_values_are_those_of_the_repository() -> None:
    settings = KoDiffCseRecipe().settings
    assert (settings.temperature, settings.detection_weight, settings.mask_share) == (0.05, 0.005, 0.15)
    assert (settings.batch_size, settings.learning_rate, settings.max_length) == (256, 5e-5, 64)
    assert KoDiffCseRecipe.pooling == "cls"
    with pytest.raises(ValueError, match="mask_share"):
        type(settings)(mask_share=1.0)
    with pytest.raises(ValueError, match="batch_size is 1"):
        type(settings)(batch_size=1)


def test_sentences_of_any_kind_are_taken_once_and_never_those_that_are_scored_on(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    lines = ["강에 물이 많다.", "강에 물이  많다.", "산이 높다.", "들이 넓다.", "불이 뜨겁다."]
    (folder / "notes.txt").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    (folder / "nli.tsv").write_text(
        "sentence1\tsentence2\tgold_label\n산이 높다.\t비가 온다.\tneutral\n", encoding="utf-8"
    )
    (folder / "notes.dev.txt").write_text("이것은 따로 둔 글이다.\n", encoding="utf-8")
    dev = tmp_path / "sts-dev.tsv"
    dev.write_text("score\tsentence1\tsentence2\n1.0\t들이 넓다.\t바다\n2.0\t가\t나\n3.0\t다\t라\n", encoding="utf-8")
    made = plan(tmp_path, folder, dev=(dev,))
    assert sentences(made) == ["강에 물이 많다.", "산이 높다.", "불이 뜨겁다.", "비가 온다."]
    assert [one.name for one in made.development] == ["sts-dev"]
    assert any("2 sentences were there before" in note for note in made.notes)
    assert any("1 sentences were left out: they are in the development data" in note for note in made.notes)
    row = made.stages[0].datasets["sentences"][0]
    assert row["first"] == row["second"]


def test_without_development_data_that_is_said(tmp_path: Path) -> None:
    made = plan(tmp_path, write_notes(tmp_path / "notes.txt", 20, 1))
    assert not made.development
    assert any("give --dev" in note for note in made.notes)


def test_what_cannot_be_trained_on_is_refused_first(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"empty\.txt"):
        plan(tmp_path, empty)
    unknown = tmp_path / "table.tsv"
    unknown.write_text("a\tb\tc\n1\t2\t3\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"table\.tsv: .*in a file named \.txt"):
        plan(tmp_path, unknown)
    few = tmp_path / "few.txt"
    few.write_text("하나\n둘\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="a batch of 4"):
        plan(tmp_path, few)


def test_a_generator_that_is_not_there_is_told_when_the_stage_begins(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    from kure_rag.train.scratch import Scratch, make_encoder

    notes = write_notes(tmp_path / "notes.txt", 20, 1)
    base = tmp_path / "base"
    base.mkdir()
    make_encoder(Scratch.named("scratch:bert-1x32"), notes.read_text(encoding="utf-8").splitlines(), base, seed=1)
    model = SentenceTransformer(modules=[Transformer(str(base)), Pooling(32, "cls")], device="cpu")
    with pytest.raises(UnknownModelError, match="no/such/model"):
        plan(tmp_path, notes, generator="no/such/model").stages[0].losses(model)


def test_an_interrupted_training_does_not_go_on_with_another_generator(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    from kure_rag.train.generator import GeneratorSettings, pretrain_encoder

    notes = write_notes(tmp_path / "notes.txt", 20, 1)
    lines = notes.read_text(encoding="utf-8").splitlines()
    folder = tmp_path / "generator"
    pretrain_encoder(lambda: iter(lines), folder, GeneratorSettings(steps=1, batch_size=4, width=32))
    model = SentenceTransformer(modules=[Transformer(str(folder)), Pooling(32, "cls")], device="cpu")
    losses = plan(tmp_path, notes, generator=str(folder)).stages[0].losses
    losses(model)
    losses(model)
    pretrain_encoder(lambda: iter(lines), folder, GeneratorSettings(steps=2, batch_size=4, width=32))
    with pytest.raises(ConfigError, match=r"generator .*generator: its weights are others .* another --out"):
        losses(model)
