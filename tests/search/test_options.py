"""Options of a search: short forms, and what makes no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kure_rag.errors import SearchError
from kure_rag.search import (
    ExpandSettings,
    FoldSettings,
    GroupSettings,
    MmrSettings,
    RerankSettings,
    SearchKeywords,
    SearchOptions,
)
from kure_rag.search.options import options_of


class Lengths:
    def scores(self, pairs: Any) -> np.ndarray:
        return np.array([len(passage) for _, passage in pairs], dtype=np.float32)


RERANKER = Lengths()


@pytest.mark.parametrize(
    ("given", "name", "settings"),
    [
        ({"fold": True}, "fold", FoldSettings()),
        ({"fold": False}, "fold", None),
        ({"mmr": 0.4}, "mmr", MmrSettings(relevance_weight=0.4)),
        ({"group_by": "document"}, "group_by", GroupSettings()),
        ({"group_by": "document", "per_group": 1}, "group_by", GroupSettings(limit=1)),
        ({"expand": 2}, "expand", ExpandSettings(by=2)),
        ({"expand": 0}, "expand", None),
        ({"expand": "section"}, "expand", ExpandSettings(by="section")),
        ({"rerank": RERANKER}, "rerank", RerankSettings(model=RERANKER)),
        ({"rerank": "a-model"}, "rerank", RerankSettings(model="a-model")),
    ],
)
def test_short_forms_are_spelled_out(given: dict[str, Any], name: str, settings: object) -> None:
    assert getattr(options_of(None, given), name) == settings
    if settings is not None:
        assert getattr(options_of(None, {name: settings}), name) == settings


def test_a_call_overrides_the_options_it_is_given() -> None:
    base = SearchOptions(k=3, fold=FoldSettings())
    assert options_of(base, {}) is base
    assert options_of(base, {"k": 5}) == SearchOptions(k=5, fold=FoldSettings())
    assert options_of(base, {"fold": None}) == SearchOptions(k=3)


@pytest.mark.parametrize(
    "given",
    [
        {"k": 0},
        {"mode": "semantic"},
        {"dense": "hnsw"},
        {"device": "tpu"},
        {"device": "cuda"},
        {"candidates": 0},
        {"score_threshold": 1.5},
        {"per_group": 2},
        {"expand": "chapter"},
        {"mmr": True},
        {"rerank": 3},
        {"group_by": "title"},
        {"fold": "yes"},
    ],
)
def test_what_makes_no_sense_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises(SearchError):
        options_of(None, given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": "3"}, r"k='3': give a whole number of at least 1"),
        ({"k": 2.5}, r"k=2\.5: give a whole number"),
        ({"k": None}, r"k=None: give a whole number"),
        ({"k": True}, r"k=True: give a whole number"),
        ({"candidates": "many"}, r"candidates='many': give a whole number"),
        ({"score_threshold": "a"}, r"score_threshold='a': a relevance is a number between 0 and 1"),
        ({"score_threshold": float("nan")}, r"score_threshold=nan: a relevance"),
        ({"group_by": "document", "per_group": "a"}, r"per_group='a': "),
    ],
)
def test_a_value_of_another_kind_is_named_with_what_is_allowed(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SearchError, match=said):
        options_of(None, given)


def test_numbers_of_numpy_are_numbers() -> None:
    assert options_of(None, {"k": np.int64(3), "score_threshold": np.float32(0.5)}).k == 3


def test_an_unknown_option_is_named_with_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"no keyword rerankk; it takes k, mode"):
        options_of(None, {"rerankk": "a-model"})


def test_every_option_can_be_a_keyword() -> None:
    assert set(SearchKeywords.__annotations__) == {*SearchOptions.__slots__, "per_group"}


def test_the_pool_is_large_enough_for_every_stage() -> None:
    assert SearchOptions(k=10).pool == 10
    assert SearchOptions(k=10, rerank=RerankSettings(model="m", candidates=30)).pool == 30
    assert SearchOptions(k=50, rerank=RerankSettings(model="m", candidates=30)).pool == 50
    assert SearchOptions(k=10, fold=FoldSettings(pool_factor=4)).pool == 40
    assert SearchOptions(k=10, group_by=GroupSettings()).pool == 100
    assert SearchOptions(k=10, score_threshold=0.3).pool == 100
    assert SearchOptions(k=10, relevance=True).pool == 10
