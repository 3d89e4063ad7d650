import csv
import json
import math
import os
import random
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.evaluate import Scores, mean_scores, mrr, ndcg, read_set, recall, score_queries, score_run, write_run
from kure_rag.evaluate.metrics import f1_of_means

DOCUMENTS = [f"d{i}" for i in range(30)]

qrels_of = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4"]),
    st.dictionaries(st.sampled_from(DOCUMENTS), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0]), max_size=15),
).filter(lambda qrels: any(score > 0 for judged in qrels.values() for score in judged.values()))
runs_of = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4", "q5"]), st.lists(st.sampled_from(DOCUMENTS), unique=True, max_size=30)
)


def test_hand_computed_graded_gains() -> None:
    qrels = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}
    run = {"q": ["b", "x", "a"]}
    dcg = 2 / math.log2(2) + 3 / math.log2(4)
    ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(run, qrels) == pytest.approx(dcg / ideal)  # linear gain: 3.5 / 4.7619
    assert ndcg(run, qrels) == pytest.approx(0.735007, abs=1e-6)
    assert mrr(run, qrels) == 1.0
    assert recall(run, qrels, k=1) == pytest.approx(1 / 3)
    assert recall(run, qrels, k=5) == pytest.approx(2 / 3)


def test_hand_computed_values_of_a_query() -> None:
    qrels = {"q": {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}}
    found = {name: values["q"] for name, values in score_queries({"q": ["x", "a", "b", "y", "c"]}, qrels).items()}
    assert found["precision@1"] == 0
    assert found["precision@3"] == pytest.approx(2 / 3)
    assert found["precision@10"] == pytest.approx(3 / 10), "by k, though only five were found"
    assert found["recall@3"] == pytest.approx(2 / 4)
    assert found["mrr@1"] == 0
    assert found["mrr@3"] == found["mrr@10"] == 0.5
    assert found["map@3"] == pytest.approx((1 / 2 + 2 / 3) / 4), "by all relevant documents, though three fit"
    assert found["map@10"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 4)
    assert len(found) == 20


def test_f1_is_of_the_averages_not_the_average() -> None:
    qrels = {"연차": {"a": 1.0}, "퇴직금": {"b": 1.0, "c": 1.0}}
    scores = score_queries({"연차": ["a"], "퇴직금": ["x", "b"]}, qrels, ks=(1, 2))
    means = mean_scores(scores)
    precision, found = (1 / 2 + 1 / 2) / 2, (1 + 1 / 2) / 2
    assert means["f1@2"] == pytest.approx(2 * precision * found / (precision + found))
    of_queries = (2 * 0.5 * 1 / 1.5 + 2 * 0.5 * 0.5 / 1) / 2
    assert abs(means["f1@2"] - of_queries) > 0.01
    assert list(means) == [
        f"{name}@{k}" for name in ("ndcg", "recall", "precision", "f1", "mrr", "map") for k in (1, 2)
    ]
    assert not any(name.startswith("f1") for name in scores)
    assert f1_of_means(0.0, 0.0) == 0.0


def test_equal_scores_and_ids_that_sort_otherwise_do_not_change_our_ranks() -> None:
    ranking = ["z", "a", "나", "가", "0"]  # trec_eval itself breaks ties by id
    for place, document in enumerate(ranking, start=1):
        assert mrr({"q": ranking}, {"q": {document: 1.0}}) == pytest.approx(1 / place)


