"""Running tasks: mteb's own files, nothing done twice, nothing half written; and the command around it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from mteb import TaskResult
from mteb.get_tasks import _TASKS_REGISTRY
from mteb_local import DOCUMENTS, LocalPartsRetrieval, LocalRetrieval, write_folder

from kure_rag.cli import main
from kure_rag.embed import EmbedSettings
from kure_rag.errors import IndexPathError
from kure_rag.evaluate.mteb_encoder import KureEncoder
from kure_rag.evaluate.mteb_results import read_mteb_results
from kure_rag.evaluate.mteb_run import Outcome, run_tasks
from kure_rag.evaluate.mteb_tasks import find_tasks

Run = Callable[..., list[Outcome]]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (LocalRetrieval, LocalPartsRetrieval):
        monkeypatch.setitem(_TASKS_REGISTRY, task.metadata.name, task)


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path) -> Run:
    """Runs tasks by name, with the small model, into one folder."""

    def runs(*names: str, **given: Any) -> list[Outcome]:
        return run_tasks(KureEncoder(str(tiny_model), **given), find_tasks(names), tmp_path / "out")

    return runs


def results_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.json") if file.name != "model_meta.json")


def test_results_are_mteb_s_own_files_and_a_finished_task_is_not_run_again(run: Run, tmp_path: Path) -> None:
    first = run("KoLocalRetrieval", "KoLocalPartsRetrieval")
    assert [outcome.status for outcome in first] == ["done", "done"]
    files = results_in(tmp_path / "out" / "results" / "local__tiny-syllables")
    assert [file.stem for file in files] == ["KoLocalPartsRetrieval", "KoLocalRetrieval"]
    result = TaskResult.from_disk(files[1])
    assert result.get_score() == pytest.approx(first[0].values["main_score", None], abs=1e-6)
    before = {file: file.read_bytes() for file in files}
    again = run("KoLocalRetrieval", "KoLocalPartsRetrieval")
    assert [outcome.status for outcome in again] == ["kept", "kept"]
    assert [outcome.values["ndcg", 10] for outcome in again] == pytest.approx(
        [outcome.values["ndcg", 10] for outcome in first], abs=1e-6
    )
    assert {file: file.read_bytes() for file in files} == before
    rows = read_mteb_results(tmp_path / "out")
    assert {(row.model, row.pipeline, row.task) for row in rows} == {
        ("local/tiny-syllables", "dense", "KoLocalRetrieval"),
        ("local/tiny-syllables", "dense", "KoLocalPartsRetrieval"),
    }
    settings = (files[0].parent / "run_settings.jsonl").read_text(encoding="utf-8")
    assert {json.loads(line)["task"] for line in settings.splitlines()} == {"KoLocalRetrieval", "KoLocalPartsRetrieval"}


def test_other_settings_are_another_run(run: Run, tmp_path: Path) -> None:
    run("KoLocalRetrieval")
    (outcome,) = run("KoLocalRetrieval", settings=EmbedSettings(query_prefix="query: "))
    assert outcome.status == "done"
    pipelines = {row.pipeline for row in read_mteb_results(tmp_path / "out")}
    assert pipelines == {"dense", "dense, query_prefix=query: "}


def test_a_changed_set_is_run_again(run: Run, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "my-set")
    (first,) = run(str(folder))
    write_folder(folder, {**DOCUMENTS, "13": ("", "연차휴가는 며칠을 주나요?")})
    (second,) = run(str(folder))
    assert (first.status, second.status) == ("done", "done")
    assert second.values["ndcg", 1] < first.values["ndcg", 1] or second.values != first.values
    assert run(str(folder))[0].status == "kept"


def test_an_interruption_keeps_what_was_finished(run: Run, tmp_path: Path) -> None:
    seen: list[str] = []

    def interrupt(done: int, total: int | None, name: str) -> None:
        seen.append(name)
        if name.startswith("KoLocalPartsRetrieval"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("KoLocalRetrieval", "KoLocalPartsRetrieval", progress=interrupt)
    assert seen[0].startswith("KoLocalRetrieval")
    (file,) = results_in(tmp_path / "out")
    assert file.stem == "KoLocalRetrieval"
    assert [outcome.status for outcome in run("KoLocalRetrieval", "KoLocalPartsRetrieval")] == ["kept", "done"]


def test_of_a_task_with_two_splits_only_the_missing_one_is_run(run: Run, tmp_path: Path) -> None:
    (whole,) = run("KoLocalPartsRetrieval")
    (file,) = results_in(tmp_path / "out")
    result = json.loads(file.read_text(encoding="utf-8"))
    dev = result["scores"].pop("dev")
    result["scores"]["test"][0]["ndcg_at_10"] = 0.123  # stays, as that split is not run again
    file.write_text(json.dumps(result), encoding="utf-8")
    (outcome,) = run("KoLocalPartsRetrieval")
    assert outcome.status == "done"
    again = json.loads(file.read_text(encoding="utf-8"))["scores"]
    assert again["dev"][0]["ndcg_at_10"] == dev[0]["ndcg_at_10"]
    assert again["test"][0]["ndcg_at_10"] == 0.123
    assert whole.values["ndcg", 10] != outcome.values["ndcg", 10]


def test_a_task_that_fails_is_told_and_the_others_are_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    outcomes = run("PublicHealthQA", "KoLocalRetrieval")
    assert [outcome.status for outcome in outcomes] == ["failed", "done"]
    assert "xhluca/publichealth-qa" in outcomes[0].reason
    (file,) = results_in(tmp_path / "out")
    file.write_text(file.read_text(encoding="utf-8")[:100], encoding="utf-8")
    (torn,) = run("KoLocalRetrieval")
    assert torn.status == "failed"
    assert str(file) in torn.reason
    assert "remove it" in torn.reason


def test_a_folder_that_cannot_be_written_is_told_first(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(IndexPathError, match="--out"):
        run_tasks(KureEncoder(str(tiny_model)), find_tasks(["KoLocalRetrieval"]), tmp_path / "file")


def test_the_command_runs_tasks_and_prints_tables(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    folder = str(write_folder(tmp_path / "my-set"))
    given = ["eval", "mteb", "--model", str(tiny_model), "--out", out]
    assert main([*given, "--tasks", f"KoLocalRetrieval,{folder}"]) == 0
    shown = capsys.readouterr()
    assert re.search(r"KoLocalRetrieval +0\.\d{5}", shown.out)
    assert re.search(r"mean +0\.\d{5}", shown.out)
    assert "1/2  KoLocalRetrieval  nDCG@10" in shown.err
    assert main([*given, "--tasks", "KoLocalRetrieval", "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert (task["task"], task["status"]) == ("KoLocalRetrieval", "kept")
    assert main(["eval", "mteb", "--tables", out]) == 0
    assert "| Model | Recall_top1 | Precision_top1 | NDCG_top1 | F1_top1 |" in capsys.readouterr().out
    assert main(["eval", "mteb", "--tables", out, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("model,revision,pipeline,task,metric,k,value\n")
    (tmp_path / "out" / "Bad.json").write_text("{", encoding="utf-8")
    assert main(["eval", "mteb", "--tables", out, "--json"]) == 1
    shown = capsys.readouterr()
    assert "left out: Bad.json" in shown.err
    assert json.loads(shown.out)["rows"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--mode", "lexical", "--model", "static-ko"], "leave out --model"),
        (["--weight", "0.3"], "--mode hybrid"),
        (["--mode", "hybrid", "--weight", "3"], "between 0 and 1"),
        (["--rerank-candidates", "5"], "give both"),
        (["--csv"], "--tables"),
    ],
)
def test_options_that_do_not_go_together_are_told_at_once(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["eval", "mteb", *given])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_task_that_is_none_ends_the_command_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "mteb", "--model", "static-ko", "--tasks", "KoStrategyQA"]) == 1
    assert "did you mean Ko-StrategyQA" in capsys.readouterr().err
