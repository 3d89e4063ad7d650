"""The stages after the fusion, each by itself."""

from __future__ import annotations

import dataclasses
import itertools
import re
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import SearchError
from kure_rag.search.duplicates import FoldSettings, folded
from kure_rag.search.group import GroupSettings, grouped
from kure_rag.search.highlight import highlights, merged
from kure_rag.search.mmr import MmrSettings, mmr_order
from kure_rag.search.neighbours import ExpandSettings, span_around
from kure_rag.search.relevance import SETTINGS, Background, coverage, relevance
from kure_rag.search.rerank import RerankSettings, rerank_scores
from kure_rag.tokenize import KiwiTokenizer, WhitespaceTokenizer
from kure_rag.types import Chunk

LEAVE = "사용자는 1년간 80퍼센트 이상 출근한 근로자에게 15일의 유급휴가를 주어야 한다."
vectors = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=n, max_size=n)
)


# Near-duplicates


def test_the_same_words_with_other_spaces_and_marks_are_one_passage() -> None:
    texts = [
        LEAVE,
        "병가는 연간 60일까지 허가한다.",
        LEAVE.replace(" ", "  ").replace(".", "。"),
        "급여는 25일에 준다.",
    ]
    assert folded(texts, FoldSettings()) == [[0, 2], [1], [3]]


def test_nearly_the_same_words_are_one_passage_and_the_best_ranked_stands_for_it() -> None:
    longer = (
        LEAVE + " 다만, 사용자가 동의하면 근로자가 바라는 때에 나누어 쓸 수 있고, 쓰지 못한 휴가는 수당으로 받는다."
    )
    assert folded([longer, longer.replace("바라는", "원하는")], FoldSettings(similarity=0.8)) == [[0, 1]]
    assert folded([longer, longer.replace("바라는", "원하는")], FoldSettings(similarity=1.0)) == [[0], [1]]


@pytest.mark.parametrize("other", ["16일", "1.5일", "15.0일"])
def test_passages_that_differ_in_a_number_are_never_one(other: str) -> None:
    assert folded([LEAVE * 20, LEAVE * 19 + LEAVE.replace("15일", other)], FoldSettings(similarity=0.5)) == [[0], [1]]


def test_the_same_number_written_with_a_comma_is_the_same() -> None:
    assert folded(["보증금은 2,500만원이다.", "보증금은 2500만원이다."], FoldSettings()) == [[0, 1]]


@given(st.lists(st.sampled_from(["가나다라마바", "가나다라마사", "나", "다 1", "다 2", ""]), max_size=12))
def test_folding_keeps_every_passage_once(texts: list[str]) -> None:
    groups = folded(texts, FoldSettings(shingle=2))
    assert sorted(i for group in groups for i in group) == list(range(len(texts)))
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    assert all(group == sorted(group) for group in groups)


# Maximal marginal relevance


@given(vectors, st.integers(1, 15))
def test_mmr_with_relevance_alone_keeps_the_order(rows: list[list[float]], count: int) -> None:
    scores = [float(len(rows) - i) for i in range(len(rows))]
    order = mmr_order(scores, np.array(rows, dtype=np.float32), count, MmrSettings(relevance_weight=1.0))
    assert order == list(range(min(count, len(rows))))


@given(vectors, st.floats(0, 1), st.integers(1, 15))
def test_mmr_takes_each_candidate_once_and_the_best_first(rows: list[list[float]], weight: float, count: int) -> None:
    scores = [1.0 / (i + 1) for i in range(len(rows))]
    order = mmr_order(scores, np.array(rows, dtype=np.float32), count, MmrSettings(relevance_weight=weight))
    assert len(order) == len(set(order)) == min(count, len(rows))
    assert weight == 0 or order[0] == 0


def test_mmr_prefers_another_subject_to_the_same_again() -> None:
    matrix = np.array([[1, 0], [0.999, 0.01], [0, 1]], dtype=np.float32)
    assert mmr_order([0.9, 0.8, 0.5], matrix, 3, MmrSettings(relevance_weight=0.5)) == [0, 2, 1]
    assert mmr_order([], np.zeros((0, 2), dtype=np.float32), 3, MmrSettings()) == []


