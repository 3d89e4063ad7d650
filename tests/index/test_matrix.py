"""The matrix: exact cosines over memory-mapped vectors, candidates by one-bit codes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kure_rag.index import matrix as matrix_module
from kure_rag.index import matrix_read
from kure_rag.index.matrix import MatrixView

DIMENSION = 256


def clustered(count: int, dimension: int = DIMENSION, seed: int = 0) -> np.ndarray:
    """Vectors with neighbours, like those of passages."""
    chance = np.random.default_rng(seed)
    topics = chance.normal(size=(max(1, count // 50), dimension))
    return (topics[chance.integers(0, len(topics), count)] + chance.normal(size=(count, dimension))).astype(np.float32)


def cosines(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    wide, one = vectors.astype(np.float64), query.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(one)
    return np.divide(wide @ one, lengths, out=np.zeros(len(wide)), where=lengths > 0)


def best_by_definition(rows: np.ndarray, vectors: np.ndarray, query: np.ndarray, limit: int) -> list[int]:
    scores = np.round(cosines(vectors, query), 6)
    return rows[np.lexsort((rows, -scores))][:limit].tolist()


def agree(found: np.ndarray, expected: list[int], engine: str) -> bool:
    """Exactly the best; by codes, all but at most one in twenty of them."""
    return found.tolist() == expected or (
        engine == "quantized" and len(set(expected) - set(found)) * 20 <= len(expected)
    )


@pytest.fixture
def view(tmp_path: Path) -> Iterator[MatrixView]:
    view = MatrixView(tmp_path / "matrix")
    yield view
    view.close()


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes and blocks at sizes that a test can afford."""
    monkeypatch.setattr(matrix_module, "_CODED_FROM", 1_000)
    monkeypatch.setattr(matrix_read, "_FEW", 50)
    monkeypatch.setattr(matrix_read, "_TAIL", 100)


def test_an_empty_matrix_finds_nothing(view: MatrixView) -> None:
    assert len(view) == 0
    assert view.dimension == 0
    assert view.rows().tolist() == []
    [(rows, scores)] = view.search(np.ones((1, 3)), 5)
    assert len(rows) == len(scores) == 0
    assert len(view.score(np.ones(3), [1, 2])[0]) == 0
    assert view.check() == []


def test_scores_are_cosines_to_six_digits(view: MatrixView) -> None:
    vectors, query = clustered(300), clustered(1, seed=9)[0]
    view.apply((np.arange(1, 301), vectors))
    rows, scores = view.score(query)
    assert rows.tolist() == list(range(1, 301))
    assert np.abs(scores - cosines(vectors, query)).max() < 1.5e-6
    assert (scores == [round(float(score), 6) for score in scores]).all()


def test_unknown_and_deleted_rows_are_left_out_and_the_order_is_kept(view: MatrixView) -> None:
    view.apply({2: [1, 0], 4: [0, 1], 9: [1, 1]}, [4])
    rows, scores = view.score([1, 0], [9, 5, 4, 2, -3, 10**12])
    assert rows.tolist() == [9, 2]
    assert scores.tolist() == [0.707107, 1.0]
    held, vectors = view.vectors([9, 1, 2])
    assert held.tolist() == [9, 2]
    assert vectors.tolist() == [[1, 1], [1, 0]]


def test_a_vector_without_direction_scores_nothing(view: MatrixView) -> None:
    view.apply({1: [0, 0], 2: [1, 2], 3: [float("nan"), 1], 4: [float("inf"), 1], 5: [-1, -2]})
    rows, scores = view.search([[1, 2]], 5)[0]
    assert dict(zip(rows.tolist(), scores.tolist(), strict=True)) == {2: 1.0, 1: 0.0, 3: 0.0, 4: 0.0, 5: -1.0}
    assert view.search([[0, 0]], 5)[0][1].tolist() == [0.0] * 5


def test_vectors_of_another_dimension_are_refused(view: MatrixView) -> None:
    with pytest.raises(ValueError, match="several dimensions"):
        view.apply({1: [1, 2], 2: [1, 2, 3]})
    view.apply({1: [1, 2]})
    with pytest.raises(ValueError, match="3 numbers cannot stand beside vectors of 2"):
        view.apply({2: [1, 2, 3]})
    with pytest.raises(ValueError, match="a query of 3 numbers"):
        view.search([[1, 2, 3]], 1)
    with pytest.raises(ValueError, match="no engine named 'fast'"):
        view.search([[1, 2]], 1, engine="fast")  # type: ignore[arg-type]
    assert view.rows().tolist() == [1]


