"""Candidates → negatives: what every filter drops, and who is taken of those that are left."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kure_rag.errors import SearchError
from kure_rag.search import Reranker
from kure_rag.search.duplicates import folded
from kure_rag.train.mine.questions import Passage, folded_text
from kure_rag.train.mine.report import Ratios
from kure_rag.train.mine.search import Candidate, Found
from kure_rag.train.mine.settings import MineSettings


@dataclass(slots=True)
class Pair:
    """A question with one of its positives, and the negatives that are chosen for them.

    Attributes:
        found: The question, and what was found for it.
        positive: Which of its positives.
        cosine: The positive's.
        waiting: Candidates that passed all filters so far, in the order in which they are tried.
        taken: Negatives, with the reranker's score.
        dropped: Why others were not taken, and how many.
        reranked: The reranker's score of the positive.
    """

    found: Found
    positive: Passage
    cosine: float | None
    waiting: list[Candidate]
    taken: list[tuple[Candidate, float | None]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    reranked: float | None = None

    def row(self) -> dict[str, Any]:
        """As it is written; negatives by rank."""
        taken = sorted(self.taken, key=lambda one: one[0].rank)
        cosines = [candidate.cosine for candidate, _ in taken]
        dense = None if self.cosine is None else {"positive": self.cosine, "negatives": cosines}
        rerank = None if self.reranked is None else {"positive": self.reranked, "negatives": [one for _, one in taken]}
        return {
            "query": self.found.question.text,
            "positive": self.positive.text,
            "negatives": [candidate.text for candidate, _ in taken],
            "query_id": self.found.question.id,
            "positive_id": self.positive.id,
            "negative_ids": [candidate.id for candidate, _ in taken],
            "scores": {"dense": dense, "rerank": rerank, "ranks": [candidate.rank for candidate, _ in taken]},
        }


def sift(found: Found, settings: MineSettings, ratios: Ratios) -> list[Pair]:
    """The pairs of a question, each with the candidates that are left for it.

    Args:
        found: What a search found.
        settings: Filters, order and seed.
        ratios: Told the share of the positive's cosine that each candidate has, and whether the bounds leave it.
    """
    why = _of_question(found, settings)
    pairs = []
    for positive, cosine in zip(found.question.positives, found.cosines, strict=True):
        pair = Pair(found, positive, cosine, [])
        for candidate, reason in zip(found.candidates, why, strict=True):
            told = reason or _bound(candidate, cosine, settings, ratios)
            if told:
                pair.dropped[told] += 1
            else:
                pair.waiting.append(candidate)
        if settings.sampling == "random":
            rng = np.random.default_rng(_seed(settings.seed, found.question.id, positive.id))
            pair.waiting = [pair.waiting[i] for i in rng.permutation(len(pair.waiting))]
        pairs.append(pair)
    return pairs


def choose(pairs: Sequence[Pair], settings: MineSettings, reranker: Reranker | None = None) -> None:
    """Takes as many of the candidates that wait as are wanted, or as the reranker leaves.

    It is asked in rounds, all pairs together, and of each only for as many candidates as are still wanted.

    Args:
        pairs: Changed in place.
        settings: How many, and the reranker's bounds.
        reranker: Loaded.

    Raises:
        SearchError: The reranker gave another number of scores than it was given pairs, or one that is no number.
    """
    known: dict[tuple[str, str], float] = {}
    if reranker is not None:
        asked = [(pair.found.question.text, pair.positive.text) for pair in pairs]
        _score(reranker, asked, known)
        for pair, key in zip(pairs, asked, strict=True):
            pair.reranked = known[key]
    open_pairs = list(pairs)
    while open_pairs:
        tried = [(pair, _next(pair, settings)) for pair in open_pairs]
        if reranker is not None:
            _score(reranker, [(pair.found.question.text, one.text) for pair, some in tried for one in some], known)
        for pair, some in tried:
            for candidate in some:
                score = known.get((pair.found.question.text, candidate.text))
                refused = None
                if score is not None and pair.reranked is not None:
                    refused = settings.rerank.verdict(score, pair.reranked)
                if refused:
                    pair.dropped[f"rerank_{refused}"] += 1
                else:
                    pair.taken.append((candidate, score))
        open_pairs = [pair for pair, _ in tried if pair.waiting and len(pair.taken) < settings.negatives]
    for pair in pairs:
        pair.dropped["unused"] += len(pair.waiting)
        pair.waiting = []


def _next(pair: Pair, settings: MineSettings) -> list[Candidate]:
    wanted = settings.negatives - len(pair.taken)
    some, pair.waiting = pair.waiting[:wanted], pair.waiting[wanted:]
    return some


def _of_question(found: Found, settings: MineSettings) -> list[str | None]:
    """Why each candidate is no negative of this question, whichever positive is meant."""
    positives = [passage.text for passage in found.question.positives]
    equal = {folded_text(text) for text in positives}
    texts = [candidate.text for candidate in found.candidates]
    near, repeated = _alike(positives, texts, settings)
    out: list[str | None] = []
    for i, candidate in enumerate(found.candidates):
        if candidate.names & found.question.judged:
            out.append("judged")
        elif folded_text(candidate.text) in equal:
            out.append("equal")
        elif i in near:
            out.append("near")
        elif candidate.rank <= settings.skip:
            out.append("skipped")
        else:
            out.append("repeated" if i in repeated else None)
    return out


def _alike(positives: Sequence[str], texts: Sequence[str], settings: MineSettings) -> tuple[set[int], set[int]]:
    """Positions of near-duplicates of a positive, and of those that repeat a candidate before them."""
    if settings.fold is None:
        seen: dict[str, int] = {}
        firsts = [seen.setdefault(folded_text(text), i) for i, text in enumerate(texts)]
        return set(), {i for i, first in enumerate(firsts) if first != i}
    near: set[int] = set()
    repeated: set[int] = set()
    for number, positive in enumerate(positives):
        with_it, *others = folded([positive, *texts], settings.fold)
        near.update(place - 1 for place in with_it[1:])
        if number == 0:
            repeated.update(place - 1 for group in others for place in group[1:])
    return near, repeated


def _bound(candidate: Candidate, positive: float | None, settings: MineSettings, ratios: Ratios) -> str | None:
    if candidate.cosine is None or positive is None:
        return None
    refused = settings.dense.verdict(candidate.cosine, positive)
    ratios.add(candidate.cosine, positive, kept=refused is None)
    return refused


def _seed(seed: int, *names: str) -> list[int]:
    digest = hashlib.blake2b("\x1f".join(names).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return [seed, *digest]


def _score(reranker: Reranker, asked: Sequence[tuple[str, str]], known: dict[tuple[str, str], float]) -> None:
    new = [pair for pair in dict.fromkeys(asked) if pair not in known]
    if not new:
        return
    scores = [float(score) for score in reranker.scores(new)]
    if len(scores) != len(new) or not all(map(math.isfinite, scores)):
        name = type(reranker).__name__
        raise SearchError(f"{name}.scores() gave {len(scores)} scores for {len(new)} pairs, or one that is no number")
    known.update(zip(new, scores, strict=True))
