"""Fusion of the first of each leg only, as frameworks ask for it: so many by words, so many by vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kure_rag.search.candidates import Candidates, Scores
from kure_rag.search.fusion import ConvexFusion


@dataclass(frozen=True, slots=True, kw_only=True)
class TopFusion(ConvexFusion):
    """A convex fusion of those candidates that are among the first of a leg; what is not is no hit.

    Search with ``candidates`` of at least the higher of the two, or the legs are asked for fewer.

    Attributes:
        lexical_top: So many of the keyword leg; all that it found when ``None``.
        dense_top: Likewise of the dense leg.
    """

    lexical_top: int | None = None
    dense_top: int | None = None

    def __post_init__(self) -> None:
        ConvexFusion.__post_init__(self)
        for name, top in (("lexical_top", self.lexical_top), ("dense_top", self.dense_top)):
            if top is not None and top < 1:
                raise ValueError(f"{name}={top}: choose a whole number of at least 1, or None for all")

    def parts(self, candidates: Candidates) -> dict[str, Scores]:
        """See :class:`~kure_rag.search.fusion.ExplainedFusion`."""
        parts = ConvexFusion.parts(self, candidates)
        tops = {"lexical": self.lexical_top, "dense": self.dense_top}
        kept = np.zeros(len(candidates.rows), dtype=np.bool_)
        for name, leg in candidates.legs.items():
            top = tops[name]
            kept |= (leg.ranks > 0) & (True if top is None else leg.ranks <= top)
        return {name: np.where(kept, scores, -np.inf) for name, scores in parts.items()}
