"""Which numbers of a table have the unit printed above it."""

import pytest

from kure_rag.chunk.row_units import takes_unit
from kure_rag.chunk.tables import row_lines
from kure_rag.types import Table

HEADER = ("과목", "주석", "제12기", "제11기")


def lines(rows: tuple[tuple[str, ...], ...], header: tuple[str, ...] = HEADER, unit: str = "단위: 원") -> list[str]:
    return row_lines(Table(page=1, start=0, end=0, caption="", unit=unit, header=header, rows=rows)).split("\n")


def test_notes_and_rows_with_a_unit_of_their_own_do_not_have_the_tables() -> None:
    rows = (
        ("현금및현금성자산", "4,5", "(123)", "△45"),
        ("매출채권", "7", "▲3", "-"),
        ("주당이익(원)", "", "1,200", "900"),
        ("부채비율(%)", "", "45.2", "50.1"),
    )
    assert lines(rows, unit="단위: 백만원") == [
        "현금및현금성자산 | 주석 = 4,5, 제12기 = (123) (백만원), 제11기 = △45 (백만원)",
        "매출채권 | 주석 = 7, 제12기 = ▲3 (백만원)",
        "주당이익(원) | 제12기 = 1,200, 제11기 = 900",
        "부채비율(%) | 제12기 = 45.2, 제11기 = 50.1",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "이익잉여금[천원]",
        "부채비율 [%]",
        "이용률(단위: %)",
        "판매단가(원/kg)",
        "발행주식총수(주)",
        "임직원 수(명)",
        "ROE, %",
    ],
)
def test_a_row_that_names_a_unit_needs_no_other(name: str) -> None:
    assert not takes_unit("백만원", [name], "제12기", "1,234")


@pytest.mark.parametrize(
    "name",
    ["(주)가온전자", "가온전자(주)", "매출(건설)", "예금(개인)", "공사미수금(주1)", "대손충당금(주석 5)", "유동자산"],
)
def test_a_bracket_that_is_no_unit_takes_none_away(name: str) -> None:
    assert takes_unit("백만원", [name], "제12기", "1,234")


def test_a_unit_in_the_cell_of_the_group_holds_for_its_rows() -> None:
    assert not takes_unit("백만원", ["비율(%)", "유동비율 산식"], "제12기", "145.2")


@pytest.mark.parametrize(
    "column", ["주석", "관련 주석", "번호", "계좌번호", "순번", "비고", "주기", "No.", "종목코드", "당기 > 주석"]
)
def test_a_column_that_counts_or_points_has_no_unit(column: str) -> None:
    assert not takes_unit("원", ["매출채권"], column, "7")


def test_a_year_is_no_amount_and_an_amount_of_a_year_is_one() -> None:
    assert not takes_unit("백만원", ["가온전자"], "설립연도", "2010")
    assert takes_unit("백만원", ["가온전자"], "기준연도", "12,010")
    assert takes_unit("백만원", ["가온전자"], "2010년도", "12,010")
    assert takes_unit("백만원", ["가온전자"], "전년도", "340")


@pytest.mark.parametrize(
    "name", ["부채비율", "매출액 영업이익률", "자기자본 이익률", "이자율 (주1)", "비율", "유효세율*", "구성비"]
)
def test_a_ratio_is_no_amount_of_money(name: str) -> None:
    assert not takes_unit("백만원", [name], "제12기", "45.2")
    assert not takes_unit("천원", ["매출액"], f"제12기 > {name}", "45.2")


@pytest.mark.parametrize(
    "name", ["기말환율", "운송요율", "시간당 임률", "세율", "법률", "비율조정 전 금액", "율촌화학"]
)
def test_what_only_ends_or_begins_like_a_ratio_may_be_money(name: str) -> None:
    assert takes_unit("원", [name], "제12기", "1,234")


def test_a_ratio_has_a_unit_that_is_no_money() -> None:
    assert takes_unit("%", ["부채비율"], "제12기", "45.2")
    assert takes_unit("명", ["합계출산율"], "2023", "0.72")


def test_only_the_last_name_says_whether_a_row_is_a_ratio() -> None:
    assert takes_unit("원", ["재무비율", "부채총계"], "제12기", "1,234")