def test_ids_of_any_characters() -> None:
    ids = ["제1조\x00의2", "제1조\x00의3", "\ud800", "한 글", "제1조"]
    qrels = {"질문\x00하나": {ids[1]: 1.0, ids[3]: 1.0, "못 찾은 것": 1.0}, "질문\x00둘": {ids[2]: 1.0}}
    found = score_queries(dict.fromkeys(qrels, ids), qrels)
    assert found["mrr@10"] == {"질문\x00하나": 0.5, "질문\x00둘": pytest.approx(1 / 3)}
    assert found["recall@10"]["질문\x00하나"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("relevance", [math.pi, 1e9])
def test_a_relevance_that_trec_eval_cannot_count_is_an_error(relevance: float) -> None:
    with pytest.raises(ValueError, match=r"query 'q': a relevance of .* write whole numbers"):
        ndcg({"q": ["a"]}, {"q": {"a": relevance, "b": 1.0}})


def test_hand_computed_mean_with_an_unanswered_query() -> None:
    qrels = {"연차": {"a": 1.0}, "퇴직금": {"b": 1.0}, "출장비": {"c": 1.0}}
    run = {"연차": ["a"], "퇴직금": ["x", "y", "b"], "출장비": [], "판정 없는 질문": ["a"]}
    assert score_run(run, qrels).to_dict() == {
        "ndcg@10": pytest.approx((1 + 0.5 + 0) / 3),
        "mrr@10": pytest.approx((1 + 1 / 3 + 0) / 3),
        "recall@1": pytest.approx(1 / 3),
        "recall@5": pytest.approx(2 / 3),
        "recall@10": pytest.approx(2 / 3),
        "queries": 3,
        "unanswered": 1,
    }


def test_rank_ten_counts_and_rank_eleven_does_not() -> None:
    filler = [f"x{i}" for i in range(9)]
    qrels = {"q": {"a": 1.0}}
    at_ten, at_eleven = score_run({"q": [*filler, "a"]}, qrels), score_run({"q": [*filler, "y", "a"]}, qrels)
    assert (at_ten.mrr_at_10, at_ten.recall_at_10) == (0.1, 1.0)
    assert at_ten.ndcg_at_10 == pytest.approx(1 / math.log2(11))
    assert (at_eleven.mrr_at_10, at_eleven.recall_at_10, at_eleven.ndcg_at_10, at_eleven.unanswered) == (0, 0, 0, 0)


def test_more_relevant_documents_than_ranks_still_reach_one() -> None:
    qrels = {"q": {f"d{i}": 1.0 for i in range(20)}}
    run = {"q": [f"d{i}" for i in range(10)]}
    assert ndcg(run, qrels) == pytest.approx(1.0)
    assert recall(run, qrels) == 0.5


def test_judgements_of_zero_are_not_relevance() -> None:
    qrels = {"q": {"a": 1.0, "b": 0.0, "c": -1.0}, "only zeros": {"a": 0.0}}
    scores = score_run({"q": ["b", "c", "a"]}, qrels)
    assert scores.queries == 1
    assert scores.mrr_at_10 == pytest.approx(1 / 3)
    assert scores.ndcg_at_10 == pytest.approx(0.5)


def test_a_document_ranked_twice_is_an_error_even_below_the_cut() -> None:
    ranking = [*DOCUMENTS[:20], "d0"]
    with pytest.raises(ValueError, match="query 'q': a document is ranked twice"):
        score_run({"q": ranking}, {"q": {"d0": 1.0}})
    assert score_run({"unjudged": ranking}, {"q": {"d0": 1.0}}).unanswered == 1


@pytest.mark.parametrize("qrels", [{}, {"q": {}}, {"q": {"a": 0.0}}])
def test_nothing_relevant_is_an_error(qrels: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="nothing can be scored"):
        score_run({"q": ["a"]}, qrels)


def test_k_below_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="k is 0"):
        recall({}, {"q": {"a": 1.0}}, k=0)


def test_scores_are_frozen_and_unrounded() -> None:
    scores = Scores(1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 3, 0)
    assert scores.to_dict()["ndcg@10"] == 1 / 3
    with pytest.raises(FrozenInstanceError):
        scores.queries = 4  # type: ignore[misc]


def own_scores(ranking: list[str], judged: dict[str, float], k: int) -> dict[str, float]:
    """The definitions, written out."""
    relevant = {document: gain for document, gain in judged.items() if gain > 0}
    top = ranking[:k]
    gains = [relevant.get(document, 0.0) for document in top]
    found = [i for i, gain in enumerate(gains, start=1) if gain]
    ideal = sorted(relevant.values(), reverse=True)[:k]
    dcg, best = (sum(gain / math.log2(i + 2) for i, gain in enumerate(of)) for of in (gains, ideal))
    return {
        f"ndcg@{k}": dcg / best,
        f"recall@{k}": len(found) / len(relevant),
        f"precision@{k}": len(found) / k,
        f"mrr@{k}": 1 / found[0] if found else 0.0,
        f"map@{k}": sum(n / rank for n, rank in enumerate(found, start=1)) / len(relevant),
    }


@given(runs_of, qrels_of)
def test_each_query_scores_what_the_definitions_say(
    run: dict[str, list[str]], qrels: dict[str, dict[str, float]]
) -> None:
    scores = score_queries(run, qrels, ks=(1, 3, 5, 10, 20))
    judged = [query for query, of in qrels.items() if any(score > 0 for score in of.values())]
    assert all(list(values) == judged for values in scores.values())
    for query in judged:
        for k in (1, 3, 5, 10, 20):
            for name, value in own_scores(run.get(query, []), qrels[query], k).items():
                assert scores[name][query] == pytest.approx(value, abs=1e-9), (name, query)


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_agrees_on_whole_rankings(seed: int) -> None:
    from sklearn.metrics import average_precision_score, f1_score, ndcg_score, precision_score, recall_score

    chance = random.Random(seed)
    ranking = chance.sample(DOCUMENTS, len(DOCUMENTS))
    gains = {document: chance.choice([0, 0, 0, 1, 2]) for document in DOCUMENTS} | {"d0": 1}
    ours = mean_scores(score_queries({"q": ranking}, {"q": gains}, ks=(1, 5, 10, len(DOCUMENTS))))
    truth = [gains[document] for document in ranking]
    order = [-place for place in range(len(ranking))]
    relevant = [gain > 0 for gain in truth]
    for k in (1, 5, 10):
        top = [place < k for place in range(len(ranking))]
        assert ours[f"ndcg@{k}"] == pytest.approx(ndcg_score([truth], [order], k=k), abs=1e-6)
        assert ours[f"precision@{k}"] == pytest.approx(precision_score(relevant, top), abs=1e-6)
        assert ours[f"recall@{k}"] == pytest.approx(recall_score(relevant, top), abs=1e-6)
        assert ours[f"f1@{k}"] == pytest.approx(f1_score(relevant, top), abs=1e-6), "of one query, both F1 are one"
    whole = average_precision_score(relevant, order)
    assert ours[f"map@{len(DOCUMENTS)}"] == pytest.approx(whole, abs=1e-6)


