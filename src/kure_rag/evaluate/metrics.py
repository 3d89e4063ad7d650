"""nDCG, recall, precision, MRR and MAP of rankings, by trec_eval; means over the judged queries, and F1 of the means.

trec_eval (through pytrec_eval) is what mteb and most published tables score with. Its conventions, which vary between
tools: the gain is linear (the relevance itself, not ``2**relevance - 1``), the discount ``log2(rank + 1)`` (Järvelin
and Kekäläinen 2002), the ideal ranking made of all judged documents of the query; precision divides by k however few
were found; average precision divides by all relevant documents, also where k is smaller. A judged query without a
result counts 0. Judgements of 0 or below are not relevance, and a query that has only such is left out.

F1@k is that of KURE's published tables: the harmonic mean of the *averaged* precision@k and recall@k of a set, which is
more than the average of each query's F1 (checked on all 576 F1 values of its results). A single query therefore has
none here.

Needs the extra ``eval``: ``pip install "kure-rag[eval]"``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

from kure_rag.errors import MissingExtraError

Run: TypeAlias = Mapping[str, Sequence[str]]
Qrels: TypeAlias = Mapping[str, Mapping[str, float]]
QueryScores: TypeAlias = dict[str, dict[str, float]]

DEPTH: Final = 10
"""How many ranks of a run the scores look at, where nothing else is asked for."""

KS: Final[tuple[int, ...]] = (1, 3, 5, 10)
"""The cuts that KURE's tables report."""

PER_QUERY: Final[tuple[str, ...]] = ("ndcg", "recall", "precision", "mrr", "map")
"""What each query has a value of."""

MEASURES: Final[tuple[str, ...]] = ("ndcg", "recall", "precision", "f1", "mrr", "map")
"""What a set has a value of, in the order of tables."""

_TREC: Final = {"ndcg": "ndcg_cut", "recall": "recall", "precision": "P", "map": "map_cut"}
# trec_eval counts whole relevance levels, and keeps an array as long as the highest.
_MOST_LEVELS: Final = 100_000
_FINEST: Final = 1_000  # parts of a relevance of 1


@dataclass(frozen=True, slots=True)
class Scores:
    """What a run is worth at a glance; each score is a mean over the queries, from 0 to 1, unrounded.

    Attributes:
        ndcg_at_10: Whether the relevant documents stand first.
        mrr_at_10: The reciprocal rank of the first relevant document.
        recall_at_1: The share of relevant documents at rank 1.
        recall_at_5: The share within rank 5.
        recall_at_10: The share within rank 10.
        queries: How many were scored.
        unanswered: How many of these had no result at all.
    """

    ndcg_at_10: float
    mrr_at_10: float
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    queries: int
    unanswered: int

    def to_dict(self) -> dict[str, float | int]:
        """The scores under the names that the field writes them by, such as ``ndcg@10``."""
        return {
            "ndcg@10": self.ndcg_at_10,
            "mrr@10": self.mrr_at_10,
            "recall@1": self.recall_at_1,
            "recall@5": self.recall_at_5,
            "recall@10": self.recall_at_10,
            "queries": self.queries,
            "unanswered": self.unanswered,
        }


def load_trec_eval() -> Any:
    """The library that scores, for those who want to know before long work that it is there.

    Raises:
        MissingExtraError: The extra ``eval`` is not installed.
    """
    try:
        import pytrec_eval
    except ImportError as error:
        raise MissingExtraError("scoring a ranking", "eval") from error
    return pytrec_eval


def score_queries(run: Run, qrels: Qrels, *, ks: Sequence[int] = KS) -> QueryScores:
    """The scores of each query.

    Args:
        run: Query id → document ids, best first: the order is scored as it stands, whatever scores made it. Queries
            that ``qrels`` does not judge are ignored.
        qrels: Query id → document id → relevance.
        ks: How many ranks are looked at.

    Returns:
        Measure → query id → value from 0 to 1, for ``ndcg@k``, ``recall@k``, ``precision@k``, ``mrr@k`` and ``map@k``
        with each of ``ks``. Every judged query is there, in the order of ``qrels``; an unanswered one has 0.0.

    Raises:
        MissingExtraError: The extra ``eval`` is not installed.
        ValueError: A document is ranked twice for one query, nothing is relevant to any query, a relevance is no whole
            number nor a common fraction, or a k is below 1.
    """
    if not ks or any(k < 1 for k in ks):
        raise ValueError(f"k is {min(ks, default=0)}; it must be 1 or more")
    cuts = sorted(set(ks))
    judged = _judged(qrels)
    rankings = {query: _checked(query, run.get(query, ())) for query in judged}
    found = _trec_eval(rankings, judged, cuts)
    nothing: dict[str, float] = {}
    scores: QueryScores = {f"{measure}@{k}": {} for measure in PER_QUERY for k in cuts}
    for number, query in enumerate(judged):
        values = found.get(str(number), nothing)
        reciprocal = values.get("recip_rank", 0.0)
        for k in cuts:
            for measure, trec in _TREC.items():
                scores[f"{measure}@{k}"][query] = values.get(f"{trec}_{k}", 0.0)
            # Within k: a reciprocal rank is 1 / rank, so that half a rank is room enough for rounding.
            scores[f"mrr@{k}"][query] = reciprocal if reciprocal * (k + 0.5) > 1 else 0.0
    return scores


