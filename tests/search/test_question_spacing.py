"""Questions with wrong spaces find what they ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.read import Record
from kure_rag.search import convex
from kure_rag.search.helpers import Respacer, questions
from kure_rag.tokenize import KiwiTokenizer, NgramTokenizer, Synonyms, letter_pairs
from kure_rag.types import Mode

KIWI = KiwiTokenizer()
RIGHT = "육아휴직 급여는 며칠 안에 신청하나요?"
RECORDS = [
    Record("육아", "복무 규정", "육아휴직 급여를 받으려는 직원은 휴직을 시작한 날부터 30일 안에 신청서를 낸다."),
    Record("급여", "보수 규정", "급여는 매월 25일에 지급하며, 그날이 휴일이면 전날에 지급한다."),
    Record("서고", "문서 규정", "아무나 서고에 들어갈 수 없으며, 휴대 전화는 며칠이라도 맡길 수 있다."),
    Record("연차", "휴가 규정", "직원의 연차 휴가는 며칠인지 근속 연수에 따라 정하고, 남은 날은 다음 해로 넘긴다."),
    Record("금융", "영업 규정", "영업점은 금융소비자 보호에 관한 사항을 고객에게 설명하고 확인을 받는다."),
    Record("직업", "교육 규정", "직업 교육은 신청 순서대로 받으며, 교재는 따로 사지 않는다."),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path_factory.mktemp("spacing") / "ix", embeddings=HashEmbedder()) as made:
        made.add_records(RECORDS, workers=1)
        yield made


def test_what_a_question_holds_with_right_spaces_is_looked_for_too() -> None:
    (asked,) = questions(KIWI, ["육아휴직급 여는며 칠안에"])
    (right,) = questions(KIWI, ["육아휴직 급여는 며칠 안에"])
    assert {"육아", "휴직", "급여"} <= set(asked.optional)
    assert asked.optional["급여"] == 1.0
    assert set(asked.respaced) == set(asked.optional)
    assert {"급여", "며칠"} <= set(asked.pairs)
    assert "급여" not in letter_pairs("육아휴직급 여는며 칠안에")
    assert {"육아", "휴직", "급여"} <= set(right.terms)


@pytest.mark.parametrize("text", ["연차 휴가 일수", "annual leave days", "COVID-19", "만기 이자"])
def test_a_question_with_right_spaces_is_asked_as_it_is(text: str) -> None:
    (asked,) = questions(KIWI, [text])
    assert (asked.terms, list(asked.pairs)) == (KIWI.terms(text), letter_pairs(text))
    assert (asked.optional, list(asked.respaced)) == ({}, [])


def test_a_passage_as_a_question_is_asked_as_it_is() -> None:
    long = "육아휴직급 여는며 칠안에 신청하나요? " * 10
    (asked,) = questions(KIWI, [long])
    assert list(asked.respaced) == []


def test_a_tokenizer_that_knows_no_spaces_is_asked_once() -> None:
    tokenizer = NgramTokenizer(2)
    assert not isinstance(tokenizer, Respacer)
    assert isinstance(KIWI, Respacer)
    (asked,) = questions(tokenizer, ["연차휴 가"])
    assert (asked.terms, asked.optional) == (tokenizer.terms("연차휴 가"), {})


def test_each_of_many_questions_gets_its_own_terms() -> None:
    texts = ["연차 휴가 일수", "급 여일", "annual leave", "휴 가일 수", ""]
    together = questions(KIWI, texts)
    assert together == [questions(KIWI, [text])[0] for text in texts]


@given(st.text(alphabet="연차휴가는며칠 \t?.a1é😀ㄱ́", max_size=20))
@run_settings(deadline=None, max_examples=60)
def test_any_text_can_be_asked(text: str) -> None:
    (asked,) = questions(KIWI, [text])
    assert asked.terms == KIWI.terms(text)
    assert set(asked.respaced) <= set(asked.optional)


@pytest.mark.parametrize("wrong", ["육아휴직급여는며칠안에신청하나요?", "육 아휴직급 여는 며칠 안 에 신청 하나요?"])
@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_wrong_spaces_find_the_same_passage(index: KureIndex, wrong: str, mode: Mode) -> None:
    weak = convex(0.12)  # as for the bundled model: the vectors here are chance
    assert index.search(RIGHT, mode=mode, fusion=weak)[0].source == "육아"
    assert index.search(wrong, mode=mode, fusion=weak)[0].source == "육아"


@pytest.mark.parametrize(
    ("question", "source"), [("연차휴가며칠", "연차"), ("연차 휴 가 며칠", "연차"), ("금융소비자보호법", "금융")]
)
def test_words_written_together_find_those_that_stand_apart(index: KureIndex, question: str, source: str) -> None:
    assert index.search(question, mode="lexical", k=1)[0].source == source


@pytest.mark.parametrize("engine", ["tantivy", "rank-bm25"])
def test_both_keyword_engines_look_for_them(index: KureIndex, engine: str) -> None:
    hits = index.search("육아휴 직급 여", mode="lexical", lexical=engine, highlight=True)  # type: ignore[arg-type]
    assert hits[0].source == "육아"
    marked = [hits[0].chunk.text[a:b] for a, b in hits[0].highlights or ()]
    assert marked[:2] == ["육아휴직", "급여"]


def test_wrong_spaces_hardly_lower_the_relevance(index: KureIndex) -> None:
    asked = {"mode": "lexical", "k": 1, "relevance": True}
    right, wrong = (index.search(text, **asked)[0] for text in ("육아휴직 급여", "육아휴 직급 여"))  # type: ignore[arg-type]
    assert right.relevance is not None
    assert wrong.relevance is not None
    assert wrong.relevance > right.relevance / 2


def test_a_synonym_is_known_whatever_the_spaces(index: KureIndex) -> None:
    synonyms = Synonyms([["부모휴가", "육아휴직"]], KIWI)
    (asked,) = questions(KIWI, ["부모휴 가급 여"], synonyms)
    assert asked.optional["육아"] == synonyms.weight
    with KureIndex.open(index.path, embeddings=HashEmbedder(), synonyms=synonyms, create=False) as opened:
        assert opened.search("부모휴 가급 여", mode="lexical")[0].source == "육아"
