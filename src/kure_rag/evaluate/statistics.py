"""How sure a mean over queries is, and whether two systems differ: bootstrap and randomisation.

The sets that Korean retrieval is measured on have some hundred questions, on which two equal systems easily differ by a
point. Intervals here are percentile bootstraps over the queries (Efron and Tibshirani 1993), the test is the paired
randomisation test (Fisher; Smucker, Allan and Carterette 2007 recommend it for retrieval): if two systems were equal,
swapping their values for a query would change nothing. Both are what ``scipy.stats.bootstrap`` (``percentile``) and
``scipy.stats.permutation_test`` (``samples``) compute, in a form that takes two dozen measures of thousands of queries
at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES: Final = 2_000
PERMUTATIONS: Final = 10_000
ALPHA: Final = 0.05

_CELLS: Final = 2_000_000  # random numbers at a time: 16 MB
# Two sums of the same numbers in another order must count as equal, as they do in scipy.
_EQUAL: Final = 1e-10


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        mean: Of the values.
        low: The interval's lower end.
        high: Its upper end.
    """

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two systems on the same queries.

    Attributes:
        difference: Mean of the second minus mean of the first.
        low: Lower end of the difference's 95 % interval.
        high: Its upper end.
        p_value: Two-sided: how often swapping values at random makes a difference as large as this one.
        queries: How many both have a value of.
        effect_size: The mean difference in standard deviations of the differences (Cohen's d of paired values); 0 where
            no query differs, infinite where all differ by the same.
        better: Queries where the second is better.
        worse: Queries where it is worse.
    """

    difference: float
    low: float
    high: float
    p_value: float
    queries: int
    effect_size: float
    better: int
    worse: int

    def to_dict(self) -> dict[str, float | int | None]:
        """For JSON, which knows no infinity: an infinite effect size is ``None``."""
        values: dict[str, float | int | None] = {name: getattr(self, name) for name in self.__slots__}
        return values | {"effect_size": self.effect_size if math.isfinite(self.effect_size) else None}

    def verdict(self, *, first: str = "the first", second: str = "the second", alpha: float = ALPHA) -> str:
        """What it means, in a sentence."""
        if not (self.better or self.worse):
            return f"no query differs: {first} and {second} score the same"
        if self.p_value >= alpha:
            return f"the difference is inside the noise (p = {self.p_value:.3g}): prefer neither"
        winner, loser = (second, first) if self.difference > 0 else (first, second)
        return f"{winner} is better than {loser} (p = {self.p_value:.3g})"


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean of some values and its percentile bootstrap interval.

    Args:
        values: One for each query.
        level: The interval's confidence, between 0 and 1.
        resamples: How often as many values are drawn with replacement.
        seed: The same seed gives the same interval.

    Raises:
        ValueError: No value, one that is not finite, or a setting that makes no sense.
    """
    return bootstrap_intervals({"values": values}, level=level, resamples=resamples, seed=seed)["values"]


def bootstrap_intervals(
    columns: Mapping[str, Sequence[float]], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """:func:`bootstrap_interval` of several measures of the same queries, which are drawn together.

    Args:
        columns: Measure → one value for each query, in the same order of queries.
        level: See :func:`bootstrap_interval`.
        resamples: Likewise.
        seed: Likewise.
    """
    if not columns:
        return {}
    matrix = _matrix(columns)
    means = resampled_means(matrix, resamples=resamples, seed=seed)
    return {
        name: interval_of(math.fsum(matrix[:, i]) / len(matrix), means[:, i], level=level)
        for i, name in enumerate(columns)
    }


def resampled_means(values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Means of bootstrap samples.

    Args:
        values: Shape (queries, measures).
        resamples: How many samples.
        seed: For the same samples.

    Returns:
        Shape (resamples, measures).
    """
    import numpy as np

    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; it must be 1 or more")
    queries = len(values)
    chance = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for rows in _blocks(resamples, queries):
        drawn = chance.integers(0, queries, (rows.stop - rows.start, queries))
        # How often each query was drawn, since a product of matrices is far faster than gathering the values.
        flat = (drawn + queries * np.arange(len(drawn))[:, None]).ravel()
        counts = np.bincount(flat, minlength=drawn.size).reshape(drawn.shape)
        means[rows] = counts.astype(np.float64) @ values / queries
    return means


def interval_of(mean: float, samples: NDArray[np.float64], *, level: float = 0.95) -> Interval:
    """A statistic and the interval of its bootstrap samples.

    Raises:
        ValueError: ``level`` is not between 0 and 1.
    """
    import numpy as np

    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must be between 0 and 1")
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    # Products of matrices may differ in the last digits by how many columns they have; saved runs must not.
    return Interval(mean, round(float(low), 12), round(float(high), 12))


def paired_test(
    first: Mapping[str, float],
    second: Mapping[str, float],
    *,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedTest:
    """Whether two systems differ on the same queries.

    Where few queries differ, all ways of swapping are tried, and the p-value is exact.

    Args:
        first: Query id → value of one measure.
        second: The other system's values of the same measure and queries.
        permutations: How often values are swapped at random.
        resamples: How many bootstrap samples the interval is made from.
        seed: The same seed gives the same result.

    Raises:
        ValueError: No query, other queries in one than in the other, or a value that is not finite.
    """
    import numpy as np

    if missing := first.keys() ^ second.keys():
        raise ValueError(
            f"{len(missing)} queries are in one of the two only, such as {min(missing)!r}; compare the same queries"
        )
    names = list(first)
    differences = _matrix({"differences": [second[name] - first[name] for name in names]})
    column = differences[:, 0]
    observed = math.fsum(column) / len(column)
    means = resampled_means(differences, resamples=resamples, seed=seed)
    interval = interval_of(observed, means[:, 0])
    spread = float(np.std(column, ddof=1)) if len(column) > 1 else 0.0
    return PairedTest(
        difference=observed,
        low=interval.low,
        high=interval.high,
        p_value=_p_value(column[np.abs(column) > _EQUAL], permutations, seed),
        queries=len(column),
        effect_size=observed / spread if spread > _EQUAL else math.copysign(math.inf, observed) if observed else 0.0,
        better=int((column > _EQUAL).sum()),
        worse=int((column < -_EQUAL).sum()),
    )


def _p_value(differences: NDArray[np.float64], permutations: int, seed: int) -> float:
    """Share of sign changes whose sum is as far from 0; differences of 0 have no sign and are left out before."""
    import numpy as np

    if permutations < 1:
        raise ValueError(f"permutations is {permutations}; it must be 1 or more")
    count = len(differences)
    if not count:
        return 1.0
    bound = abs(math.fsum(differences)) * (1 - _EQUAL)
    exact = 2**count <= permutations
    total = 2**count if exact else permutations
    chance = np.random.default_rng(seed)
    extreme = 0
    for rows in _blocks(total, count):
        if exact:
            flips = ((np.arange(rows.start, rows.stop)[:, None] >> np.arange(count)) & 1).astype(np.uint8)
        else:
            bits = np.frombuffer(chance.bytes((rows.stop - rows.start) * -(-count // 8)), dtype=np.uint8)
            flips = np.unpackbits(bits.reshape(rows.stop - rows.start, -1), axis=1, count=count)
        sums = differences.sum() - 2 * (flips.astype(np.float64) @ differences)
        extreme += int((np.abs(sums) >= bound).sum())
    # The observed values are one of the ways that chance could have brought (Phipson and Smyth 2010).
    return extreme / total if exact else (extreme + 1) / (total + 1)


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    size = max(1, _CELLS // max(columns, 1))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def _matrix(columns: Mapping[str, Sequence[float]]) -> NDArray[np.float64]:
    import numpy as np

    lengths = {name: len(values) for name, values in columns.items()}
    if min(lengths.values()) != max(lengths.values()):
        raise ValueError(f"the measures have different numbers of queries: {lengths}")
    matrix = np.array([list(values) for values in columns.values()], dtype=np.float64).T
    if not matrix.size:
        raise ValueError("no values, so there is no mean")
    if not np.isfinite(matrix).all():
        raise ValueError("a value is not finite; every query needs a number")
    return matrix
