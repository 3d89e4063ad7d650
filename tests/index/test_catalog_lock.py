"""One writer at a time, whoever died holding the lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kure_rag.errors import IndexLockedError, IndexPathError
from kure_rag.index.lock import WriterLock

HOLDER = (
    "import sys, time; from pathlib import Path; from kure_rag.index.lock import WriterLock\n"
    "with WriterLock(Path(sys.argv[1])).held():\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
    "print('free', flush=True)\n"
    "sys.stdin.readline()"
)


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to let go, and is there until it is told again."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        try:
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()
            child.wait()


def tell(child: subprocess.Popen[str]) -> str:
    """Says the next thing to a child, and gives its answer."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    return child.stdout.readline()


def test_the_second_writer_is_told_who_is_first_and_since_when(tmp_path: Path) -> None:
    with holding(tmp_path) as child:
        began = time.monotonic()
        with pytest.raises(IndexLockedError, match=rf"process {child.pid} on .*, since 20\d\d-") as caught:  # noqa: SIM117
            with WriterLock(tmp_path).held():
                pass
        assert time.monotonic() - began < 1.0  # promised to users
        assert str(child.pid) in caught.value.holder


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with holding(tmp_path) as child:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert json.loads((tmp_path / "writer.json").read_text())["pid"] == child.pid  # it left its name behind
        monkeypatch.setattr("kure_rag.index.lock._WAIT", 0)  # not even a moment is waited for
        with WriterLock(tmp_path).held():
            assert json.loads((tmp_path / "writer.json").read_text())["pid"] == os.getpid()


def test_a_writer_that_is_done_leaves_no_name_behind(tmp_path: Path) -> None:
    with holding(tmp_path) as child:
        assert tell(child) == "free\n"  # and goes on living
        assert not (tmp_path / "writer.json").exists()
        with WriterLock(tmp_path).held():
            pass


def test_a_writer_that_fails_lets_go(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    with pytest.raises(ZeroDivisionError), lock.held():
        _ = 1 / 0
    with holding(tmp_path):
        pass


def test_the_holding_thread_may_take_it_again(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    with lock.held():
        with lock.held():
            pass
        with pytest.raises(IndexLockedError), WriterLock(tmp_path).held():
            pass  # not free before the outer one is done
    with holding(tmp_path):
        pass


def test_another_thread_of_the_same_object_is_refused(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path)
    told: list[str] = []

    def second() -> None:
        try:
            with lock.held():
                told.append("held")
        except IndexLockedError as error:
            told.append(error.holder)

    with lock.held():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert told == ["another thread of this process"]


def test_a_holder_whose_name_cannot_be_read_is_told_of_as_such(tmp_path: Path) -> None:
    with holding(tmp_path):
        for text in ("", "[]", '{"pid": 1}', "\udcff"):
            (tmp_path / "writer.json").write_text(text, encoding="utf-8", errors="surrogateescape")
            with pytest.raises(IndexLockedError, match="did not say who"), WriterLock(tmp_path).held():
                pass


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("파일입니다")
    with pytest.raises(IndexPathError, match="cannot be written"), WriterLock(tmp_path / "file").held():
        pass


def test_of_many_writers_one_is_in_at_a_time(tmp_path: Path) -> None:
    """Each reads a number and writes the next one; two at once would lose one."""
    script = (
        "import sys, time; from pathlib import Path; from kure_rag.errors import IndexLockedError\n"
        "from kure_rag.index.lock import WriterLock\n"
        "folder, lock = Path(sys.argv[1]), WriterLock(Path(sys.argv[1]))\n"
        "done = 0\n"
        "while done < 20:\n"
        "    try:\n"
        "        with lock.held():\n"
        "            number = int((folder / 'number').read_text())\n"
        "            time.sleep(0.001)\n"
        "            (folder / 'number').write_text(str(number + 1))\n"
        "            done += 1\n"
        "    except IndexLockedError:\n"
        "        pass\n"
    )
    (tmp_path / "number").write_text("0")
    children = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "60"
