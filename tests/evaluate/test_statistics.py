"""Intervals and the paired test: equal to scipy, right about simulated systems, plain about what they cannot do."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.evaluate import Interval, bootstrap_interval, bootstrap_intervals, paired_test

VALUES = [1.0, 0.0, 0.5, 0.63093, 0.0, 1.0, 0.38685, 0.0, 1.0, 0.91972]


def named(values: "list[float] | np.ndarray") -> dict[str, float]:
    return {f"질문 {i}": float(value) for i, value in enumerate(values)}


@pytest.mark.parametrize("queries", [2, 10, 490, 3000])
def test_the_interval_is_scipys_percentile_bootstrap(queries: int) -> None:
    values = np.random.default_rng(queries).beta(0.4, 0.3, queries)
    ours = bootstrap_interval(values.tolist(), resamples=1500, seed=7)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=1500, method="percentile", rng=np.random.default_rng(7), batch=500
    ).confidence_interval
    assert ours.mean == pytest.approx(values.mean(), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_p_value_is_scipys(seed: int) -> None:
    chance = np.random.default_rng(seed)
    first, second = chance.choice([0.0, 0.5, 1.0], (2, 10))
    theirs = scipy.stats.permutation_test(
        (second, first), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples", vectorized=True
    )
    assert paired_test(named(first), named(second)).p_value == pytest.approx(min(theirs.pvalue, 1.0), abs=1e-12)


def test_the_p_value_by_chance_is_scipys_within_the_error_of_10000_draws() -> None:
    chance = np.random.default_rng(3)
    first = chance.beta(0.5, 0.5, 300)
    second = np.clip(first + chance.normal(0.012, 0.1, 300), 0, 1)
    theirs = scipy.stats.permutation_test(
        (second, first),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(1),
    )
    ours = paired_test(named(first), named(second)).p_value
    assert 0.01 < ours < 0.5, "a value where the error can be seen"
    assert ours == pytest.approx(theirs.pvalue, abs=5 * math.sqrt(ours * (1 - ours) / 10_000))


def simulated(chance: np.random.Generator, queries: int, gain: float) -> tuple[dict[str, float], dict[str, float]]:
    """Reciprocal ranks of two systems on the same questions, of which the second finds a share more at rank 1."""
    hard = chance.beta(2, 2, queries)  # what both systems share: a question's difficulty
    ranks = [np.where(chance.random(queries) < hard, 1, chance.integers(2, 12, queries)) for _ in range(2)]
    second = np.where(chance.random(queries) < gain, 1, ranks[1])
    return named(1 / ranks[0]), named(1 / second)


def test_equal_systems_are_told_apart_about_as_often_as_alpha_says() -> None:
    chance = np.random.default_rng(20261122)
    trials = 400
    found = [paired_test(*simulated(chance, 100, 0.0), permutations=499, resamples=1) for _ in range(trials)]
    share = sum(test.p_value < 0.05 for test in found) / trials
    error = math.sqrt(0.05 * 0.95 / trials)
    assert abs(share - 0.05) < 3 * error
    assert abs(np.mean([test.p_value for test in found]) - 0.5) < 0.05, "uniform under the null"


def test_a_real_difference_is_found_more_often_the_more_questions_there_are() -> None:
    chance = np.random.default_rng(5)
    power = {
        queries: sum(
            paired_test(*simulated(chance, queries, 0.22), permutations=199, resamples=1).p_value < 0.05
            for _ in range(40)
        )
        / 40
        for queries in (25, 100, 500)
    }
    assert power[25] < power[100] < power[500]
    assert power[500] > 0.95


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(11)
    covered = 0
    for _ in range(300):
        interval = bootstrap_interval(chance.beta(2, 1, 150).tolist(), resamples=500)
        covered += interval.low <= 2 / 3 <= interval.high
    assert 0.91 <= covered / 300 <= 0.98


def test_the_difference_is_of_the_second_and_its_interval_holds_it() -> None:
    first, second = named(VALUES), named([min(value + 0.2, 1.0) for value in VALUES])
    test = paired_test(first, second)
    assert test.difference == pytest.approx(np.mean(list(second.values())) - np.mean(VALUES))
    assert test.low <= test.difference <= test.high
    assert (test.queries, test.better, test.worse) == (10, 7, 0)
    assert test.p_value == pytest.approx(2 / 2**7), "of the signs of seven differences, two are as extreme"
    differences = np.array(list(second.values())) - VALUES
    assert test.effect_size == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert test.verdict(first="어휘", second="혼합") == "혼합 is better than 어휘 (p = 0.0156)"
    backwards = paired_test(second, first)
    assert backwards.p_value == test.p_value
    assert backwards.verdict(first="혼합", second="어휘") == "혼합 is better than 어휘 (p = 0.0156)"


def test_noise_and_equality_are_said_in_words() -> None:
    noisy = paired_test(named([1, 0, 1, 0]), named([0, 1, 1, 1]))
    assert noisy.p_value == 1.0
    assert noisy.verdict().startswith("the difference is inside the noise (p = 1)")
    same = paired_test(named(VALUES), named(VALUES))
    assert (same.difference, same.p_value, same.effect_size) == (0, 1.0, 0)
    assert same.verdict() == "no query differs: the first and the second score the same"


def test_the_order_of_queries_does_not_matter_to_which_belongs_to_which() -> None:
    first, second = named(VALUES), named(VALUES[::-1])
    shuffled = dict(sorted(second.items(), reverse=True))
    assert paired_test(first, shuffled) == paired_test(first, second)


def test_all_queries_differing_by_the_same_is_an_effect_without_bound() -> None:
    test = paired_test(named([0.0] * 5), named([0.25] * 5))
    assert test.effect_size == math.inf
    assert test.to_dict()["effect_size"] is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 5))
def test_an_interval_holds_its_mean_and_repeats(values: list[float], seed: int) -> None:
    interval = bootstrap_interval(values, resamples=200, seed=seed)
    assert min(values) - 1e-12 <= interval.low <= interval.high <= max(values) + 1e-12
    assert interval == bootstrap_interval(values, resamples=200, seed=seed)
    wider = bootstrap_interval(values, level=0.99, resamples=200, seed=seed)
    assert wider.low <= interval.low
    assert interval.high <= wider.high


def test_measures_of_the_same_queries_are_drawn_together() -> None:
    columns = {"ndcg@10": VALUES, "mrr@10": VALUES[::-1], "recall@10": [value / 2 for value in VALUES]}
    found = bootstrap_intervals(columns)
    assert found["ndcg@10"] == bootstrap_interval(VALUES)
    assert found["recall@10"].low == pytest.approx(found["ndcg@10"].low / 2)
    assert bootstrap_intervals({}) == {}


def test_one_query_has_no_spread() -> None:
    assert bootstrap_interval([0.7]) == Interval(0.7, 0.7, 0.7)


@pytest.mark.parametrize(
    ("values", "settings", "complaint"),
    [
        ([], {}, "no values"),
        ([1.0, math.nan], {}, "not finite"),
        ([1.0], {"level": 95}, "level is 95"),
        ([1.0], {"resamples": 0}, "resamples is 0"),
    ],
)
def test_what_has_no_interval(values: list[float], settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        bootstrap_interval(values, **settings)  # type: ignore[arg-type]


def test_other_queries_are_not_compared() -> None:
    with pytest.raises(ValueError, match="2 queries are in one of the two only, such as 'q1'"):
        paired_test({"q1": 1.0, "q2": 0.0}, {"q2": 1.0, "q3": 0.0})
    with pytest.raises(ValueError, match="different numbers of queries"):
        bootstrap_intervals({"a": [1.0], "b": [1.0, 0.0]})
