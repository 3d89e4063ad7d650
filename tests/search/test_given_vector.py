"""Searches by a query's vector that the caller has already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from support import DIMENSION, HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import SearchError
from kure_rag.search import SearchOptions
from kure_rag.types import Hit

QUERY = "연차휴가는 며칠인가요?"


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.chunk.id for hit in hits]


class Untouched(HashEmbedder):
    """Embeds no query: that is what a given vector stands for."""

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(f"embedded {texts}")


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
async def test_the_query_s_own_vector_finds_what_its_words_find(small_index: KureIndex, mode) -> None:
    vector = small_index.embedder.embed_queries([QUERY])[0]
    wanted = small_index.search(QUERY, k=4, mode=mode)
    assert small_index.search(QUERY, k=4, mode=mode, vector=vector) == wanted
    assert small_index.search(QUERY, vector=vector.tolist(), options=SearchOptions(k=4, mode=mode)) == wanted
    assert await small_index.asearch(QUERY, k=4, mode=mode, vector=vector) == wanted


def test_the_vector_is_what_is_searched_and_the_words_are_not_embedded(small_index: KureIndex) -> None:
    vector = small_index.embedder.embed_queries(["급여는 언제 주나요?"])[0]
    wanted = small_index.search("급여는 언제 주나요?", mode="dense", k=12)
    assert wanted
    assert small_index.search(QUERY, mode="dense", k=12, vector=vector)[: len(wanted)] == wanted
    assert ids(wanted) != ids(small_index.search(QUERY, mode="dense", k=12))
    both = small_index.search(QUERY, k=12, vector=vector)
    words = {hit.chunk.id: hit.score for hit in small_index.search(QUERY, k=12, mode="lexical")}
    near = {hit.chunk.id: hit.score for hit in small_index.search("", k=12, mode="dense", vector=vector)}
    for hit in both:
        assert hit.legs["dense"].score == near[hit.chunk.id]
        assert ("lexical" in hit.legs) == (hit.chunk.id in words)


def test_the_nearest_are_hits_however_far_they_are(small_index: KureIndex) -> None:
    vector = -small_index.embedder.embed_queries([QUERY])[0]
    found = small_index.search("", k=12, mode="dense", vector=vector)
    assert len(found) == 12
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0
    assert small_index.search("", k=3, mode="dense", vector=vector) == found[:3]
    nothing = small_index.search("", k=12, mode="dense", vector=np.zeros(len(vector)))
    assert {hit.score for hit in nothing} == {0.0}


def test_filters_and_later_stages_hold(small_index: KureIndex) -> None:
    vector = small_index.embedder.embed_queries([QUERY])[0]
    found = small_index.search("", mode="dense", vector=vector, where={"title": "취업규정"})
    assert {hit.source for hit in found} == {"leave", "sick", "remote"}
    plain = small_index.search("", k=12, mode="dense", vector=vector)
    mixed = small_index.search("", k=12, mode="dense", vector=vector, mmr=0.2)
    assert set(ids(mixed)) == set(ids(plain))
    assert ids(mixed) != ids(plain)
    measured = small_index.search("", k=3, mode="dense", vector=vector, relevance=True)
    assert measured == small_index.search(QUERY, k=3, mode="dense", relevance=True)


def test_no_query_is_embedded(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=Untouched()) as index:
        assert index.search("", mode="dense", vector=np.ones(7)) == []  # nothing to compare its length with
        index.add_records([], workers=1)
        assert index.search(QUERY, vector=np.ones(7)) == []


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        ([], "shape"),
        ([[0.5] * 32], "shape"),
        (1.0, "shape"),
        (["휴가"] * 32, "number"),
        ([None] * 32, "NaN"),
        ([float("nan")] * 32, "NaN"),
        ([float("inf")] * 32, "NaN"),
        ([0.5] * DIMENSION, "48 numbers and this index's vectors have 32"),
    ],
)
def test_what_is_no_vector_of_the_index_is_an_error(small_index: KureIndex, vector, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        small_index.search(QUERY, vector=vector)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "lexical"}, "uses no vector"),
        ({"multi_query": lambda query: [query]}, "multi_query"),
        ({"hyde": lambda query: query}, "hyde"),
    ],
)
def test_options_that_have_no_use_for_it_are_an_error(small_index: KureIndex, given, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        small_index.search(QUERY, vector=[0.5] * 32, **given)


@pytest.mark.parametrize("given", [{}, {"mode": "dense", "highlight": True}, {"mode": "dense", "rerank": "some/model"}])
def test_an_empty_query_is_one_still_where_its_words_are_needed(small_index: KureIndex, given) -> None:
    with pytest.raises(SearchError, match="empty"):
        small_index.search(" ", vector=[0.5] * 32, **given)
