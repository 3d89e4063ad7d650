"""Which candidates are hits."""

from __future__ import annotations

import pytest

from kure_rag.search import ConvexFusion, RrfFusion
from kure_rag.search.candidates import Candidates, Legs
from kure_rag.search.fusion import Fusion
from kure_rag.search.ranking import ranked
from kure_rag.types import Leg

BOTH, KEYWORDS_AGAINST_VECTOR, VECTOR, NEITHER, KEYWORDS = 1, 2, 3, 4, 5
SAID: Legs = {
    BOTH: {"lexical": Leg(1, 9.0), "dense": Leg(1, 0.6)},
    KEYWORDS_AGAINST_VECTOR: {"lexical": Leg(2, 1.5), "dense": Leg(None, -0.4)},
    VECTOR: {"dense": Leg(2, 0.3)},
    NEITHER: {"dense": Leg(3, -0.1)},
    KEYWORDS: {"lexical": Leg(3, 0.5), "dense": Leg(None, 0.0)},
}


def rows(fusion: Fusion, mode: str = "hybrid", said: Legs = SAID) -> list[int]:
    return ranked(Candidates.of_legs(said), mode, fusion).rows.tolist()  # type: ignore[arg-type]


def test_a_passage_with_words_of_the_question_stays_a_hit_where_its_cosine_is_below_zero() -> None:
    found = ranked(Candidates.of_legs(SAID), "hybrid", ConvexFusion(weight=0.5))
    assert found.rows.tolist() == [BOTH, VECTOR, KEYWORDS, KEYWORDS_AGAINST_VECTOR]
    assert found.scores[-1] == pytest.approx(0.5 * 1.5 / 100 - 0.5 * 0.4)
    assert found.scores[-1] < 0
    assert found.legs_of(3)["lexical"] == Leg(2, 1.5)


@pytest.mark.parametrize(
    "fusion", [ConvexFusion(weight=0.5), ConvexFusion(weight=0.5, normaliser="minmax"), RrfFusion(weight=0.5)]
)
def test_a_candidate_that_no_leg_gives_a_score_above_zero_is_no_hit(fusion: Fusion) -> None:
    assert set(rows(fusion)) == {BOTH, VECTOR, KEYWORDS, KEYWORDS_AGAINST_VECTOR}


def test_with_no_weight_on_vectors_what_only_they_found_is_no_hit() -> None:
    assert rows(ConvexFusion(weight=0.0)) == [BOTH, KEYWORDS_AGAINST_VECTOR, KEYWORDS]


def test_one_leg_alone_gives_its_own_scores_above_zero() -> None:
    dense = {row: {"dense": legs["dense"]} for row, legs in SAID.items()}
    assert rows(ConvexFusion(weight=0.5), "dense", dense) == [BOTH, VECTOR]


def test_what_a_fusion_of_ones_own_leaves_out_is_no_hit() -> None:
    class OnlyBoth:
        def fuse(self, legs: Legs) -> dict[int, float]:
            return {row: -1.0 for row, said in legs.items() if {"lexical", "dense"} == said.keys()}

    assert rows(OnlyBoth()) == [BOTH, KEYWORDS_AGAINST_VECTOR, KEYWORDS]
