"""One file that holds an index, and the index made from it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from index.damage import Truth, flipped
from index.fixtures import make
from index.test_catalog_migration import put as put_fixture

from kure_rag.errors import IndexCorruptError, IndexNotFoundError, IndexPathError, IndexVersionError, KureIndexError
from kure_rag.index.catalog import Catalog, NewDocument, restore
from kure_rag.index.schema import VERSION, VIEWS
from kure_rag.types import Chunk, Document


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "index", create=True)
    make.fill(catalog)
    catalog.set_metadata("b" * 64, metadata={"부서": "여신팀", "year": None})
    return catalog


def everything(folder: Path) -> dict[str, object]:
    truth = Truth(folder)
    return {**truth.checked, **truth.found}


def lines(number: int) -> NewDocument:
    text = f"제{number}조 이 조는 {number}번째로 들어왔다."
    document = Document(f"{number:064x}", f"{number}.txt", "", "general", text)
    return NewDocument(
        document, [Chunk(f"{number:064x}", document.id, text, 0, len(text), ())], [["조"]], np.ones((1, 4), np.float32)
    )


def test_what_comes_back_is_what_was_there(catalog: Catalog, tmp_path: Path) -> None:
    catalog.backup(tmp_path / "보관" / "색인.backup")
    assert [file.name for file in (tmp_path / "보관").iterdir()] == ["색인.backup"]  # nothing beside it
    restore(tmp_path / "보관" / "색인.backup", tmp_path / "새 색인")
    assert [file.name for file in (tmp_path / "새 색인").iterdir()] == ["catalog.sqlite3"]
    catalog.close()
    before, after = everything(tmp_path / "index"), everything(tmp_path / "새 색인")
    for of_views in ("state", "pending"):
        before.pop(of_views)
        after.pop(of_views)
    assert after == before


def test_the_views_of_a_restored_index_are_to_be_made_anew(catalog: Catalog, tmp_path: Path) -> None:
    catalog.backup(tmp_path / "file")
    restore(tmp_path / "file", tmp_path / "new")
    restored = Catalog(tmp_path / "new", create=False)
    state = restored.state()
    assert state.stale == frozenset(VIEWS)
    assert state.visible == state.generation == catalog.state().generation
    assert not any(restored.pending_count(view) for view in VIEWS)
    for view in VIEWS:
        restored.mark_rebuilt(view)
    assert restored.state().stale == frozenset()


def test_a_backup_is_not_overwritten_unless_asked(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("가족 사진")
    with pytest.raises(IndexPathError, match="is there already"):
        catalog.backup(file)
    assert file.read_text() == "가족 사진"
    catalog.backup(file, overwrite=True)
    restore(file, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "index", "new"]


def test_a_backup_that_cannot_be_written_leaves_nothing(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "no folder").write_text("파일")
    with pytest.raises(IndexPathError, match="cannot be written"):
        catalog.backup(tmp_path / "no folder" / "file")
    (tmp_path / "taken").mkdir()
    with pytest.raises(IndexPathError, match="cannot be written"):
        catalog.backup(tmp_path / "taken", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "no folder", "taken"]
    assert list((tmp_path / "taken").iterdir()) == []


def test_a_backup_beside_a_writer_is_of_one_moment(catalog: Catalog, tmp_path: Path) -> None:
    """Documents come in pairs, one transaction each."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            catalog.add_many([lines(number), lines(10_000 + number)])  # two or none

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            catalog.backup(tmp_path / f"file-{number}")
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        restore(tmp_path / f"file-{number}", tmp_path / f"new-{number}")
        restored = Catalog(tmp_path / f"new-{number}", create=False)
        assert (restored.counts()[0] - 3) % 2 == 0
        assert restored.integrity() == []
        restored.close()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_backup_that_was_killed_is_not_there(catalog: Catalog, tmp_path: Path) -> None:
    catalog.close()
    script = (
        "import os, sys; from pathlib import Path; from kure_rag.index import backup\n"
        "from kure_rag.index.catalog import Catalog\n"
        "backup._sync_folder = lambda folder: None\n"
        "whole = backup.copy_whole\n"
        "def killed(source, file):\n    whole(source, file); os.kill(os.getpid(), 9)\n"
        "backup.copy_whole = killed\n"
        "Catalog(Path(sys.argv[1]), create=False).backup(Path(sys.argv[2]))"
    )
    child = subprocess.run([sys.executable, "-c", script, str(tmp_path / "index"), str(tmp_path / "file")], check=False)
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "file").exists()
    again = Catalog(tmp_path / "index", create=False)
    again.backup(tmp_path / "file")
    assert again.integrity() == []


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_backups_of_older_versions_are_restored(version: int, tmp_path: Path) -> None:
    """Their catalog file is the backup."""
    (tmp_path / "old").mkdir()
    file = put_fixture(version, tmp_path / "old") / "catalog.sqlite3"
    before = file.read_bytes()
    restore(file, tmp_path / "new")
    restored = Catalog(tmp_path / "new", create=False)
    assert restored.counts() == (3, 5)
    assert restored.state().stale == frozenset(VIEWS)
    assert file.read_bytes() == before