# Grouping


@given(st.lists(st.sampled_from("가나다라")), st.integers(1, 4))
def test_groups_stand_by_their_best_hit_and_hold_no_more_than_asked(keys: list[str], limit: int) -> None:
    kept = [keys[i] for i in grouped(keys, GroupSettings(limit=limit))]
    assert list(dict.fromkeys(kept)) == list(dict.fromkeys(keys))
    assert all(kept.count(key) == min(limit, keys.count(key)) for key in keys)
    runs = 1 + sum(a != b for a, b in itertools.pairwise(kept)) if kept else 0
    assert runs == len(set(keys))


# Neighbours


def chunks(lengths: Sequence[int], crumbs: Sequence[str]) -> list[Chunk]:
    starts = np.cumsum([0, *(n + 1 for n in lengths)])
    last = len(lengths) - 1
    return [
        Chunk(
            f"c{i}",
            "d",
            "가" * lengths[i],
            int(starts[i]),
            int(starts[i]) + lengths[i],
            (1,),
            (crumbs[i],),
            ordinal=i,
            prev_id=f"c{i - 1}" if i else None,
            next_id=f"c{i + 1}" if i < last else None,
        )
        for i in range(len(lengths))
    ]


def around(made: list[Chunk], at: int, settings: ExpandSettings) -> tuple[int, int, tuple[str, ...]]:
    by_id = {chunk.id: chunk for chunk in made}
    return span_around(made[at], lambda ids: {id_: by_id[id_] for id_ in ids if id_ in by_id}, settings)


def test_one_neighbour_on_each_side() -> None:
    made = chunks([10, 10, 10, 10, 10], "가가가가가")
    assert around(made, 2, ExpandSettings(by=1)) == (11, 43, ("c1", "c2", "c3"))
    assert around(made, 0, ExpandSettings(by=1)) == (0, 21, ("c0", "c1"))
    assert around(made, 4, ExpandSettings(by=9))[2] == ("c0", "c1", "c2", "c3", "c4")
    assert around(made, 3, ExpandSettings(by=0)) == (33, 43, ("c3",))


def test_a_section_ends_where_other_headings_begin() -> None:
    made = chunks([5] * 7, "가나나나다다나")
    assert around(made, 2, ExpandSettings(by="section"))[2] == ("c1", "c2", "c3")
    assert around(made, 6, ExpandSettings(by="section"))[2] == ("c6",)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
    st.data(),
    st.one_of(st.integers(0, 5), st.just("section")),
    st.integers(1, 120),
)
def test_a_context_never_passes_its_limit_and_holds_the_hit(lengths, data, by, limit) -> None:
    made = chunks(lengths, data.draw(st.lists(st.sampled_from("가나"), min_size=len(lengths), max_size=len(lengths))))
    at = data.draw(st.integers(0, len(lengths) - 1))
    start, end, ids = around(made, at, ExpandSettings(by=by, limit=limit))
    assert end - start <= limit
    assert start <= made[at].start
    assert end >= min(made[at].end, made[at].start + limit)
    by_id = {chunk.id: chunk for chunk in made}
    assert all(start <= by_id[id_].start and by_id[id_].end <= end for id_ in ids)


# Highlights


def test_matched_morphemes_are_marked_where_they_stand() -> None:
    text = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."
    tokenizer = KiwiTokenizer()
    (spans,) = highlights(tokenizer, [set(tokenizer.terms("직원의 연차 휴가"))], [text])
    assert [text[a:b] for a, b in spans] == ["연차휴가", "직원"]


def test_nothing_is_marked_where_nothing_matches() -> None:
    assert highlights(WhitespaceTokenizer(), [{"급여"}, {"휴가"}], ["병가 휴가", "휴가 병가 휴가"]) == [
        (),
        ((0, 2), (6, 8)),
    ]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda pair: (pair[0], sum(pair)))))
def test_merged_spans_cover_the_same_characters_and_do_not_touch(spans: list[tuple[int, int]]) -> None:
    out = merged(spans)
    assert {i for a, b in out for i in range(a, b)} == {i for a, b in spans for i in range(a, b)}
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(out))


