"""How the process of a command ends, and what an interrupted one says."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kure_rag import KureIndex
from kure_rag.cli import main

_THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon={daemon}).start()"
_PROGRAM = """
import atexit, os, signal, sys
from kure_rag.cli import main
{before}
atexit.register(print, "taken apart")
sys.argv[1:] = {arguments}
status = main()
{after}
sys.exit(status)
"""


def ended(arguments: list[str], *, before: str = "", after: str = "") -> tuple[int, str]:
    program = _PROGRAM.format(before=before, after=after, arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("daemon", [True, False])
def test_a_thread_at_work_is_neither_waited_for_nor_taken_apart(tmp_path: Path, daemon: bool) -> None:
    # Such as the one that loads a model: in C++ at that moment, it would end the process with SIGABRT.
    thread = _THREAD.format(daemon=daemon)
    status, out = ended(["models"], before=thread)
    assert status == 0
    assert "static-ko" in out
    assert "taken apart" not in out
    assert ended(["info", "--index", str(tmp_path / "없음")], before=thread) == (1, "")


def test_without_a_thread_at_work_python_ends_its_own_way() -> None:
    assert ended(["models"])[1].endswith("taken apart\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_after_the_end_changes_no_status() -> None:
    status, out = ended(["models"], after="os.kill(os.getpid(), signal.SIGINT)")
    assert status == 0
    assert "static-ko" in out


def test_an_interrupted_export_says_that_nothing_was_written(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model)).close()
    monkeypatch.setattr("kure_rag.autorag.export_index", interrupt)
    assert main(["export", "--index", str(tmp_path / "ix"), "--out", str(tmp_path / "out")]) == 130
    err = capsys.readouterr().err
    assert err == (
        "kure-rag export: interrupted; nothing was written, and files of an earlier export are as they were\n"
    )


def test_the_default_of_ctrl_c_is_left_alone_for_a_program_that_calls_a_command() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert main(["models"]) == 0
    assert signal.getsignal(signal.SIGINT) is before
