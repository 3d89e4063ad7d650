"""``kure-rag mine``: what it reads, searches, prints and refuses, and how it goes on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Said, call
from mine_support import DOCUMENTS, PARAPHRASES, QUESTIONS, records, write_lines, write_set

from kure_rag import KureIndex
from kure_rag.testing.reranking import make_cross_encoder
from kure_rag.train.mine import read_triplets

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
PLANTED = {name for name, _ in PARAPHRASES.values()}
FEW = ("--negatives", "3", "--depth", "23")


@pytest.fixture(scope="module")
def set_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("sets") / "작은 모음")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "ix"
    with KureIndex.open(folder, embeddings="static-ko") as opened:
        opened.add_records(records(), workers=1)
    return folder


def errors(said: Said, status: int = 1) -> str:
    assert said.status == status, said.out
    assert "Traceback" not in said.err
    return said.err


def rows_of(path: Path) -> list[dict[str, Any]]:
    return list(read_triplets(path))


def test_a_set_is_indexed_mined_and_thrown_away(set_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "triplets.jsonl"
    said = call("mine", set_dir, "--model", "static-ko", *FEW, "--out", out, "--show", "1")
    assert said.status == 0, said.err
    assert f"6 questions, 8 pairs -> {out}: " in said.out
    assert "judged relevant" in said.out
    assert "cosine too near to the positive's" in said.out
    assert f"? {QUESTIONS['q1'][0]}" in said.out
    assert f"] {DOCUMENTS['연차']}" in said.out
    assert said.out.count("\n- [") == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["triplets.jsonl", "triplets.jsonl.report.json"]
    rows = rows_of(out)
    assert {row["query_id"] for row in rows} >= {"q1", "q2", "q3", "q5"}
    first = [row for row in rows if row["query_id"] in ("q1", "q2", "q3")]
    assert not PLANTED & {name for row in first for name in row["negative_ids"]}
    again = call("mine", set_dir, "--model", "static-ko", *FEW, "--out", out)
    assert "was mined before, with the same settings; nothing was done" in again.out


def test_json_says_all_that_was_counted(set_dir: Path, index: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    told = call("mine", set_dir, "--index", index, *FEW, "--out", out, "--json", "--show", "2").json()
    assert told["out"] == str(out)
    assert told["rows"] == len(rows_of(out))
    assert told["candidates"] == told["taken"] + sum(told["dropped"].values())
    assert told["shown"] == rows_of(out)[:2]
    assert told["identity"]["settings"]["dense"]["relative"] == 0.95
    report = json.loads((tmp_path / "t.parquet.report.json").read_text(encoding="utf-8"))
    assert {key: told[key] for key in report} == report
    wrong = call("mine", set_dir, "--index", index, *FEW, "--margin", "0.9", "--out", out, "--json")
    assert wrong.status == 1
    assert "settings.dense.relative: 0.95 there, 0.9 now" in wrong.json()["error"]["message"]


def test_pairs_are_searched_among_their_positives_and_a_corpus(tmp_path: Path) -> None:
    rows = [{"query": text, "positive": DOCUMENTS[names[0]]} for text, names in QUESTIONS.values()]
    pairs = write_lines(tmp_path / "pairs.jsonl", rows)
    corpus = write_lines(tmp_path / "corpus.jsonl", [{"_id": one.id, "text": one.text} for one in records()])
    settings = ("--model", "static-ko", "--negatives", "2", "--depth", "23", "--margin", "off")
    assert call("mine", pairs, *settings, "--out", tmp_path / "alone.jsonl").status == 0
    alone = rows_of(tmp_path / "alone.jsonl")
    positives = {row["positive"] for row in rows}
    assert alone
    assert {text for row in alone for text in row["negatives"]} <= positives
    assert call("mine", pairs, "--corpus", corpus, *settings, "--out", tmp_path / "corpus-t.jsonl").status == 0
    whole = rows_of(tmp_path / "corpus-t.jsonl")
    assert len(whole) == 6
    assert PLANTED & {name for row in whole for name in row["negative_ids"]}
    assert all(row["positive"] not in row["negatives"] for row in whole)
    # What was mined can be mined again, as with a better model.
    again = call("mine", tmp_path / "corpus-t.jsonl", "--corpus", corpus, *settings, "--out", tmp_path / "again.jsonl")
    assert again.status == 0
    assert rows_of(tmp_path / "again.jsonl") == whole


def test_an_index_is_kept_where_that_is_asked_and_refused_where_it_holds_others(set_dir: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for name in ("one", "two"):
        out = tmp_path / f"{name}.jsonl"
        said = call("mine", set_dir, "--model", "static-ko", *FEW, "--keep-index", kept, "--out", out)
        assert said.status == 0, said.err
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    pairs = write_lines(tmp_path / "pairs.jsonl", [{"query": "점심은 언제인가요?", "positive": "열두 시부터이다."}])
    said = call("mine", pairs, "--keep-index", kept, "--out", tmp_path / "three.jsonl")
    assert "holds 23 documents that are not in this corpus" in errors(said)
    with KureIndex.open(kept, create=False) as opened:
        assert opened.info()["documents"] == 23


def test_a_reranker_and_a_plot(set_dir: Path, index: Path, tmp_path: Path) -> None:
    model = make_cross_encoder(tmp_path / "cross-encoder")
    out, plot = tmp_path / "t.jsonl", tmp_path / "ratios.png"
    bounds = ("--margin", "off", "--rerank-margin", "off", "--rerank-max", "1", "--rerank-min", "0")
    said = call("mine", set_dir, "--index", index, *FEW, "--reranker", model, *bounds, "--out", out, "--plot", plot)
    assert said.status == 0, said.err
    assert plot.read_bytes().startswith(b"\x89PNG")
    for row in rows_of(out):
        scores = row["scores"]["rerank"]
        assert len(scores["negatives"]) == 3
        assert all(0 <= score <= 1 for score in (scores["positive"], *scores["negatives"]))
    assert f"-> {plot}" in said.out
    missing = call("mine", set_dir, "--index", index, "--reranker", tmp_path / "none", "--out", tmp_path / "u.jsonl")
    assert "none" in errors(missing)
    assert not list(tmp_path.glob("u.jsonl*"))


def test_a_limit_takes_questions_from_all_over(set_dir: Path, index: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    call("mine", set_dir, "--index", index, *FEW, "--keep-short", "--margin", "off", "--limit", "3", "--out", out)
    assert list(dict.fromkeys(row["query_id"] for row in rows_of(out))) == ["q1", "q3", "q5"]


# What is refused


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--index", "a", "--keep-index", "b"], "give one"),
        (["--index", "a", "--corpus", "c.jsonl"], "--index is not changed"),
        (["--rerank-max", "0.5"], "give --reranker MODEL"),
        (["--limit", "0"], "give 1 or more"),
        (["--show", "-1"], "give 0 or more"),
        (["--mode", "all"], "invalid choice"),
    ],
)
def test_arguments_that_do_not_go_together(tmp_path: Path, given: list[str], message: str) -> None:
    assert message in errors(call("mine", tmp_path / "pairs.jsonl", "--out", tmp_path / "t.jsonl", *given), 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--margin", "much"], "--margin much: give a share of the positive's score, such as 0.95, or off"),
        (["--margin", "95"], "relative=95.0"),
        (["--negatives", "60"], "leaves fewer ranks than the 60 negatives"),
        (["--plot", "ratios.gif"], "a plot is written as .png"),
    ],
)
def test_settings_that_make_no_sense_are_told_before_anything_is_read(
    tmp_path: Path, given: list[str], message: str
) -> None:
    said = call("mine", tmp_path / "none", "--out", tmp_path / "t.jsonl", *given)
    assert message in errors(said)


def test_files_that_are_empty_broken_or_missing(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("", encoding="utf-8")
    assert "pairs.jsonl: no pairs" in errors(call("mine", pairs, "--index", index, "--out", out))
    pairs.write_text('{"query": "물음", "positive": "답"}\n{"query": "물음"}\n', encoding="utf-8")
    assert 'pairs.jsonl: line 2: no "positive"' in errors(call("mine", pairs, "--index", index, "--out", out))
    assert "no such folder" in errors(call("mine", tmp_path / "none", "--index", index, "--out", out))
    pairs.write_text('{"query": "물음", "positive": "답"}\n', encoding="utf-8")
    assert "no index" in errors(call("mine", pairs, "--index", tmp_path / "no-index", "--out", out)).lower()
    assert not (tmp_path / "no-index").exists()
    assert "written as .jsonl or .parquet" in errors(call("mine", pairs, "--index", index, "--out", tmp_path / "t.txt"))
    alone = call("mine", pairs, "--model", "static-ko", "--out", out)
    assert "nothing was written" in errors(alone), "a corpus of one passage has no negative"
    assert not list(tmp_path.glob("t.*"))


def test_help_shows_how_and_what() -> None:
    said = call("mine", "--help")
    assert said.status == 0
    for words in ("examples:", "TopK-PercPos", "--keep-short", '"negatives": [...]'):
        assert words in said.out


# Interruptions

TURNS = ("알려 주세요", "말해 주세요", "무엇인가요", "어떻게 되나요", "궁금합니다")


@pytest.fixture(scope="module")
def many_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 questions."""
    rows: list[dict[str, object]] = [
        {"query": f"{name} {turn} {i}?", "positive": text}
        for i in range(4)
        for turn in TURNS
        for name, text in DOCUMENTS.items()
    ]
    return write_lines(tmp_path_factory.mktemp("pairs") / "pairs.jsonl", rows)