def mean_scores(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The means of :func:`score_queries` over the queries, and ``f1@k`` of each k that precision and recall have.

    Returns:
        Measure → value, in the order of :data:`MEASURES`; measures of other names come first.

    Raises:
        ValueError: A measure has no query.
    """
    means = {}
    for name, values in scores.items():
        if not values:
            raise ValueError(f"{name}: no query has a score")
        means[name] = math.fsum(values.values()) / len(values)
    for k in [name.partition("@")[2] for name in scores if name.startswith("precision@")]:
        if f"recall@{k}" in means:
            means[f"f1@{k}"] = f1_of_means(means[f"precision@{k}"], means[f"recall@{k}"])
    return dict(sorted(means.items(), key=lambda item: _place(item[0])))


def f1_of_means(precision: float, recall: float) -> float:
    """The harmonic mean of an averaged precision and an averaged recall; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score_run(run: Run, qrels: Qrels) -> Scores:
    """The scores of a run that fit into a line. See :func:`score_queries` for arguments and errors."""
    means = mean_scores(score_queries(run, qrels, ks=(1, 5, DEPTH)))
    judged = _judged(qrels)
    return Scores(
        ndcg_at_10=means[f"ndcg@{DEPTH}"],
        mrr_at_10=means[f"mrr@{DEPTH}"],
        recall_at_1=means["recall@1"],
        recall_at_5=means["recall@5"],
        recall_at_10=means[f"recall@{DEPTH}"],
        queries=len(judged),
        unanswered=sum(not run.get(query) for query in judged),
    )


def ndcg(run: Run, qrels: Qrels, *, k: int = DEPTH) -> float:
    """Mean normalised discounted cumulative gain of the first ``k``. See :func:`score_queries`."""
    return mean_scores(score_queries(run, qrels, ks=(k,)))[f"ndcg@{k}"]


def mrr(run: Run, qrels: Qrels, *, k: int = DEPTH) -> float:
    """Mean reciprocal rank of the first relevant document within ``k``. See :func:`score_queries`."""
    return mean_scores(score_queries(run, qrels, ks=(k,)))[f"mrr@{k}"]


def recall(run: Run, qrels: Qrels, *, k: int = DEPTH) -> float:
    """Mean share of the relevant documents within ``k``. See :func:`score_queries`."""
    return mean_scores(score_queries(run, qrels, ks=(k,)))[f"recall@{k}"]


def _trec_eval(
    rankings: Mapping[str, Sequence[str]], judged: Mapping[str, Mapping[str, float]], cuts: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Query's place in ``judged``, as text → trec_eval's name of a measure → value; unanswered queries are left out."""
    pytrec_eval = load_trec_eval()
    gold: dict[str, dict[str, int]] = {}
    runs: dict[str, dict[str, float]] = {}
    for number, (query, relevant) in enumerate(judged.items()):
        top = rankings[query][: cuts[-1]]
        if not top:
            continue
        # Numbers for ids, since trec_eval ends a text at a NUL; scores made from ranks, since it sorts by score and,
        # where these are equal, by id.
        number_of = {document: str(i) for i, document in enumerate(top)}
        levels = _levels(query, relevant)
        gold[str(number)] = {number_of.get(d, f"missed {i}"): level for i, (d, level) in enumerate(levels.items())}
        runs[str(number)] = {number_of[document]: float(-rank) for rank, document in enumerate(top)}
    if not runs:
        return {}
    at = ",".join(map(str, cuts))
    measures = {*(f"{trec}.{at}" for trec in _TREC.values()), "recip_rank"}
    scored = pytrec_eval.RelevanceEvaluator(gold, measures).evaluate(runs)
    return dict(scored)


def _levels(query: str, relevant: Mapping[str, float]) -> dict[str, int]:
    """Relevances in the same proportions as whole numbers, which nDCG does not tell apart from them."""
    if all(float(value).is_integer() for value in relevant.values()) and max(relevant.values()) <= _MOST_LEVELS:
        return {document: int(value) for document, value in relevant.items()}
    parts = {document: Fraction(value).limit_denominator(_FINEST) for document, value in relevant.items()}
    factor = math.lcm(*(part.denominator for part in parts.values()))
    levels = {document: int(part * factor) for document, part in parts.items()}
    common = math.gcd(*levels.values())
    levels = {document: level // max(common, 1) for document, level in levels.items()}
    exact = all(math.isclose(float(part), relevant[document], rel_tol=1e-9) for document, part in parts.items())
    if not exact or max(levels.values()) > _MOST_LEVELS:
        raise ValueError(
            f"query {query!r}: a relevance of {sorted(relevant.values())} is too large or too fine; write whole numbers"
        )
    return levels


def _checked(query: str, documents: Sequence[str]) -> Sequence[str]:
    if len(set(documents)) != len(documents):
        raise ValueError(f"query {query!r}: a document is ranked twice; keep its best rank only")
    return documents


def _judged(qrels: Qrels) -> dict[str, dict[str, float]]:
    """The queries to score: their positive judgements, queries without one left out."""
    positive = {
        query: {document: relevance for document, relevance in judgements.items() if relevance > 0}
        for query, judgements in qrels.items()
    }
    judged = {query: relevant for query, relevant in positive.items() if relevant}
    if not judged:
        raise ValueError("no judgement above 0, so nothing can be scored")
    return judged


def _place(name: str) -> tuple[int, int]:
    measure, _, k = name.partition("@")
    return (MEASURES.index(measure) if measure in MEASURES else -1), int(k) if k.isdecimal() else 0
