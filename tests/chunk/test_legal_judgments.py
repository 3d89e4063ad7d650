"""Judgments: sections, court, case and date, numbered reasons, what they cite."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document

WORDS = WhitespaceTokenizer()

SUPREME = """대법원 2021. 5. 13. 선고 2019다12345, 12346 판결
[보증금반환·건물인도][공2021상,999]
【판시사항】
[1] 임차인이 보증금을 돌려받지 못한 경우 임대차가 이어지는지 여부(적극)
[2] 임대인이 수선의무를 지는 범위
【판결요지】
[1] 임대차가 끝난 뒤에도 임차인이 보증금을 돌려받을 때까지는 임대차 관계가 이어지는 것으로 본다.
[2] 임대인은 임차인이 목적물을 쓰고 이익을 얻을 수 있도록 필요한 상태를 유지하여야 한다.
【참조조문】
[1] 주택임대차보호법 제4조 제2항, 제3조의3 / [2] 민법 제623조
【참조판례】
[1] 대법원 2010. 4. 1. 선고 2009다11111 판결(공2010상, 777)
【전 문】
【원고, 상고인】 원고 (소송대리인 변호사 홍길순)
【피고, 피상고인】 피고
【원심판결】 수원지법 2018. 12. 6. 선고 2018나54321 판결
【주 문】
상고를 기각한다. 상고비용은 원고가 부담한다.
【이 유】
상고이유를 판단한다.
1. 임대차 관계에 대하여
가. 원심은 다음과 같은 사실을 인정하였다.
1) 원고는 2015년 봄에 피고로부터 이 사건 주택을 빌려 두 해 동안 살기로 하였다.
2) 피고는 임대차가 끝난 뒤에도 보증금을 돌려주지 아니하였다.
나. 원심의 판단은 정당하고 법리를 오해한 잘못이 없다(대법원 2010. 4. 1. 선고 2009다11111 판결 등 참조).
2. 결론
그러므로 상고를 기각하기로 하여 주문과 같이 판결한다.
대법관 김하나(재판장) 이두리(주심)
"""

DISTRICT = """서 울 중 앙 지 방 법 원
제 1 민 사 부
판 결
사 건 2020가합98765 손해배상(기)
원 고 갑을 주식회사
피 고 병정
변 론 종 결 2021. 2. 25.
판 결 선 고 2021. 3. 18.
주 문
1. 피고는 원고에게 1,000만 원을 지급하라.
2. 소송비용은 피고가 부담한다.
청 구 취 지
주문과 같다.
이 유
1. 기초사실
원고는 피고에게 기계를 팔았다.
2. 판단
피고는 값을 치를 의무가 있다.
"""


def cut(text: str, title: str = "판결문", target: int = 400) -> list[Chunk]:
    document = Document(id="d" * 64, source="판결문.pdf", title=title, domain="legal", text=text)
    return [item.chunk for item in chunk_document(document, WORDS, ChunkSettings(target=target, longest=2 * target))]


def test_sections_of_a_reported_judgment() -> None:
    sections = [c.metadata.get("section", "") for c in cut(SUPREME)]
    assert list(dict.fromkeys(sections)) == [
        *("", "판시사항", "판결요지", "참조조문", "참조판례", "당사자", "주문", "이유")
    ]


def test_every_chunk_says_court_case_and_date() -> None:
    chunks = cut(SUPREME)
    for chunk in chunks:
        assert chunk.kind == "judgment"
        assert chunk.metadata["court"] == "대법원"
        assert chunk.metadata["case"] == "2019다12345,12346"
        assert chunk.metadata["date"] == "2021.5.13"
    assert chunks[1].breadcrumb == ("판결문", "대법원 2021. 5. 13. 선고 2019다12345, 12346 판결", "판시사항")


def test_parties_and_the_judgment_below_are_one_chunk() -> None:
    (parties,) = [c for c in cut(SUPREME) if c.metadata.get("section") == "당사자"]
    assert parties.text.startswith("【전 문】\n【원고, 상고인】")
    assert parties.metadata["cases"] == ["2018나54321"]


def test_provisions_and_cases_that_are_cited() -> None:
    by_section = {c.metadata.get("section"): c.metadata for c in cut(SUPREME)}
    assert by_section["참조조문"]["references"] == [
        "주택임대차보호법 제4조제2항",
        "주택임대차보호법 제3조의3",
        "민법 제623조",
    ]
    assert by_section["참조판례"]["cases"] == ["2009다11111"]


def test_holdings_are_cut_at_their_numbers_and_reasons_along_theirs() -> None:
    chunks = cut(SUPREME, target=80)
    assert [c.metadata["number"] for c in chunks if c.metadata.get("section") == "판결요지"] == ["[1]", "[2]"]
    reasons = [c for c in chunks if c.metadata.get("section") == "이유"]
    assert [c.metadata["number"] for c in reasons] == ["1. 가.", "1. 가. 1)", "1. 가. 2)", "1. 나.", "2."]
    assert reasons[2].lead == "1. 임대차 관계에 대하여\n가. 원심은 다음과 같은 사실을 인정하였다."
    assert reasons[3].lead == "1. 임대차 관계에 대하여"
    assert reasons[4].lead == ""


def test_a_judgment_of_a_lower_court_without_brackets() -> None:
    chunks = cut(DISTRICT)
    assert {(c.metadata["court"], c.metadata["case"], c.metadata["date"]) for c in chunks} == {
        ("서울중앙지방법원", "2020가합98765", "2021.3.18")
    }
    assert [c.metadata.get("section", "") for c in chunks] == ["", "주문", "청구취지", "이유"]


def test_two_judgments_in_one_document() -> None:
    other = SUPREME.replace("2019다12345, 12346", "2020다777").replace("2021. 5. 13.", "2022. 1. 13.")
    chunks = cut(SUPREME + other)
    cases = list(dict.fromkeys(c.metadata["case"] for c in chunks))
    assert cases == ["2019다12345,12346", "2020다777"]
    assert {c.metadata["date"] for c in chunks if c.metadata["case"] == "2020다777"} == {"2022.1.13"}


def test_a_statute_that_speaks_of_reasons_is_no_judgment() -> None:
    text = "제1조(이유) 이 규칙은 판결서의 주문과 이유를 적는 방법을 정한다.\n제2조(주문) 주문은 짧게 적는다.\n"
    assert [c.kind for c in cut(text)] == ["article", "article"]


HEADS_WITH_THE_JUDGMENT_BELOW = {
    "spelled out": "대법원\n제3부\n판결\n사건 2024다101234 보증금\n원고, 상고인 갑\n"
    "원심판결 부산고등법원 2023. 11. 2. 선고 2022나50123 판결\n판결선고 2024. 6. 13.\n",
    "spaced": "대 법 원\n판 결\n사 건  2024다101234 보증금\n"
    "원 심 판 결  부산고등법원 2023. 11. 2. 선고 2022나50123 판결\n판 결 선 고  2024. 6. 13.\n",
    "on the next line": "대법원 제3부\n판결\n사건 2024다101234 보증금\n원심판결\n"
    "부산고등법원 2023. 11. 2. 선고 2022나50123 판결\n선고 2024. 6. 13.\n",
    "sent back": "대법원\n판결\n사건 2024다101234 보증금\n환송판결 대법원 2021. 1. 14. 선고 2020다9999 판결\n"
    "원심판결 부산고등법원 2023. 11. 2. 선고 2022나50123 판결\n판결선고 2024. 6. 13.\n",
    "without a word before it": "대법원\n판결\n사건 2024다101234 보증금\n"
    "부산고등법원 2023. 11. 2. 선고 2022나50123 판결\n판결선고 2024. 6. 13.\n",
}


@pytest.mark.parametrize("head", HEADS_WITH_THE_JUDGMENT_BELOW.values(), ids=HEADS_WITH_THE_JUDGMENT_BELOW.keys())
def test_a_judgment_is_never_cited_as_the_one_it_reviews(head: str) -> None:
    chunks = cut(f"{head}주문\n상고를 기각한다.\n이유\n상고이유를 본다.\n1. 원심은 옳다.\n")
    assert {(c.metadata["court"], c.metadata["case"], c.metadata["date"]) for c in chunks} == {
        ("대법원", "2024다101234", "2024.6.13")
    }
    assert {c.breadcrumb[1] for c in chunks} == {"대법원 2024다101234"}
    assert "2022나50123" in chunks[0].metadata["cases"]


def test_without_its_own_number_a_judgment_has_none_rather_than_that_of_the_court_below() -> None:
    text = "판결\n원심판결 부산고등법원 2023. 11. 2. 선고 2022나50123 판결\n주문\n상고를 기각한다.\n이유\n옳다.\n"
    for chunk in cut(text):
        assert not {"court", "case", "date"} & set(chunk.metadata)


def test_a_judgment_named_on_a_line_of_its_own_among_the_sections_begins_no_other_one() -> None:
    text = SUPREME.replace("【참조판례】\n[1] ", "【참조판례】\n").replace(" 판결(공2010상, 777)", " 판결")
    text = text.replace("【원심판결】 ", "【원심판결】\n")
    assert {c.metadata["case"] for c in cut(text)} == {"2019다12345,12346"}


REASONS = """대법원
판결
사건 2024다101234 보증금
판결선고 2024. 6. 13.
주문
상고를 기각한다.
이유
상고이유를 본다.
1. 사안의 개요
가. 원고는 피고의 집을 빌려 살다가 기간이 끝나 이사하였으나 보증금을 돌려받지 못하였다.
나. 원심은 원고의 청구를 받아들였다.
2. 판례의 법리
임대차가 끝나면 임대인은 보증금을 돌려주어야 한다. 이는 임차인이 집을 비워 주는 일과 함께 하여야 한다.
임차인이 먼저 집을 비워 줄 의무는 없다. 임대인이 먼저 보증금을 돌려줄 의무도 없다. 어느 쪽이든 먼저 하라고 할 수 없다.
"""


def test_the_titles_of_the_reasons_are_in_the_breadcrumb_and_lead_their_later_pieces() -> None:
    reasons = [c for c in cut(REASONS, target=60) if c.metadata.get("section") == "이유"]
    found = [(c.breadcrumb[3:], c.lead) for c in reasons if c.metadata.get("number", "").startswith(("1. 나", "2."))]
    assert found == [
        (("1. 사안의 개요",), "1. 사안의 개요"),
        (("2. 판례의 법리",), ""),
        (("2. 판례의 법리",), "2. 판례의 법리"),
    ]


TITLES = {
    "[대법원 2021. 5. 13. 선고 2019다12345, 12346 판결]": "대법원 2021. 5. 13. 선고 2019다12345, 12346 판결",
    "[대법원 2021. 5. 13., 선고, 2019다12345, 12346, 판결]": "대법원 2021. 5. 13. 선고 2019다12345, 12346 판결",
    "【대법원 2021. 5. 13. 선고 2019다12345, 12346 전원합의체 판결】": (
        "대법원 2021. 5. 13. 선고 2019다12345, 12346 전원합의체 판결"
    ),
    "[대법원 2021. 5. 13.자 2019다12345, 12346 결정]": "대법원 2021. 5. 13.자 2019다12345, 12346 결정",
}


@pytest.mark.parametrize("line", TITLES)
def test_the_line_that_names_a_judgment_may_stand_in_brackets_and_have_commas(line: str) -> None:
    head = "대법원 2021. 5. 13. 선고 2019다12345, 12346 판결\n[보증금반환·건물인도][공2021상,999]"
    text = SUPREME.replace(head, f"보증금반환·건물인도\n{line}").replace(
        "상고이유를 판단한다.", "상고이유를 판단한다(대법원 2021. 5. 13. 선고, 2019다12345 판결)."
    )
    chunks = cut(text)
    assert {(c.metadata["court"], c.metadata["case"], c.metadata["date"]) for c in chunks} == {
        ("대법원", "2019다12345,12346", "2021.5.13")
    }
    assert {c.breadcrumb[1] for c in chunks} == {TITLES[line]}
    assert {case for c in chunks for case in c.metadata.get("cases", ())} == {"2009다11111", "2018나54321"}


CONSTITUTIONAL = """{title}
【당사자】
청구인 김하나
【주문】
이 사건 심판청구를 기각한다.
【이유】
1. 사건개요
청구인은 도서관 이용을 거절당하였다(헌재 2012. 3. 29. 선고 2010헌마55 결정 참조).
"""


@pytest.mark.parametrize(
    ("title", "case"),
    [
        ("[헌법재판소 2021. 5. 27. 선고 2019헌마123 결정]", "2019헌마123"),
        ("[헌법재판소 2021. 5. 27. 2019헌마123 전원재판부]", "2019헌마123"),
        ("[헌법재판소 2021. 5. 27. 선고 2019헌마123 전원재판부 결정]", "2019헌마123"),
        ("헌법재판소 2021. 5. 27. 2019헌마123, 2020헌마4(병합) 전원재판부 결정", "2019헌마123,2020헌마4"),
        ("헌 법 재 판 소 결 정\n사건 2019헌마123 이용 거절 취소\n선고일 2021. 5. 27.", "2019헌마123"),
    ],
)
def test_decisions_of_the_constitutional_court(title: str, case: str) -> None:
    chunks = cut(CONSTITUTIONAL.format(title=title))
    assert {(c.metadata["court"], c.metadata["case"], c.metadata["date"]) for c in chunks} == {
        ("헌법재판소", case, "2021.5.27")
    }
    assert [c.metadata["cases"] for c in chunks if "cases" in c.metadata] == [["2010헌마55"]]


def test_what_a_judgment_is_about_stands_above_its_title_in_brackets() -> None:
    head = "대법원 2021. 5. 13. 선고 2019다12345, 12346 판결\n[보증금반환·건물인도][공2021상,999]"
    own = SUPREME.replace(head, "보증금반환(본소)\n[대법원 2021. 5. 13. 선고 2019다12345 판결]")
    other = SUPREME.replace(head, "임금(퇴직금)\n[대법원 2022. 1. 13. 선고 2020다777 판결]")
    chunks = cut(own + other)
    assert list(dict.fromkeys(c.metadata["case"] for c in chunks)) == ["2019다12345", "2020다777"]
    first = next(c for c in chunks if c.metadata["case"] == "2020다777")
    assert first.text.startswith("임금(퇴직금)\n[대법원 2022.")
    unnamed = cut(own + SUPREME.replace(head, "[대법원 2022. 1. 13. 선고 2020다777 판결]"))
    first = next(c for c in unnamed if c.metadata["case"] == "2020다777")
    assert first.text.startswith("[대법원 2022.")


def test_the_first_piece_of_the_reasons_stands_under_its_title_too() -> None:
    straight = REASONS.replace("상고이유를 본다.\n", "")
    for text in (REASONS, straight):
        first = next(c for c in cut(text, target=60) if c.metadata.get("section") == "이유")
        assert first.text.startswith("이유\n")
        assert first.metadata["number"].startswith("1.")
        assert first.breadcrumb[3:] == ("1. 사안의 개요",)


def test_a_first_piece_under_two_titles_has_both_in_its_breadcrumb() -> None:
    text = REASONS.replace("가. 원고는", "가. 다툼이 없는 사실\n원고는").replace(
        "나. 원심은", "나. 원심의 판단\n원심은"
    )
    first = next(c for c in cut(text, target=90) if c.metadata.get("section") == "이유")
    assert first.metadata["number"] == "1. 가."
    assert first.breadcrumb[3:] == ("1. 사안의 개요", "가. 다툼이 없는 사실")


def test_a_piece_that_holds_several_numbers_is_under_the_title_of_none() -> None:
    (reasons,) = [c for c in cut(REASONS, target=400) if c.metadata.get("section") == "이유"]
    assert "1. 사안의 개요" in reasons.text
    assert reasons.breadcrumb[3:] == ()
