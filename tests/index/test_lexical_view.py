"""BM25 by tantivy, with rank-bm25 as the oracle of its ranking."""

import itertools
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tantivy
from rank_bm25 import BM25Okapi

from kure_rag.errors import IndexCorruptError
from kure_rag.index import lexical
from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import LexicalSettings, LexicalView, Question
from kure_rag.tokenize import letter_pairs

WORDS = ("예금", "보험", "계약", "해지", "이자", "세금", "연금", "임대", "보증금", "약관", "청약", "철회")


def keywords(texts: dict[int, str]) -> dict[int, Keywords]:
    return {row: Keywords(text, text) for row, text in texts.items()}


@pytest.fixture
def corpus() -> dict[int, Keywords]:
    chance = random.Random(7)
    # All of one length, so that tantivy's one-byte length (its only rounding) plays no part.
    return keywords({row: " ".join(chance.choices(WORDS, k=12)) for row in range(200)})


def words(item: Keywords) -> list[str]:
    return [*item.terms.split() * 2, *letter_pairs(item.text)]


def test_scores_are_bm25_over_morphemes_twice_and_pairs(tmp_path: Path) -> None:
    chance = random.Random(7)
    texts = {row: " ".join(chance.choices(WORDS, k=8)) for row in range(200)}
    corpus = {row: Keywords(text, " ".join(text.split()[:3])) for row, text in texts.items()}
    view = LexicalView(tmp_path)
    view.apply(corpus, [])
    query = ["보증금", "해지", "철회"]
    asked = Question(query, ["해지", "보증"])
    weights = {"보증금": 1.0, "해지": 1.8, "철회": 1.0, "보증": 0.8}
    counted = {row: Counter(words(item)) for row, item in corpus.items()}
    lengths = {row: counts.total() for row, counts in counted.items()}
    assert max(lengths.values()) < 40  # from there on the engine rounds them
    mean = sum(lengths.values()) / len(lengths)
    found = dict(view.search(asked, 200))
    for row, counts in counted.items():
        score = 0.0
        for term, weight in weights.items():
            df = sum(term in other for other in counted.values())
            idf = math.log(1 + (len(corpus) - df + 0.5) / (df + 0.5))
            tf = counts[term]
            score += weight * idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * lengths[row] / mean))
        assert found.get(row, 0.0) == pytest.approx(score, rel=1e-4, abs=1e-4)


def test_ranking_agrees_with_rank_bm25_over_the_same_terms(tmp_path: Path) -> None:
    chance = random.Random(11)
    rare = [f"{word}{number}" for word in WORDS for number in range(8)]  # rank-bm25 counts frequent terms negatively
    corpus = {row: Keywords(" ".join(chance.choices(rare, k=15)), "") for row in range(200)}  # all of one length
    view = LexicalView(tmp_path)
    view.apply(corpus, [])
    oracle = BM25Okapi([words(item) for item in corpus.values()], k1=1.2, b=0.75)
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


def test_a_pair_that_is_a_morpheme_too_is_one_term(tmp_path: Path) -> None:
    view = LexicalView(tmp_path)
    view.apply(
        {1: Keywords("건강 보험금", "건강보험금"), 2: Keywords("보험 계약", "보험계약"), 3: Keywords("세금", "세금")},
        [],
    )
    assert [row for row, _ in view.search(Question(["보험"]), 10)] == [2, 1]  # as a morpheme it counts for more
    ((_, alone),) = view.search(Question(["세금"]), 10)
    ((_, both),) = view.search(Question(["세금"], ["세금"]), 10)
    assert both == pytest.approx(alone * (1 + view.settings.pairs), abs=2e-4)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> LexicalView:
    """4,000 passages, all but every third with 회사, and rarer terms."""
    view = LexicalView(tmp_path_factory.mktemp("many"))
    chance = random.Random(5)
    rare = [f"{word}{number}" for word in WORDS for number in range(30)]
    texts = {row: " ".join([*(["회사"] if row % 3 else []), *chance.choices(rare, k=6)]) for row in range(4000)}
    view.apply(keywords(texts), [])
    return view


def everything(view: LexicalView) -> LexicalView:
    """The same view with no term left out."""
    return LexicalView(view.folder, LexicalSettings(common=1.0, most=1000))


RARE = ["예금3", "보험7", "해지1", "연금29"]


def test_a_common_term_decides_nothing_among_rarer_ones(many: LexicalView) -> None:
    assert many.search(Question([*RARE, "회사"]), 20) == many.search(Question(RARE), 20)
    assert everything(many).search(Question([*RARE, "회사"]), 20) != many.search(Question(RARE), 20)