def published() -> Path:
    default = Path(__file__).parents[2].parent / "shared" / "data"
    return Path(os.environ.get("KURE_RAG_DATA", default)) / "published" / "kure_results.csv"


@pytest.mark.data
@pytest.mark.skipif(not published().is_file(), reason="KURE's published results are absent")
def test_f1_is_computed_as_kure_publishes_it() -> None:
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    with published().open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault((row["model"], row["task"], row["k"]), {})[row["metric"]] = float(row["value"])
    told = [values for values in rows.values() if "f1" in values]
    assert len(told) == 18 * 8 * 4
    for values in told:
        assert f1_of_means(values["precision"], values["recall"]) == pytest.approx(values["f1"], abs=1e-6)


@given(runs_of, qrels_of)
def test_scores_stay_in_their_range_and_order(run: dict[str, list[str]], qrels: dict[str, dict[str, float]]) -> None:
    scores = score_run(run, qrels)
    for name, value in scores.to_dict().items():
        if "@" in name:
            assert 0 <= value <= 1 + 1e-9
    assert scores.recall_at_1 <= scores.recall_at_5 <= scores.recall_at_10
    assert 0 <= scores.unanswered <= scores.queries <= len(qrels)


@given(qrels_of)
def test_the_ideal_ranking_scores_one(qrels: dict[str, dict[str, float]]) -> None:
    run = {query: sorted(judged, key=lambda d: -judged[d]) for query, judged in qrels.items()}
    assert ndcg(run, qrels) == pytest.approx(1.0)
    assert mrr(run, qrels) == 1.0


@given(runs_of, qrels_of)
def test_an_irrelevant_document_in_front_never_helps(
    run: dict[str, list[str]], qrels: dict[str, dict[str, float]]
) -> None:
    worse = {query: ["irrelevant", *documents] for query, documents in run.items()}
    for metric in (ndcg, mrr, recall):
        assert metric(worse, qrels) <= metric(run, qrels) + 1e-12


@given(runs_of, qrels_of, st.sampled_from([0.25, 0.5, 2.0, 3.0, 10.0]))
def test_ndcg_does_not_depend_on_the_scale_of_relevance(
    run: dict[str, list[str]], qrels: dict[str, dict[str, float]], factor: float
) -> None:
    scaled = {query: {d: s * factor for d, s in judged.items()} for query, judged in qrels.items()}
    assert ndcg(run, scaled) == pytest.approx(ndcg(run, qrels))


def scorer() -> Path:
    default = Path(__file__).parents[2].parent / "shared" / "data"
    return Path(os.environ.get("KURE_RAG_DATA", default)).parent / "checks" / "retrieval_score.py"


@pytest.mark.data
@pytest.mark.skipif(not scorer().is_file(), reason="the independent scorer is absent")
@pytest.mark.parametrize("seed", range(8))
def test_the_independent_scorer_agrees(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    queries = [f"질문 {i}" for i in range(40)]
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d0", "text": "상해보험 약관"}\n', encoding="utf-8")
    rows = [json.dumps({"_id": query, "text": query}, ensure_ascii=False) for query in queries]
    (tmp_path / "queries.jsonl").write_text("\n".join(rows), encoding="utf-8")
    lines = ["query-id\tcorpus-id\tscore"]
    for query in queries:
        judged = chance.sample(DOCUMENTS, chance.randint(1, 14))
        lines += [f"{query}\t{document}\t{chance.choice([0, 1, 1, 2, 3, 0.5])}" for document in judged]
    chance.shuffle(body := lines[1:])
    (tmp_path / "qrels.tsv").write_text("\n".join([lines[0], *body]) + "\n", encoding="utf-8")
    ranked = {query: chance.sample(DOCUMENTS, chance.randint(0, 30)) for query in chance.sample(queries, 36)}
    write_run(tmp_path / "run.tsv", {q: [(d, 1 / (i + 1)) for i, d in enumerate(ds)] for q, ds in ranked.items()})

    command = [sys.executable, str(scorer()), str(tmp_path), str(tmp_path / "run.tsv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = score_run(ranked, read_set(tmp_path).qrels).to_dict()
    theirs = json.loads(done.stdout)
    assert ours.keys() == theirs.keys()
    assert ours == pytest.approx(theirs, abs=0.5e-4 + 1e-9), "it prints four decimals"
