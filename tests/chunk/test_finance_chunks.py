"""Reports by the names of their sections, whatever their numbers."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

TABLE = (
    "요약연결재무정보\n(단위: 백만원)\n| 구분 | 제56기 3개월 |\n| --- | --- |\n| 매출액 | 1,234 |\n| 영업손실 | △12 |"
)
REPORT = f"""I. 회사의 개요
1. 회사의 연혁
새솔전자는 1985년에 세웠습니다.
III. 재무에 관한 사항
1. 요약재무정보
{TABLE}
2. 연결재무제표
2-1. 연결 재무상태표
자산은 지난해보다 늘었습니다.
3. 연결재무제표 주석
1. 일반사항
지배기업인 새솔전자는 1985년에 설립되었습니다.
2. 중요한 회계정책
연결재무제표는 한국채택국제회계기준에 따라 작성되었습니다.
3. 영업부문
연결회사는 두 개의 부문을 보고합니다.
4. 차입금
차입금의 이자율은 연 4.1퍼센트입니다.
5. 재무제표 주석
1. 일반사항
회사는 전자부품을 만듭니다.
6. 배당에 관한 사항
회사는 해마다 주당 500원을 배당합니다.
IV. 이사의 경영진단 및 분석의견
1. 예측정보에 대한 주의사항
실제 결과는 다를 수 있습니다.
"""


def report(text: str, table: str = "") -> Document:
    tables: tuple[Table, ...] = ()
    if table:
        start = text.index(table)
        end = start + len(table)
        rows = (("매출액", "1,234"), ("영업손실", "△12"))
        header = ("구분", "제56기 3개월")
        tables = (Table(1, start, end, "요약연결재무정보", "단위: 백만원", header, rows, ((start, end, 0, 2),)),)
    return Document(id="d", source="a.pdf", title="분기보고서", domain="finance", text=text, tables=tables)


def cut(document: Document) -> list[Chunk]:
    return [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings())]


def test_sections_of_a_business_report_by_name() -> None:
    found = [(chunk.breadcrumb[1:], chunk.metadata.get("section")) for chunk in cut(report(REPORT, TABLE))]
    finance = "III. 재무에 관한 사항"
    assert found == [
        (("I. 회사의 개요", "1. 회사의 연혁"), "회사의 개요"),
        ((finance, "1. 요약재무정보"), "요약재무정보"),
        ((finance, "2. 연결재무제표", "2-1. 연결 재무상태표"), "재무상태표"),
        ((finance, "3. 연결재무제표 주석", "1. 일반사항"), "주석"),
        ((finance, "3. 연결재무제표 주석", "2. 중요한 회계정책"), "주석"),
        ((finance, "3. 연결재무제표 주석", "3. 영업부문"), "주석"),
        ((finance, "3. 연결재무제표 주석", "4. 차입금"), "주석"),
        ((finance, "5. 재무제표 주석", "1. 일반사항"), "주석"),
        ((finance, "6. 배당에 관한 사항"), "배당에 관한 사항"),
        (("IV. 이사의 경영진단 및 분석의견", "1. 예측정보에 대한 주의사항"), "이사의 경영진단"),
    ]


def test_notes_are_named() -> None:
    notes = [chunk.metadata["note"] for chunk in cut(report(REPORT, TABLE)) if "note" in chunk.metadata]
    assert notes == ["1. 일반사항", "2. 중요한 회계정책", "3. 영업부문", "4. 차입금", "1. 일반사항"]


def test_a_table_is_a_chunk_with_its_rows_said() -> None:
    (table,) = [chunk for chunk in cut(report(REPORT, TABLE)) if chunk.kind == "table"]
    assert table.text.endswith(TABLE)
    assert table.lead == "매출액 | 제56기 3개월 = 1,234 (백만원)\n영업손실 | 제56기 3개월 = △12 (백만원)"
    assert table.metadata == {
        "section": "요약재무정보",
        "caption": "요약연결재무정보",
        "unit": "단위: 백만원",
        "header": ["구분", "제56기 3개월"],
    }


@pytest.mark.parametrize("number", ["V", "VI", "Ⅶ"])
def test_the_number_of_a_section_does_not_matter(number: str) -> None:
    chunks = cut(report(f"{number}. 이사의 경영진단 및 분석의견\n매출이 늘었습니다."))
    assert chunks[0].metadata == {"section": "이사의 경영진단"}


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("▶ 운용성과", "운용성과"),
        ("■ 운용경과 및 계획", "운용경과 및 계획"),
        ("[보수 및 비용]", "보수 및 비용"),
        ("보수·비용 : ", None),
        ("주요 투자위험", "투자위험"),
        ("4. 투자위험등급 (2등급)", "투자위험"),
        ("<자산 구성 현황>", "자산구성"),
        ("환매방법:", "매입 및 환매"),
        ("운용성과는 좋았습니다.", None),
    ],
)
def test_sections_of_fund_reports(printed: str, name: str | None) -> None:
    chunks = cut(report(f"펀드의 이름\n{printed}\n한 달 동안 1.2퍼센트 올랐습니다. 다음 달도 지켜보겠습니다."))
    assert chunks[-1].metadata.get("section") == name


def test_names_after_a_symbol_are_siblings() -> None:
    chunks = cut(
        report("▶ 펀드개요\n주식형 펀드입니다.\n▶ 기타 안내\n궁금하면 전화하세요.\n▶ 운용성과\n1.2퍼센트 올랐습니다.")
    )
    assert [chunk.breadcrumb[1:] for chunk in chunks] == [("▶ 펀드개요",), ("▶ 기타 안내",), ("▶ 운용성과",)]


SAID = "당분기말 현재 잔액은 전기말보다 늘었으며 공정가치는 장부금액과 같습니다."


def notes(*lines: str) -> list[tuple[tuple[str, ...], str | None]]:
    """Where each passage stands and its note; every line has a sentence under it."""
    chunks = cut(report("\n".join(f"{line}\n{SAID}" for line in lines)))
    return [(chunk.breadcrumb[1:], chunk.metadata.get("note")) for chunk in chunks]


@pytest.mark.parametrize("printed", ["주석 {}. {}", "주석 {} - {} (연결)", "주석{}: {}", "[주석 {}] {}"])
def test_notes_that_say_that_they_are_notes(printed: str) -> None:
    first, second = printed.format(1, "일반사항"), printed.format(2, "매출채권")
    finance, parent = "III. 재무에 관한 사항", "3. 연결재무제표 주석"
    found = notes(finance, parent, first, "(1) 회사의 개요", second, "(1) 내역", "4. 재무제표", "5. 배당에 관한 사항")
    assert found == [
        ((finance,), None),
        ((finance, parent), None),
        ((finance, parent, first), first),
        ((finance, parent, first, "(1) 회사의 개요"), first),
        ((finance, parent, second), second),
        ((finance, parent, second, "(1) 내역"), second),
        ((finance, "4. 재무제표"), None),
        ((finance, "5. 배당에 관한 사항"), None),
    ]


def test_notes_of_one_count_printed_in_two_ways() -> None:
    found = notes("3. 주석", "1. 일반사항", "2. 작성기준", "주석 3. 매출채권", "4. 우발부채", "4. 재무제표")
    assert [note for _, note in found] == [None, "1. 일반사항", "2. 작성기준", "주석 3. 매출채권", "4. 우발부채", None]


def test_numbers_inside_a_note_are_part_of_it() -> None:
    lines = ("주석 1. 차입금", "1. 단기차입금", "2. 장기차입금", "주석 2. 사채", "1. 발행 내역")
    found = notes("3. 주석", *lines, "4. 배당에 관한 사항", "5. 자본금")
    first, second = "주석 1. 차입금", "주석 2. 사채"
    assert [note for _, note in found] == [None, first, first, first, second, second, None, None]
    assert found[3][0] == ("3. 주석", first, "2. 장기차입금")


def test_notes_under_a_heading_without_a_number() -> None:
    found = notes("재무상태표", "주석", "1. 일반사항", "2. 현금흐름표", "가. 내역", "주석 3. 차입금")
    assert [note for _, note in found] == [
        None,
        None,
        "1. 일반사항",
        "2. 현금흐름표",
        "2. 현금흐름표",
        "주석 3. 차입금",
    ]
    assert found[4][0] == ("주석", "2. 현금흐름표", "가. 내역")


def test_what_is_no_note_is_not_cited_as_one() -> None:
    assert [note for _, note in notes("3. 주석", "(1) 내역", "가. 변동")] == [None, None, None]
    assert [note for _, note in notes("1. 실적", "주석 1: 비경상 항목 제외", "2. 전망")] == [None, None]
    text = f"3. 주석\n주석 1. 매출채권\n{SAID} 자세한 내역은\n주석 2. 차입금 참조\n{SAID}"
    assert {chunk.metadata.get("note") for chunk in cut(report(text))} == {"주석 1. 매출채권"}


def test_an_item_that_begins_with_the_name_of_a_section_is_no_heading() -> None:
    items = "- 운용성과: 펀드는 4.91% 하락하였습니다.\n- 자산배분: 주식의 비중은 87.9%입니다.\n"
    text = f"▶ 운용경과\n{items}▶ 운용계획\n비중을 줄입니다.\n"
    document = Document("d", "a.pdf", "온실 펀드", "finance", text)
    chunks = [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), ChunkSettings())]
    assert [chunk.breadcrumb for chunk in chunks] == [("온실 펀드", "▶ 운용경과"), ("온실 펀드", "▶ 운용계획")]
    assert chunks[0].metadata["section"] == "운용경과 및 계획"
