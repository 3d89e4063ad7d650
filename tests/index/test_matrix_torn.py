"""A matrix whose files are not as they were written is refused, never searched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kure_rag.errors import IndexCorruptError
from kure_rag.index import matrix as matrix_module
from kure_rag.index.matrix import MatrixView

KINDS = ("manifest.json", "vectors-0.bin", "rows-0.bin", "gone-0.bin", "codes-0-600.bin", "centre-0-600.bin")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "matrix"
    old, matrix_module._CODED_FROM = matrix_module._CODED_FROM, 500
    try:
        vectors = np.random.default_rng(0).normal(size=(650, 32)).astype(np.float32)
        view = MatrixView(folder)
        view.apply((np.arange(600), vectors[:600]), [3, 4])
        view.apply((np.arange(600, 650), vectors[600:]), [5])
    finally:
        matrix_module._CODED_FROM = old
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(made, tmp_path / "matrix"))


def counted(file: Path) -> int:
    return file.stat().st_size


def test_the_names_are_those_that_are_broken_below(made: Path) -> None:
    assert {file.name for file in made.iterdir()} == {*KINDS, "seal.json"}


def test_a_copy_is_looked_at_once_and_found_whole(folder: Path) -> None:
    (folder / "seal.json").unlink()
    assert len(MatrixView(folder)) == 647
    assert (folder / "seal.json").exists()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("left", [0, 1, 0.3, 0.7, -1])
def test_a_file_that_breaks_off_is_noticed(folder: Path, name: str, left: float) -> None:
    size = counted(folder / name)
    os.truncate(folder / name, size - 1 if left == -1 else int(size * left) if 0 < left < 1 else int(left))
    with pytest.raises(IndexCorruptError, match=r"rebuild"):
        MatrixView(folder)


@pytest.mark.parametrize("name", KINDS)
def test_a_lost_file_is_noticed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(IndexCorruptError, match=r"rebuild"):
        MatrixView(folder)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_flipped_bit_is_noticed(folder: Path, name: str, place: float) -> None:
    with (folder / name).open("r+b") as file:
        data = bytearray(file.read())
        data[int(len(data) * place)] ^= 0x10
        file.seek(0)
        file.write(data)
    with pytest.raises(IndexCorruptError, match=r"rebuild"):
        MatrixView(folder)


def test_a_bit_that_flips_behind_the_clocks_back_is_found_by_the_check(folder: Path) -> None:
    MatrixView(folder)
    file = folder / "vectors-0.bin"
    told = file.stat()
    with file.open("r+b") as opened:
        opened.seek(5_000)
        opened.write(b"\x7f")
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    [problem] = MatrixView(folder).check()
    assert "vectors-0.bin: records 0 to 649 are not as they were written" in problem


def test_what_lies_behind_the_last_commit_does_no_harm(folder: Path) -> None:
    for name in KINDS[1:4]:
        with (folder / name).open("ab") as file:
            file.write(b"half a record that a crash left behind")
    view = MatrixView(folder)
    view.apply({700: np.ones(32)}, [600])
    again = MatrixView(folder)
    assert again.rows()[-1] == 700
    assert 600 not in again.rows()
    assert again.check() == []


CHILD = """
import sys, numpy as np
from pathlib import Path
from kure_rag.index import matrix
matrix._CODED_FROM = 100
view = matrix.MatrixView(Path(sys.argv[1]))
vectors = np.random.default_rng(1).normal(size=(400, 16)).astype(np.float32)
view.apply((np.arange(200), vectors[:200]), [1])
print("first", flush=True)
view.apply((np.arange(200, 400), vectors[200:]), [2])
view.compact()
"""


@pytest.mark.parametrize(
    "place",
    [
        f"matrix-{name}:{number}"
        for name in ("vectors-written", "rows-written", "codes-written", "gone-written", "committed")
        for number in (1, 2)
    ],
)
def test_killed_between_any_two_steps_it_opens_as_before_or_after(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "matrix"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)],
        env={**os.environ, "KURE_RAG_FAILPOINT": place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 137, done.stderr
    view = MatrixView(folder)
    held = len(view)
    assert held in ({199, 200, 399, 398} if "first" in done.stdout else {0, 200, 199})
    assert view.check() == []
    vectors = np.random.default_rng(1).normal(size=(400, 16)).astype(np.float32)
    view.apply((np.arange(400), vectors), [1, 2])
    assert view.rows().tolist() == [0, *range(3, 400)]
    assert (view.vectors(view.rows())[1] == vectors[view.rows()]).all()
    assert MatrixView(folder).check() == []
