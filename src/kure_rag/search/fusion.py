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
    """``(1 - weight) * lexical + weight * dense``, each leg scaled by its own best candidate.

    BM25 is divided by the best BM25 of the candidates, cosine is clipped at zero and divided by the best cosine. A weak
    dense leg cannot drag a strong keyword leg down as it does when only ranks count.

    Attributes:
        weight: Of the dense leg, from 0 to 1.
    """

    weight: float

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"a dense weight lies between 0 and 1, not at {self.weight}")

    def fuse(self, legs: Legs) -> dict[int, float]:
        """See :class:`Fusion`."""
        lexical, dense = _scaled(legs, "lexical"), _scaled(legs, "dense")
        return {row: (1 - self.weight) * lexical[row] + self.weight * dense[row] for row in legs}


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


def _scaled(legs: Legs, name: str) -> dict[int, float]:
    scores = {row: max(0.0, said[name].score) if name in said else 0.0 for row, said in legs.items()}
    best = max(scores.values(), default=0.0)
    return {row: score / best for row, score in scores.items()} if best > 0 else scores
