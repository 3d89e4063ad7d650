"""What both keyword engines promise."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import LexicalView, Question
from kure_rag.index.rank_bm25 import Bm25Settings, RankBm25View

WORDS = ("예금", "보험", "계약", "해지", "이자", "세금", "연금", "임대", "보증금", "약관", "청약", "철회")
Engine = LexicalView | RankBm25View
Make = Callable[[Mapping[int, Keywords]], Engine]


@pytest.fixture(params=["tantivy", "rank-bm25"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def tantivy(rows: Mapping[int, Keywords]) -> Engine:
        view = LexicalView(tmp_path)
        view.apply(rows, [])
        return view

    return tantivy if request.param == "tantivy" else RankBm25View


@pytest.fixture
def corpus() -> dict[int, Keywords]:
    chance = random.Random(7)
    texts = {row: " ".join(chance.choices(WORDS, k=chance.randint(3, 12))) for row in range(10, 130)}
    return {row: Keywords(text, text) for row, text in texts.items()}


def test_best_first_positive_and_never_more_than_asked_for(make: Make, corpus: dict[int, Keywords]) -> None:
    view = make(corpus)
    for limit in (1, 10, 1000):
        found = view.search(Question(["이자", "철회"]), limit)
        scores = [score for _, score in found]
        assert len(found) <= limit
        assert scores == sorted(scores, reverse=True)
        assert all(score > 0 for score in scores)
        assert {row for row, _ in found} <= {
            row for row, k in corpus.items() if {"이자", "철회"} & set(k.terms.split())
        }


def test_every_passage_with_a_term_is_found(make: Make, corpus: dict[int, Keywords]) -> None:
    found = {row for row, _ in make(corpus).search(Question(["예금"]), 1000)}
    assert found == {row for row, item in corpus.items() if "예금" in item.terms.split()}


def test_nothing_to_find(make: Make, corpus: dict[int, Keywords]) -> None:
    view = make(corpus)
    assert view.search(Question([]), 10) == view.search(Question(["없는말"]), 10) == []
    assert view.search(Question(["이자"]), 0) == view.search(Question(["이자"]), 10, []) == []
    assert make({}).search(Question(["이자"]), 10) == [] or len(make({})) == len(corpus)  # same folder
    assert len(view) == len(corpus)


def test_only_allowed_rows_with_unchanged_scores(make: Make, corpus: dict[int, Keywords]) -> None:
    view = make(corpus)
    scores = dict(view.search(Question(["이자", "세금"]), 1000))
    allowed = np.arange(10, 130, 7)
    assert dict(view.search(Question(["이자", "세금"]), 1000, allowed)) == {
        r: s for r, s in scores.items() if r in allowed
    }


def test_optional_terms_count_by_their_weight(make: Make, corpus: dict[int, Keywords]) -> None:
    view = make(corpus)
    question = dict(view.search(Question(["이자"]), 1000))
    other = dict(view.search(Question(["세금"]), 1000))
    both = dict(view.search(Question(["이자"], optional={"세금": 0.25, "없음": 1.0}), 1000))
    assert both.keys() == question.keys() | other.keys()
    for row, score in both.items():
        assert score == pytest.approx(question.get(row, 0) + 0.25 * other.get(row, 0), abs=3e-4)
    assert view.search(Question(["이자"], optional={"이자": 0.5}), 1000) == view.search(Question(["이자"]), 1000)


def test_repeated_terms_count_once_and_results_repeat(make: Make, corpus: dict[int, Keywords]) -> None:
    view = make(corpus)
    assert view.search(Question(["이자", "이자"]), 50) == view.search(Question(["이자"]), 50)
    assert view.search(Question(["이자"]), 50) == view.search(Question(["이자"]), 50)


def test_engines_rank_alike(tmp_path: Path, corpus: dict[int, Keywords]) -> None:
    """Other weights for repetition, the same terms: the orders are close, and both find the same passages."""
    ours, oracle = LexicalView(tmp_path), RankBm25View(corpus, Bm25Settings(k1=0.6))
    ours.apply(corpus, [])
    for terms in (["이자"], ["보증금", "철회"], ["약관", "청약", "세금"]):
        a, b = (dict(view.search(Question(terms), 1000)) for view in (ours, oracle))
        assert a.keys() == b.keys()
        rows = sorted(a)
        correlation = np.corrcoef([a[row] for row in rows], [b[row] for row in rows])[0, 1]
        assert correlation > 0.97
