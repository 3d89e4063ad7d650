"""Semantic textual similarity: how well a model's similarities follow people's judgement.

Eight numbers, as the tables of KorSTS print them: Pearson's and Spearman's correlation of cosine, negative Euclidean
distance, negative Manhattan distance and dot product with the scores, times 100. Each is computed **over all pairs of
the set at once** (as sentence-transformers' ``EmbeddingSimilarityEvaluator`` and MTEB do). Some published KorSTS tables
average correlations of batches instead, which gives other numbers: those are not comparable with these.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed import as_embedder
from kure_rag.errors import ConfigError, EmbeddingError
from kure_rag.evaluate.pairs import SIMILARITIES, Progress, Role, embedded, pair_similarities, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kure_rag.evaluate.sts_sets import StsSet

METHODS: Final = ("pearson", "spearman")
NAMES: Final = tuple(f"{similarity}_{method}" for similarity in SIMILARITIES for method in METHODS)
"""``cosine_pearson``, ``cosine_spearman``, ``euclidean_pearson`` … as MTEB names them."""

_HUNDRED: Final = 100
_CELLS: Final = 1 << 16  # of a block of resamples: half a megabyte, which stays in a processor's own memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A correlation times 100, and its bootstrap interval.

    Attributes:
        value: Of the set as it is, from -100 to 100.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StsScores:
    """The eight numbers of one vector length.

    Attributes:
        dimension: Numbers in a vector.
        correlations: By name, see :data:`NAMES`.
    """

    dimension: int
    correlations: Mapping[str, Correlation]


@dataclass(frozen=True, slots=True, kw_only=True)
class StsEvaluation:
    """What a model is worth on one set.

    Attributes:
        scores: With the vectors as the model gives them.
        sweep: With the first numbers of each vector, scaled to unit length, for each length that was asked for.
        similarities: Of each pair in the set's order, by name: float64, the vectors as the model gives them.
    """

    scores: StsScores
    sweep: tuple[StsScores, ...]
    similarities: Mapping[str, NDArray[np.float64]]


def evaluate_sts(
    embeddings: object,
    sts_set: StsSet,
    *,
    dims: Sequence[int] = (),
    role: Role = "query",
    resamples: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> StsEvaluation:
    """Scores a model on a set of sentence pairs.

    Args:
        embeddings: A model's name or folder, an ``Embedder``, or a LangChain or LlamaIndex embedding object.
        sts_set: From :func:`kure_rag.evaluate.sts_sets.read_sts`.
        dims: Lengths to cut vectors to (Matryoshka representation learning, Kusupati et al. 2022); each row of the
            sweep is scaled to unit length after the cut.
        role: Which of the model's prefixes both sentences get; see :func:`kure_rag.evaluate.pairs.score_pairs`.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        progress: Told the number of sentences that are embedded, at times.

    Raises:
        ConfigError: A length is below 1 or above the model's.
        EmbeddingError: All pairs are equally similar to the model, so nothing correlates.
        ModelNotAvailableError: The weights cannot be reached.
    """
    embedder = as_embedder(embeddings)
    check_dims(dims, None)
    gold = np.array([pair.score for pair in sts_set.pairs])
    texts = [*(pair.first for pair in sts_set.pairs), *(pair.second for pair in sts_set.pairs)]
    vectors = embedded(embedder, texts, role, progress)
    check_dims(dims, vectors.shape[1])

    def scored(matrix: NDArray[Any]) -> tuple[StsScores, dict[str, NDArray[np.float64]]]:
        first, second = matrix[: len(gold)], matrix[len(gold) :]
        found: dict[str, NDArray[np.float64]] = {one: pair_similarities(first, second, one) for one in SIMILARITIES}
        correlations = correlate(found, gold, resamples=resamples, seed=seed)
        return StsScores(dimension=matrix.shape[1], correlations=correlations), found

    whole, similarities = scored(vectors)
    sweep = tuple(scored(unit(vectors[:, :dimension]))[0] for dimension in dims)
    return StsEvaluation(scores=whole, sweep=sweep, similarities=similarities)


def check_dims(dims: Sequence[int], width: int | None) -> None:
    """Raises :class:`~kure_rag.errors.ConfigError` for a length that vectors of ``width`` numbers cannot be cut to."""
    for dimension in dims:
        if dimension < 1:
            raise ConfigError(f"vectors cannot be cut to {dimension} numbers; give lengths of 1 or more")
        if width is not None and dimension > width:
            raise ConfigError(f"vectors of {width} numbers cannot be cut to {dimension}; give lengths up to {width}")


def correlate(
    similarities: Mapping[str, NDArray[np.float64]],
    gold: NDArray[np.float64],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Correlation]:
    """Pearson's and Spearman's correlation of similarities with scores, times 100, with bootstrap intervals.

    The interval is the percentile bootstrap's (Efron 1979) over pairs, the same resamples for all, so that two models
    on one set with one seed are resampled alike. A resample in which one side is constant has no correlation and is
    left out.

    Args:
        similarities: Name → shape (n,).
        gold: Shape (n,).
        level: Of the interval, between 0 and 1.
        resamples: 1 or more.
        seed: The same seed gives the same interval.

    Returns:
        ``{"cosine_pearson": …, "cosine_spearman": …, …}``.

    Raises:
        EmbeddingError: A similarity is the same for all pairs.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level!r}: choose a number between 0 and 1, such as 0.95")
    from scipy.stats import pearsonr, spearmanr

    for name, values in similarities.items():
        if np.ptp(values) == 0:
            raise EmbeddingError(f"every pair has the same {name} similarity: the model tells no two texts apart")
    sampled = _resampled(similarities, gold, resamples, np.random.default_rng(seed))
    tail = 50 * (1 - level)
    found = {}
    for name, values in similarities.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of similarities that are nearly constant: the interval shows it
            exact = {"pearson": pearsonr(values, gold)[0], "spearman": spearmanr(values, gold)[0]}
        for method in METHODS:
            low, high = np.nanpercentile(sampled[f"{name}_{method}"], (tail, 100 - tail))
            value = _HUNDRED * float(exact[method])
            found[f"{name}_{method}"] = Correlation(value=value, low=_HUNDRED * float(low), high=_HUNDRED * float(high))
    return found


