"""Two rankings → one. Ids fuse, never texts: two equal clauses keep their two citations.

Sources: reciprocal rank fusion, Cormack, Clarke and Buettcher, SIGIR 2009; convex combination against it, Bruch, Gai
and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kure_rag.types import Leg

Legs = Mapping[int, Mapping[str, Leg]]


class Fusion(Protocol):
    """Combines what the legs said of each candidate into one score."""

    def fuse(self, legs: Legs) -> dict[int, float]:
        """Row → what each leg said, to row → score; higher is better."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexFusion:
    """``(1 - weight) * lexical / scale + weight * dense``.

    The keyword score is divided by a constant, not by the question's best: a question whose words single out a passage
    keeps the keyword order, and one whose words are everywhere leans on the vectors. With the bundled model that beat
    both scaling by the best candidate and reciprocal ranks on all sets (``benchmarks/fusion_quality.py``); a weak dense
    leg does not drag a strong keyword leg down.

    Attributes:
        weight: Of the dense leg, from 0 to 1.
        scale: The keyword score that weighs as much as a cosine of 1. Long questions that share most of their rare
            words with a passage score about that.
    """

    weight: float
    scale: float = 100.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"a dense weight lies between 0 and 1, not at {self.weight}")
        if not self.scale > 0:
            raise ValueError(f"the scale of keyword scores must be positive, not {self.scale}")

    def fuse(self, legs: Legs) -> dict[int, float]:
        """See :class:`Fusion`."""
        factors = {"lexical": (1 - self.weight) / self.scale, "dense": self.weight}
        return {row: sum(factors[name] * leg.score for name, leg in said.items()) for row, said in legs.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RrfFusion:
    """``(1 - weight) / (k + lexical rank) + weight / (k + dense rank)``.

    A leg that did not rank a candidate adds nothing.

    Attributes:
        weight: Of the dense leg, from 0 to 1.
        k: The larger, the less the first ranks stand out.
    """

    weight: float = 0.5
    k: int = 60

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1 or self.k < 0:
            raise ValueError(f"a dense weight lies between 0 and 1 and k is not negative: got {self.weight}, {self.k}")

    def fuse(self, legs: Legs) -> dict[int, float]:
        """See :class:`Fusion`."""
        weights = {"lexical": 1 - self.weight, "dense": self.weight}
        return {
            row: sum(weights[name] / (self.k + leg.rank) for name, leg in said.items() if leg.rank is not None)
            for row, said in legs.items()
        }
