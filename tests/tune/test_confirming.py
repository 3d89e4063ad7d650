"""What is preferred, and how seldom that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from kure_rag.tune import confirm, questions_needed, split

QUESTIONS, SETTINGS = 100, 40


def values(numbers: np.ndarray) -> dict[str, float]:
    return {f"q{i}": float(value) for i, value in enumerate(numbers)}


def preferred(gain: float, seeds: range) -> float:
    """How often the best of some settings, chosen on one half, is preferred by the other."""
    times = 0
    for seed in seeds:
        chance = np.random.default_rng(seed)
        present = chance.choice([0.0, 0.39, 0.63, 1.0], size=2 * QUESTIONS)
        # As settings do: most questions stay as they were, some rise, some fall.
        moved = chance.random((SETTINGS, 2 * QUESTIONS)) < 0.3
        tried = np.clip(present + moved * chance.normal(gain / 0.3, 0.4, moved.shape), 0, 1)
        if not gain:
            tried = np.where(chance.random(tried.shape) < 0.5, tried, 2 * present - tried)  # no mean difference
        best = tried[tried[:, :QUESTIONS].mean(axis=1).argmax()]
        told = confirm(values(present[QUESTIONS:]), values(best[QUESTIONS:]), alpha=0.05, seed=seed)
        times += told.is_better
    return times / len(seeds)


def test_where_all_settings_are_equal_one_is_preferred_no_more_often_than_was_asked() -> None:
    # One-sided at .025, since a setting must be better; three standard errors of 100 tries above that.
    assert preferred(0.0, range(100)) <= 0.025 + 3 * (0.025 * 0.975 / 100) ** 0.5


def test_a_real_gain_is_found() -> None:
    assert preferred(0.2, range(40)) > 0.9


def test_a_setting_that_is_worse_on_the_held_out_half_is_never_preferred() -> None:
    before = values(np.ones(50))
    told = confirm(before, values(np.zeros(50)), alpha=0.05, seed=0)
    assert told.test.p_value < 0.001
    assert not told.is_better
    assert told.needed is None


def test_the_number_of_questions_that_would_tell_is_enough_to_tell() -> None:
    chance = np.random.default_rng(3)
    differences = chance.normal(0.05, 0.25, 60)
    differences += 0.05 - differences.mean()
    needed = questions_needed(differences.tolist(), 0.05)
    assert needed is not None
    assert 60 < needed < 400
    drawn = [np.random.default_rng(seed).choice(differences, needed) for seed in range(60)]
    told = [confirm(values(np.zeros(needed)), values(some), alpha=0.05, seed=0).is_better for some in drawn]
    assert 0.65 < np.mean(told) < 0.95  # a power of .8
    assert questions_needed([-0.1, 0.05, 0.0], 0.05) is None
    stricter = questions_needed(differences.tolist(), 0.0125)
    assert stricter is not None
    assert stricter > needed


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_split_is_the_same_for_a_seed_and_holds_each_question_once(share: float) -> None:
    ids = [f"질문-{i}" for i in range(101)]
    tuning, held_out = split(ids, share, 7)
    assert sorted(tuning + held_out) == sorted(ids)
    assert len(held_out) == round(101 * share)
    assert split(ids[::-1], share, 7) == (tuning, held_out)
    assert split(ids, share, 8) != (tuning, held_out)
    assert all(len(half) == 1 for half in split(["가", "나"], share, 0))
