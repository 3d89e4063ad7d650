"""The eight numbers of a set of sentence pairs, their intervals, and the sweep over vector lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.stats import bootstrap, pearsonr, rankdata, spearmanr
from sts_files import korsts

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.errors import ConfigError, EmbeddingError
from kure_rag.evaluate.pairs import SIMILARITIES
from kure_rag.evaluate.sts import NAMES, _Ranking, correlate, evaluate_sts
from kure_rag.evaluate.sts_sets import StsSet, read_sts


@pytest.fixture(scope="module")
def sts_set(tmp_path_factory: pytest.TempPathFactory) -> StsSet:
    return read_sts(korsts(tmp_path_factory.mktemp("sts") / "sts-test.tsv"))


@pytest.fixture(scope="module")
def raw_model(tiny_model: Path) -> Embedder:
    """Vectors of all lengths, so that the four similarities differ."""
    return Embedder(str(tiny_model), EmbedSettings(normalize=False))


def test_all_eight_numbers_are_those_of_sentence_transformers(
    sts_set: StsSet, raw_model: Embedder, tiny_model: Path
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    theirs = EmbeddingSimilarityEvaluator(
        [pair.first for pair in sts_set.pairs],
        [pair.second for pair in sts_set.pairs],
        [pair.score for pair in sts_set.pairs],
        similarity_fn_names=list(SIMILARITIES),
        write_csv=False,
    )(SentenceTransformer(str(tiny_model), device="cpu"))
    found = evaluate_sts(raw_model, sts_set).scores
    assert tuple(found.correlations) == NAMES
    assert len({round(one.value, 3) for one in found.correlations.values()}) == 8
    for name, one in found.correlations.items():
        similarity, _, method = name.partition("_")
        assert one.value == pytest.approx(100 * theirs[f"{method}_{similarity}"], abs=1e-3)


def test_correlations_are_of_the_whole_set_and_not_means_of_batches() -> None:
    gold = np.array([0.0, 1.0, 4.0, 5.0])
    similarity = np.array([0.5, 0.6, 0.1, 0.2])  # rising in each half, falling over both
    found = correlate({"cosine": similarity}, gold)["cosine_spearman"]
    halves = [float(spearmanr(similarity[half], gold[half])[0]) for half in (slice(0, 2), slice(2, 4))]
    assert halves == pytest.approx([1, 1])
    assert found.value == pytest.approx(-60)


def test_intervals_are_those_of_scipys_bootstrap() -> None:
    generator = np.random.default_rng(7)
    gold = np.round(generator.uniform(0, 5, 250), 1)
    values = gold + generator.normal(0, 2, 250)
    ours = correlate({"cosine": values}, gold, resamples=4000)
    for method, statistic in (("pearson", pearsonr), ("spearman", spearmanr)):
        theirs = bootstrap(
            (values, gold),
            lambda a, b, statistic=statistic: statistic(a, b)[0],
            paired=True,
            vectorized=False,
            n_resamples=500,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        one = ours[f"cosine_{method}"]
        assert (one.low, one.high) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1.5)
        assert one.low < one.value < one.high


@settings(max_examples=50)
@given(
    values=hnp.arrays(np.float64, st.integers(3, 30), elements=st.integers(0, 6).map(float)),
    seed=st.integers(0, 2**32 - 1),
)
def test_ranks_of_a_resample_are_those_of_sorting_it(values: NDArray[np.float64], seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, len(values), len(values))
    times = np.bincount(drawn, minlength=len(values)).astype(np.float64)
    ranks = _Ranking(values).of(times[None])[0]
    assert ranks[drawn] == pytest.approx(rankdata(values[drawn]) - (len(values) + 1) / 2)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), min_size=3, max_size=12), st.integers(0, 99))
def test_values_lie_between_minus_and_plus_a_hundred_and_intervals_around_nothing_else(
    pairs: list[tuple[int, int]], seed: int
) -> None:
    gold, values = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    if np.ptp(gold) == 0 or np.ptp(values) == 0:
        return
    for one in correlate({"dot": values}, gold, resamples=40, seed=seed).values():
        assert -100.0001 <= one.low <= one.high <= 100.0001
        assert -100.0001 <= one.value <= 100.0001


def test_the_same_seed_gives_the_same_and_two_similarities_are_resampled_alike() -> None:
    generator = np.random.default_rng(3)
    gold = generator.uniform(0, 5, 80)
    values = gold + generator.normal(0, 1, 80)
    both = correlate({"cosine": values, "dot": 2 * values + 1}, gold, seed=5)
    assert both == correlate({"cosine": values, "dot": 2 * values + 1}, gold, seed=5)
    assert both != correlate({"cosine": values, "dot": 2 * values + 1}, gold, seed=6)
    assert both["cosine_spearman"] == both["dot_spearman"]
    assert both["cosine_pearson"].low == pytest.approx(both["dot_pearson"].low)


def test_unit_vectors_have_one_number_for_cosine_and_dot(sts_set: StsSet, tiny_model: Path) -> None:
    found = evaluate_sts(str(tiny_model), sts_set).scores.correlations
    assert found["dot_pearson"].value == pytest.approx(found["cosine_pearson"].value, abs=1e-4)
    assert found["euclidean_spearman"].value == pytest.approx(found["cosine_spearman"].value, abs=1e-4)


def test_a_sweep_cuts_and_scales_the_vectors(sts_set: StsSet, raw_model: Embedder, tiny_model: Path) -> None:
    found = evaluate_sts(raw_model, sts_set, dims=(32, 16, 4))
    assert [scores.dimension for scores in found.sweep] == [32, 16, 4]
    for scores in found.sweep:
        cut = Embedder(str(tiny_model), EmbedSettings(dimension=scores.dimension))
        alone = evaluate_sts(cut, sts_set).scores
        for name, one in scores.correlations.items():
            assert one.value == pytest.approx(alone.correlations[name].value, abs=1e-2)
    assert found.scores.correlations["dot_pearson"] != found.sweep[0].correlations["dot_pearson"]


def test_lengths_that_vectors_do_not_have_are_refused(sts_set: StsSet, raw_model: Embedder) -> None:
    with pytest.raises(ConfigError, match="vectors of 32 numbers cannot be cut to 64"):
        evaluate_sts(raw_model, sts_set, dims=(16, 64))
    with pytest.raises(ConfigError, match="cut to 0 numbers"):
        evaluate_sts(raw_model, sts_set, dims=(0,))


def test_a_model_that_tells_no_texts_apart_is_an_error_and_not_nan() -> None:
    with pytest.raises(EmbeddingError, match="every pair has the same cosine similarity"):
        correlate({"cosine": np.ones(4)}, np.arange(4.0))


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="level=95"):
        correlate({"cosine": np.arange(4.0)}, np.arange(4.0), level=95)
