"""A question stays with its answer, whatever the document is about."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Chunk, Document, Domain

KIWI = KiwiTokenizer()
PROFILES = ("general", "finance", "legal", "medical")
ANSWERS = (
    "환매를 신청한 날부터 사흘째 되는 날의 기준가격으로 돈을 드립니다. " * 3,
    "과표기준가격이 올랐다면 손해를 보았어도 세금을 냅니다. " * 4,
    "결산은 해마다 한 번 하며 이익금은 다시 투자합니다. " * 4,
)
QUESTIONS = ("환매하면 언제 돈을 받나요?", "손해를 보았는데 왜 세금을 내나요?", "결산은 언제 하나요?")
BARE = "\n".join(f"Q{i}. {q}\n{a.strip()}" for i, (q, a) in enumerate(zip(QUESTIONS, ANSWERS, strict=True), 1))
TURNS = "\n".join(
    f"질문 {i}) {q}\n답변 {i}) {a.strip()}" for i, (q, a) in enumerate(zip(QUESTIONS, ANSWERS, strict=True), 1)
)
RULES = """펀드 판매 규정
제1조(목적) 이 규정은 펀드의 판매에 관한 사항을 정한다.
제2조(설명) ① 회사는 상품을 설명한다.
② 설명한 내용은 기록한다.
"""


def cut(text: str, profile: Domain) -> list[Chunk]:
    document = Document(id="d", source="a.pdf", title="펀드 안내", domain=profile, text=text)
    return [item.chunk for item in chunk_document(document, KIWI, ChunkSettings(), terms=False)]


@pytest.mark.parametrize("asked", [BARE, TURNS], ids=["without A.", "with an answer's mark"])
@pytest.mark.parametrize(
    "before", ["펀드 안내\n이 글은 펀드를 산 사람이 자주 묻는 것을 모았다.\n", RULES], ids=["text", "articles"]
)
@pytest.mark.parametrize("profile", PROFILES)
def test_pairs_are_whole_in_every_profile(profile: Domain, before: str, asked: str) -> None:
    chunks = cut(f"{before}{asked}\n", profile)
    pairs = [chunk for chunk in chunks if chunk.kind == "qa"]
    assert len(pairs) == len(QUESTIONS)
    for pair, question, answer in zip(pairs, QUESTIONS, ANSWERS, strict=True):
        assert [q for q in QUESTIONS if q in pair.text] == [question]
        assert pair.text.endswith(answer.strip())


def test_questions_under_a_name_of_their_own_are_no_part_of_the_article_above() -> None:
    chunks = cut(f"{RULES}자주 묻는 질문\n{BARE}\n부칙\n이 규정은 공포한 날부터 시행한다.\n", "legal")
    pairs = [chunk for chunk in chunks if chunk.kind == "qa"]
    assert len(pairs) == len(QUESTIONS)
    assert pairs[0].text.startswith("자주 묻는 질문\nQ1. ")
    assert {pair.breadcrumb for pair in pairs} == {("펀드 안내", "자주 묻는 질문")}
    assert not any("article" in pair.metadata for pair in pairs)
    assert chunks[-1].metadata["part"] == "부칙"


def test_questions_under_an_article_name_it_and_what_they_refer_to() -> None:
    pairs = list(cut(f"{RULES}{BARE.replace('사흘째', '「상법」 제3조 및 제4조에 따라 사흘째', 1)}", "legal"))
    pairs = [chunk for chunk in pairs if chunk.kind == "qa"]
    assert {pair.metadata["article"] for pair in pairs} == {"제2조"}
    assert pairs[0].metadata["references"] == ["「상법」 제3조", "「상법」 제4조"]


@pytest.mark.parametrize("profile", ["finance", "legal"])
def test_a_long_answer_carries_its_question(profile: Domain) -> None:
    text = f"{RULES}Q1. {QUESTIONS[0]}\n{ANSWERS[0] * 10}\nQ2. {QUESTIONS[1]}\n{ANSWERS[1]}"
    parts = [chunk for chunk in cut(text, profile) if "사흘째" in chunk.text]
    assert len(parts) > 2
    assert all(f"Q1. {QUESTIONS[0]}" in chunk.contextualized() for chunk in parts)


def test_lines_with_quarters_are_no_questions() -> None:
    text = "실적\nQ1 2024년 매출은 늘었다.\nQ2 2024년 매출은 줄었다.\nQ3 2024년 매출은 그대로이다.\n"
    assert {chunk.kind for chunk in cut(text, "finance")} == {"text"}


def test_a_medical_pair_says_what_it_asks() -> None:
    long = "만 12세 미만에는 다솜시럽을 쓴다. " * 60
    text = (
        f"1. 안내\n약을 나누어 준다.\n2. 자주 묻는 질문\n{TURNS}\n질문 4) 아이에게는 무엇을 씁니까?\n답변 4) {long}\n"
    )
    pairs = [chunk for chunk in cut(text, "medical") if chunk.kind == "qa"]
    asked = [chunk.metadata["question"] for chunk in pairs]
    assert list(dict.fromkeys(asked)) == [*QUESTIONS, "아이에게는 무엇을 씁니까?"]
    assert asked.count("아이에게는 무엇을 씁니까?") > 1
