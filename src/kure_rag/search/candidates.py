"""What the legs of a search say of a question's candidates, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.types import Leg

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]
Legs = Mapping[int, Mapping[str, Leg]]
LEGS: Final = ("lexical", "dense")


@dataclass(frozen=True, slots=True)
class LegScores:
    """One leg, for every candidate.

    Attributes:
        scores: Shape (candidates,); 0 where the leg says nothing.
        ranks: 1-based place in the leg's own ranking; 0 for what it did not rank.
        said: Whether it says anything; it may have scored what it did not rank.
    """

    scores: Scores
    ranks: Ranks
    said: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows that any leg found for one question, ascending, and what each leg says of them.

    Attributes:
        rows: Shape (candidates,).
        legs: By name.
        stretch: By how much cosines are to be spread to compare with other models', see
            :class:`kure_rag.search.fusion.ConvexFusion`.
    """

    rows: Rows
    legs: Mapping[str, LegScores]
    stretch: float = 1.0

    @classmethod
    def of(cls, rankings: Mapping[str, tuple[Rows, Scores]], stretch: float = 1.0) -> Candidates:
        """From each leg's ranking, best first."""
        rows = np.unique(np.concatenate([found for found, _ in rankings.values()])) if rankings else _none()
        legs = {}
        for name, (found, scores) in rankings.items():
            places = np.searchsorted(rows, found)
            leg = _silent(len(rows))
            leg.scores[places] = scores
            leg.ranks[places] = np.arange(1, len(found) + 1)
            leg.said[places] = True
            legs[name] = leg
        return cls(rows, legs, stretch)

    @classmethod
    def of_legs(cls, legs: Legs) -> Candidates:
        """From row → what each leg said."""
        rows = np.array(sorted(legs), dtype=np.int64)
        out: dict[str, LegScores] = {}
        for i, row in enumerate(rows.tolist()):
            for name, leg in legs[row].items():
                arrays = out.setdefault(name, _silent(len(rows)))
                arrays.scores[i], arrays.ranks[i], arrays.said[i] = leg.score, leg.rank or 0, True
        return cls(rows, out)

    def unsaid(self, name: str) -> Rows:
        """The candidates that a leg says nothing of."""
        return self.rows[~self.legs[name].said]

    def scored(self, name: str, rows: Rows, scores: Scores) -> None:
        """Gives candidates a leg's score without a rank in it."""
        places = np.searchsorted(self.rows, rows)
        leg = self.legs[name]
        leg.scores[places], leg.said[places] = scores, True

    def to_legs(self) -> dict[int, dict[str, Leg]]:
        """Row → what each leg said, for every candidate."""
        return {row: self.said_of(i) for i, row in enumerate(self.rows.tolist())}

    def said_of(self, place: int) -> dict[str, Leg]:
        """What each leg said of one candidate."""
        return {
            name: Leg(int(leg.ranks[place]) or None, float(leg.scores[place]))
            for name, leg in self.legs.items()
            if leg.said[place]
        }


def _none() -> Rows:
    return np.zeros(0, dtype=np.int64)


def _silent(count: int) -> LegScores:
    return LegScores(np.zeros(count), np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool))
