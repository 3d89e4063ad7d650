"""Fusion: what it promises for any two rankings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.search import ConvexFusion, RrfFusion, convex, rrf
from kure_rag.search.candidates import Candidates
from kure_rag.types import Leg

scores = st.dictionaries(st.integers(0, 30), st.floats(0.01, 50), min_size=1, max_size=20)


def legs(lexical: dict[int, float], dense: dict[int, float]) -> dict[int, dict[str, Leg]]:
    said: dict[int, dict[str, Leg]] = {}
    for name, ranking in (("lexical", lexical), ("dense", dense)):
        for rank, row in enumerate(sorted(ranking, key=lambda r: (-ranking[r], r)), 1):
            said.setdefault(row, {})[name] = Leg(rank, ranking[row])
    return said


def order(fused: dict[int, float]) -> list[int]:
    return sorted(fused, key=lambda row: (-fused[row], row))


@given(scores, scores)
def test_weight_zero_is_the_keyword_ranking_and_weight_one_the_dense_one(lexical, dense) -> None:
    said = legs(lexical, dense)
    for weight, ranking in ((0.0, lexical), (1.0, dense)):
        fused = ConvexFusion(weight=weight).fuse(said)
        assert [row for row in order(fused) if row in ranking and fused[row] > 0] == order(ranking)


@given(scores, scores, st.floats(0.05, 0.95))
def test_stronger_keyword_evidence_is_harder_to_overrule(lexical, dense, weight) -> None:
    """Where the keyword leg tells candidates apart by more, the vectors change its order less often."""

    def swaps(factor: float) -> int:
        fused = ConvexFusion(weight=weight).fuse(legs({row: factor * s for row, s in lexical.items()}, dense))
        rows = sorted(lexical)
        return sum(
            lexical[a] > lexical[b] and fused[a] < fused[b] - 1e-9
            for a in rows
            for b in rows
            if a in fused and b in fused
        )

    assert swaps(10.0) <= swaps(1.0)


@given(scores, scores, st.floats(0, 1))
def test_a_candidate_that_is_no_worse_in_either_leg_is_no_worse_fused(lexical, dense, weight) -> None:
    for fusion in (ConvexFusion(weight=weight), RrfFusion(weight=weight)):
        fused = fusion.fuse(legs(lexical, dense))
        best_lexical, best_dense = order(lexical)[0], order(dense)[0]
        if best_lexical == best_dense:
            assert fused[best_lexical] == pytest.approx(max(fused.values()))


@given(scores, scores)
def test_every_candidate_is_kept(lexical, dense) -> None:
    said = legs(lexical, dense)
    for fusion in (ConvexFusion(weight=0.3), RrfFusion()):
        assert set(fusion.fuse(said)) == set(said)


def test_rrf_by_hand() -> None:
    said = {
        1: {"lexical": Leg(1, 9.0), "dense": Leg(3, 0.2)},
        2: {"dense": Leg(1, 0.9)},
        3: {"lexical": Leg(2, 1.0), "dense": Leg(None, 0.1)},
    }
    fused = RrfFusion(weight=0.25, k=60).fuse(said)
    assert fused == pytest.approx({1: 0.75 / 61 + 0.25 / 63, 2: 0.25 / 61, 3: 0.75 / 62})


def test_convex_by_hand() -> None:
    said = {1: {"lexical": Leg(1, 10.0), "dense": Leg(None, -0.3)}, 2: {"lexical": Leg(2, 5.0), "dense": Leg(1, 0.8)}}
    fused = ConvexFusion(weight=0.2, scale=20.0).fuse(said)
    assert fused == pytest.approx({1: 0.8 * 0.5 - 0.2 * 0.3, 2: 0.8 * 0.25 + 0.2 * 0.8})


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_a_weight_outside_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ConvexFusion(weight=weight)
    with pytest.raises(ValueError, match="between 0 and 1"):
        RrfFusion(weight=weight)


FUSIONS = (
    ConvexFusion(weight=0.3),
    ConvexFusion(weight=0.3, normaliser="minmax"),
    ConvexFusion(weight=0.3, normaliser="spread"),
    RrfFusion(weight=0.4),
)
both = st.tuples(st.dictionaries(st.integers(0, 15), st.floats(0.01, 50), min_size=1, max_size=12), scores)


@given(both, st.floats(0.01, 30), st.sampled_from(["lexical", "dense"]), st.data())
def test_a_higher_score_in_one_leg_never_ranks_a_candidate_lower(rankings, more, name, data) -> None:
    before = dict(zip(("lexical", "dense"), rankings, strict=True))
    row = data.draw(st.sampled_from(sorted(before[name])))
    after = {**before, name: {**before[name], row: before[name][row] + more}}
    for fusion in FUSIONS:
        old, new = (fusion.fuse(legs(some["lexical"], some["dense"])) for some in (before, after))
        beaten = {other for other in old if old[row] > old[other] + 1e-9}
        assert all(new[row] >= new[other] - 1e-9 for other in beaten), fusion


@given(both, st.randoms())
def test_the_order_in_which_candidates_are_given_changes_nothing(rankings, random) -> None:
    said = legs(*rankings)
    shuffled = list(said.items())
    random.shuffle(shuffled)
    for fusion in FUSIONS:
        assert fusion.fuse(dict(shuffled)) == fusion.fuse(said)


@given(both)
def test_the_parts_of_a_score_add_up_to_it(rankings) -> None:
    said = legs(*rankings)
    for fusion in FUSIONS:
        candidates = Candidates.of_legs(said)
        parts, fused = fusion.parts(candidates), fusion.fuse(said)
        for i, row in enumerate(candidates.rows.tolist()):
            assert sum(part[i] for part in parts.values()) == pytest.approx(fused[row], abs=1e-12)


@given(both)
def test_legs_come_back_from_arrays_as_they_went_in(rankings) -> None:
    said = legs(*rankings)
    assert Candidates.of_legs(said).to_legs() == said


def test_minmax_by_hand() -> None:
    said = {
        1: {"lexical": Leg(1, 8.0), "dense": Leg(3, 0.2)},
        2: {"dense": Leg(1, 0.6)},
        3: {"lexical": Leg(2, 2.0), "dense": Leg(2, 0.3)},
    }
    fused = convex(0.5, "minmax").fuse(said)
    assert fused == pytest.approx({1: 0.5, 2: 0.5, 3: 0.5 * 0.25 + 0.5 * 0.25})


def test_cosines_that_lie_close_together_are_stretched() -> None:
    candidates = Candidates.of(
        {"dense": (np.array([1, 2]), np.array([0.85, 0.80])), "lexical": (np.array([2]), np.array([10.0]))}, 3.0
    )
    assert convex(0.5, "spread").parts(candidates)["dense"] == pytest.approx([0.5 * 3 * 0.85, 0.5 * 3 * 0.80])
    assert convex(0.5, "cosine").parts(candidates)["dense"] == pytest.approx([0.5 * 0.85, 0.5 * 0.80])


def test_the_short_constructors() -> None:
    assert rrf(30, weights=(1, 3)) == RrfFusion(weight=0.75, k=30)
    assert convex(0.2) == ConvexFusion(weight=0.2, normaliser="spread")
    with pytest.raises(ValueError, match="above 0"):
        rrf(weights=(0, 0))
    with pytest.raises(ValueError, match="no normaliser"):
        convex(0.2, "zscore")  # type: ignore[arg-type]
