"""Files of saved runs, and the journal of unfinished ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.errors import ConfigError, CorpusFormatError, ReadError, SearchError, SourceNotFoundError
from kure_rag.evaluate import EvaluationSettings, Interval, list_saved_runs, read_saved_run
from kure_rag.evaluate.journal import NAME, Journal
from kure_rag.evaluate.measure import LatencySettings, differing, latency, versions
from kure_rag.evaluate.saved import folder_name, write_json
from kure_rag.evaluate.saving import finished_run

IDENTITY = {"task": "사내규정", "settings": {"k": 10, "weight": 0.12}, "versions": {"python": "3.12"}}
DATA: dict[str, Any] = {
    "format": 1,
    "kind": "retrieval",
    "task": "사내규정",
    "task_sha256": "ab",
    "model": "kure-rag/static-ko",
    "pipeline": "hybrid",
    "settings": {"k": 10},
    "queries": 2,
    "metrics": {"ndcg@10": {"mean": 0.5, "low": 0.0, "high": 1.0}},
    "domains": {"법": {"queries": 1, "metrics": {"ndcg@10": {"mean": 1.0, "low": 1.0, "high": 1.0}}}},
    "per_query": {"ndcg@10": {"q1": 1.0, "q2": 0.0}},
}


def save(folder: Path, **changed: Any) -> Path:
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {**DATA, **changed})
    return folder


def test_a_saved_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = read_saved_run(save(tmp_path / "하나"))
    assert (run.name, run.kind, run.task, run.task_sha256) == ("하나", "retrieval", "사내규정", "ab")
    assert (run.model, run.pipeline, run.settings, run.queries) == ("kure-rag/static-ko", "hybrid", {"k": 10}, 2)
    assert run.metrics == {"ndcg@10": Interval(0.5, 0.0, 1.0)}
    assert run.domains == {"법": {"ndcg@10": Interval(1.0, 1.0, 1.0)}}
    assert run.per_query("ndcg@10") == {"q1": 1.0, "q2": 0.0}
    assert run.measured == {}
    with pytest.raises(ReadError, match="has no mrr@10 of single queries; it has ndcg@10"):
        run.per_query("mrr@10")


def test_runs_are_listed_by_name_and_other_things_passed_over(tmp_path: Path) -> None:
    for name in ("나", "가"):
        save(tmp_path / name)
    (tmp_path / "다").mkdir()
    (tmp_path / "메모.txt").write_text("이것은 결과가 아니다.", encoding="utf-8")
    assert [run.name for run in list_saved_runs(tmp_path)] == ["가", "나"]
    assert [run.name for run in list_saved_runs(tmp_path / "가")] == ["가"]
    with pytest.raises(SourceNotFoundError, match="no such folder; runs are saved with"):
        list_saved_runs(tmp_path / "없음")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"format": 1}', "no kind, task, task_sha256, model, pipeline, settings, metrics; it is not a run"),
        (json.dumps({**DATA, "format": 2}), "format 2; this version reads 1: upgrade kure-rag"),
    ],
)
def test_what_is_no_run_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusFormatError) as caught:
        read_saved_run(tmp_path)
    assert caught.value.source == f"{tmp_path.name}/run.json"
    assert told in caught.value.reason


def test_an_unfinished_run_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{}\n", encoding="utf-8")
    with pytest.raises(SourceNotFoundError, match="is not finished: give its command again"):
        read_saved_run(tmp_path)
    assert list_saved_runs(tmp_path) == []


def test_json_is_written_in_one_way_or_not_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"점수": 0.1 + 0.2})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "점수": 0.30000000000000004\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"점수": float("nan")})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert "0.3" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_folders_are_named_so_that_every_system_can_hold_them() -> None:
    assert folder_name("korquad_dev", "KURE-v1", "hybrid") == "korquad_dev-KURE-v1-hybrid"
    assert folder_name("사내 규정/2026", "..", "a:b") == "사내-규정-2026-a-b"
    assert folder_name("///") == "run"


def test_a_finished_run_of_the_same_is_found_and_of_another_refused(tmp_path: Path) -> None:
    identity = {key: DATA[key] for key in ("task", "settings", "model")}
    assert finished_run(tmp_path / "새것", identity) is None
    folder = save(tmp_path / "하나")
    (folder / NAME).write_text("a kill came before this was removed", encoding="utf-8")
    assert finished_run(folder, identity) is not None
    assert not (folder / NAME).exists()
    with pytest.raises(
        ConfigError, match=r'a finished run of something else \(model: "kure-rag/static-ko" there, "x" now'
    ):
        finished_run(folder, {**identity, "model": "x"})


# The journal

rankings = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(lambda text: max(text) < "\ud800" or min(text) > "\udfff"),
    st.lists(st.tuples(st.sampled_from(["제1조", "제2조", "d"]), st.floats(-1e6, 1e6)), max_size=3),
    max_size=4,
)


@settings(max_examples=40, deadline=None)  # it waits for the disk
@given(st.lists(rankings, max_size=4), st.data())
def test_a_journal_cut_off_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, batches: list[dict[str, list[tuple[str, float]]]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("run")
    sizes = []
    with Journal(folder, IDENTITY) as journal:
        sizes.append((folder / NAME).stat().st_size)
        for batch in batches:
            journal.add(batch, 0.5)
            sizes.append((folder / NAME).stat().st_size)
    whole = (folder / NAME).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / NAME).write_bytes(whole[:cut])
    kept = max(sum(size <= cut for size in sizes) - 1, 0)
    expected: dict[str, list[tuple[str, float]]] = {}
    for batch in batches[:kept]:
        expected.update(batch)
    with Journal(folder, IDENTITY) as journal:
        assert journal.answered == expected
        assert journal.seconds == 0.5 * kept
        journal.add({"마지막": [("제9조", 0.25)]}, 1.0)
    with Journal(folder, IDENTITY) as journal:
        assert journal.answered == expected | {"마지막": [("제9조", 0.25)]}


def test_a_journal_of_something_else_is_refused_and_stays(tmp_path: Path) -> None:
    with Journal(tmp_path, IDENTITY) as journal:
        started = journal.started
        journal.note(index_seconds=1.5)
    before = (tmp_path / NAME).read_bytes()
    other = {**IDENTITY, "settings": {"k": 20, "weight": 0.12}, "task": "다른 것"}
    with pytest.raises(ConfigError) as caught:
        Journal(tmp_path, other)
    assert 'task: "사내규정" there, "다른 것" now' in str(caught.value)
    assert "settings.k: 10 there, 20 now" in str(caught.value)
    assert "weight" not in str(caught.value)
    assert (tmp_path / NAME).read_bytes() == before
    with Journal(tmp_path, IDENTITY) as journal:
        assert (journal.started, journal.noted) == (started, {"index_seconds": 1.5})


def test_two_at_once_on_one_run_are_refused_and_the_lock_goes_with_the_journal(tmp_path: Path) -> None:
    with Journal(tmp_path, IDENTITY) as journal:
        with pytest.raises(ConfigError, match="another process is evaluating into this folder"):
            Journal(tmp_path, IDENTITY)
        journal.close(remove=True)
    assert list(tmp_path.iterdir()) == []


# Settings and measuring


def test_only_settings_that_have_a_say_are_kept() -> None:
    hybrid = EvaluationSettings(weight=0.4).to_dict(0.1)
    assert hybrid["weight"] == 0.4
    assert EvaluationSettings().to_dict(0.1)["weight"] == 0.1
    assert "rerank_candidates" not in hybrid
    lexical = EvaluationSettings(mode="lexical", weight=0.4, reranker="dragonkue/bge-reranker-v2-m3-ko")
    assert lexical.to_dict(0.1).keys() == {"k", "mode", "candidates", "reranker", "rerank_candidates", "lexical"}
    assert lexical.pipeline == "lexical+rerank"


def test_settings_become_the_keywords_of_a_search() -> None:
    from kure_rag.search import RerankSettings, RrfFusion, convex

    assert EvaluationSettings(weight=0.4).keywords(0.1)["fusion"] == convex(0.4)
    assert EvaluationSettings(fusion="rrf").keywords(0.1)["fusion"] == RrfFusion(weight=0.1)
    given_ = EvaluationSettings(mode="dense", k=5, reranker="모델", rerank_candidates=30).keywords(0.1)
    assert "fusion" not in given_
    assert given_["rerank"] == RerankSettings(model="모델", candidates=30, fall_back=False)
    assert (given_["k"], given_["mode"]) == (5, "dense")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: EvaluationSettings(k=0), "k is 0"),
        (lambda: EvaluationSettings(candidates=0), "candidates is 0"),
        (lambda: EvaluationSettings(mode="sparse"), "mode is 'sparse'"),  # type: ignore[arg-type]
        (lambda: EvaluationSettings(fusion="sum"), "fusion is 'sum'"),  # type: ignore[arg-type]
        (lambda: EvaluationSettings(weight=-0.1), "weight is -0.1"),
        (lambda: EvaluationSettings(reranker="m", rerank_candidates=9), "reads 9 candidates"),
    ],
)
def test_settings_without_sense(make: Callable[[], EvaluationSettings], told: str) -> None:
    with pytest.raises(SearchError, match=told):
        make()


def test_latency_asks_a_spread_sample_one_by_one_after_a_warm_up() -> None:
    asked: list[str] = []
    found = latency(asked.append, [f"q{i}" for i in range(1000)], LatencySettings(sample=10))
    assert asked == ["q0", "q100", "q200", *(f"q{i * 100}" for i in range(10))]
    assert found is not None
    assert found["queries"] == 10
    assert 0 <= found["p50"] <= found["p90"] <= found["p99"]
    assert latency(asked.append, ["q"], LatencySettings(sample=0)) is None
    assert latency(asked.append, []) is None


def test_slow_questions_end_the_timing_early() -> None:
    found = latency(lambda query: None, ["질문"] * 50, LatencySettings(sample=50, seconds=-1.0))
    assert found is not None
    assert found["queries"] == 1


def test_differences_are_named_down_to_the_setting() -> None:
    old, new = {"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "e": 3}
    assert differing(old, new) == {"a.c": ([1], [2]), "d": (2, None), "e": (None, 3)}
    assert versions()["kure_rag"]