def _resampled(
    similarities: Mapping[str, NDArray[np.float64]],
    gold: NDArray[np.float64],
    resamples: int,
    generator: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Correlations of each resample, by name; NaN where there is none.

    A resample is how often each pair was drawn: ranks are then counted up in an order that is found once, which is
    several times faster than sorting each resample.
    """
    n = len(gold)
    found: dict[str, list[NDArray[np.float64]]] = {
        f"{name}_{method}": [] for name in similarities for method in METHODS
    }
    moments = {name: _moments(values, gold) for name, values in similarities.items()}
    ranked = {name: _Ranking(values) for name, values in similarities.items()}
    ranked_gold = _Ranking(gold)
    rows = max(1, _CELLS // n)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        ranks = ranked_gold.of(times)
        spread = np.einsum("ij,ij,ij->i", times, ranks, ranks)
        for name in similarities:
            a, b, aa, bb, ab = (times @ moments[name] / n).T
            found[f"{name}_pearson"].append(_ratio(ab - a * b, aa - a * a, bb - b * b))
            own = ranked[name].of(times)
            weighted = times * own
            together, of_own = np.einsum("ij,ij->i", weighted, ranks), np.einsum("ij,ij->i", weighted, own)
            found[f"{name}_spearman"].append(_ratio(together, of_own, spread))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _moments(values: NDArray[np.float64], gold: NDArray[np.float64]) -> NDArray[np.float64]:
    """What sums over pairs make a correlation of, shape (n, 5); standardised first, so that little cancels."""
    a, b = ((x - x.mean()) / x.std() for x in (values, gold))
    return np.stack([a, b, a * a, b * b, a * b], axis=1)


class _Ranking:
    """Ranks of values that are drawn several times, less their mean; equal ones get the mean of their ranks."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        _, self._group, sizes = np.unique(values, return_inverse=True, return_counts=True)
        self._order = np.argsort(self._group, kind="stable")
        self._starts = np.cumsum(sizes) - sizes

    def of(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rank of each value in each row of ``times``, of shape (resamples, n)."""
        together = np.add.reduceat(times[:, self._order], self._starts, axis=1)
        means = np.cumsum(together, axis=1) - together / 2 - times.shape[1] / 2
        return np.asarray(means[:, self._group])


def _ratio(together: NDArray[np.float64], of_a: NDArray[np.float64], of_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlations from covariances and variances; of a resample with one value only, rounding leaves some 1e-16."""
    there = np.minimum(of_a, of_b) > 1e-12
    spread = np.sqrt(np.where(there, of_a * of_b, 1.0))
    return np.where(there, together / spread, np.nan)
