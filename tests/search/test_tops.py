"""Fusion of the first of each leg."""

from __future__ import annotations

import pytest

from kure_rag import KureIndex
from kure_rag.search import convex
from kure_rag.search.candidates import Candidates
from kure_rag.search.ranking import ranked
from kure_rag.search.tops import TopFusion
from kure_rag.types import Leg

LEGS = {
    1: {"lexical": Leg(1, 30.0), "dense": Leg(4, 0.3)},
    2: {"lexical": Leg(2, 20.0), "dense": Leg(1, 0.9)},
    3: {"lexical": Leg(3, 10.0), "dense": Leg(3, 0.4)},
    4: {"dense": Leg(2, 0.8)},
}


@pytest.mark.parametrize(
    ("lexical_top", "dense_top", "kept"),
    [(None, None, {1, 2, 3, 4}), (1, 1, {1, 2}), (1, 2, {1, 2, 4}), (None, 1, {1, 2, 3}), (3, None, {1, 2, 3, 4})],
)
def test_only_the_first_of_a_leg_are_hits_and_their_scores_are_the_convex_ones(lexical_top, dense_top, kept) -> None:
    fusion = TopFusion(weight=0.4, lexical_top=lexical_top, dense_top=dense_top)
    wanted = convex(0.4, "cosine").fuse(LEGS)
    found = ranked(Candidates.of_legs(LEGS), "hybrid", fusion)
    assert dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == {row: wanted[row] for row in kept}


def test_a_search_with_it_takes_so_many_by_words_and_so_many_by_vectors(small_index: KureIndex) -> None:
    query = "연차휴가는 며칠인가요?"
    words = [hit.chunk.id for hit in small_index.search(query, mode="lexical", k=1)]
    near = [hit.chunk.id for hit in small_index.search(query, mode="dense", k=2)]
    fusion = TopFusion(weight=0.5, lexical_top=1, dense_top=2)
    assert {hit.chunk.id for hit in small_index.search(query, k=12, fusion=fusion)} == {*words, *near}


def test_it_stretches_cosines_as_the_convex_one_does(small_index: KureIndex) -> None:
    query = "연차휴가는 며칠인가요?"
    plain = small_index.search(query, fusion=convex(0.7, "spread"))
    assert small_index.search(query, fusion=TopFusion(weight=0.7, normaliser="spread")) == plain


@pytest.mark.parametrize("given", [{"lexical_top": 0}, {"dense_top": -1}, {"weight": 1.5}])
def test_what_makes_no_sense_is_an_error(given) -> None:
    with pytest.raises(ValueError, match=r"at least 1|between 0 and 1"):
        TopFusion(**{"weight": 0.5, **given})
