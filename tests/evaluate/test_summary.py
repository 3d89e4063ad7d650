"""Intervals of a whole run: all measures, domains, and groups of alternatives."""

from pathlib import Path

import numpy as np
import pytest

from kure_rag.evaluate import RetrievalSet, bootstrap_interval, mean_scores, score_queries, summarise
from kure_rag.evaluate.summary import cuts

QUERIES = [f"질문 {i}" for i in range(40)]
QRELS = {query: {f"d{i}": 1.0, f"e{i}": 1.0} for i, query in enumerate(QUERIES)}
RUN = {query: ["x", f"d{i}", f"e{i}"][i % 3 :] for i, query in enumerate(QUERIES) if i % 5}
DOMAINS = {query: ("법률" if i % 4 else "금융") for i, query in enumerate(QUERIES) if i < 30}
SET = RetrievalSet("모음", Path("corpus.jsonl"), dict.fromkeys(QUERIES, "질문"), QRELS)


def test_every_measure_has_the_interval_of_its_own_values() -> None:
    summary = summarise(RUN, SET)
    scores = score_queries(RUN, QRELS)
    assert summary.per_query == scores
    assert {name: interval.mean for name, interval in summary.all.metrics.items()} == mean_scores(scores)
    for name, values in scores.items():
        assert summary.all.metrics[name] == bootstrap_interval(list(values.values())), name
    assert (summary.all.queries, summary.unanswered, summary.domains) == (40, 8, {})
    assert len(summary.all.metrics) == 24


def test_the_interval_of_f1_is_of_the_f1_of_each_sample() -> None:
    summary = summarise(RUN, SET, resamples=400, seed=3)
    scores = score_queries(RUN, QRELS)
    precision, recall = (np.array(list(scores[f"{name}@3"].values())) for name in ("precision", "recall"))
    drawn = np.random.default_rng(3).integers(0, 40, (400, 40))
    p, r = precision[drawn].mean(axis=1), recall[drawn].mean(axis=1)
    low, high = np.quantile(2 * p * r / (p + r), [0.025, 0.975])
    interval = summary.all.metrics["f1@3"]
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))


def test_a_domain_has_the_scores_of_its_own_queries() -> None:
    summary = summarise(RUN, SET, domains=DOMAINS)
    assert {name: group.queries for name, group in summary.domains.items()} == {"금융": 8, "법률": 22}
    for domain, group in summary.domains.items():
        of = {query: QRELS[query] for query, name in DOMAINS.items() if name == domain}
        assert {name: interval.mean for name, interval in group.metrics.items()} == mean_scores(score_queries(RUN, of))
    told = summary.to_dict()
    assert told["queries"] == 40
    assert told["domains"]["법률"]["metrics"]["ndcg@10"]["mean"] == summary.domains["법률"].metrics["ndcg@10"].mean


def test_one_domain_alone_says_nothing_more() -> None:
    assert summarise(RUN, SET, domains=dict.fromkeys(QUERIES, "법률")).domains == {}


def test_of_a_group_of_alternatives_one_is_enough() -> None:
    groups = {"q1": (frozenset({"a", "b"}),), "q2": (frozenset({"a"}), frozenset({"c", "d"}))}
    judged = {query: dict.fromkeys(sorted(frozenset().union(*of)), 1.0) for query, of in groups.items()}
    found = RetrievalSet("모음", Path("c"), dict.fromkeys(groups, "질문"), judged, groups=groups)
    scores = summarise({"q1": ["x", "b", "a"], "q2": ["a", "x", "d", "c"]}, found).per_query
    assert scores["recall@3"] == {"q1": 1.0, "q2": 1.0}
    assert scores["precision@3"] == {"q1": pytest.approx(1 / 3), "q2": pytest.approx(2 / 3)}
    assert scores["mrr@10"] == {"q1": 0.5, "q2": 1.0}
    assert scores["ndcg@10"]["q1"] == pytest.approx(1 / np.log2(3)), "the other alternative is no second gain"


@pytest.mark.parametrize(("k", "shown"), [(10, (1, 3, 5, 10)), (4, (1, 3, 4)), (20, (1, 3, 5, 10, 20)), (1, (1,))])
def test_no_more_ranks_are_reported_than_were_asked_for(k: int, shown: tuple[int, ...]) -> None:
    assert cuts(k) == shown
