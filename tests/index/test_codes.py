"""One-bit codes in several shards."""

from __future__ import annotations

import numpy as np
import pytest

from kure_rag.index import codes as module
from kure_rag.index.codes import Codes, centre_of


def _unit(count: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("together", [1, 2, 9])
@pytest.mark.parametrize("filtered", [False, True])
def test_shards_find_what_one_index_finds(together: int, filtered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, queries = _unit(1_000, 1), _unit(together, 2)
    allowed = np.random.default_rng(3).random(1_200) < 0.3 if filtered else None
    whole = Codes(centre_of(vectors))
    whole.add(whole.encode(vectors))
    monkeypatch.setattr(module, "_SHARD", 100)
    monkeypatch.setattr(module, "_CORES", 3)
    shared = Codes(centre_of(vectors))
    shared.add(shared.encode(vectors[:700]))
    shared.add(shared.encode(vectors[700:]))
    assert len(shared) == len(whole) == 1_000
    assert len(shared._shards) == 6
    for limit in (1, 10, 150):
        wanted, found = whole.search(queries, limit, allowed), shared.search(queries, limit, allowed)
        assert [set(row) for row in found.tolist()] == [set(row) for row in wanted.tolist()]
        if allowed is not None:
            assert allowed[found[found >= 0]].all()


def test_fewer_codes_than_asked_for_are_filled_up() -> None:
    vectors = _unit(5, 1)
    codes = Codes(centre_of(vectors))
    assert codes.search(vectors[:1], 3, None).shape == (1, 0)
    codes.add(codes.encode(vectors))
    assert sorted(codes.search(vectors[:1], 9, None)[0].tolist()) == [0, 1, 2, 3, 4]
    only = np.array([False, True, False, False, True])
    assert sorted(place for place in codes.search(vectors[:1], 5, only)[0].tolist() if place >= 0) == [1, 4]
