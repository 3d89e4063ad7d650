"""The journal of unfinished triplets, torn in every way a kill can tear it."""

import json
from pathlib import Path

import pytest
from filelock import FileLock

from kure_rag.errors import ConfigError
from kure_rag.train.mine.journal import MineJournal, journal_path

IDENTITY = {"settings": {"negatives": 3}, "questions": 4}


def write(out: Path, *numbers: int) -> Path:
    with MineJournal(out, IDENTITY) as journal:
        for number in numbers:
            journal.add(number, [{"query": f"{number}번째 물음"}], {"rows": 1})
    return journal_path(out)


def rows(out: Path) -> list[str]:
    with MineJournal(out, IDENTITY) as journal:
        return [row["query"] for batch in journal.read() for row in batch["rows"]]


def test_what_was_added_is_there_the_next_time(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    write(out, 0, 2)
    with MineJournal(out, IDENTITY) as journal:
        assert journal.batches == {0, 2}
        journal.add(1, [{"query": "1번째 물음"}], {"rows": 1})
    assert rows(out) == ["0번째 물음", "2번째 물음", "1번째 물음"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl.progress"]


def test_a_torn_end_of_any_length_is_dropped_and_nothing_of_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    path = write(out, 0, 1)
    whole = path.read_bytes()
    for torn in (b'{"batch": 2, "ro', b"\0" * 4096, b'{"batch": 2, "rows": [' + b'"x", ' * 500, b"[1]\n"):
        path.write_bytes(whole + torn)
        with MineJournal(out, IDENTITY) as journal:
            assert journal.batches == {0, 1}
            journal.add(2, [{"query": "2번째 물음"}], {"rows": 1})
        assert rows(out) == ["0번째 물음", "1번째 물음", "2번째 물음"], torn[:20]
        assert all(json.loads(line) for line in path.read_bytes().splitlines()), "whole lines only"


def test_every_cut_is_taken_up_at_the_last_whole_line(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    path = write(out, 0, 1)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with MineJournal(out, IDENTITY) as journal:
            assert journal.batches == set(range(max(0, whole[:cut].count(b"\n") - 1)))


def test_after_a_broken_line_nothing_counts(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    path = write(out, 0, 1, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"\0\0\0\n", *lines[3:]]))
    with MineJournal(out, IDENTITY) as journal:
        assert journal.batches == {0}
    assert rows(out) == ["0번째 물음"]


def test_that_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    path = write(out, 0)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"unfinished triplets of something else \(questions: 4 there, 5 now\)"):
        MineJournal(out, {**IDENTITY, "questions": 5})
    assert path.read_bytes() == before
    assert rows(out) == ["0번째 물음"], "the lock was let go"


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    with (
        FileLock(tmp_path / "t.jsonl.progress.lock"),
        pytest.raises(ConfigError, match="another process is mining it"),
    ):
        MineJournal(out, IDENTITY)
    write(out, 0)
