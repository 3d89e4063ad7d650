"""Similarities of pairs, by values that are worked out by hand and by scipy's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from support import HashEmbedder

from kure_rag.embed import Embedder
from kure_rag.errors import InvalidTextError, SearchError
from kure_rag.evaluate.pairs import (
    SIMILARITIES,
    pair_similarities,
    score_matrix,
    score_pairs,
    similar_texts,
    similarity_matrix,
)

FIRST = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
SECOND = np.array([[4.0, 3.0], [0.0, 5.0], [0.0, -1.0]])
BY_HAND = {
    "cosine": [24 / 25, 0.0, -1.0],
    "euclidean": [-(2**0.5), -(26**0.5), -3.0],
    "manhattan": [-2.0, -6.0, -3.0],
    "dot": [24.0, 0.0, -2.0],
}
MATRICES = hnp.arrays(np.float64, (4, 3), elements=st.floats(-5, 5, allow_nan=False, width=32))


class TwoRoles:
    """Embeds by a table, and says which role it was asked in."""

    name = "table"
    dense_weight = 0.5
    fingerprint = {"model": "table"}  # noqa: RUF012

    def __init__(self, table: dict[str, tuple[float, ...]]) -> None:
        self.table = table
        self.asked: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append("query")
        return np.array([self.table[text] for text in texts], np.float32)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append("passage")
        return np.array([self.table[text] for text in texts], np.float32)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_similarities_are_those_worked_out_by_hand(similarity: str) -> None:
    assert pair_similarities(FIRST, SECOND, similarity) == pytest.approx(BY_HAND[similarity])
    assert np.diag(similarity_matrix(FIRST, SECOND, similarity)) == pytest.approx(BY_HAND[similarity])


@given(MATRICES, MATRICES, st.sampled_from(SIMILARITIES))
def test_a_pair_has_the_similarity_that_the_matrix_has_and_either_way_round(
    first: NDArray[np.float64], second: NDArray[np.float64], similarity: str
) -> None:
    matrix = similarity_matrix(first, second, similarity)
    assert pair_similarities(first, second, similarity) == pytest.approx(np.diag(matrix), abs=1e-9)
    assert pytest.approx(matrix, abs=1e-9) == similarity_matrix(second, first, similarity).T


def test_a_vector_of_zeros_has_a_cosine_of_zero_and_no_warning() -> None:
    with np.errstate(all="raise"):
        assert pair_similarities([[0.0, 0.0]], [[1.0, 1.0]]).tolist() == [0.0]


def test_many_rows_are_all_there() -> None:
    rows = np.arange(9000, dtype=np.float64)[:, None]
    assert np.array_equal(pair_similarities(rows, np.ones_like(rows), "dot"), rows[:, 0])


def test_scores_are_cosines_times_a_hundred_as_in_cal_score() -> None:
    table = {"고양이": (3.0, 4.0), "강아지": (4.0, 3.0), "대출": (-4.0, 3.0)}
    model = TwoRoles(table)
    scores = score_pairs(model, ["고양이", "고양이"], ["강아지", "대출"])
    assert scores == pytest.approx([96.0, 0.0])
    assert score_matrix(model, ["고양이"], ["강아지", "대출", "고양이"]) == pytest.approx(
        np.array([[96.0, 0.0, 100.0]])
    )
    assert model.asked == ["query", "query"]


def test_the_role_says_which_prefix_both_sides_get(tiny_model: Path) -> None:
    from kure_rag.embed import EmbedSettings

    plain = Embedder(str(tiny_model))
    prefixed = Embedder(str(tiny_model), EmbedSettings(passage_prefix="문서: "))
    pair = (["연차휴가를 준다"], ["금리를 고시한다"])
    assert score_pairs(prefixed, *pair) == pytest.approx(score_pairs(plain, *pair))
    shared = score_pairs(prefixed, *pair, role="passage")
    assert shared[0] > score_pairs(plain, *pair)[0] + 1  # both begin alike


def test_progress_counts_both_sides(tiny_model: Path) -> None:
    seen: list[int] = []
    score_pairs(str(tiny_model), ["하나", "둘"], ["셋", "넷"], progress=seen.append)
    assert seen[-1] == 4


def test_lists_that_do_not_pair_are_refused() -> None:
    model = HashEmbedder()
    with pytest.raises(ValueError, match="2 texts and 1 to pair"):
        score_pairs(model, ["가", "나"], ["다"])
    with pytest.raises(TypeError, match="pass \\[text\\]"):
        score_pairs(model, "가나", ["다"])
    with pytest.raises(ValueError, match="choose one of cosine, euclidean, manhattan, dot"):
        score_pairs(model, ["가"], ["나"], "jaccard")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same rows and columns"):
        pair_similarities(FIRST, SECOND[:2])


def test_no_pairs_have_no_scores(tiny_model: Path) -> None:
    assert score_pairs(str(tiny_model), [], []).shape == (0,)
    assert score_matrix(str(tiny_model), ["가나다"], []).shape == (1, 0)


def test_an_empty_text_is_named_by_its_place(tiny_model: Path) -> None:
    with pytest.raises(InvalidTextError) as caught:
        score_pairs(str(tiny_model), ["가", "나"], ["다", " "])
    assert caught.value.position == 3


def test_similar_texts_come_best_first_and_equal_ones_in_their_order() -> None:
    model = TwoRoles(
        {"휴가": (1.0, 0.0), "금리": (0.0, 1.0), "연차": (2.0, 0.2), "병가": (2.0, 0.2), "질문": (1.0, 0.0)}
    )
    found = similar_texts(model, "질문", ["금리", "연차", "병가", "휴가"], k=3)
    assert [(one.position, one.text) for one in found] == [(3, "휴가"), (1, "연차"), (2, "병가")]
    assert found[0].score == pytest.approx(1)
    assert found[1].score == pytest.approx(2 / 4.04**0.5)
    assert model.asked == ["query", "passage"]


def test_texts_that_differ_by_rounding_alone_keep_their_order() -> None:
    """One sentence, embedded in three batches: the vectors differ in the seventh decimal."""
    vectors = {"병가": (0.6, 0.8), "병가 ": (0.6 + 1e-7, 0.8), "병가  ": (0.6 + 2e-7, 0.8), "휴가": (0.61, 0.8)}
    model = TwoRoles({"질문": (1.0, 0.0), **vectors})
    found = similar_texts(model, "질문", list(vectors), k=4)
    assert [one.position for one in found] == [3, 0, 1, 2]


def test_more_texts_than_there_are_gives_all_and_none_is_an_error() -> None:
    assert len(similar_texts(HashEmbedder(), "휴가", ["휴가", "병가"], k=9)) == 2
    assert similar_texts(HashEmbedder(), "휴가", [], k=9) == []
    with pytest.raises(SearchError, match="k is 0"):
        similar_texts(HashEmbedder(), "휴가", ["병가"], k=0)
