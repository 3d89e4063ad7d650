"""An evaluation that is killed, twice, ends in the same files as one that was left alone."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from commands import call

from kure_rag.evaluate import read_saved_run

RECORDS, QUESTIONS, BATCH = 520, 80, 10  # three batches of records, eight of questions
_TOPICS = ("예금자 보호", "보험금 청구", "전세 계약", "진료비 환급", "퇴직금 지급", "연차 사용", "개인정보 열람")
_ACTS = ("신청서를 낸다", "기한을 정한다", "이의를 제기한다", "서류를 보관한다", "수수료를 면제한다")


def sentence(number: int) -> str:
    topic, act = _TOPICS[number % len(_TOPICS)], _ACTS[number % len(_ACTS)]
    return f"{topic} 업무는 제{number}호 규정에 따라 {number % 29 + 1}일 안에 {act}."


@pytest.fixture(scope="module")
def large_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "규정"
    folder.mkdir()
    rows = [
        {"_id": f"d{i}", "title": "", "text": sentence(i), "domain": ("금융", "의료")[i % 2]} for i in range(RECORDS)
    ]
    asked = [
        {"_id": f"q{i}", "text": sentence(i * 7 % RECORDS).partition(" ")[0] + f" 제{i}호"} for i in range(QUESTIONS)
    ]
    for name, of in (("corpus.jsonl", rows), ("queries.jsonl", asked)):
        (folder / name).write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in of), encoding="utf-8")
    judged = [f"q{i}\td{i * 7 % RECORDS}\t1" for i in range(QUESTIONS)]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]), encoding="utf-8")
    return folder


def killed_when(arguments: list[str], moment: Callable[[], bool]) -> None:
    """Runs a command and kills it, with no chance to tidy up, as soon as ``moment`` has come."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kure_rag", *arguments], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while not moment():
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def stored(catalog: Path) -> int:
    if not catalog.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True, timeout=1)) as file:
            return int(file.execute("SELECT count(*) FROM documents").fetchone()[0])
    except sqlite3.OperationalError:  # it is just being made
        return 0


@pytest.mark.skipif(os.name == "nt", reason="kills a group of processes")
def test_killed_while_indexing_and_while_asking_it_goes_on_and_gives_the_same_bytes(
    large_set: Path, tmp_path: Path
) -> None:
    options = ["--model", "static-ko", "--mode", "hybrid", "--latency", "5", "--batch", str(BATCH)]
    command = ["eval", str(large_set), *options, "--save", str(tmp_path / "killed"), "--name", "하나"]
    folder = tmp_path / "killed" / "하나"
    journal = folder / "progress.jsonl"

    def stored_now() -> int:
        return max((stored(catalog) for catalog in folder.glob(".eval-index-*/index/catalog.sqlite3")), default=0)

    killed_when(command, lambda: stored_now() > 0)
    assert stored_now() < RECORDS, "it was to be killed while it indexed"
    changed = call("eval", large_set, *options, "--save", tmp_path / "killed", "--name", "하나", "--fusion", "rrf")
    assert changed.status == 1
    assert 'settings.fusion: "convex" there, "rrf" now' in changed.err

    killed_when(command, lambda: b'"found"' in journal.read_bytes())
    assert stored_now() == RECORDS
    assert not (folder / "run.json").exists(), "it was to be killed while it asked"

    # A kill of the whole machine may cut off what was being written.
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"seconds": 0.2, "found": {"q79": [["d')
    went_on = call(*command)
    assert went_on.status == 0
    assert f" of {QUESTIONS} questions were answered before" in went_on.err
    assert sorted(path.name for path in folder.iterdir()) == ["measured.json", "ranking.tsv", "run.json"]

    assert call("eval", large_set, *options, "--save", tmp_path / "whole", "--name", "다른 이름").status == 0
    for name in ("run.json", "ranking.tsv"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / "다른 이름" / name).read_bytes(), name

    saved = read_saved_run(folder)
    assert (saved.task, saved.model, saved.pipeline, saved.queries) == (
        "규정",
        "kure-rag/static-ko",
        "hybrid",
        QUESTIONS,
    )
    assert saved.domains.keys() == {"금융", "의료"}
    assert saved.measured["latency_ms"]["queries"] == 5
    assert saved.measured["queries_per_second"] > 0
