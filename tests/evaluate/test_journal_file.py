"""What the three journals share: they go on with what an earlier version has kept, and one process writes at a time."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from kure_rag.errors import ConfigError
from kure_rag.evaluate.journal import Journal
from kure_rag.evaluate.journal_file import JournalFile
from kure_rag.train.mine.journal import MineJournal
from kure_rag.tune.progress import Progress

IDENTITY = {"format": 1, "task": "사내규정", "settings": {"k": 10, "weight": 0.12}, "versions": {"torch": "2.9.0"}}
UPGRADED = {**IDENTITY, "versions": {"torch": "2.10.0"}}
DIFFERENCE = '(versions.torch: "2.9.0" there, "2.10.0" now)'
FIRST = (
    '{"identity": {"format": 1, "task": "사내규정", "settings": {"k": 10, "weight": 0.12}, '
    '"versions": {"torch": "2.9.0"}}'
)
# As they were written before the three shared their code.
EVALUATION = (
    f'{FIRST}, "started": "2026-11-22T14:52:50+00:00"}}\n'
    '{"noted": {"index_seconds": 1.5, "index_bytes": 4096}}\n'
    '{"seconds": 0.25, "found": {"질문1": [["제1조", 0.75], ["제2조", -1.0]], "질문2": []}}\n'
    '{"seconds": 0.5, "found": {"질문3": [["제9조", 1e-07]]}}\n'
)
SEARCH = (
    f"{FIRST}}}\n"
    '{"key": "scale 열쇠", "value": 12.5}\n'
    '{"key": "tuning 열쇠", "value": [1.0, 0.5]}\n'
    '{"key": "모델 for q1", "value": {"c1": 0.25}}\n'
)
MINED = (
    f"{FIRST}}}\n"
    '{"batch": 0, "sums": {"rows": 1}, "rows": [{"query": "연차는 며칠인가", "positive": "연차는 15일이다.", '
    '"negatives": ["출장비"], "scores": {"dense": null}}]}\n'
    '{"batch": 2, "sums": {"rows": 0}, "rows": []}\n'
)


def evaluation(folder: Path, identity: Mapping[str, Any] = IDENTITY) -> Journal:
    return Journal(folder, identity)


def search(folder: Path, identity: Mapping[str, Any] = IDENTITY) -> Progress:
    return Progress(folder, identity)


def mined(folder: Path, identity: Mapping[str, Any] = IDENTITY) -> MineJournal:
    return MineJournal(folder / "t.jsonl", identity)


Opening = Callable[..., JournalFile]
NAMES = {evaluation: "progress.jsonl", search: "progress.jsonl", mined: "t.jsonl.progress"}
kinds = pytest.mark.parametrize("opening", NAMES, ids=lambda opening: opening.__name__)


def kept(folder: Path, opening: Opening, text: str) -> Path:
    path = folder / NAMES[opening]
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


# What an earlier version has kept


def test_an_evaluation_of_an_earlier_version_goes_on_and_is_written_as_it_was(tmp_path: Path) -> None:
    path = kept(tmp_path, evaluation, EVALUATION)
    with evaluation(tmp_path) as journal:
        assert journal.answered == {
            "질문1": [("제1조", 0.75), ("제2조", -1.0)],
            "질문2": [],
            "질문3": [("제9조", 1e-07)],
        }
        assert (journal.started, journal.seconds) == ("2026-11-22T14:52:50+00:00", 0.75)
        assert journal.noted == {"index_seconds": 1.5, "index_bytes": 4096}
    assert path.read_text(encoding="utf-8") == EVALUATION
    again = tmp_path / "again"
    again.mkdir()
    with evaluation(again) as journal:
        journal.note(index_seconds=1.5, index_bytes=4096)
        journal.add({"질문1": [("제1조", 0.75), ("제2조", -1.0)], "질문2": []}, 0.25)
        journal.add({"질문3": [("제9조", 1e-07)]}, 0.5)
    written = (again / path.name).read_text(encoding="utf-8")
    assert written.replace(journal.started, "2026-11-22T14:52:50+00:00") == EVALUATION


def test_a_search_of_an_earlier_version_goes_on_and_is_written_as_it_was(tmp_path: Path) -> None:
    path = kept(tmp_path, search, SEARCH)
    values = {"scale 열쇠": 12.5, "tuning 열쇠": [1.0, 0.5], "모델 for q1": {"c1": 0.25}}
    again = tmp_path / "again"
    with suppress(KeyboardInterrupt), search(tmp_path) as progress, search(again) as other:
        assert {key: progress.get(key) for key in [*values, "identity"]} == {**values, "identity": None}
        for key, value in values.items():
            other.keep(key, value)
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == (again / path.name).read_text(encoding="utf-8") == SEARCH
    with search(tmp_path):
        pass
    assert not list(tmp_path.glob("progress*")), "removed where all went well"


def test_triplets_of_an_earlier_version_go_on_and_are_written_as_they_were(tmp_path: Path) -> None:
    path = kept(tmp_path, mined, MINED)
    again = tmp_path / "again"
    again.mkdir()
    with mined(tmp_path) as journal, mined(again) as other:
        assert journal.batches == {0, 2}
        for row in journal.read():
            other.add(row["batch"], row["rows"], row["sums"])
    assert path.read_text(encoding="utf-8") == (again / path.name).read_text(encoding="utf-8") == MINED


# What is refused


OF_ELSE = {
    evaluation: "{folder}: holds an unfinished evaluation of something else {difference}. Ask for the same again, "
    "choose another --name, or remove that folder",
    search: "{folder}: holds an unfinished search of something else {difference}. Finish it with what it was begun "
    "with, give another --out, or remove that folder",
    mined: "{path}: holds unfinished triplets of something else {difference}. Give the same command again with the "
    "same versions, choose another --out, or remove that file, so that all of it is mined again",
}
BUSY = {
    evaluation: "{}: another process is evaluating into this folder; wait for it, or choose another --name",
    search: "{}: another process is tuning here; wait for it, or give another --out",
    mined: "{}/t.jsonl: another process is mining it; wait for it, or choose another --out",
}


@kinds
def test_after_an_upgrade_it_is_said_what_differs_and_what_to_do(tmp_path: Path, opening: Opening) -> None:
    path = kept(tmp_path, opening, FIRST + "}\n")
    with pytest.raises(ConfigError) as caught:
        opening(tmp_path, UPGRADED)
    assert str(caught.value) == OF_ELSE[opening].format(folder=tmp_path, path=path, difference=DIFFERENCE)
    assert path.read_text(encoding="utf-8") == FIRST + "}\n"
    with FileLock(f"{path}.lock", timeout=0):
        pass


@kinds
def test_two_at_once_are_refused(tmp_path: Path, opening: Opening) -> None:
    with opening(tmp_path):
        with pytest.raises(ConfigError) as caught:
            opening(tmp_path)
        assert str(caught.value).replace(os.sep, "/") == BUSY[opening].format(tmp_path.as_posix())


@kinds
def test_a_first_line_of_no_identity_is_of_something_else(tmp_path: Path, opening: Opening) -> None:
    for line in ("{}\n", '{"identity": null}\n', '{"key": "값", "value": 1}\n'):
        path = kept(tmp_path, opening, line)
        with pytest.raises(ConfigError, match=r"of something else \(format: null there, 1 now; task: null there"):
            opening(tmp_path)
        assert path.read_text(encoding="utf-8") == line


# The lock


@kinds
def test_closing_twice_leaves_the_next_ones_lock_alone(tmp_path: Path, opening: Opening) -> None:
    first = opening(tmp_path)
    first.close(remove=True)
    assert list(tmp_path.iterdir()) == []
    with opening(tmp_path):
        first.close(remove=True)
        with pytest.raises(ConfigError, match="another process is"):
            opening(tmp_path)
        assert (tmp_path / NAMES[opening]).exists()


@kinds
def test_a_full_disk_at_the_first_line_lets_the_lock_go(
    tmp_path: Path, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            opening(tmp_path)
    opening(tmp_path).close()
    assert json.loads((tmp_path / NAMES[opening]).read_bytes())["identity"] == IDENTITY
    del caught  # it has held on to the one that failed until here


@kinds
def test_where_no_open_file_can_be_removed_the_lock_is_let_go_all_the_same(
    tmp_path: Path, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = Path.unlink

    def as_on_windows(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".lock":
            raise PermissionError(13, "used by another process", str(path))
        remove(path, missing_ok)

    journal = opening(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", as_on_windows)
        journal.close(remove=True)
    assert not (tmp_path / NAMES[opening]).exists()
    opening(tmp_path).close(remove=True)
