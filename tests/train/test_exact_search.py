"""Exact search: which of equal rows are found."""

from __future__ import annotations

import numpy as np
import pytest

from kure_rag.train import exact_search
from kure_rag.train.exact_search import best_rows


@pytest.mark.parametrize("block", [8_192, 64])
def test_of_equal_rows_the_earlier_ones_are_found(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where more are equal than there is room for, within a block and from one to the next."""
    monkeypatch.setattr(exact_search, "_BLOCK", block)
    vectors = np.zeros((1_000, 4), dtype=np.float32)
    vectors[:, 0] = 1
    vectors[700] = (0, 1, 0, 0)
    vectors[3] = (0, 0, 1, 0)
    queries = np.array([[1, 0, 0, 0], [0, 1, 0, 0]])
    found = best_rows(vectors, queries, 6)
    assert found.tolist() == [[0, 1, 2, 4, 5, 6], [700, 0, 1, 2, 3, 4]]


def test_the_order_is_that_of_a_stable_sort() -> None:
    rng = np.random.default_rng(0)
    vectors = np.eye(5, dtype=np.float32)[rng.integers(0, 5, 300)]
    queries = rng.integers(0, 3, (20, 5)) + 0.5
    lengths = np.linalg.norm(queries.astype(np.float32), axis=1, keepdims=True)
    expected = np.argsort(-(queries.astype(np.float32) / lengths @ vectors.T), axis=1, kind="stable")
    for k in (1, 7, 100, 300, 500):
        np.testing.assert_array_equal(best_rows(vectors, queries, k), expected[:, :k])
