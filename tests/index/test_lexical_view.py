"""BM25 by tantivy, with rank-bm25 as the oracle of its ranking."""

import math
import random
from collections import Counter
from pathlib import Path

import pytest
from rank_bm25 import BM25Okapi

from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import LexicalSettings, LexicalView, Question

PLAIN = LexicalSettings(pairs=0.0, presence=0.0)

WORDS = ("예금", "보험", "계약", "해지", "이자", "세금", "연금", "임대", "보증금", "약관", "청약", "철회")


def keywords(texts: dict[int, str]) -> dict[int, Keywords]:
    return {row: Keywords(text, text) for row, text in texts.items()}


@pytest.fixture
def corpus() -> dict[int, Keywords]:
    chance = random.Random(7)
    # All of one length, so that tantivy's one-byte length (its only rounding) plays no part.
    return keywords({row: " ".join(chance.choices(WORDS, k=12)) for row in range(200)})


@pytest.mark.parametrize("presence", [0.0, 0.6])
def test_scores_are_bm25_and_a_share_for_presence(tmp_path: Path, corpus: dict[int, Keywords], presence: float) -> None:
    view = LexicalView(tmp_path, LexicalSettings(pairs=0.0, presence=presence))
    view.apply(corpus, [])
    query = ["보증금", "해지", "철회"]
    found = dict(view.search(Question(query), 200))
    n = len(corpus)
    for row, item in corpus.items():
        counts = Counter(item.terms.split())
        score = 0.0
        for term in query:
            df = sum(term in other.terms.split() for other in corpus.values())
            idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
            score += idf * counts[term] * 2.2 / (counts[term] + 1.2) + presence * idf * (counts[term] > 0)
        assert found.get(row, 0.0) == pytest.approx(score, rel=1e-4, abs=1e-4)


def test_ranking_agrees_with_rank_bm25(tmp_path: Path) -> None:
    chance = random.Random(11)
    rare = [f"{word}{number}" for word in WORDS for number in range(8)]  # rank-bm25 counts frequent terms negatively
    corpus = keywords({row: " ".join(chance.choices(rare, k=20)) for row in range(200)})
    view = LexicalView(tmp_path, PLAIN)
    view.apply(corpus, [])
    oracle = BM25Okapi([item.terms.split() for item in corpus.values()], k1=1.2, b=0.75)
    for query in (["보증금1"], ["이자3"], ["약관7"]):
        ours = [row for row, _ in view.search(Question(query), 10)]
        scores = oracle.get_scores(query)
        theirs = sorted(range(len(corpus)), key=lambda row: -scores[row])[:10]
        assert sorted(scores[row] for row in ours) == pytest.approx(sorted(scores[row] for row in theirs), rel=1e-3)


def test_adding_and_deleting_twice_changes_nothing(tmp_path: Path, corpus: dict[int, Keywords]) -> None:
    view = LexicalView(tmp_path)
    view.apply(corpus, [])
    before = view.search(Question(["보험", "연금"]), 50)
    view.apply(corpus, [])
    assert view.search(Question(["보험", "연금"]), 50) == before
    view.apply({}, [3, 5])
    view.apply({}, [3, 5])
    assert view.rows() == [row for row in corpus if row not in (3, 5)]


def test_a_deleted_row_is_never_found(tmp_path: Path, corpus: dict[int, Keywords]) -> None:
    view = LexicalView(tmp_path)
    view.apply(corpus, [])
    gone = [row for row, _ in view.search(Question(["이자"]), 5)]
    view.apply({}, gone)
    assert not {row for row, _ in view.search(Question(["이자"]), 200)} & set(gone)


def test_only_allowed_rows_with_unchanged_scores(tmp_path: Path, corpus: dict[int, Keywords]) -> None:
    view = LexicalView(tmp_path)
    view.apply(corpus, [])
    everything = dict(view.search(Question(["이자", "세금"]), 200))
    allowed = list(range(0, 200, 7))
    found = dict(view.search(Question(["이자", "세금"]), 200, allowed))
    assert found == {row: score for row, score in everything.items() if row in allowed}
    assert view.search(Question(["이자"]), 10, []) == []


def test_no_terms_unknown_terms_and_odd_terms(tmp_path: Path) -> None:
    view = LexicalView(tmp_path)
    view.apply(keywords({1: '(무배당) a+b *:* "인용" 계약'}), [])
    assert view.search(Question([]), 10) == []
    assert view.search(Question(["없는말"]), 10) == []
    assert [row for row, _ in view.search(Question(["*:*"]), 10)] == [1]  # a term is a term, never query syntax
    assert view.search(Question(["계약"]), 0) == []


def test_it_opens_again_with_what_was_committed(tmp_path: Path, corpus: dict[int, Keywords]) -> None:
    view = LexicalView(tmp_path)
    view.apply(corpus, [])
    before = view.search(Question(["보험"]), 10)
    view.close()
    assert LexicalView(tmp_path).search(Question(["보험"]), 10) == before


def test_letter_pairs_find_a_name_that_was_cut_differently(tmp_path: Path) -> None:
    view = LexicalView(tmp_path)
    view.apply({1: Keywords("최고 기술자", "최고기술자"), 2: Keywords("다른 글", "다른 글")}, [])
    assert view.search(Question(["최고기술자"]), 10) == []
    assert [row for row, _ in view.search(Question(["최고기술자"], ["최고", "고기", "기술", "술자"]), 10)] == [1]