def test_a_common_term_counts_where_few_others_are(many: LexicalView) -> None:
    for terms in (["회사"], ["회사", "예금3"], ["회사", "예금3", "보험7"]):
        assert many.search(Question(terms), 20) == everything(many).search(Question(terms), 20)


def test_what_only_a_common_term_finds_is_found(many: LexicalView) -> None:
    found = many.search(Question([*RARE, "회사"]), 3000)
    assert found == everything(many).search(Question([*RARE, "회사"]), 3000)
    assert len(found) > 2600
    only = [row for row, _ in everything(many).search(Question(["회사"]), 4000)][-5:]
    assert {row for row, _ in many.search(Question([*RARE, "회사"]), 5, sorted(only))} == set(only)


def test_the_rarest_terms_of_a_long_question_are_looked_up(many: LexicalView) -> None:
    view = LexicalView(many.folder, LexicalSettings(most=2))
    assert view.search(Question([*RARE, "없음"]), 5)
    assert {score for _, score in view.search(Question(RARE * 5), 4000)} <= {
        score for pair in itertools.combinations(RARE, 2) for _, score in many.search(Question(pair), 4000)
    }


@pytest.mark.parametrize("share", [0.001, 0.02, 0.06, 0.5, 1.0])
@pytest.mark.parametrize("terms", [RARE, ["회사"], ["없음"]])
def test_filters_of_every_size_give_the_best_of_their_rows(many: LexicalView, share: float, terms: list[str]) -> None:
    allowed = np.array(sorted(random.Random(3).sample(range(4000), int(share * 4000))))
    scores = dict(everything(many).search(Question(terms), 4000))
    found = many.search(Question(terms), 10, allowed)
    expected = sorted((scores[row] for row in allowed if row in scores), reverse=True)[:10]
    assert [score for _, score in found] == expected
    assert {row for row, _ in found} <= set(allowed)


@pytest.mark.parametrize(
    "runs", [[(0, 50)], [(7, 8)], [(10, 60), (100, 101), (3900, 4000)], [(i, i + 9) for i in range(0, 160, 10)]]
)
def test_rows_that_follow_one_another(many: LexicalView, runs: list[tuple[int, int]]) -> None:
    allowed = np.concatenate([np.arange(*run) for run in runs])
    scores = dict(everything(many).search(Question(["회사", "예금3"]), 4000))
    found = many.search(Question(["회사", "예금3"]), 4000, allowed)
    assert dict(found) == {int(row): scores[row] for row in allowed if row in scores}


def test_a_filter_against_the_ranking(many: LexicalView) -> None:
    """The rows that a question ranks lowest, as many as need no filter in the query."""
    order = [row for row, _ in many.search(Question(["회사"]), 4000)]
    allowed = sorted(order[-300:])
    assert {row for row, _ in many.search(Question(["회사"]), 10, allowed)} <= set(allowed)
    assert len(many.search(Question(["회사"]), 400, allowed)) == 300


def test_equal_passages_score_equally_whenever_they_came(tmp_path: Path) -> None:
    view = LexicalView(tmp_path)
    chance = random.Random(2)
    for row in range(0, 60, 2):
        filler = " ".join(chance.choices(WORDS, k=9))
        view.apply(keywords({row: "만기 이자 세금 공제 예금", row + 1: filler}), [])
    for terms in (["만기", "이자", "세금", "공제", "예금", "보험"], ["세금", "예금"]):
        found = view.search(Question(terms, ["만기", "이자", "세금"]), 60)
        assert len({score for row, score in found if row % 2 == 0}) == 1
        assert view.search(Question(terms, ["만기", "이자", "세금"]), 60) == found


def test_many_small_commits_leave_few_segments(tmp_path: Path) -> None:
    view = LexicalView(tmp_path)
    for row in range(60):
        view.apply(keywords({row: f"예금 {row}번"}), [])
    assert len(view) == 60
    assert view.segments < 16


def test_a_view_of_an_older_version_asks_to_be_rebuilt(tmp_path: Path) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    builder.add_text_field("terms", stored=False)
    tantivy.Index(builder.build(), path=str(tmp_path))
    with pytest.raises(IndexCorruptError, match="rebuild it"):
        LexicalView(tmp_path)


def test_an_interrupted_change_leaves_no_lock_behind(
    corpus: dict[int, Keywords], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, made = LexicalView(tmp_path), lexical._document

    def interrupted(row: int, keywords: Keywords) -> tantivy.Document:
        if row == 7:
            raise KeyboardInterrupt
        return made(row, keywords)

    monkeypatch.setattr(lexical, "_document", interrupted)
    with pytest.raises(KeyboardInterrupt) as held:  # its traceback lives on, as within a finally
        view.apply(corpus, [])
    monkeypatch.setattr(lexical, "_document", made)
    view.apply(corpus, [])
    assert len(view.rows()) == len(corpus)
    del held
