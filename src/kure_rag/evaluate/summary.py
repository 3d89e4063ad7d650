"""A run's measures with their intervals: of all queries, and of each domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kure_rag.evaluate.metrics import KS, QueryScores, Run, f1_of_means, mean_scores, score_queries
from kure_rag.evaluate.sets import one_of_each_group
from kure_rag.evaluate.statistics import RESAMPLES, Interval, interval_of, resampled_means

if TYPE_CHECKING:
    from kure_rag.evaluate.sets import RetrievalSet

# What paired tests are made on; all of them would be several times the size of the ranking.
KEPT: Final = ("ndcg@10", "mrr@10", "map@10", "recall@1", "recall@5", "recall@10")


@dataclass(frozen=True, slots=True)
class Group:
    """Some queries of a set.

    Attributes:
        queries: How many.
        metrics: Measure, such as ``ndcg@10`` → mean and 95 % interval.
    """

    queries: int
    metrics: dict[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"queries": self.queries, "metrics": {name: i.to_dict() for name, i in self.metrics.items()}}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run is worth.

    Attributes:
        all: All queries.
        domains: Domain → the queries about it, where the corpus says domains and the queries are about two or more. A
            query whose relevant documents are of several domains, or of none, is in no group.
        unanswered: Queries without any result.
        per_query: Measure → query id → value.
    """

    all: Group
    domains: dict[str, Group]
    unanswered: int
    per_query: QueryScores

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the values of single queries."""
        domains = {name: group.to_dict() for name, group in self.domains.items()}
        return {**self.all.to_dict(), "unanswered": self.unanswered, "domains": domains}


def cuts(k: int) -> tuple[int, ...]:
    """The ranks to report where ``k`` documents were asked for: none beyond, and ``k`` itself."""
    return tuple(sorted({cut for cut in KS if cut <= k} | {k}))


def summarise(
    run: Run,
    retrieval_set: RetrievalSet,
    *,
    domains: Mapping[str, str] | None = None,
    ks: Sequence[int] = KS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Score a ranking against a set.

    Where the set has groups of alternatives, one document of each is relevant, the first that is found.

    Args:
        run: Query id → document ids, best first.
        retrieval_set: With its judgements.
        domains: Query id → domain, from :func:`~kure_rag.evaluate.sets.check_corpus`.
        ks: How many ranks are looked at.
        resamples: Of the bootstrap.
        seed: The same seed gives the same intervals.

    Raises:
        ValueError: As :func:`~kure_rag.evaluate.metrics.score_queries`.
    """
    scores = score_queries(*_judged(run, retrieval_set), ks=ks)
    of_domain: dict[str, list[str]] = {}
    for query in next(iter(scores.values())):
        if domains and query in domains:
            of_domain.setdefault(domains[query], []).append(query)
    return Summary(
        all=_group(scores, None, resamples, seed),
        domains={domain: _group(scores, queries, resamples, seed) for domain, queries in sorted(of_domain.items())}
        if len(of_domain) > 1
        else {},
        unanswered=sum(not run.get(query) for query in retrieval_set.qrels),
        per_query=scores,
    )


def _judged(run: Run, retrieval_set: RetrievalSet) -> tuple[Run, Mapping[str, Mapping[str, float]]]:
    groups = retrieval_set.groups
    if not groups:
        return run, retrieval_set.qrels
    ranked = {query: one_of_each_group(run.get(query, ()), of) for query, of in groups.items()}
    return ranked, {query: {f"group {i}": 1.0 for i in range(len(of))} for query, of in groups.items()}


def _group(scores: QueryScores, queries: Sequence[str] | None, resamples: int, seed: int) -> Group:
    import numpy as np

    chosen = scores if queries is None else {name: {q: values[q] for q in queries} for name, values in scores.items()}
    names = list(chosen)
    matrix = np.array([list(chosen[name].values()) for name in names]).T
    samples = dict(zip(names, resampled_means(matrix, resamples=resamples, seed=seed).T, strict=True))
    metrics = {}
    for name, mean in mean_scores(chosen).items():
        measure, _, k = name.partition("@")
        if measure == "f1":  # of the means, so of each sample's means too
            pairs = zip(samples[f"precision@{k}"], samples[f"recall@{k}"], strict=True)
            sample = np.array([f1_of_means(float(precision), float(recall)) for precision, recall in pairs])
        else:
            sample = samples[name]
        interval = interval_of(mean, sample)
        if not math.isfinite(interval.mean):
            raise ValueError(f"{name} is {interval.mean}")
        metrics[name] = interval
    return Group(len(matrix), metrics)