# Relevance


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-5, 15), st.floats(0, 1), st.floats(0, 5))
def test_more_evidence_never_makes_less_relevant(terms, pairs, cosine, more_terms, more_cosine) -> None:
    for settings in SETTINGS.values():
        low = relevance((terms, pairs, cosine), settings)
        high = relevance((min(1, terms + more_terms), pairs, cosine + more_cosine), settings)
        assert 0 <= low <= high <= 1


def test_a_background_says_how_far_above_unrelated_passages_a_cosine_lies() -> None:
    rng = np.random.default_rng(5)
    for scale, middle in ((0.07, 0.0), (0.02, 0.8)):  # as of the bundled model, and of one whose cosines lie close
        background = Background.of(middle + scale * rng.standard_normal(256))
        assert background is not None
        assert background.above(middle + 5 * scale) == pytest.approx(5, abs=0.7)
    assert Background.of(np.ones(3)) is None


def test_coverage_counts_distinct_words() -> None:
    assert coverage(["휴가", "휴가", "직원"], ["휴가", "급여"]) == 0.5
    assert coverage([], ["휴가"]) == 0


# Reranking


class Slow:
    """A reranker that likes long passages, and takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[int] = []

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        self.calls.append(len(pairs))
        time.sleep(self.seconds)
        return np.array([len(passage) for _, passage in pairs], dtype=np.float32)


@pytest.mark.parametrize("limit", [None, 60.0])
def test_a_reranker_is_asked_in_batches(limit: float | None) -> None:
    model = Slow()
    settings = RerankSettings(model=model, batch=2, time_limit=limit)
    scores = rerank_scores(model, "휴가", ["가", "나나", "다다다", "라", "마마"], settings)
    assert not isinstance(scores, str)
    assert scores.tolist() == [1, 2, 3, 1, 2]
    assert model.calls == [2, 2, 1]


def test_a_reranker_that_takes_too_long_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    began = threading.Event()

    class Stuck:
        def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            began.set()
            threading.Event().wait(20)
            return np.zeros(len(pairs), dtype=np.float32)

    model = Stuck()
    said = rerank_scores(model, "휴가", ["가"], RerankSettings(model=model, time_limit=0.05))
    assert isinstance(said, str)
    assert began.wait(5)
    assert "longer than its limit" in said
    assert "longer than its limit" in caplog.text


class Broken:
    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        raise RuntimeError("no weights")


class Short:
    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        return np.zeros(len(pairs) - 1, dtype=np.float32)


@pytest.mark.parametrize("limit", [None, 60.0])
@pytest.mark.parametrize(
    ("model", "kind", "what"),
    [(Broken(), RuntimeError, "no weights"), (Short(), SearchError, r"Short.scores\(\) gave 1 scores for 2 pairs")],
)
def test_an_error_of_the_reranker_leaves_the_fused_order_or_is_raised(limit, model, kind, what, caplog) -> None:
    settings = RerankSettings(model=model, time_limit=limit)
    said = rerank_scores(model, "휴가", ["가", "나"], settings)
    assert isinstance(said, str)
    assert re.search(f"failed with {kind.__name__}: {what}; the fused order stays", said)
    assert "휴가" in caplog.text
    with pytest.raises(kind, match=what):
        rerank_scores(model, "휴가", ["가", "나"], dataclasses.replace(settings, fall_back=False))


@pytest.mark.parametrize(
    "make",
    [
        lambda: MmrSettings(relevance_weight=1.5),
        lambda: MmrSettings(candidates=0),
        lambda: FoldSettings(similarity=0.0),
        lambda: FoldSettings(shingle=0),
        lambda: GroupSettings(limit=0),
        lambda: ExpandSettings(by=-1),
        lambda: ExpandSettings(limit=0),
        lambda: RerankSettings(model="m", candidates=0),
        lambda: RerankSettings(model="m", time_limit=0),
    ],
)
def test_settings_that_make_no_sense_are_refused(make) -> None:
    with pytest.raises(ValueError, match=r"\d|section"):
        make()
