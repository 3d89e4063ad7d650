"""Candidates → one ranking, with what each score is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.search.candidates import Candidates, Rows, Scores
from kure_rag.search.fusion import ExplainedFusion, Fusion, total
from kure_rag.types import Leg, Mode

Mask = npt.NDArray[np.bool_]
_RRF_K: Final = 60


@dataclass(frozen=True, slots=True)
class Ranking:
    """The rows that are hits, best first; equal scores are still to be ordered by chunk id.

    Attributes:
        rows: Shape (ranked,).
        scores: Descending.
        parts: What each score is the sum of, by name.
        candidates: By whom what was said, the first that knows a row first.
    """

    rows: Rows
    scores: Scores
    parts: Mapping[str, Scores]
    candidates: tuple[Candidates, ...]

    def parts_of(self, i: int) -> dict[str, float]:
        """What the i-th score is the sum of."""
        return {name: float(scores[i]) for name, scores in self.parts.items()}

    def legs_of(self, i: int) -> dict[str, Leg]:
        """What the legs said of the i-th row."""
        row = self.rows[i]
        for some in self.candidates:
            place = int(np.searchsorted(some.rows, row))
            if place < len(some.rows) and some.rows[place] == row:
                return some.said_of(place)
        return {}


def ranked(candidates: Candidates, mode: Mode, fusion: Fusion, *, nearest: bool = False) -> Ranking:
    """The ranking of one question's candidates.

    Args:
        candidates: What the legs said.
        mode: Which legs count.
        fusion: For ``hybrid``.
        nearest: In ``dense``, keep those whose cosine is not above zero: a vector was asked for what is nearest to it.
    """
    if mode != "hybrid":
        parts: Mapping[str, Scores] = {name: leg.scores for name, leg in candidates.legs.items()}
    elif isinstance(fusion, ExplainedFusion):
        parts = fusion.parts(candidates)
    else:
        fused = fusion.fuse(candidates.to_legs())
        # What a fusion of the caller's own leaves out is no hit, whoever found it.
        parts = {"fusion": np.array([fused.get(row, -np.inf) for row in candidates.rows.tolist()], dtype=np.float64)}
    every = nearest and mode == "dense"
    keep = np.ones(len(candidates.rows), dtype=np.bool_) if every else _found(candidates, parts)
    return _sorted(candidates.rows, parts, (candidates,), keep)


def _found(candidates: Candidates, parts: Mapping[str, Scores]) -> Mask:
    """Which candidates are hits: some leg says something for them, and the fusion or the keyword leg does.

    A passage with words of the question stays one where its cosine is below zero and pulls the sum down with it.
    """
    any_leg = np.zeros(len(candidates.rows), dtype=np.bool_)
    for leg in candidates.legs.values():
        any_leg |= leg.scores > 0
    scores = total(parts, len(candidates.rows))
    wanted = scores > 0
    if "lexical" in candidates.legs:
        wanted |= candidates.legs["lexical"].scores > 0
    return any_leg & wanted & np.isfinite(scores)


def fused_queries(rankings: Sequence[Ranking], k: int = _RRF_K) -> Ranking:
    """Several ways to ask one thing → one ranking, by reciprocal ranks; one alone stays as it is.

    Equal scores share a rank, so that it does not hang on the order in which the rows stand.
    """
    if len(rankings) == 1:
        return rankings[0]
    rows = np.unique(np.concatenate([ranking.rows for ranking in rankings]))
    parts = {}
    for number, ranking in enumerate(rankings, 1):
        scores = np.zeros(len(rows))
        ranks = np.searchsorted(-ranking.scores, -ranking.scores, side="left") + 1
        scores[np.searchsorted(rows, ranking.rows)] = 1 / (k + ranks)
        parts[f"query {number}"] = scores
    everybody = tuple(some for ranking in rankings for some in ranking.candidates)
    return _sorted(rows, parts, everybody, np.ones(len(rows), dtype=np.bool_))


def _sorted(rows: Rows, parts: Mapping[str, Scores], candidates: tuple[Candidates, ...], keep: Mask) -> Ranking:
    scores = total(parts, len(rows))
    places = np.flatnonzero(keep)
    order = places[np.argsort(-scores[places], kind="stable")]
    return Ranking(rows[order], scores[order], {name: some[order] for name, some in parts.items()}, candidates)
