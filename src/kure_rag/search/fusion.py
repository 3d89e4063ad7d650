"""Two rankings → one. Ids fuse, never texts: two equal clauses keep their two citations.

Sources: reciprocal rank fusion, Cormack, Clarke and Buettcher, SIGIR 2009; convex combination against it, Bruch, Gai
and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023. What was measured here, and what was
tried and left out, stands in ``benchmarks/results/fusion.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from kure_rag.search.candidates import Candidates, Legs, LegScores, Scores

Normaliser = Literal["cosine", "spread", "minmax"]
Parts = Mapping[str, Scores]
SCALE: Final = 100.0


class Fusion(Protocol):
    """Combines what the legs said of each candidate into one score."""

    def fuse(self, legs: Legs) -> dict[int, float]:
        """Row → what each leg said, to row → score; higher is better."""
        ...


@runtime_checkable
class ExplainedFusion(Fusion, Protocol):
    """A fusion whose score is a sum over the legs."""

    def parts(self, candidates: Candidates) -> Parts:
        """What each leg adds to the score of each candidate, in the order of ``candidates.rows``."""
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
            words with a passage score about that: the best passage's, in the median of 5,573 questions, was 60 to 70.
        normaliser: What is made of cosines. ``cosine`` takes them as they are. ``spread`` stretches those of a model
            whose cosines all lie close together, as multilingual E5's do between .7 and .9, until those of unrelated
            passages vary as the bundled model's do: a weight then means the same for every model. It changes nothing
            where they vary enough, nor in an index of fewer than 64 chunks. ``minmax`` puts the question's worst
            candidate at 0 and its best at 1, of both legs.
    """

    weight: float
    scale: float = SCALE
    normaliser: Normaliser = "cosine"

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ValueError(f"a dense weight lies between 0 and 1, not at {self.weight}")
        if not self.scale > 0:
            raise ValueError(f"the scale of keyword scores must be positive, not {self.scale}")
        if self.normaliser not in NORMALISERS:
            raise ValueError(f"no normaliser named {self.normaliser!r}; choose one of {', '.join(NORMALISERS)}")

    def parts(self, candidates: Candidates) -> dict[str, Scores]:
        """See :class:`ExplainedFusion`."""
        factors = {"lexical": (1 - self.weight) / self.scale, "dense": self.weight}
        if self.normaliser == "minmax":
            return {name: factors[name] * self._by_range(name, leg) for name, leg in candidates.legs.items()}
        if self.normaliser == "spread":
            factors["dense"] *= candidates.stretch
        return {name: factors[name] * leg.scores for name, leg in candidates.legs.items()}

    def _by_range(self, name: str, leg: LegScores) -> Scores:
        if not leg.said.any():
            return leg.scores
        # Keyword scores begin at 0: what the leg did not find has no score, and the last that it found has one.
        low = float(leg.scores[leg.said].min()) if name == "dense" else 0.0
        width = float(leg.scores[leg.said].max()) - low
        out = np.where(leg.said, (leg.scores - low) / width if width > 0 else 1.0, 0.0)
        return out * (self.scale if name == "lexical" else 1.0)

    def fuse(self, legs: Legs) -> dict[int, float]:
        """See :class:`Fusion`."""
        return _fused(self, legs)


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

    def parts(self, candidates: Candidates) -> dict[str, Scores]:
        """See :class:`ExplainedFusion`."""
        weights = {"lexical": 1 - self.weight, "dense": self.weight}
        return {
            name: np.where(leg.ranks > 0, weights[name] / (self.k + np.maximum(leg.ranks, 1)), 0.0)
            for name, leg in candidates.legs.items()
        }

    def fuse(self, legs: Legs) -> dict[int, float]:
        """See :class:`Fusion`."""
        return _fused(self, legs)


NORMALISERS: Final = get_args(Normaliser)


def convex(weight: float, normaliser: Normaliser = "spread", *, scale: float = SCALE) -> ConvexFusion:
    """A weighted sum of scores, see :class:`ConvexFusion`.

    Args:
        weight: Of the dense leg, from 0 to 1.
        normaliser: ``cosine``, ``spread`` or ``minmax``.
        scale: The keyword score that weighs as much as a cosine of 1.
    """
    return ConvexFusion(weight=weight, normaliser=normaliser, scale=scale)


def rrf(k: int = 60, weights: tuple[float, float] = (1.0, 1.0)) -> RrfFusion:
    """Reciprocal ranks, see :class:`RrfFusion`.

    Args:
        k: The larger, the less the first ranks stand out.
        weights: Of the keyword and of the dense leg; only their ratio counts.
    """
    lexical, dense = weights
    if not (lexical >= 0 and dense >= 0 and lexical + dense > 0):
        raise ValueError(f"weights are not negative, and one of them is above 0: got {weights}")
    return RrfFusion(weight=dense / (lexical + dense), k=k)


def total(parts: Parts, count: int) -> Scores:
    """The sum of the parts, for each of so many candidates."""
    out = np.zeros(count)
    for scores in parts.values():
        out = out + scores
    return out


def _fused(fusion: ExplainedFusion, legs: Legs) -> dict[int, float]:
    candidates = Candidates.of_legs(legs)
    scores = total(fusion.parts(candidates), len(candidates.rows))
    return dict(zip(candidates.rows.tolist(), scores.tolist(), strict=True))
