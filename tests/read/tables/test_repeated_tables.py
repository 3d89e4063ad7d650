"""Small tables at the top of most pages: page headers go, tables of the text stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kure_rag.read.layout import Line
from kure_rag.read.page import FoundTable
from kure_rag.read.tables import drop_page_headers

RATES = (("1급", "20,000", "50,000"), ("2급", "15,000", "40,000"))


def rates(caption: str = "", top: float = 780.0, rows: Sequence[tuple[str, ...]] = RATES) -> Line:
    box = (60.0, top - 60.0, 500.0, top)
    found = FoundTable(box, box, (60.0, 200.0, 350.0, 500.0), caption, "", ("구분", "일비", "숙박비"), tuple(rows))
    return Line("", box[0], box[1], box[2], box[3], 10.0, table=found)


def text(words: str, middle: float) -> Line:
    return Line(words, 60.0, middle - 5, 60.0 + 10 * len(words), middle + 5, 10.0)


def kept(pages: Sequence[Sequence[Line]]) -> list[bool]:
    return [any(line.table for line in page) for page in drop_page_headers(pages)]


@pytest.mark.parametrize("captions", [[""] * 4, ["<표> 담당"] * 4])
def test_equal_tables_at_one_place_are_kept_once(captions: list[str]) -> None:
    pages = [[rates(caption, 780.0 + p % 2), text(f"{p}째 글", 600)] for p, caption in enumerate(captions)]
    assert kept(pages) == [True, False, False, False]


def test_equal_tables_with_other_captions_stay() -> None:
    captions = ["[별표 1] 여비 지급 기준", "[별표 2] 숙박비", "[별표 3] 식비", "[별지 제1호서식] 신청서"]
    assert kept([[rates(caption), text("비고", 600)] for caption in captions]) == [True] * 4


@pytest.mark.parametrize("headings", [["(별표 1)", "(별표 2)", "(별표 3)"], ["국내 여비", "국외 여비", "이전비"]])
def test_equal_tables_below_other_headings_stay(headings: list[str]) -> None:
    assert kept([[text(heading, 800), rates(), text("비고", 600)] for heading in headings]) == [True] * 3


def test_equal_tables_below_the_same_running_title_or_a_page_number_are_kept_once() -> None:
    assert kept([[text("여비 규정", 800), rates()] for _ in range(3)]) == [True, False, False]
    assert kept([[text(f"- {p} -", 800), rates()] for p in range(3)]) == [True, False, False]


def test_equal_tables_at_other_places_stay() -> None:
    assert kept([[rates(top=780.0 - 15 * p), text("비고", 600)] for p in range(4)]) == [True] * 4


@pytest.mark.parametrize(
    ("cells", "again"),
    [
        ("{} / 4", False),
        ("Page : {} of 4", False),
        ("{}쪽", False),
        ("쪽: {}", False),
        ("1/{}", True),
        ("{}호", True),
        ("한쪽 {}알", True),
        ("{}", True),
    ],
)
def test_numbers_that_count_pages_make_no_difference_and_others_do(cells: str, again: bool) -> None:
    pages = [[rates(rows=(*RATES, ("개정 3", "총무과", cells.format(n)))), text("비고", 600)] for n in range(1, 5)]
    assert kept(pages) == [True, again, again, again]


def test_a_lone_number_counts_pages_where_the_table_says_so() -> None:
    row = ("총무과", "페이지")
    pages = [[rates(rows=(*RATES, (*row, str(n)))), text("비고", 600)] for n in range(1, 5)]
    assert kept(pages) == [True, False, False, False]


def test_a_table_of_another_unit_stays() -> None:
    units = ["단위: 원", "단위: 천원", "단위: 달러"]
    lines = [rates() for _ in units]
    for line, unit in zip(lines, units, strict=True):
        assert line.table is not None
        line.table = replace(line.table, unit=unit)
    assert kept([[line] for line in lines]) == [True] * 3
