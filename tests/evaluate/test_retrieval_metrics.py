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

from kure_rag.evaluate import Scores, mrr, ndcg, read_set, recall, score_run, write_run

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


@given(runs_of, qrels_of, st.floats(0.1, 10))
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
    assert {name: round(value, 4) for name, value in ours.items()} == json.loads(done.stdout)
