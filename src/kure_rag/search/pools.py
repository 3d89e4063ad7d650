"""What both legs found, kept to be fused again and again: many ways to rank without searching anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kure_rag.search.candidates import Candidates, LegScores
from kure_rag.search.fusion import Fusion
from kure_rag.search.options import SearchOptions
from kure_rag.search.ranking import ranked
from kure_rag.types import Chunk, Mode


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one question.

    Attributes:
        candidates: What the legs said, before any fusion.
        chunks: Row → passage. A heading that stands alone is no hit, and not among them.
    """

    candidates: Candidates
    chunks: Mapping[int, Chunk]


def limited(pool: Pool, options: SearchOptions) -> Pool:
    """What the legs would have said, had they been asked for fewer candidates, or had one not been asked.

    Args:
        pool: Made with the same keyword engine, and at least as many candidates.
        options: Mode and number of candidates.
    """
    return Pool(_limited(pool.candidates, options), pool.chunks)


def rank_pool(pool: Pool, mode: Mode, fusion: Fusion, count: int) -> list[Chunk]:
    """The first passages that a search would find, before its later stages.

    Args:
        pool: From :func:`limited`, with the options of that search.
        mode: Which legs count.
        fusion: For ``hybrid``.
        count: At most so many.
    """
    ranking = ranked(pool.candidates, mode, fusion)
    rows, scores = ranking.rows.tolist(), ranking.scores.tolist()
    out: list[Chunk] = []
    at = 0
    while len(out) < count and at < len(rows):
        end = at + 1
        while end < len(rows) and scores[end] == scores[at]:
            end += 1
        equal = [pool.chunks[row] for row in rows[at:end] if row in pool.chunks]
        out += sorted(equal, key=lambda chunk: chunk.id)  # as a search orders equal scores
        at = end
    return out[:count]


def _limited(candidates: Candidates, options: SearchOptions) -> Candidates:
    names = [name for name in candidates.legs if options.mode in ("hybrid", name)]
    if not names:
        return Candidates(np.zeros(0, dtype=np.int64), {})
    first = {name: (candidates.legs[name].ranks > 0) & (candidates.legs[name].ranks <= options.depth) for name in names}
    keep = np.logical_or.reduce(list(first.values()))
    legs = {}
    for name in names:
        leg, mine = candidates.legs[name], first[name]
        # A hybrid search scores by their vectors also those that only the keyword leg found.
        said = leg.said if name == "dense" and options.mode == "hybrid" else mine
        legs[name] = LegScores(
            np.where(said, leg.scores, 0.0)[keep], np.where(mine, leg.ranks, 0)[keep], (said & keep)[keep]
        )
    return Candidates(candidates.rows[keep], legs, candidates.stretch)


def pools_of(candidates: Sequence[Candidates], chunks: Mapping[int, Chunk]) -> list[Pool]:
    """Each question's candidates with their passages.

    Args:
        candidates: One for each question.
        chunks: Row → passage, for all of them together.
    """
    hits = {row: chunk for row, chunk in chunks.items() if chunk.kind != "heading"}
    return [Pool(some, {row: hits[row] for row in some.rows.tolist() if row in hits}) for some in candidates]
