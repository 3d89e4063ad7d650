"""Maximal marginal relevance: less of the same among the first hits.

Source: Carbonell and Goldstein, SIGIR 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class MmrSettings:
    """How much the hits should differ.

    Attributes:
        relevance_weight: 1 keeps the order, 0 looks at difference alone; the papers' λ.
        candidates: The hits chosen from.
    """

    relevance_weight: float = 0.7
    candidates: int = 50

    def __post_init__(self) -> None:
        if not 0 <= self.relevance_weight <= 1:
            raise ValueError(f"mmr weighs relevance from 0 to 1, not by {self.relevance_weight}")
        if self.candidates < 1:
            raise ValueError(f"mmr chooses from at least 1 candidate, not {self.candidates}")


def mmr_order(
    scores: Sequence[float], vectors: npt.NDArray[np.float32], count: int, settings: MmrSettings
) -> list[int]:
    """Which candidates to take, in which order: each time the best of λ relevance − (1 − λ) likeness to those taken.

    Relevance is the score, moved so that the worst candidate has 0 and the best 1; likeness is the highest cosine.

    Args:
        scores: Best first.
        vectors: Shape (len(scores), dimension); a row of zeros is like nothing.
        count: How many to take.
        settings: The weight.

    Returns:
        Positions; the earlier of two equal candidates first.
    """
    if not len(scores):
        return []
    relevance = np.asarray(scores, dtype=np.float64)
    width = relevance.max() - relevance.min()
    relevance = (relevance - relevance.min()) / width if width > 0 else np.ones(len(relevance))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(lengths > 0, lengths, 1)
    weight = settings.relevance_weight
    likeness = np.full(len(relevance), -1.0)
    left = np.ones(len(relevance), dtype=bool)
    order: list[int] = []
    for _ in range(min(count, len(relevance))):
        worth = weight * relevance - (1 - weight) * (likeness if order else 0)
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        order.append(best)
        left[best] = False
        likeness = np.maximum(likeness, np.round(np.einsum("ij,j->i", units, units[best]), 6))
    return order