def test_doing_it_again_changes_nothing(view: MatrixView) -> None:
    vectors = clustered(20)
    for _ in range(3):
        view.apply((np.arange(20), vectors), [3, 5])
        assert view.rows().tolist() == [row for row in range(20) if row not in {3, 5}]
    view.apply({3: vectors[4]})  # a row number is never used again
    assert 3 not in view.rows()
    assert view.folder.joinpath("vectors-0.bin").stat().st_size == 64 + vectors.nbytes


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("engine", ["exact", "quantized"])
def test_both_engines_find_the_best(view: MatrixView, engine: str) -> None:
    vectors, rows = clustered(3_000), np.arange(10, 6_010, 2)
    view.apply((rows[:1_200], vectors[:1_200]))
    view.apply((rows[1_200:2_950], vectors[1_200:2_950]))  # codes of these follow
    queries = clustered(20, seed=3)
    for limit in (1, 10, 100):
        for query, (found, scores) in zip(queries, view.search(queries, limit, engine=engine), strict=True):
            assert agree(found, best_by_definition(rows[:2_950], vectors[:2_950], query, limit), engine)
            assert (scores == view.score(query, found)[1]).all()
            assert (np.diff(scores) <= 0).all()
    view.apply((rows[2_950:], vectors[2_950:]))  # and these are found without theirs
    for query, (found, _) in zip(queries, view.search(queries, 10, engine=engine), strict=True):
        assert agree(found, best_by_definition(rows, vectors, query, 10), engine)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("engine", ["exact", "quantized"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_a_filter_is_kept_whatever_it_leaves(view: MatrixView, engine: str, share: float) -> None:
    vectors, rows = clustered(2_000), np.arange(1, 2_001)
    view.apply((rows, vectors), rows[::7])
    chance = np.random.default_rng(4)
    allowed = rows[chance.random(2_000) < share]
    left = np.setdiff1d(allowed, rows[::7])
    for query, (found, _) in zip(
        clustered(5, seed=5), view.search(clustered(5, seed=5), 10, allowed=allowed, engine=engine), strict=True
    ):
        assert set(found) <= set(left)
        assert agree(found, best_by_definition(left, vectors[left - 1], query, 10), engine)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("engine", ["exact", "quantized"])
def test_equal_vectors_score_equally_wherever_they_stand(view: MatrixView, engine: str) -> None:
    vectors = clustered(1_500)
    twins = [3, 700, 1_023, 1_024, 1_025, 1_499]
    vectors[twins] = vectors[3]
    view.apply((np.arange(1_500), vectors))
    query = vectors[3] + clustered(1, seed=8)[0]
    found, scores = view.search(query[None, :], 300, engine=engine)[0]
    of_twins = scores[np.isin(found, twins)]
    assert len(of_twins) == len(twins)
    assert len(set(of_twins.tolist())) == 1
    assert found[np.isin(found, twins)].tolist() == twins  # equal ones by row
    for rows in ([3], [1_499, 3], list(range(1_500))):
        asked, again = view.score(query, rows)
        assert set(again[np.isin(asked, twins)].tolist()) == set(of_twins.tolist())


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("engine", ["exact", "quantized"])
def test_a_query_finds_the_same_alone_and_among_others(view: MatrixView, engine: str) -> None:
    vectors = clustered(2_000)
    vectors[1_000:] = vectors[:1_000]  # many ties
    view.apply((np.arange(2_000), vectors))
    queries = clustered(33, seed=6)
    together = view.search(queries, 25, engine=engine)
    for query, (rows, scores) in zip(queries, together, strict=True):
        [(alone, of_alone)] = view.search(query, 25, engine=engine)
        assert alone.tolist() == rows.tolist()
        assert of_alone.tolist() == scores.tolist()


def test_the_graphics_cards_code_finds_the_same(view: MatrixView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_read, "_FEW", 50)
    from kure_rag.index import on_device

    monkeypatch.setattr(on_device, "_SCORES", 5_000)  # several parts
    monkeypatch.setattr(on_device, "_UPLOAD", 700)
    vectors, rows = clustered(2_000), np.arange(2_000)
    view.apply((rows[:1_500], vectors[:1_500]))
    queries = clustered(7, seed=6)
    device = view._on("cpu")
    monkeypatch.setattr(view, "_on", lambda _: device)
    for _ in range(2):
        alive = view.rows()
        for query, (found, _) in zip(queries, view.search(queries, 10, engine="exact", device="cuda"), strict=True):
            assert found.tolist() == best_by_definition(alive, vectors[alive], query, 10)
        some = alive[::3]
        found = view.search(queries, 10, engine="exact", device="cuda", allowed=some)
        for query, (inside, _) in zip(queries, found, strict=True):
            assert inside.tolist() == best_by_definition(some, vectors[some], query, 10)
        view.apply((rows[1_500:], vectors[1_500:]), [1, 2, 3])  # only these travel
        assert len(view) == 1_997
    view.compact()
    for query, (found, _) in zip(queries, view.search(queries, 10, engine="exact", device="cuda"), strict=True):
        assert found.tolist() == best_by_definition(alive, vectors[alive], query, 10)


@pytest.mark.usefixtures("small_limits")
def test_another_opening_sees_what_was_applied(view: MatrixView) -> None:
    vectors = clustered(1_300)
    view.apply((np.arange(1_200), vectors[:1_200]), [5])
    other = MatrixView(view.folder)
    view.apply((np.arange(1_200, 1_300), vectors[1_200:]), [6])
    assert len(other) == 1_199  # as it was when it was opened
    assert len(MatrixView(view.folder)) == 1_298
    assert other.check() == []


@pytest.mark.usefixtures("small_limits")
def test_compacting_keeps_what_is_alive_and_gives_the_room_back(view: MatrixView) -> None:
    vectors = clustered(3_000)
    view.apply((np.arange(3_000), vectors), range(0, 3_000, 2))
    before = sum(file.stat().st_size for file in view.folder.iterdir())
    query = clustered(1, seed=7)
    expected = [part.tolist() for part in view.search(query, 50, engine="exact")[0]]
    earlier = MatrixView(view.folder)
    view.compact()
    after = sum(file.stat().st_size for file in view.folder.iterdir())
    assert after < 0.55 * before
    assert view.rows().tolist() == list(range(1, 3_000, 2))
    assert [part.tolist() for part in view.search(query, 50, engine="exact")[0]] == expected
    assert [
        part.tolist() for part in earlier.search(query, 50, engine="exact")[0]
    ] == expected  # somebody may still be reading
    again = MatrixView(view.folder)
    assert again.check() == []
    assert [part.tolist() for part in again.search(query, 50, engine="exact")[0]] == expected
    assert agree(again.search(query, 50)[0][0], expected[0], "quantized")
    view.apply({3_001: vectors[0]})
    assert view.rows()[-1] == 3_001


def test_rows_may_come_in_any_order(view: MatrixView) -> None:
    vectors = clustered(100)
    view.apply({row: vectors[row] for row in (50, 7, 99)}, [7])
    view.apply({row: vectors[row] for row in (3, 98, 51)})
    assert view.rows().tolist() == [3, 50, 51, 98, 99]
    held, stored = view.vectors([99, 3, 51])
    assert (stored == vectors[held]).all()
    assert MatrixView(view.folder).check() == []


def test_codes_of_another_faiss_are_not_believed(view: MatrixView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "_CODED_FROM", 500)
    monkeypatch.setattr(matrix_read, "_FEW", 50)
    vectors = clustered(1_000)
    from kure_rag.index.codes import Codes

    honest = Codes.encode
    monkeypatch.setattr(Codes, "encode", lambda self, some: honest(self, some[:, ::-1]))  # as if it were
    view.apply((np.arange(800), vectors[:800]))
    monkeypatch.setattr(Codes, "encode", honest)
    other = MatrixView(view.folder)
    queries = clustered(5, seed=2)
    for query, (found, _) in zip(queries, other.search(queries, 10), strict=True):
        assert found.tolist() == best_by_definition(np.arange(800), vectors[:800], query, 10)
    other.apply((np.arange(800, 1_000), vectors[800:]))  # who writes next makes them anew
    assert other._ready_codes(other._snapshot) is not None
    for query, (found, _) in zip(queries, other.search(queries, 10), strict=True):
        assert agree(found, best_by_definition(np.arange(1_000), vectors, query, 10), "quantized")


_STEPS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 40), max_size=12), st.sets(st.integers(0, 40), max_size=8), st.sampled_from("arc")
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_any_order_of_changes_leaves_what_it_should(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    vectors = clustered(41, 8)
    view = MatrixView(tmp_path_factory.mktemp("any") / "matrix")
    known: set[int] = set()
    deleted: set[int] = set()
    over: set[int] = set()
    for wanted, gone, after in steps:
        added = wanted - over  # a row number is never used again
        view.apply({row: vectors[row] for row in added}, gone)
        if after == "c":
            view.compact()
        known |= added
        deleted |= gone & known
        over |= deleted
        if after == "c":
            known -= deleted
            deleted = set()
        if after == "r":
            view = MatrixView(view.folder)
        assert view.rows().tolist() == sorted(known - deleted)
        held, stored = view.vectors(range(41))
        assert len(held) == 0 or (stored == vectors[held]).all()
        assert view.check() == []
