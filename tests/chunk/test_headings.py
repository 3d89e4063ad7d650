import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk.headings import find_sections

STATUTE = """취업규정

제1편 총칙
제1장 목적
제1조(목적) 이 규정은 휴가를 정한다.
제2장의2 휴가
제1절 연차휴가
제1관 발생
제15조의2(연차휴가의 저축(특례)) ① 휴가를 저축한다.
1. 저축한 휴가
제2절 병가
제16조(병가) 병가는 60일로 한다.
제17조 삭제 <2024.3.4>
부칙 <제38호, 2024.3.4>
제1조(시행일) 공포한 날부터 시행한다.
[별표 1]
여비 지급기준
"""


def found(text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(section.headings, text[section.start : section.end]) for section in find_sections(text)]


def headings(text: str) -> list[tuple[str, ...]]:
    return [crumbs for crumbs, _ in found(text)]


def test_a_statute() -> None:
    chapter = ("제1편 총칙", "제2장의2 휴가")
    assert headings(STATUTE) == [
        (),
        ("제1편 총칙",),
        ("제1편 총칙", "제1장 목적"),
        ("제1편 총칙", "제1장 목적", "제1조(목적)"),
        chapter,
        (*chapter, "제1절 연차휴가"),
        (*chapter, "제1절 연차휴가", "제1관 발생"),
        (*chapter, "제1절 연차휴가", "제1관 발생", "제15조의2(연차휴가의 저축(특례))"),
        (*chapter, "제2절 병가"),
        (*chapter, "제2절 병가", "제16조(병가)"),
        (*chapter, "제2절 병가", "제17조"),
        ("부칙 <제38호, 2024.3.4>",),
        ("부칙 <제38호, 2024.3.4>", "제1조(시행일)"),
        ("[별표 1]",),
    ]


def test_a_section_begins_at_its_heading_and_knows_its_body() -> None:
    text = "앞글\n  제1조(목적) 이 규정은 휴가를 정한다.\n다음 줄\n부칙"
    first, article, end = find_sections(text)
    assert text[first.start : first.end] == "앞글"
    assert first.start == first.body
    assert text[article.start : article.end] == "제1조(목적) 이 규정은 휴가를 정한다.\n다음 줄"
    assert text[article.body : article.end].startswith(" 이 규정은")
    assert (end.body, text[end.start : end.end]) == (end.end, "부칙")


@pytest.mark.parametrize(
    "line",
    [
        "제15조에 따라 휴가를 준다.",
        "제15조(연차휴가)에 따른 휴가를 준다.",
        "제15조제1항의 휴가를 말한다.",
        "제2장 및 제3장의 규정은 촉탁직원에게 준용한다.",
        "부칙에서 정하는 바에 따른다.",
        "별표 1에 따른다.",
        "이 법에서 사용하는 용어의 뜻은 다음과 같다.",
        "1) 알코올",
        "10 mg",
        "1. 이 약은 졸음을 일으킬 수 있다.",
        "1. 매주 일요일은 쉬는 것으로 함",
        "1. 제출한 서류가 없음",
        "1. 누리집에서 신청하세요",
        "2. 이의가 있는 사람은 서면으로 낼 것",
        "3 개월 이내",
        "1. 회사의 개요, 연혁과 자본금과 임직원과 그 밖의 모든 사항에 관한 아주 긴 줄이라서 제목이 아니다",
    ],
)
def test_lines_that_are_no_headings(line: str) -> None:
    assert headings(line) == [()]


@pytest.mark.parametrize(
    "line",
    [
        "부 칙",
        "부칙(제16957호)",
        "별표 3",
        "[별표 2의2] <개정 2024.3.4>",
        "제 3 장 근 무",
        "제3장",
        "Ⅲ. 재무에 관한 사항",
        "IV. 위험 요인",
        "【주문】",
        "1. 회사의 개요",
        "2.1 시장위험",
        "2. 이사의 선임과 책임",
        "3. 수요",
    ],
)
def test_lines_that_are_headings(line: str) -> None:
    assert headings(f"{line}\n본문이다.") == [(" ".join(line.split()),)]


def test_numbered_headings_of_a_report() -> None:
    text = "I. 회사의 개요\n1. 회사의 연혁\n2018년에 세웠습니다.\n2. 자본금\n150억원입니다.\nII. 사업의 내용\n부품 제조"
    assert headings(text) == [
        ("I. 회사의 개요",),
        ("I. 회사의 개요", "1. 회사의 연혁"),
        ("I. 회사의 개요", "2. 자본금"),
        ("II. 사업의 내용",),
    ]


def test_numbers_in_a_statute_are_items() -> None:
    items = "\n1. 매주 일요일\n2. 근로자의 날"
    text = "\n".join(f"제{i}조(휴일) 휴일은 다음과 같다.{items}" for i in (1, 2, 3))
    assert headings(text) == [("제1조(휴일)",), ("제2조(휴일)",), ("제3조(휴일)",)]


def test_sections_of_a_judgment_close_each_other() -> None:
    text = "【주문】 상고를 기각한다.\n【이유】\n1. 상고이유에 대하여\n살펴본다.\n【참조조문】\n민법 제750조"
    assert headings(text) == [("【주문】",), ("【이유】",), ("【이유】", "1. 상고이유에 대하여"), ("【참조조문】",)]


@pytest.mark.parametrize("text", ["", " \n\n ", "\n"])
def test_no_text_no_sections(text: str) -> None:
    assert found(text) == []


LINES = st.sampled_from(
    [*STATUTE.split("\n"), "  들여 쓴 줄  ", "\u3000", "Ⅰ. 개요", "1. 개요", "제2조에 따른다.", "【이유】 살펴본다."]
)


@given(st.lists(st.one_of(LINES, st.text("제1조장(부칙).\n 가", max_size=12)), max_size=25).map("\n".join))
def test_sections_cover_the_text_in_order(text: str) -> None:
    at = 0
    for section in find_sections(text):
        assert not text[at : section.start].strip()
        assert at <= section.start <= section.body <= section.end
        assert section.headings or section.body == section.start
        at = section.end
    assert not text[at:].strip()