def stopped_when(arguments: list[str], moment: Callable[[], bool], number: int) -> tuple[int, str]:
    """Runs a command and sends it a signal as soon as ``moment`` has come."""
    command = [sys.executable, "-m", "kure_rag", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    try:
        while not moment():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    return process.returncode, told


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
def test_killed_and_interrupted_it_goes_on_and_gives_the_same_bytes(
    many_pairs: Path, index: Path, tmp_path: Path
) -> None:
    options = ["--index", str(index), "--negatives", "4", "--margin", "0.9", "--sampling", "random", "--batch", "2"]
    out = tmp_path / "killed.jsonl"
    journal = tmp_path / "killed.jsonl.progress"
    command = ["mine", str(many_pairs), *options, "--out", str(out)]

    def batches() -> int:
        return journal.read_bytes().count(b'"sums"') if journal.exists() else 0

    status, _ = stopped_when(command, lambda: batches() >= 3, signal.SIGKILL)
    assert status == -signal.SIGKILL
    before = batches()
    assert 3 <= before < 200
    assert not out.exists()
    # A kill of the whole machine may cut off what was being written.
    with journal.open("ab") as file:
        file.write('{"batch": 199, "rows": [{"query": "연차'.encode())

    other = call(*command[:-2], "--seed", "5", "--out", out)
    assert "settings.seed: 0 there, 5 now" in errors(other)
    assert "choose another --out" in other.err

    status, told = stopped_when(command, lambda: batches() > before, signal.SIGINT)
    assert status == 130
    assert f"interrupted; the same command goes on with what {journal.name} holds" in told
    assert "Traceback" not in told
    assert not out.exists()

    done = call(*command, "--json").json()
    assert before * 2 < done["resumed"] < 400
    assert done["questions"] == 400
    whole = tmp_path / "whole.jsonl"
    assert call("mine", many_pairs, *options, "--out", whole).status == 0
    assert out.read_bytes() == whole.read_bytes()
    reports = [tmp_path / f"{name}.jsonl.report.json" for name in ("killed", "whole")]
    assert reports[0].read_bytes() == reports[1].read_bytes()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{name}.jsonl{more}" for name in ("killed", "whole") for more in ("", ".report.json")}


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "sets").is_dir(), reason="no evaluation data")
def test_facts_of_strategyqa(tmp_path: Path) -> None:
    folder, out = DATA / "sets" / "ko_strategyqa_facts_dev", tmp_path / "t.jsonl"
    told = call("mine", folder, "--model", "static-ko", "--limit", "60", "--out", out, "--json").json()
    lines = (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    judged = {tuple(line.split("\t")[:2]) for line in lines}
    rows = rows_of(out)
    assert told["rows"] == len(rows) > 100
    for row in rows:
        assert (row["query_id"], row["positive_id"]) in judged
        assert not {(row["query_id"], name) for name in row["negative_ids"]} & judged
        scores = row["scores"]["dense"]
        assert max(scores["negatives"]) <= 0.95 * scores["positive"] or scores["positive"] <= 0
