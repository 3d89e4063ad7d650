import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate.mteb_results import MtebRow, harmonic, read_mteb_results
from kure_rag.evaluate.mteb_tables import averages, csv_text, markdown

DATA = Path(os.environ.get("KURE_RAG_DATA", Path(__file__).parents[3] / "shared" / "data"))
PUBLISHED = DATA / "published" / "kure_results.csv"


def scores(value: float, *, subset: str = "default", languages: tuple[str, ...] = ("kor-Hang",)) -> dict[str, Any]:
    """A subset's scores as mteb writes them; precision is half of the others."""
    names = ("ndcg", "recall", "map", "mrr", "hit_rate")
    found: dict[str, Any] = {f"{name}_at_{k}": value for name in names for k in (1, 3, 5, 10, 20, 100, 1000)}
    found |= {f"precision_at_{k}": value / 2 for k in (1, 3, 5, 10, 20, 100, 1000)}
    return {**found, "main_score": value, "hf_subset": subset, "languages": list(languages)}


def write_result(
    folder: Path, task: str, splits: dict[str, list[dict[str, Any]]], meta: dict[str, Any] | None = None
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if meta is not None:
        (folder / "model_meta.json").write_text(json.dumps(meta), encoding="utf-8")
    file = folder / f"{task}.json"
    result = {"task_name": task, "dataset_revision": "1", "mteb_version": "2.26", "scores": splits}
    file.write_text(json.dumps(result), encoding="utf-8")
    return file


def value_of(rows: list[MtebRow], metric: str, k: int | None) -> float:
    (value,) = [row.value for row in rows if (row.metric, row.k) == (metric, k)]
    return value


def test_a_result_is_read_with_the_model_that_its_metadata_names(tmp_path: Path) -> None:
    meta = {"name": "nlpai-lab/KURE-v1", "revision": "d14c8a94", "experiment_kwargs": None}
    write_result(tmp_path / "results" / "anything" / "x", "Ko-StrategyQA", {"dev": [scores(0.8)]}, meta)
    rows = read_mteb_results(tmp_path)
    assert {(row.model, row.revision, row.pipeline, row.task) for row in rows} == {
        ("nlpai-lab/KURE-v1", "d14c8a94", "dense", "Ko-StrategyQA")
    }
    assert value_of(rows, "ndcg", 10) == 0.8
    assert value_of(rows, "main_score", None) == 0.8
    assert {row.k for row in rows if row.metric == "f1"} == {1, 3, 5, 10}
    assert rows[0].label == "nlpai-lab/KURE-v1"


def test_without_metadata_the_path_says_whose_a_result_is(tmp_path: Path) -> None:
    write_result(tmp_path / "results" / "nlpai-lab__KoE5" / "bc6d", "LawIRKo", {"test": [scores(0.5)]})
    write_result(tmp_path / "results" / "a__b" / "no_revision_available", "LawIRKo", {"test": [scores(0.5)]})
    write_result(tmp_path / "results/a__b/r2/experiments/precision_bf16", "LawIRKo", {"test": [scores(0.5)]})
    found = {(row.model, row.revision, row.pipeline) for row in read_mteb_results(tmp_path)}
    assert found == {
        ("nlpai-lab/KoE5", "bc6d", "dense"),
        ("a/b", "", "dense"),
        ("a/b", "r2", "dense, precision_bf16"),
    }


def test_pipelines_of_one_model_are_told_apart(tmp_path: Path) -> None:
    for name, settings in (
        ("hybrid", {"pipeline": "hybrid"}),
        ("reranked", {"pipeline": "hybrid+rerank", "reranker": "x/y"}),
    ):
        meta = {"name": "nlpai-lab/KURE-v1", "revision": "1", "experiment_kwargs": settings}
        write_result(tmp_path / name, "Ko-StrategyQA", {"dev": [scores(0.8)]}, meta)
    labels = {row.label for row in read_mteb_results(tmp_path)}
    assert labels == {"nlpai-lab/KURE-v1 (hybrid)", "nlpai-lab/KURE-v1 (hybrid+rerank, reranker=x/y)"}


def test_only_korean_questions_on_korean_documents_count_and_splits_are_averaged(tmp_path: Path) -> None:
    korean = scores(0.6, subset="kor-kor", languages=("kor-Hang", "kor-Hang"))
    crossed = scores(0.1, subset="kor-eng", languages=("kor-Hang", "eng-Latn"))
    write_result(tmp_path / "m" / "r", "Parts", {"dev": [scores(0.4)], "test": [crossed, korean]})
    rows = read_mteb_results(tmp_path)
    assert value_of(rows, "ndcg", 10) == pytest.approx(0.5)
    # F1 is made from the averaged precision and recall, not averaged itself.
    assert value_of(rows, "f1", 1) == pytest.approx(harmonic(0.25, 0.5))


def test_a_task_without_any_korean_subset_counts_whole(tmp_path: Path) -> None:
    english = scores(0.3, languages=("eng-Latn",))
    write_result(tmp_path / "m" / "r", "Other", {"test": [english, scores(0.5, languages=("jpn-Jpan",))]})
    assert value_of(read_mteb_results(tmp_path), "ndcg", 10) == pytest.approx(0.4)


BROKEN = {
    "torn": ('{"task_name": "X", "sco', "cannot be read as JSON"),
    "list": ("[1, 2]", "no JSON object"),
    "other": ('{"name": "x"}', "task_name"),
    "sts": ('{"task_name": "KorSTS", "scores": {"test": [{"cosine_spearman": 0.8}]}}', "no scores of a retrieval task"),
    "words": ('{"task_name": "X", "scores": {"test": [{"ndcg_at_10": "high"}]}}', "ndcg_at_10 is 'high'"),
    "empty": ('{"task_name": "X", "scores": {}}', '"scores" is no object'),
    "split": ('{"task_name": "X", "scores": {"test": {}}}', "split 'test' is no list"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_result_is_named_and_the_others_are_read(tmp_path: Path, kind: str) -> None:
    content, reason = BROKEN[kind]
    write_result(tmp_path / "m" / "r", "Good", {"test": [scores(0.5)]})
    (tmp_path / "m" / "r" / "Bad.json").write_text(content, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"m/r/Bad\.json") as caught:
        read_mteb_results(tmp_path)
    assert reason in str(caught.value)
    problems: list[str] = []
    assert {row.task for row in read_mteb_results(tmp_path, on_problem=problems.append)} == {"Good"}
    assert problems == [str(caught.value)]


def test_two_files_of_one_run_are_told(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        meta = {"name": "a/b", "revision": "1"}
        write_result(tmp_path / folder, "LawIRKo", {"test": [scores(0.5)]}, meta)
    with pytest.raises(CorpusFormatError, match=r"second/LawIRKo.json: the same run .* as first/LawIRKo.json"):
        read_mteb_results(tmp_path)


def test_a_folder_without_results_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no results of mteb"):
        read_mteb_results(tmp_path)
    with pytest.raises(SourceNotFoundError, match="no such folder"):
        read_mteb_results(tmp_path / "absent")


@given(st.floats(0, 1), st.floats(0, 1))
def test_f1_lies_between_precision_and_recall(precision: float, recall: float) -> None:
    value = harmonic(precision, recall)
    assert min(precision, recall) - 1e-12 <= value <= max(precision, recall) + 1e-12


def rows_of(model: str, values: dict[str, float]) -> list[MtebRow]:
    return [
        MtebRow(model=model, revision="1", pipeline="dense", task=task, metric=metric, k=k, value=value)
        for task, value in values.items()
        for metric in ("recall", "precision", "ndcg", "f1")
        for k in (1, 3, 5, 10)
    ]


def test_a_run_with_missing_tasks_has_no_average() -> None:
    rows = rows_of("a/whole", {"X": 0.2, "Y": 0.6}) + rows_of("b/part", {"X": 0.9})
    first, last = averages(rows, ks=(10,))
    assert (first.label, first.values["ndcg"], first.missing) == ("a/whole", pytest.approx(0.4), ())
    assert (last.label, last.values, last.missing) == ("b/part", {}, ("Y",))
    text = markdown(rows, ks=(10,))
    assert "| a/whole | 0.40000 | 0.40000 | 0.40000 | 0.40000 |" in text
    assert "| b/part | – | – | – | – |" in text
    assert "- b/part: no average, without Y" in text
    assert text.index("| b/part | 0.90000") < text.index("| a/whole | 0.20000"), "of a task the best first"


def test_two_revisions_of_a_model_are_two_runs() -> None:
    newer = [
        MtebRow(**{**{n: getattr(row, n) for n in row.__slots__}, "revision": "2"})
        for row in rows_of("a/b", {"X": 0.9})
    ]
    assert [one.label for one in averages(rows_of("a/b", {"X": 0.5}) + newer, ks=(1,))] == ["a/b @ 2", "a/b @ 1"]


def test_csv_has_every_value_and_the_averages() -> None:
    rows = rows_of("a/whole", {"X": 0.2, "Y": 0.6}) + rows_of("b, part", {"X": 0.9})
    table = list(csv.DictReader(csv_text(rows).splitlines()))
    found = {(r["model"], r["task"], r["metric"], r["k"]): float(r["value"]) for r in table}
    assert found["b, part", "X", "f1", "3"] == 0.9
    assert found["a/whole", "average", "ndcg", "10"] == pytest.approx(0.4)
    assert ("b, part", "average", "ndcg", "10") not in found


@pytest.fixture(scope="module")
def published() -> Iterator[list[MtebRow]]:
    if not PUBLISHED.is_file():
        pytest.skip("needs KURE's published results")
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        yield [
            MtebRow(
                model=row["model"],
                revision="",
                pipeline="dense",
                task=row["task"],
                metric=row["metric"],
                k=int(row["k"]) if row["k"] else None,
                value=float(row["value"]),
            )
            for row in csv.DictReader(file)
        ]


@pytest.mark.data
def test_f1_is_that_of_kure_s_published_tables(published: list[MtebRow]) -> None:
    values = {(row.model, row.task, row.metric, row.k): row.value for row in published}
    checked = 0
    for (model, task, metric, k), value in values.items():
        if metric == "f1":
            made = harmonic(values[model, task, "precision", k], values[model, task, "recall", k])
            assert made == pytest.approx(value, abs=1e-6)
            checked += 1
    assert checked == 18 * 8 * 4


@pytest.mark.data
def test_averages_are_those_of_kure_s_readme(published: list[MtebRow]) -> None:
    (found,) = [one for one in averages(published, ks=(1,)) if one.label == "nlpai-lab/KURE-v1"]
    expected = {"recall": 0.52640, "precision": 0.60551, "ndcg": 0.60551, "f1": 0.55784}
    assert found.values == pytest.approx(expected, abs=1e-5)