def test_an_index_is_not_restored_over(catalog: Catalog, tmp_path: Path) -> None:
    catalog.backup(tmp_path / "file")
    before = catalog.state()
    with pytest.raises(IndexPathError, match="holds an index already"):
        restore(tmp_path / "file", tmp_path / "index")
    assert catalog.state() == before
    (tmp_path / "notes").write_text("파일")
    with pytest.raises(IndexPathError, match="cannot be restored there"):
        restore(tmp_path / "file", tmp_path / "notes" / "index")


def test_what_is_no_backup_is_refused_and_leaves_no_index(catalog: Catalog, tmp_path: Path) -> None:
    catalog.backup(tmp_path / "sound")
    sound = (tmp_path / "sound").read_bytes()
    at = sound.index("연차휴가".encode())
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    for name, data in {
        "empty": b"",
        "text": "회의록".encode() * 500,
        "cut": sound[: len(sound) // 2],
        "rotten": flipped(sound, at, 0),
        "other": (tmp_path / "other").read_bytes(),
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(IndexCorruptError):
            restore(tmp_path / name, tmp_path / "new")
        assert not (tmp_path / "new" / "catalog.sqlite3").exists()
        assert (tmp_path / name).read_bytes() == data
    with pytest.raises(IndexNotFoundError, match="no backup there"):
        restore(tmp_path / "none", tmp_path / "new")
    restore(tmp_path / "sound", tmp_path / "new")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["catalog.sqlite3"]


def test_a_backup_of_a_newer_version_says_so(catalog: Catalog, tmp_path: Path) -> None:
    catalog.set(version=VERSION + 1)
    catalog.backup(tmp_path / "file")
    with pytest.raises(IndexVersionError, match="pip install -U"):
        restore(tmp_path / "file", tmp_path / "new")


def test_vacuum_gives_back_what_was_purged(catalog: Catalog, tmp_path: Path) -> None:
    catalog.add_many([lines(number) for number in range(1, 600)])
    catalog.delete([f"{number:064x}" for number in range(1, 600)])
    for view in VIEWS:
        catalog.mark_rebuilt(view)
    assert catalog.purge(catalog.state().generation) == 600
    catalog.vacuum()
    smaller = sum(file.stat().st_size for file in (tmp_path / "index").iterdir() if "shm" not in file.name)
    assert smaller < 200_000
    assert catalog.integrity() == []
    assert [row for row, _ in catalog.all_rows()] == [1, 2, 3, 4, 5]
    catalog.add_many([lines(1)])
    assert list(catalog.rows_of([f"{1:064x}"]).values()) == [606]  # no number came back


def test_vacuum_within_a_snapshot_is_refused(catalog: Catalog) -> None:
    with catalog.snapshot(), pytest.raises(KureIndexError, match="within a snapshot"):
        catalog.vacuum()
    catalog.vacuum()
