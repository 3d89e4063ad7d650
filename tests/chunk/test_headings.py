import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.chunk.headings import find_sections
from kure_rag.chunk.names import ABSTRACT, NameFinder, Names

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


LABEL = """효능·효과
1. 급성 기관지염
2. 만성 기관지염
3. 기관지 천식
용법·용량은 다음과 같다.
"""
REPORT = """차 례
Ⅰ. 최근의 경제 동향 ··· 1
1. 실물경제 ··· 1
2. 금융시장 ··· 5
Ⅰ 최근의 경제 동향
1 실물경제
① 경제성장 : 완만한 둔화
□ 성장률이 높아졌으나 소비는 줄어들었으며 앞으로도 완만하게 둔화될 것으로 보인다.
② 고용사정 : 빠르게 둔화
□ 취업자 수가 줄고 실업률이 올랐으며 시간당 임금의 상승률은 지난달보다 낮아졌다.
2 금융시장
가. 금리
1) 국고채
국고채 금리는 지난달보다 내렸다.
(1) 3년물
3년물은 3.5퍼센트이다.
2) 회사채
회사채 금리도 지난달보다 내렸다.
나. 주가
주가는 하락하였다.
"""


def test_items_of_a_list_are_no_headings() -> None:
    assert headings(LABEL) == [()]


def test_a_report_with_a_table_of_contents() -> None:
    economy, real, money = "Ⅰ 최근의 경제 동향", "1 실물경제", "2 금융시장"
    assert [found for found in headings(REPORT) if found] == [
        (economy,),
        (economy, real),
        (economy, real, "① 경제성장 : 완만한 둔화"),
        (economy, real, "② 고용사정 : 빠르게 둔화"),
        (economy, money),
        (economy, money, "가. 금리"),
        (economy, money, "가. 금리", "1) 국고채"),
        (economy, money, "가. 금리", "1) 국고채", "(1) 3년물"),
        (economy, money, "가. 금리", "2) 회사채"),
        (economy, money, "나. 주가"),
    ]


def test_items_on_two_lines_are_no_headings() -> None:
    items = [f"{i}. 근로기준법 일부개정법률안(김하늘 의원 대표\n발의)(의안번호 21000{i:02})" for i in range(1, 30)]
    assert headings("\n".join(items)) == [()]


@pytest.mark.parametrize(
    "line",
    [
        "Ⅱ. 보안인증 대상 및 범위 · 15",
        "1. 실물경제 ···················· 1",
        "다. 그런데 오늘 보시는 바와 같이",
        "3.11. 세계적 유행 단계",
        "(52) 국제특허분류",
        "⑦ 신설)",
        "가. 제안서는 한글 작성을 원칙으로 하되, 부득이한",
        "1. 이용자의 편의를 높이기 위하여 새로",
        "2. 위원회의 구성과 운영 등에 관한",
    ],
)
def test_lines_that_only_look_like_headings(line: str) -> None:
    assert headings(f"{line}\n본문이다.") == [()]


def test_a_symbol_is_a_heading_where_all_of_its_lines_are() -> None:
    text = "▶ 운용성과\n한 달 동안 1.2퍼센트 올랐습니다.\n▶ 운용계획\n다음 달에도 주식을 늘리겠습니다."
    assert headings(text) == [("▶ 운용성과",), ("▶ 운용계획",)]
    assert headings("□ 사업명 : 도서관 신축\n□ 기간 : 13개월\n□ 방법 : 입찰") == [()]


def test_a_number_drawn_above_its_title_is_one_heading() -> None:
    text = "1 |\n보안인증 대상\n공공기관에 서비스를 내는 자가 받는다.\n2 |\n보안인증 범위\n서비스의 모든 자산이다."
    assert headings(text) == [("1 | 보안인증 대상",), ("2 | 보안인증 범위",)]


def test_plain_numbers_are_headings_where_they_count_on_with_text_between_them() -> None:
    body = "\n".join(["감염병으로 인한 입원을 재해로 볼 것인지를 두고 다툼이 있다."] * 10)
    text = f"1 들어가며\n{body}\n2 쟁점의 정리\n{body}\n3 맺는 말\n{body}"
    assert headings(text) == [("1 들어가며",), ("2 쟁점의 정리",), ("3 맺는 말",)]
    assert headings("1 국민은행\n2 두레은행\n3 새솔은행\n모두 세 곳이다.") == [()]
    assert headings(f"1 들어가며\n{body}\n2 쟁점의 정리\n{body}") == [()]


def test_spread_letters_are_put_together() -> None:
    assert headings("Ⅰ 사 업 안 내\n사업의 개요이다.") == [("Ⅰ 사업안내",)]


def test_names_are_headings_with_any_number_or_none() -> None:
    names = NameFinder((Names({"용법·용량": ("용법·용량",), "주의": ("사용상의 주의사항",)}),))
    text = "용법 및 용량\n하루 두 번 먹는다.\n[사용상의주의사항]\n졸릴 수 있다.\n용법·용량에 따른다."
    found = [section.headings for section in find_sections(text, names=names)]
    assert found == [("용법 및 용량",), ("[사용상의주의사항]",)]
    assert names.name_of("3. 용법ㆍ용량") == "용법·용량"
    assert names.name_of("용법") is None


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


@pytest.mark.parametrize("name", ["요 약", "초록", "국문초록", "Abstract"])
def test_the_sections_of_a_paper_stand_beside_its_abstract(name: str) -> None:
    text = f"검색 연구\n{name}\n형태소를 나누어 검색한다.\n1. 서론\n검색을 살펴본다.\n2. 방법\n형태소로 나눈다.\n"
    names = NameFinder((Names({"요약": ABSTRACT}),))
    found = [section.headings for section in find_sections(text, names=names)]
    assert found == [(), (name,), ("1. 서론",), ("2. 방법",)]


def test_a_summary_that_counts_by_itself_keeps_what_it_counts() -> None:
    text = (
        "요약\n1. 경기\n경기가 나아졌다.\n2. 물가\n물가가 내렸다.\n"
        "Ⅰ. 동향\n1. 경기\n수출이 늘어 경기가 나아졌다.\n2. 물가\n기름값이 내려 물가가 내렸다.\n"
    )
    found = [section.headings for section in find_sections(text, names=NameFinder((Names({"요약": ABSTRACT}),)))]
    assert found[:4] == [("요약",), ("요약", "1. 경기"), ("요약", "2. 물가"), ("Ⅰ. 동향",)]
