"""Whether a setting is better, on questions that had no say in choosing it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Final

from kure_rag.evaluate import PairedTest, paired_test

_POWER: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """One test on the held-out half.

    Attributes:
        test: The best of a stage against what stood before it.
        alpha: The level that its p-value had to be below: the error rate divided by the number of stages.
        needed: Held-out questions that would tell such a difference four times in five; ``None`` where the setting is
            no better there, and no number would.
    """

    test: PairedTest
    alpha: float
    needed: int | None

    @property
    def is_better(self) -> bool:
        """Whether the setting is preferred."""
        return self.test.difference > 0 and self.test.p_value < self.alpha

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self.test), "alpha": self.alpha, "needed": self.needed, "preferred": self.is_better}


def confirm(before: Mapping[str, float], after: Mapping[str, float], *, alpha: float, seed: int) -> Confirmation:
    """Tests a setting against what stood before it.

    Args:
        before: Held-out question → value.
        after: The same with the setting.
        alpha: The level of this test.
        seed: Of the test.
    """
    test = paired_test(before, after, seed=seed, permutations=_permutations(alpha))
    return Confirmation(test=test, alpha=alpha, needed=questions_needed([after[i] - before[i] for i in before], alpha))


def questions_needed(differences: Sequence[float], alpha: float) -> int | None:
    """How many questions would tell such a mean difference from none, with a power of .8.

    By the normal approximation, from the mean and the spread of the differences at hand: an estimate, and no more
    exact than they are.
    """
    count = len(differences)
    mean = math.fsum(differences) / count
    if mean <= 0 or count < 2:
        return None
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (count - 1))
    normal = NormalDist()
    factor = normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(_POWER)
    return max(2, math.ceil((factor * spread / mean) ** 2))


def _permutations(alpha: float) -> int:
    """Enough for a p-value near ``alpha`` to be known to a tenth of it."""
    return max(10_000, math.ceil(100 / alpha))
