"""``kure-rag eval mteb`` in processes of its own: two at once, interrupted, and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mteb_local import DOCUMENTS, write_folder

pytestmark = pytest.mark.crash

COMMAND = [sys.executable, "-m", "kure_rag", "eval", "mteb"]
PATIENCE = 180.0  # seconds


def wait_for(there: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.05)


def workers_for(out: Path) -> list[int]:
    """Processes that work for a parent on results in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it ended meanwhile
            continue
        if f"--out={out}" in words and any(word.startswith("--worker=") for word in words):
            found.append(int(place.parent.name))
    return found


def results_in(out: Path) -> dict[str, dict[str, object]]:
    files = [file for file in (out / "results").rglob("*.json") if file.name != "model_meta.json"]
    return {file.stem: json.loads(file.read_text(encoding="utf-8"))["scores"] for file in files}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_devices_have_a_process_each_and_an_interruption_reaches_both(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    tasks = ",".join(str(write_folder(tmp_path / name)) for name in ("first", "second"))
    given = [*COMMAND, "--model", str(tiny_model), "--tasks", tasks, "--device", "cpu,cpu", "--out", str(out)]
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(workers_for(out)) == 2)
    time.sleep(1)  # until they have begun to listen
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert "finished tasks are kept" in said
    assert workers_for(out) == []
    finished = results_in(out).keys()

    done = subprocess.run(given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert results_in(out).keys() == {"first", "second"}
    assert done.stderr.count("cpu  ") == 2 - len(finished)
    again = subprocess.run([*given, "--json"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "cpu  " not in again.stderr
    assert [task["status"] for task in json.loads(again.stdout)["tasks"]] == ["kept", "kept"]


def test_a_worker_whose_parent_was_killed_ends_by_itself(tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    folder = write_folder(tmp_path / "set")
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    given = [*COMMAND, "--model", str(tiny_model), "--tasks", str(folder), "--device=cpu", "--out", str(out)]
    done = subprocess.run(
        [*given, f"--worker={int(gone.stdout)}"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 130, done.stderr
    assert results_in(out) == {}


def test_a_killed_pipeline_goes_on_and_scores_the_same(tmp_path: Path) -> None:
    many = {f"{id_}-{n}": (title, f"{n}호. {text}") for n in range(60) for id_, (title, text) in DOCUMENTS.items()}
    folder = write_folder(tmp_path / "set", {**DOCUMENTS, **many})
    given = [*COMMAND, "--mode", "lexical", "--tasks", str(folder), "--out"]
    process = subprocess.Popen([*given, str(tmp_path / "killed")], stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: list((tmp_path / "killed").glob(".work/*/index/catalog.sqlite3-wal")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert results_in(tmp_path / "killed") == {}
    for name in ("killed", "whole"):
        subprocess.run([*given, str(tmp_path / name)], capture_output=True, timeout=PATIENCE, check=True)
    assert results_in(tmp_path / "killed") == results_in(tmp_path / "whole")
    assert not (tmp_path / "killed" / ".work").exists()
