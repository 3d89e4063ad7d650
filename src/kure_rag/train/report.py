"""Before and after: what a training changed on data that it did not learn from, with intervals and a test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kure_rag.evaluate.statistics import ALPHA, Interval, bootstrap_interval, paired_test
from kure_rag.train.development import Measured

_RESAMPLES: Final = 2_000
_TIMES_100: Final = ("spearman", "pearson")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One measure on one set, before training and after.

    Attributes:
        name: The set's.
        measure: The main one.
        before: With its 95 % interval.
        after: Likewise.
        difference: After minus before.
        low: Lower end of the difference's 95 % interval.
        high: Its upper end.
        p_value: Two-sided: of the paired randomisation test over queries, or of the paired bootstrap over pairs.
        count: Queries or pairs.
        groups: Documents or the like that these belong to, which is what was drawn and swapped; ``count`` where each
            stands for itself.
        others: The set's other measures, before and after.
    """

    name: str
    measure: str
    before: Interval
    after: Interval
    difference: float
    low: float
    high: float
    p_value: float
    count: int
    groups: int
    others: Mapping[str, tuple[float, float]]

    @property
    def rose(self) -> bool:
        """Whether it is better by more than chance explains."""
        return self.difference > 0 and self.p_value < ALPHA

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "measure": self.measure,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "count": self.count,
            "groups": self.groups,
            "others": {name: list(values) for name, values in self.others.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What was trained.

    Attributes:
        recipe: Its name.
        out: The model's folder.
        base: What it was trained from.
        steps: Of each stage, by its name.
        seconds: How long this process was at it; less than the whole where an interrupted training was taken up.
        resumed: Whether one was.
        loss: The last logged one.
        changes: What it changed on the development sets.
        rows: Rows of each dataset.
        notes: What the data had that a user should know.
    """

    recipe: str
    out: Path
    base: str
    steps: Mapping[str, int]
    seconds: float
    resumed: bool
    loss: float
    changes: Sequence[Change]
    rows: Mapping[str, int]
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "recipe": self.recipe,
            "out": str(self.out),
            "base": self.base,
            "steps": dict(self.steps),
            "seconds": round(self.seconds, 1),
            "resumed": self.resumed,
            "loss": self.loss,
            "changes": [change.to_dict() for change in self.changes],
            "rows": dict(self.rows),
            "notes": list(self.notes),
        }


def change(name: str, measure: str, before: Measured, after: Measured, *, seed: int = 0) -> Change:
    """Compares two scores of one set.

    Sets with a value for each query are compared by the paired randomisation test of
    :func:`kure_rag.evaluate.statistics.paired_test`, over groups of queries where the set has these. Correlations are
    compared by a paired bootstrap over the pairs (Efron and Tibshirani 1993), whose p-value is twice the smaller share
    of resamples on one side of zero.

    Args:
        name: The set's.
        measure: Its main one.
        before: Of the base.
        after: Of the trained model.
        seed: Of resamples.
    """
    others = {key: (before.values[key], after.values[key]) for key in after.values if key != measure}
    first, second = before.values[measure], after.values[measure]
    if after.pairs is not None and before.pairs is not None:
        low, high, p_value, intervals = _correlations(before, after, seed)
        return Change(
            name=name,
            measure=measure,
            before=Interval(first, *intervals[0]),
            after=Interval(second, *intervals[1]),
            difference=second - first,
            low=low,
            high=high,
            p_value=p_value,
            count=len(after.pairs[0]),
            groups=len(after.pairs[0]),
            others=others,
        )
    one, other = (_of_groups(measured.each, after.groups) for measured in (before, after))
    test = paired_test(one, other, seed=seed)
    # One document alone is no proof, whatever its queries say: that is the p-value. The intervals are over its queries.
    over = test if len(one) > 1 else paired_test(before.each, after.each, seed=seed)
    if len(one) == 1:
        one, other = before.each, after.each
    return Change(
        name=name,
        measure=measure,
        before=bootstrap_interval(list(one.values()), seed=seed),
        after=bootstrap_interval(list(other.values()), seed=seed),
        difference=test.difference,
        low=over.low,
        high=over.high,
        p_value=test.p_value,
        count=len(after.each),
        groups=test.queries,
        others=others,
    )


def _of_groups(each: Mapping[str, float], groups: Mapping[str, str] | None) -> Mapping[str, float]:
    """One value for each group, whose mean is that of all queries: their sum over the queries in a group on average."""
    if groups is None:
        return each
    sums: dict[str, float] = {}
    for query, value in each.items():
        sums[groups[query]] = sums.get(groups[query], 0.0) + value
    return {group: total * len(sums) / len(each) for group, total in sums.items()}


def _correlations(
    before: Measured, after: Measured, seed: int
) -> tuple[float, float, float, tuple[tuple[float, float], tuple[float, float]]]:
    """The difference's interval, its p-value, and both intervals; Spearman's correlation times 100."""
    from scipy.stats import rankdata

    assert before.pairs is not None  # noqa: S101 - the caller looked
    assert after.pairs is not None  # noqa: S101
    gold, first, second = (np.asarray(x) for x in (after.pairs[0], before.pairs[1], after.pairs[1]))
    chance = np.random.default_rng(seed)
    found = np.empty((_RESAMPLES, 2))
    for i in range(_RESAMPLES):
        drawn = chance.integers(0, len(gold), len(gold))
        ranks = rankdata(np.stack([gold[drawn], first[drawn], second[drawn]]), axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(ranks, axis=1)
        for j in (0, 1):
            both = lengths[0] * lengths[j + 1]
            found[i, j] = 100 * float(ranks[0] @ ranks[j + 1]) / both if both > 0 else 0.0
    differences = found[:, 1] - found[:, 0]
    low, high = (float(x) for x in np.quantile(differences, (0.025, 0.975)))
    # One more on each side, so that no number of resamples claims a p-value of 0.
    tail = min((differences <= 0).sum(), (differences >= 0).sum()) + 1
    p_value = min(1.0, 2 * float(tail) / (_RESAMPLES + 1))
    intervals = [tuple(float(x) for x in np.quantile(found[:, j], (0.025, 0.975))) for j in (0, 1)]
    return low, high, p_value, ((intervals[0][0], intervals[0][1]), (intervals[1][0], intervals[1][1]))


def to_json(measured: Measured) -> dict[str, Any]:
    """For the file in which a base's scores wait."""
    return {
        "values": dict(measured.values),
        "each": dict(measured.each),
        "pairs": None if measured.pairs is None else [list(side) for side in measured.pairs],
    }


def from_json(stored: Mapping[str, Any]) -> Measured:
    """The other way."""
    pairs = stored["pairs"]
    return Measured(
        values=stored["values"],
        each=stored["each"],
        pairs=None if pairs is None else (tuple(pairs[0]), tuple(pairs[1])),
    )


def shown(value: float, measure: str) -> str:
    """A measure in a table: two decimals of a correlation times 100, four of what is at most 1."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.{decimals(measure)}f}"


def decimals(measure: str) -> int:
    """How many a measure is shown with, whatever its value: .99 of 100 must not look like .99 of 1."""
    return 2 if measure in _TIMES_100 else 4
