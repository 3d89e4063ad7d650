"""Everyday papers: manuals, résumés, questions and answers, minutes."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document


def cut(text: str) -> list[Chunk]:
    document = Document(id="d", source="a.pdf", title="문서", domain="general", text=text)
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings())]


def crumbs(text: str) -> list[tuple[str, ...]]:
    return [chunk.breadcrumb[1:] for chunk in cut(text)]


MANUAL = """가습기 사용 설명서
경고
- 젖은 손으로 만지지 마세요.
- 아이의 손이 닿지 않는 곳에 두세요.
물통 채우는 법
1. 뚜껑을 돌려 여세요.
2. 눈금까지 물을 부으세요.
제품 사양
모델명 HB-20
소비전력 30W
1. 보증
구입한 날부터 1년 동안 무상으로 고쳐 드립니다.
"""


def test_short_lines_above_a_list_are_headings_of_a_manual() -> None:
    assert crumbs(MANUAL) == [(), ("경고",), ("물통 채우는 법",), ("제품 사양",), ("1. 보증",)]


def test_a_resume() -> None:
    text = (
        "이력서\n이름 김새롬\n학력\n2012.03 ~ 2016.02 새빛대학교 통계학과 졸업 (학점 4.1)\n"
        "경력\n2016.03 ~ 현재 (주)두레데이터 / 자료 분석과 보고\n자격증\n사회조사분석사 (2015.11)"
    )
    assert crumbs(text) == [(), ("학력",), ("경력",), ("자격증",)]


@pytest.mark.parametrize(
    "text",
    [
        "안내문\n경고\n- 만지지 마세요.\n- 멀리 두세요.",  # only one
        "안내문\n제출할 서류는 다음과 같습니다.\n- 신청서\n- 신분증\n보낼 곳은 다음과 같습니다.\n- 시청\n- 구청",
        "신청서\n시장 귀하\n- 사본 1부\n- 원본 1부\n구청장 귀하\n- 사본 1부\n- 원본 1부",
        "구분\n서울\n부산\n대구",
    ],
)
def test_lines_that_are_no_headings(text: str) -> None:
    assert set(crumbs(text)) == {()}


def test_a_heading_is_not_said_twice() -> None:
    text = "1. 신청 대상\n신청 대상\n- 시민\n- 학생\n2. 신청 방법\n신청 방법\n- 방문\n- 우편"
    assert crumbs(text) == [("1. 신청 대상",), ("2. 신청 방법",)]


FAQ = """자주 묻는 질문
Q. 배송은 얼마나 걸리나요?
A. 결제한 날부터 사흘 안에 도착합니다.
Q. 반품은 어떻게 하나요?
A. 다음 순서로 신청하세요.
1) 주문 내역을 엽니다.
2) 반품을 누릅니다.
"""


@pytest.mark.parametrize(("question", "answer"), [("Q.", "A."), ("Q1)", "A1)"), ("질문:", "답변:"), ("[문]", "[답]")])
def test_a_question_and_its_answer_are_one_chunk(question: str, answer: str) -> None:
    text = FAQ.replace("Q.", question).replace("A.", answer)
    chunks = cut(text)
    assert [chunk.kind for chunk in chunks] == ["qa", "qa"]
    assert chunks[0].text.startswith(f"자주 묻는 질문\n{question}")
    assert chunks[1].text.startswith(f"{question} 반품은")
    assert chunks[1].text.endswith("2) 반품을 누릅니다.")
    assert chunks[1].breadcrumb == ("문서", "자주 묻는 질문")


def test_questions_that_nobody_answers_are_text() -> None:
    text = "설문지\n문1. 나이는 몇입니까?\n문2. 어디에 삽니까?\n문3. 무엇을 삽니까?\n답: 없음"
    assert {chunk.kind for chunk in cut(text)} == {"text"}


def test_items_of_an_agenda() -> None:
    text = (
        "1. 개회\n의장이 개회를 선언하다.\n2. 안건\n제1호 의안: 정관 변경의 건\n원안대로 가결하다.\n"
        "제2호 의안: 이사 선임의 건\n김하늘을 이사로 선임하다.\n3. 폐회\n의장이 폐회를 선언하다."
    )
    assert crumbs(text) == [
        ("1. 개회",),
        ("2. 안건", "제1호 의안: 정관 변경의 건"),
        ("2. 안건", "제2호 의안: 이사 선임의 건"),
        ("3. 폐회",),
    ]
    assert crumbs("부의안건\n제1호 의안: 정관 변경의 건\n제2호 의안: 이사 선임의 건") == [()]
