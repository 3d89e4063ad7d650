"""The loss of ``clir``: value and gradient by hand, what is frozen, and what the recipe configures."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kure_rag.train.losses.clir import CrossLingualKlLoss  # noqa: E402
from kure_rag.train.recipe import Sources  # noqa: E402
from kure_rag.train.recipes.clir import ClirRecipe  # noqa: E402
from kure_rag.train.scratch import Scratch, make_encoder  # noqa: E402

SENTENCES = (
    ("강은 바다로 흐른다", "the river flows to the sea"),
    ("산에는 눈이 온다", "snow falls on the mountain"),
    ("아이가 책을 읽는다", "the child reads a book"),
    ("시장은 아침에 열린다", "the market opens in the morning"),
)


def static_model(folder: Path, dimension: int = 8) -> Any:
    from sentence_transformers import SentenceTransformer

    folder.mkdir()
    make_encoder(Scratch.named(f"scratch:static-{dimension}"), [t for pair in SENTENCES for t in pair], folder, seed=3)
    return SentenceTransformer(str(folder), device="cpu")


def by_hand(teacher: Any, english: Any, korean: Any, temperature: float) -> float:
    """With loops: KL(P || Q_english) + KL(P || Q_korean), the mean over rows."""

    def unit(rows: Any) -> list[list[float]]:
        return [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in rows]

    t, e, k = unit(teacher), unit(english), unit(korean)
    total = 0.0
    for i in range(len(t)):

        def shares(others: list[list[float]], own: list[float] = t[i]) -> list[float]:
            powers = [math.exp(sum(a * b for a, b in zip(own, o, strict=True)) / temperature) for o in others]
            return [power / sum(powers) for power in powers]

        p = shares(t)
        for others in (e, k):
            q = shares(others)
            total += sum(p[j] * (math.log(p[j]) - math.log(q[j])) for j in range(len(p)))
    return total / len(t)


def gradient_by_hand(value: Callable[[Any], float], at: Any) -> Any:
    found = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        found[place] = (value(up) - value(down)) / 2e-5
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_value_and_gradient_are_those_of_the_formula(tmp_path: Path, temperature: float) -> None:
    model = static_model(tmp_path / "m")
    loss = CrossLingualKlLoss(model, copy.deepcopy(model), temperature=temperature)
    chance = np.random.default_rng(0)
    target, english, korean = (chance.standard_normal((4, 5)) for _ in range(3))
    own = [torch.tensor(side, dtype=torch.float64, requires_grad=True) for side in (english, korean)]
    units = [torch.nn.functional.normalize(side, dim=1) for side in own]
    value = loss.compute_loss_from_embeddings(torch.nn.functional.normalize(torch.tensor(target), dim=1), units)
    assert float(value.detach()) == pytest.approx(by_hand(target, english, korean, temperature), rel=1e-4)
    value.backward()
    by_english = gradient_by_hand(lambda at: by_hand(target, at, korean, temperature), english)
    by_korean = gradient_by_hand(lambda at: by_hand(target, english, at, temperature), korean)
    np.testing.assert_allclose(own[0].grad, by_english, rtol=2e-3, atol=2e-6)
    np.testing.assert_allclose(own[1].grad, by_korean, rtol=2e-3, atol=2e-6)


def test_a_student_that_is_its_teacher_loses_nothing_in_english(tmp_path: Path) -> None:
    model = static_model(tmp_path / "m")
    loss = CrossLingualKlLoss(model, copy.deepcopy(model))
    english = model.preprocess([pair[1] for pair in SENTENCES])
    assert float(loss([english, english]).detach()) == pytest.approx(0.0, abs=1e-6)
    korean = model.preprocess([pair[0] for pair in SENTENCES])
    assert float(loss([english, korean]).detach()) > 1e-3


def test_the_forward_pass_is_the_formula_of_the_models_vectors(tmp_path: Path) -> None:
    model = static_model(tmp_path / "m")
    teacher = copy.deepcopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    loss = CrossLingualKlLoss(model, teacher, temperature=0.5)
    koreans, englishes = [pair[0] for pair in SENTENCES], [pair[1] for pair in SENTENCES]
    value = loss([model.preprocess(englishes), model.preprocess(koreans)])
    wanted = by_hand(teacher.encode(englishes), model.encode(englishes), model.encode(koreans), 0.5)
    assert float(value.detach()) == pytest.approx(wanted, rel=1e-4)


def test_the_teacher_stays_as_it_was_and_out_of_checkpoints(tmp_path: Path) -> None:
    model = static_model(tmp_path / "m")
    teacher = copy.deepcopy(model)
    before = [weight.detach().clone() for weight in teacher.parameters()]
    loss = CrossLingualKlLoss(model, teacher)
    loss.train()
    optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    loss(
        [model.preprocess([pair[1] for pair in SENTENCES]), model.preprocess([pair[0] for pair in SENTENCES])]
    ).backward()
    optimizer.step()
    assert all(torch.equal(old, new) for old, new in zip(before, teacher.parameters(), strict=True))
    assert not teacher.training
    assert len(list(loss.parameters())) == len(list(model.parameters()))
    assert not [name for name in loss.state_dict() if not name.startswith("model.")]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    model = static_model(tmp_path / "m")
    with pytest.raises(ValueError, match="temperature"):
        CrossLingualKlLoss(model, copy.deepcopy(model), temperature=0)
    with pytest.raises(ValueError, match="vectors of 8 numbers"):
        CrossLingualKlLoss(model, static_model(tmp_path / "wider", 16))


def test_the_recipe_trains_with_the_temperature_and_prefixes_it_says(tmp_path: Path) -> None:
    """English first, then Korean; the same prefixes for passages and for questions as the model will be used with."""
    rows = [f"{korean} {i}\t{english} {i}" for i in range(40) for korean, english in SENTENCES]
    (tmp_path / "bitext.tsv").write_text("ko\ten\n" + "\n".join(rows) + "\n", encoding="utf-8")
    questions = [
        f'{{"query_ko": "{k}까 {i}", "query_en": "what {i} {e}", "passage_en": "{e} and {i}"}}'
        for i in range(20)
        for k, e in SENTENCES
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(questions) + "\n", encoding="utf-8")
    recipe = ClirRecipe()
    assert (recipe.settings.learning_rate, recipe.settings.epochs, recipe.settings.max_length) == (5e-5, 2.0, 512)
    assert recipe.settings.schedule == "one-cycle"
    settings = replace(recipe.smallest(recipe.settings), temperature=0.25)
    work = tmp_path / "work"
    sources = Sources(train=(tmp_path,), work=work, query_prefix="query: ", passage_prefix="passage: ")
    plan = recipe.plan(sources, settings, lambda _: None)
    assert [stage.name for stage in plan.stages] == ["questions", "bitext"]
    columns = {name: data.column_names for stage in plan.stages for name, data in stage.datasets.items()}
    assert columns == {
        "questions": ["passage_en", "query_ko"],
        "translations": ["query_en", "query_ko"],
        "bitext_as_queries": ["query_en", "query_ko"],
        "bitext_as_passages": ["passage_en", "passage_ko"],
    }
    for stage in plan.stages:
        for column, prefix in stage.prompts.items():
            assert prefix == ("query: " if column.startswith("query") else "passage: ")
        assert set(stage.prompts) == {column for data in stage.datasets.values() for column in data.column_names}
    model = static_model(tmp_path / "m")
    losses = plan.stages[0].losses(model)
    assert set(losses) == set(plan.stages[0].datasets)
    assert all(loss.temperature == 0.25 for loss in losses.values())
    # The teacher of the second stage is the one of the first, not the student that came out of it.
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    (later,) = set(plan.stages[1].losses(model).values())
    first = next(iter(losses.values()))
    assert all(torch.equal(a, b) for a, b in zip(first.teacher.parameters(), later.teacher.parameters(), strict=True))
