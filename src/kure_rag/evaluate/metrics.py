"""nDCG, MRR and recall, averaged over the judged queries.

Conventions, which vary between tools: the gain is linear (the relevance itself, not ``2**relevance - 1``), the discount
``log2(rank + 1)`` (Järvelin and Kekäläinen 2002), the ideal ranking made of all judged documents of the query. A judged
query without a result counts 0. Judgements of 0 or below are not relevance, and a query that has only such is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Run: TypeAlias = Mapping[str, Sequence[str]]
Qrels: TypeAlias = Mapping[str, Mapping[str, float]]

DEPTH: Final = 10
"""How many ranks of a run the scores look at."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a run is worth; each score is a mean over the queries, from 0 to 1, unrounded.

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


def score_run(run: Run, qrels: Qrels) -> Scores:
    """All scores of a run.

    Args:
        run: Query id → document ids, best first. Queries that ``qrels`` does not judge are ignored.
        qrels: Query id → document id → relevance.

    Raises:
        ValueError: A document is ranked twice for one query, or nothing is relevant to any query.
    """
    judged = _judged(qrels)
    return Scores(
        ndcg_at_10=ndcg(run, qrels, k=DEPTH),
        mrr_at_10=mrr(run, qrels, k=DEPTH),
        recall_at_1=recall(run, qrels, k=1),
        recall_at_5=recall(run, qrels, k=5),
        recall_at_10=recall(run, qrels, k=DEPTH),
        queries=len(judged),
        unanswered=sum(not run.get(query) for query in judged),
    )


def ndcg(run: Run, qrels: Qrels, *, k: int = DEPTH) -> float:
    """Normalised discounted cumulative gain of the first ``k``. See :func:`score_run` for arguments and errors."""
    return _mean(_ndcg, run, qrels, k)


def mrr(run: Run, qrels: Qrels, *, k: int = DEPTH) -> float:
    """Reciprocal rank of the first relevant document within ``k``. See :func:`score_run` for arguments and errors."""
    return _mean(_reciprocal_rank, run, qrels, k)


def recall(run: Run, qrels: Qrels, *, k: int = DEPTH) -> float:
    """Share of the relevant documents within ``k``. See :func:`score_run` for arguments and errors."""
    return _mean(_recall, run, qrels, k)


def _ndcg(top: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    ideal = sorted(relevant.values(), reverse=True)[:k]
    return _dcg(relevant.get(document, 0.0) for document in top) / _dcg(ideal)


def _dcg(gains: Iterable[float]) -> float:
    return sum(gain / math.log2(i + 2) for i, gain in enumerate(gains))


def _reciprocal_rank(top: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    return next((1 / rank for rank, document in enumerate(top, start=1) if document in relevant), 0.0)


def _recall(top: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    return sum(document in relevant for document in top) / len(relevant)


def _mean(score: Callable[[Sequence[str], Mapping[str, float], int], float], run: Run, qrels: Qrels, k: int) -> float:
    if k < 1:
        raise ValueError(f"k is {k}; it must be 1 or more")
    judged = _judged(qrels)
    total = 0.0
    for query, relevant in judged.items():
        documents = run.get(query, ())
        if len(set(documents)) != len(documents):
            raise ValueError(f"query {query!r}: a document is ranked twice; keep its best rank only")
        total += score(documents[:k], relevant, k)
    return total / len(judged)


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
