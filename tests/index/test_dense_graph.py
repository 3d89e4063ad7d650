"""The graph's files are checked before Chroma, which trusts them, is let near."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kure_rag.index.dense import DenseSettings, DenseView
from kure_rag.index.dense_graph import _Header, graph_problems

COUNT, DIMENSION = 400, 12


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph") / "dense"
    view = DenseView(folder, DenseSettings(sync_threshold=COUNT))
    vectors = np.random.default_rng(5).standard_normal((COUNT, DIMENSION)).astype(np.float32)
    view.add([f"조항 {i}" for i in range(COUNT)], vectors * 3)  # of any length
    view.delete([f"조항 {i}" for i in range(20)])
    view.add([f"조항 {i}" for i in range(30)], vectors[:30])
    view.close()
    return folder


@pytest.fixture(scope="module")
def copy(made: Path) -> Path:
    return Path(shutil.copytree(made, made.parent / "copy"))


def graph_file(folder: Path, name: str) -> Path:
    [file] = folder.glob(f"*/{name}")
    return file


def test_a_sound_graph_has_no_problems_with_deleted_and_replaced_vectors_in_it(made: Path) -> None:
    header = _Header.read(graph_file(made, "header.bin"))
    assert header is not None
    assert header.count >= COUNT  # it was written at all
    assert header.is_sane
    assert graph_problems(made) == []


def test_a_view_without_a_graph_has_no_problems(tmp_path: Path) -> None:
    assert graph_problems(tmp_path) == []
    view = DenseView(tmp_path / "dense")
    view.add(["조항"], np.ones((1, 4), np.float32))
    view.close()
    assert graph_problems(tmp_path / "dense") == []


@pytest.mark.parametrize("name", ["header.bin", "length.bin", "link_lists.bin", "data_level0.bin"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_does_not_fit_the_others(made: Path, copy: Path, name: str, part: float) -> None:
    whole = graph_file(made, name).read_bytes()
    torn = graph_file(copy, name)
    torn.write_bytes(whole[: int(len(whole) * part)])
    try:
        [problem] = graph_problems(copy)
        assert problem.startswith("dense: the graph's files do not fit together")
    finally:
        torn.write_bytes(whole)


@pytest.mark.parametrize("name", ["length.bin", "link_lists.bin", "data_level0.bin", "index_metadata.pickle"])
def test_a_lost_file_is_missed(made: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "dense"))
    graph_file(folder, name).unlink()
    assert f"{name} is missing" in graph_problems(folder)[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(element=st.integers(0, COUNT - 1), far=st.integers(COUNT * 2, 2**32 - 1))
def test_a_link_out_of_bounds_is_seen(made: Path, copy: Path, element: int, far: int) -> None:
    header = _Header.read(graph_file(made, "header.bin"))
    assert header is not None
    whole = graph_file(made, "data_level0.bin").read_bytes()
    altered = bytearray(whole)
    altered[element * header.size : element * header.size + 2] = (1).to_bytes(2, "little")
    altered[element * header.size + 4 : element * header.size + 8] = far.to_bytes(4, "little")
    torn = graph_file(copy, "data_level0.bin")
    torn.write_bytes(altered)
    try:
        assert "out of bounds" in graph_problems(copy)[0]
    finally:
        torn.write_bytes(whole)
