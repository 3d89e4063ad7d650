"""export, qa and the new ways to ingest, as a user types them."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from commands import call
from stand_in_llm import Reply, about, stand_in
from support import numbered_pdf

from kure_rag.autorag import read_recipe


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "문서"
    folder.mkdir()
    for number in (1, 2):
        numbered_pdf(folder, number)
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, documents: Path, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("index") / "ix"
    assert call("ingest", documents, "--index", folder, "--model", tiny_model, "--domain", "legal").status == 0
    return folder


# export and back


def test_export_and_ingest_again(index: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "autorag"
    said = call("export", "--format", "autorag", "--index", index, "--out", out)
    assert (said.status, said.err) == (0, "")
    assert f"2 documents, 4 pages -> {out / 'parsed.parquet'}" in said.out
    rows = pq.read_table(out / "corpus.parquet").num_rows
    assert f"{rows} passages -> {out / 'corpus.parquet'}" in said.out
    told = call("export", "--index", index, "--out", out, "--modified", "2026-11-20", "--json").json()
    assert (told["documents"], told["passages"], told["corpus"]) == (2, rows, str(out / "corpus.parquet"))

    other = tmp_path / "other"
    said = call("ingest", "--from-autorag", out / "corpus.parquet", "--index", other, "--model", tiny_model)
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith(f"{rows} added, 0 unchanged, 0 rejected; ")
    query = "보험 담당자는 몇 회 점검하나요?"
    asked = ("search", query, "-k", "1", "--model", tiny_model, "--json", "--index")
    before, after = (call(*asked, folder).json() for folder in (index, other))
    assert [hit["citation"] for hit in before["hits"]] == [hit["citation"] for hit in after["hits"]]
    assert [hit["text"] for hit in before["hits"]] == [hit["text"] for hit in after["hits"]]


def test_bad_rows_of_a_corpus_are_named(tmp_path: Path, tiny_model: Path) -> None:
    import pyarrow as pa

    rows = [{"doc_id": "ㄱ", "contents": "좋은 글이다."}, {"doc_id": "ㄴ", "contents": ""}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    arguments = ("ingest", "--from-autorag", tmp_path / "c.parquet", "--index", tmp_path / "ix", "--model", tiny_model)
    said = call(*arguments)
    assert said.status == 0
    assert said.out.startswith("rejected   row 2 (ㄴ): contents is empty")
    told = call(*arguments, "--json").json()
    assert (told["unchanged"], told["rejected"]) == (1, 1)
    assert [row["source"] for row in told["rows"]] == ["row 2 (ㄴ)"]


def test_errors_of_export_and_of_a_file_that_is_no_corpus(index: Path, tmp_path: Path) -> None:
    said = call("export", "--index", tmp_path / "없음", "--out", tmp_path / "out", "--json")
    assert (said.status, said.json()["error"]["type"]) == (1, "IndexNotFoundError")
    assert call("export", "--index", index, "--out", tmp_path, "--format", "beir").status == 2
    said = call("export", "--index", index, "--out", tmp_path, "--modified", "어제")
    assert (said.status, "write YYYY-MM-DD" in said.err) == (2, True)
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    said = call("ingest", "--from-autorag", tmp_path / "c.parquet", "--index", tmp_path / "ix", "--json")
    assert (said.status, said.json()["error"]["type"]) == (1, "CorpusFormatError")


# ingest --config


def test_ingest_by_a_file(documents: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = documents.parent / "ingest.yaml"
    chunk = "chunk:\n  modules:\n    - {module_type: general, target: 60, longest: 120}\n"
    limits = "parse:\n  modules:\n    - {module_type: pdf, file_type: pdf, limits: {max_pages: 2}}\n"
    config.write_text(f"paths: [문서]\ndomain: legal\nworkers: 1\n{limits}{chunk}", encoding="utf-8")
    told = call("ingest", "--config", config, "--index", "ix", "--model", tiny_model, "--json").json()
    assert (told["added"], told["rejected"]) == (2, 0)
    hits = call("search", "예금 점검", "--index", "ix", "--model", tiny_model, "--json").json()["hits"]
    assert {hit["domain"] for hit in hits} == {"legal"}
    assert max(len(hit["text"]) for hit in hits) <= 120

    config.write_text(f"paths: [문서]\n{limits.replace('max_pages: 2', 'max_pages: 1')}", encoding="utf-8")
    said = call("ingest", "--config", config, "--index", "ix2", "--model", tiny_model)
    assert said.status == 1
    assert said.out.count("rejected   ") == 2

    # What stands on the command line wins.
    config.write_text("paths: [없는 폴더]\ndomain: legal\n", encoding="utf-8")
    arguments = ("ingest", *sorted(documents.glob("*.pdf"))[:1], "--config", config, "--domain", "finance")
    assert call(*arguments, "--index", "ix3", "--model", tiny_model, "--json").json()["added"] == 1
    hits = call("search", "점검", "--index", "ix3", "--model", tiny_model, "--json").json()["hits"]
    assert {hit["domain"] for hit in hits} == {"finance"}


def test_options_that_files_in_the_index_do_not_get_are_told(index: Path, documents: Path, tiny_model: Path) -> None:
    arguments = ("ingest", documents, "--index", index, "--model", tiny_model)
    for options in (("--domain", "finance"), ("--no-tables",)):
        said = call(*arguments, *options)
        assert (
            "\n2 files were in the index before and stay as they were read then; the domain, tables and OCR" in said.out
        )
        assert "stay as they were" in call(*arguments, *options, "--json").json()["note"]
    assert "stay as they were" not in call(*arguments).out
    assert "note" not in call(*arguments, "--json").json()


def test_an_index_cut_by_domain_is_opened_again_as_it_was(documents: Path, tmp_path: Path, tiny_model: Path) -> None:
    config, folder = tmp_path / "ingest.yaml", tmp_path / "ix"
    modules = "{module_type: general}, {module_type: general, domain: legal, target: 60, longest: 80}"
    config.write_text(f"paths: ['{documents}']\ndomain: legal\nchunk: {{modules: [{modules}]}}", encoding="utf-8")
    first, *others = sorted(documents.glob("*.pdf"))
    assert call("ingest", first, "--config", config, "--index", folder, "--model", tiny_model).status == 0
    told = call(
        "ingest", first, *others, "--domain", "legal", "--index", folder, "--model", tiny_model, "--json"
    ).json()
    assert (told["added"], told["unchanged"]) == (len(others), 1)
    hits = call("search", "점검", "--index", folder, "-k", "50", "--model", tiny_model, "--json").json()["hits"]
    assert {hit["source"] for hit in hits} == {path.name for path in (first, *others)}
    assert max(len(hit["text"]) for hit in hits) <= 80

    config.write_text("chunk: {modules: [{module_type: general, target: 300}]}", encoding="utf-8")
    said = call("ingest", first, "--config", config, "--index", folder, "--model", tiny_model, "--json")
    assert said.json()["error"]["type"] == "FingerprintMismatchError"


def test_the_example_that_help_prints_can_be_read(tmp_path: Path) -> None:
    _, _, after = call("ingest", "--help").out.partition("\nan ingest.yaml, ")
    lines = itertools.takewhile(lambda line: line.startswith("  "), after.splitlines()[1:])
    (tmp_path / "ingest.yaml").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "용어.txt").write_text("온누리적금\n", encoding="utf-8")
    recipe = read_recipe(tmp_path / "ingest.yaml")
    assert recipe.paths == (tmp_path / "documents", tmp_path / "약관.pdf")
    assert (recipe.workers, recipe.read.ocr, recipe.limits.max_pages) == (2, "auto", 2000)
    assert recipe.chunks is not None
    assert "finance=finance,600,1200" in recipe.chunks.profile


def test_a_wrong_key_and_a_file_without_paths_are_told(tmp_path: Path) -> None:
    config = tmp_path / "ingest.yaml"
    config.write_text("parse:\n  modules:\n    - module_type: pdf\n      ocr: 자동\n", encoding="utf-8")
    said = call("ingest", "--config", config, "--index", tmp_path / "ix", "--json")
    assert (said.status, said.json()["error"]["type"]) == (1, "ConfigError")
    assert "ingest.yaml line 4: parse.modules[0].ocr is '자동'; choose auto, never or always" in said.err
    config.write_text("domain: legal\n", encoding="utf-8")
    said = call("ingest", "--config", config, "--index", tmp_path / "ix")
    assert "ingest.yaml: names no paths" in said.err
    assert not (tmp_path / "ix").exists()
    assert call("ingest", "--config", config, "--corpus", "c.jsonl", "--index", tmp_path / "ix").status == 2
    assert call("ingest", "--from-autorag", "c.parquet", "--corpus", "c.jsonl", "--index", tmp_path / "ix").status == 2
    assert call("ingest", "--index", tmp_path / "ix").status == 2


# qa


def test_qa_by_a_model_then_eval(
    index: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_KEY", "sk-비밀".encode("ascii", "ignore").decode() + "secret")
    out = tmp_path / "qa"
    with stand_in() as server:
        arguments = ("qa", "--index", index, "--llm", server.url, "--api-key-env", "QA_KEY", "--out", out)
        said = call(*arguments, "--limit", "2")
        assert (said.status, said.err) == (0, "")
        assert said.out == f"2 questions from 2 passages -> {out}\nNext: kure-rag eval {out}\n"
        assert set(server.keys) == {"Bearer sk-secret"}
        told = call(*arguments, "--json").json()
        assert told["kept"] == 2
        assert told["questions"] == told["passages"] == len(server.requests)
    assert not any(b"sk-secret" in file.read_bytes() for file in out.iterdir())
    scores = call("eval", out, "--model", tiny_model, "--json").json()
    assert scores["queries"] == told["questions"]
    assert scores["unanswered"] == 0


def test_qa_from_headings(index: Path, tmp_path: Path) -> None:
    told = call("qa", "--index", index, "--no-llm", "--out", tmp_path / "qa", "--json").json()
    assert told["questions"] == pq.read_table(tmp_path / "qa" / "qa.parquet").num_rows > 0


def test_errors_of_qa(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QA_KEY", raising=False)
    common = ("qa", "--index", index, "--out", tmp_path / "qa")
    assert call(*common).status == 2
    assert call(*common, "--no-llm", "--llm", "http://localhost/v1").status == 2
    assert call(*common, "--no-llm", "--model", "m").status == 2
    assert call(*common, "--no-llm", "--limit", "0").status == 2
    said = call(*common, "--llm", "localhost:8000", "--json")
    assert (said.status, said.json()["error"]["type"]) == (1, "LlmError")
    said = call(*common, "--llm", "http://localhost/v1", "--api-key-env", "QA_KEY")
    assert "QA_KEY is not set" in said.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_leaves_whole_files_and_says_how_to_go_on(index: Path, tmp_path: Path) -> None:
    def stuck(request: dict[str, Any], number: int) -> Reply:
        return about(request, number) if number <= 2 else Reply(seconds=60)

    out = tmp_path / "qa"
    with stand_in(stuck) as server:
        command = [sys.executable, "-m", "kure_rag", "qa", "--index", str(index), "--llm", server.url]
        process = subprocess.Popen(
            [*command, "--concurrency", "1", "--out", str(out)], stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        until = time.monotonic() + 60
        while len(server.requests) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=180)
    assert process.returncode in (130, -signal.SIGINT)  # see test_export_model.py
    assert f"interrupted; {out} holds what was answered" in err
    assert pq.read_table(out / "qa.parquet").num_rows == 2
    assert not list(out.glob("*.part"))
