"""One's own results beside the published ones, and what cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from leaderboard_runs import COMPANY, save_all_tasks, save_mteb, save_run

from kure_rag.evaluate import Evaluation, read_set, score_run
from kure_rag.evaluate.journal import Journal
from kure_rag.evaluate.saving import MeasuredRun, identity_of
from kure_rag.evaluate.saving import save_run as save_run_of
from kure_rag.evaluate.settings import EvaluationSettings
from kure_rag.evaluate.summary import summarise
from kure_rag.leaderboard import AVERAGE, TASKS, Board, Entry, make_board, published_entries
from kure_rag.leaderboard.html import scope_name
from kure_rag.leaderboard.plot_rows import scopes
from kure_rag.leaderboard.tables import other_table, other_tasks
from kure_rag.leaderboard.words import LANGUAGES, WORDS


def own(board: Board, label: str) -> Entry:
    found = {entry.label: entry for entry in board.own}
    assert label in found, f"{label} is not among {list(found)}"
    return found[label]


def test_runs_of_one_pipeline_share_a_row_and_its_average_needs_all_eight_tasks(tmp_path: Path) -> None:
    for task in TASKS[:-1]:
        save_run(tmp_path, f"s-{task}", task=task, value=0.5)
    entry = own(make_board([tmp_path]), "kure-rag/static-ko (hybrid)")
    assert entry.value(TASKS[0], "mrr", 3) == 0.5
    assert entry.value(AVERAGE, "mrr", 3) is None
    save_run(tmp_path, "the-last", task=TASKS[-1], value=0.9)
    board = make_board([tmp_path])
    assert len(board.own) == 1
    assert board.own[0].value(AVERAGE, "mrr", 3) == pytest.approx((7 * 0.5 + 0.9) / 8)
    assert board.own[0].parameters == 21_603_843


def test_another_pipeline_and_other_settings_have_rows_of_their_own(tmp_path: Path) -> None:
    save_run(tmp_path, "a", task=COMPANY, value=0.5)
    save_run(tmp_path, "b", task=COMPANY, value=0.6, pipeline="dense")
    save_run(tmp_path, "c", task=COMPANY, value=0.7, settings={"k": 10, "mode": "hybrid", "weight": 0.4})
    save_run(tmp_path, "d", task=COMPANY, value=0.8, model="BM25 (Kiwi)", pipeline="lexical")
    board = make_board([tmp_path])
    assert [entry.label for entry in board.own] == [
        "BM25 (Kiwi)",
        "kure-rag/static-ko",
        "kure-rag/static-ko (hybrid) · a",
        "kure-rag/static-ko (hybrid) · c",
    ]
    assert own(board, "BM25 (Kiwi)").parameters is None


def test_a_reranker_counts_with_the_model_and_an_unknown_one_leaves_the_size_unknown(tmp_path: Path) -> None:
    known = {"mode": "hybrid", "reranker": "nlpai-lab/KURE-Reranker-nano"}
    save_run(tmp_path, "a", task=COMPANY, value=0.5, pipeline="hybrid+rerank", settings=known)
    save_run(tmp_path, "b", task="다른 세트", value=0.5, pipeline="hybrid+rerank", settings={"reranker": "our/own"})
    sizes = {entry.runs.get(COMPANY): entry.parameters for entry in make_board([tmp_path]).own}
    assert sizes == {"a": 21_603_843 + 149_323_009, None: None}


def test_other_sets_are_in_no_average_and_change_no_published_row(tmp_path: Path) -> None:
    save_all_tasks(tmp_path, 0.5)
    save_run(tmp_path, "company", task=COMPANY, value=0.99)
    board = make_board([tmp_path])
    assert board.own[0].value(AVERAGE, "ndcg", 10) == pytest.approx(0.5)
    assert board.own[0].value(COMPANY, "ndcg", 10) == 0.99
    assert board.entries[:18] == published_entries()


def test_intervals_speed_and_machine_come_from_the_saved_run(tmp_path: Path) -> None:
    for number, task in enumerate(TASKS):
        save_run(tmp_path, f"run-{task}", task=task, value=0.5, latency=2.0 + number)
    entry = make_board([tmp_path]).own[0]
    score = entry.scores[TASKS[0], "ndcg", 10]
    assert (score.low, score.high) == (pytest.approx(0.48), pytest.approx(0.52))
    assert entry.latency_ms(TASKS[0]) == 2.0
    assert entry.latency_ms(AVERAGE) == pytest.approx(5.5)
    assert entry.hardware == "Ryzen, 8 cores"
    (tmp_path / f"run-{TASKS[0]}" / "measured.json").unlink()
    entry = make_board([tmp_path]).own[0]
    assert entry.latency_ms(TASKS[0]) is None
    assert entry.latency_ms(AVERAGE) is None, "a mean of seven tasks is no mean of eight"


def test_what_an_evaluation_saves_is_what_the_board_reads(tmp_path: Path) -> None:
    pytest.importorskip("pytrec_eval", reason="the extra eval is not installed")
    beir, folder = tmp_path / "사내규정", tmp_path / "runs" / "키워드"
    beir.mkdir()
    folder.mkdir(parents=True)
    (beir / "corpus.jsonl").write_text('{"_id": "d1", "title": "", "text": "연차휴가는 열다섯 날이다."}\n', "utf-8")
    (beir / "queries.jsonl").write_text('{"_id": "q1", "text": "연차휴가는 며칠인가요?"}\n', "utf-8")
    (beir / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n", "utf-8")
    judged, settings = read_set(beir), EvaluationSettings(mode="lexical")
    identity = identity_of(judged, settings, model="static-ko", dense_weight=0.12, fingerprint={})
    found = Evaluation(score_run({"q1": ["d1"]}, judged.qrels), {"q1": [("d1", 1.0)]}, 0.5, 2.0, "lexical")
    took = {"latency_ms": {"p50": 3.5}, "queries_per_second": 2.0}
    with Journal(folder, identity) as journal:
        save_run_of(folder, identity, MeasuredRun(found, summarise({"q1": ["d1"]}, judged), took), journal)
    board = make_board([tmp_path / "runs"])
    assert board.problems == ()
    (entry,) = board.own
    assert (entry.label, entry.pipeline) == ("BM25 (Kiwi)", "lexical")
    assert entry.value("사내규정", "ndcg", 10) == 1.0
    assert entry.value("사내규정", "precision", 5) == pytest.approx(0.2)
    assert entry.runs == {"사내규정": "키워드"}
    assert entry.queries == {"사내규정": 1}
    assert entry.latency_ms("사내규정") == 3.5
    assert "cores" in entry.hardware


def test_results_of_mteb_beside_saved_runs_are_own_rows(tmp_path: Path) -> None:
    save_run(tmp_path, "company", task=COMPANY, value=0.7)
    for task in TASKS:
        save_mteb(tmp_path, "nlpai-lab/KURE-v1", task, 0.625)
    board = make_board([tmp_path])
    assert board.problems == ()
    measured = own(board, "nlpai-lab/KURE-v1 · abc123")
    assert measured.origin == "own"
    assert measured.value(AVERAGE, "f1", 5) == pytest.approx(0.625)
    assert measured.parameters == 567_754_752
    assert own(board, "kure-rag/static-ko (hybrid)").tasks == {COMPANY}
    assert {entry.label for entry in make_board([tmp_path / "results"]).own} == {measured.label}


def test_sentence_pairs_are_kept_apart_from_retrieval(tmp_path: Path) -> None:
    score = {"mean": 71.5, "low": 70.0, "high": 73.0}
    metrics = {"spearman_cosine": score, "pearson_cosine": score}
    save_run(tmp_path, "sts", task="KorSTS", value=0.0, pipeline="dense", kind="sts", metrics=metrics, latency=None)
    (entry,) = make_board([tmp_path]).own
    assert entry.tasks == frozenset()
    assert entry.sts["KorSTS"]["spearman_cosine"].value == 71.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 1,', "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"format": 2}', "run.json"),
        ('{"task": "x"}', "run.json"),
        ("\ufeff\ud55c", "not JSON"),
    ],
)
def test_a_run_that_cannot_be_read_is_named_and_the_others_are_shown(tmp_path: Path, text: str, said: str) -> None:
    save_run(tmp_path, "좋은 것", task=COMPANY, value=0.7)
    (tmp_path / "깨진 것").mkdir()
    (tmp_path / "깨진 것" / "run.json").write_text(text, encoding="utf-8")
    board = make_board([tmp_path])
    assert len(board.own) == 1
    (problem,) = board.problems
    assert str(tmp_path / "깨진 것") in problem
    assert said in problem


def test_a_run_of_a_newer_format_or_of_another_shape_is_named(tmp_path: Path) -> None:
    save_run(tmp_path, "newer", task=COMPANY, value=0.7, format=2)
    save_run(tmp_path, "other-shape", task=COMPANY, value=0.7, metrics={"ndcg@10": 0.7})
    save_run(
        tmp_path, "other-numbers", task=COMPANY, value=0.7, metrics={"ndcg@10": {"mean": "?", "low": 0, "high": 1}}
    )
    not_a_number = {"mean": float("nan"), "low": 0.1, "high": 0.9}
    save_run(tmp_path, "no-number", task=COMPANY, value=0.7, metrics={"ndcg@10": not_a_number})
    board = make_board([tmp_path])
    assert board.own == ()
    by_run = {problem.split(":")[0].rpartition("/")[2]: problem for problem in board.problems}
    assert "format 2" in by_run["newer"]
    assert "not as `kure-rag eval` writes it" in by_run["other-shape"]
    assert "not as `kure-rag eval` writes it" in by_run["other-numbers"]
    assert "not as `kure-rag eval` writes it" in by_run["no-number"]


ODD: dict[str, dict[str, Any]] = {
    "reranker": {"pipeline": "hybrid+rerank", "settings": {"reranker": ["a", "b"]}},
    "settings": {"settings": None},
    "fingerprint": {"fingerprint": ["static-ko"]},
    "model": {"model": {"name": "static-ko"}},
    "pipeline": {"pipeline": ["dense"]},
    "task": {"task": 7},
    "digest": {"task_sha256": None},
    "average": {"task": AVERAGE},
    "queries": {"queries": "120"},
    "half a character": {"model": "\ud800"},
    "percent": {"metrics": {"ndcg@10": {"mean": 85.0, "low": 80.0, "high": 90.0}}},
    "interval": {"metrics": {"ndcg@10": {"mean": 0.9, "low": 0.8, "high": 1.1}}},
    "negative": {"metrics": {"ndcg@10": {"mean": -0.1, "low": -0.2, "high": 0.0}}},
    "text": {"metrics": {"ndcg@10": {"mean": "0.5", "low": "0.4", "high": "0.6"}}},
    "no interval": {"metrics": {"ndcg@10": {"mean": 0.5, "low": None, "high": None}}},
    "beyond all numbers": {"kind": "sts", "metrics": {"spearman_cosine": {"mean": 10**400, "low": 1, "high": 2}}},
    "list": {"metrics": [1]},
    "hardware": {"hardware": ["Ryzen"]},
}


def test_a_run_with_one_odd_value_is_named_and_takes_no_other_down(tmp_path: Path) -> None:
    save_run(tmp_path, "good", task=COMPANY, value=0.7)
    for name, changed in ODD.items():
        save_run(tmp_path, name, **{"task": COMPANY, "value": 0.7, **changed})
    save_run(tmp_path, "slow", task=COMPANY, value=0.7, latency=-4.0)
    board = make_board([tmp_path])
    assert [entry.runs for entry in board.own] == [{COMPANY: "good"}]
    named = {problem.split(": not as `kure-rag eval`")[0].rpartition("/")[2] for problem in board.problems}
    assert named == {*ODD, "slow"}


def test_different_data_under_one_name_are_in_tables_of_their_own_and_said_to_be(tmp_path: Path) -> None:
    save_run(tmp_path, "spring", task=COMPANY, value=0.5, task_sha256="a" * 64)
    save_run(tmp_path, "autumn", task=COMPANY, value=0.9, task_sha256="b" * 64)
    save_run(tmp_path, "keywords", task=COMPANY, value=0.4, pipeline="lexical", task_sha256="a" * 64)
    board = make_board([tmp_path])
    old, new = f"{COMPANY} @aaaaaaaa", f"{COMPANY} @bbbbbbbb"
    assert other_tasks(board.entries) == (old, new)
    assert [row[1] for row in other_table(board.entries, old, "ndcg", 10).rows] == ["spring", "keywords"]
    assert [row[1] for row in other_table(board.entries, new, "ndcg", 10).rows] == ["autumn"]
    (problem,) = board.problems
    assert f"2 sets are called '{COMPANY}' and hold different data" in problem
    assert f"({old}: keywords, spring; {new}: autumn)" in problem


def test_of_a_task_with_two_sets_of_data_neither_is_in_the_average(tmp_path: Path) -> None:
    save_all_tasks(tmp_path, 0.5)
    assert make_board([tmp_path]).own[0].value(AVERAGE, "ndcg", 10) == pytest.approx(0.5)
    save_run(tmp_path, "a part", task=TASKS[0], value=1.0, pipeline="dense", task_sha256="c" * 64)
    board = make_board([tmp_path])
    assert {entry.value(AVERAGE, "ndcg", 10) for entry in board.own} == {None}
    assert other_tasks(board.entries) == (f"{TASKS[0]} @00000000", f"{TASKS[0]} @cccccccc")
    assert "none of them counts as the task of that name" in board.problems[0]


def test_indexes_that_were_made_otherwise_have_rows_of_their_own(tmp_path: Path) -> None:
    for number, task in enumerate(TASKS):
        save_run(tmp_path, f"run-{task}", task=task, value=0.5, fingerprint={"model": "ours", "revision": number // 4})
    board = make_board([tmp_path])
    assert [len(entry.tasks) for entry in board.own] == [4, 4], "two revisions are two models"
    assert {entry.value(AVERAGE, "ndcg", 10) for entry in board.own} == {None}


def test_a_set_called_as_a_word_of_the_page_is_a_set_like_others(tmp_path: Path) -> None:
    save_all_tasks(tmp_path, 0.5)
    save_run(tmp_path, "own-average", task="average", value=0.9)
    board = make_board([tmp_path])
    assert board.own[0].value(AVERAGE, "ndcg", 10) == pytest.approx(0.5)
    assert board.own[0].value("average", "ndcg", 10) == 0.9
    assert scopes(board.entries) == (AVERAGE, *TASKS, "average")
    for language in LANGUAGES:
        names = [scope_name(scope, WORDS[language]) for scope in (AVERAGE, "average", "model")]
        assert names == [WORDS[language]["average"], "average", "model"]


def test_folders_that_are_none_or_empty_or_not_finished_are_named(tmp_path: Path) -> None:
    save_run(tmp_path / "runs", "a", task=COMPANY, value=0.7)
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "progress.jsonl").write_text("{}\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.json").write_text("{}", encoding="utf-8")
    board = make_board([tmp_path / name for name in ("nowhere", "empty", "file.json", "runs")])
    assert len(board.own) == 1
    nowhere, empty, file, unfinished = board.problems
    assert f"{tmp_path / 'nowhere'}: no such folder" in nowhere
    assert f"{tmp_path / 'empty'}: neither saved runs nor results of mteb" in empty
    assert f"{tmp_path / 'file.json'}: is no folder" in file
    assert f"{tmp_path / 'runs' / 'b'}: not finished yet" in unfinished


def test_runs_in_folders_of_folders_are_found_beside_results_of_mteb(tmp_path: Path) -> None:
    save_run(tmp_path / "봄" / "키워드", "a", task=COMPANY, value=0.7)
    save_run(tmp_path / "가을", "b", task=COMPANY, value=0.7, pipeline="dense")
    save_mteb(tmp_path, "our/model", TASKS[0], 0.5)
    board = make_board([tmp_path])
    assert board.problems == ()
    assert len(board.own) == 3


def test_a_broken_result_of_mteb_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    save_mteb(tmp_path, "our/model", TASKS[0], 0.5)
    broken = save_mteb(tmp_path, "our/model", TASKS[1], 0.5)
    broken.write_text('{"task_name": "BelebeleRet', encoding="utf-8")
    board = make_board([tmp_path])
    assert own(board, "our/model").tasks == {TASKS[0]}
    (problem,) = board.problems
    assert broken.name in problem
    assert str(tmp_path) in problem


def test_two_runs_of_one_name_are_both_shown_and_said_to_be_two(tmp_path: Path) -> None:
    for folder, value in (("봄", 0.5), ("가을", 0.6)):
        save_run(tmp_path / folder, "키워드", task=COMPANY, value=value)
    board = make_board([tmp_path / "봄", tmp_path / "가을"])
    assert sorted(entry.value(COMPANY, "ndcg", 10) or 0.0 for entry in board.own) == [0.5, 0.6]
    labels = [entry.label for entry in board.own]
    assert len(set(labels)) == 2
    assert all(any(folder in label for label in labels) for folder in ("봄", "가을"))
    (problem,) = board.problems
    assert "two runs are called '키워드'" in problem
    assert str(tmp_path / "봄" / "키워드") in problem
    assert str(tmp_path / "가을" / "키워드") in problem


def test_a_folder_given_twice_or_by_one_of_its_runs_counts_once(tmp_path: Path) -> None:
    run = save_run(tmp_path, "a", task=COMPANY, value=0.7)
    board = make_board([tmp_path, tmp_path, run])
    assert len(board.own) == 1
    assert board.problems == ()


def test_copies_of_one_run_have_labels_that_no_other_row_has(tmp_path: Path) -> None:
    save_run(tmp_path, "a", task=COMPANY, value=0.7)
    for name in ("b", "c", "d"):
        shutil.copytree(tmp_path / "a", tmp_path / name)
    labels = [entry.label for entry in make_board([tmp_path]).entries]
    assert len(labels) == len(set(labels)) == 18 + 4
