"""What names a table, and what is only a line above it."""

from __future__ import annotations

import pytest

from kure_rag.read.tables.captions import is_caption, unit_in


@pytest.mark.parametrize(
    ("line", "unit", "rest"),
    [
        ("(단위: 백만원)", "단위: 백만원", ""),
        ("표 3. 지점별 수신 현황 (단위 : 억원, %)", "단위 : 억원, %", "표 3. 지점별 수신 현황"),
        ("[단위: 명]", "단위: 명", ""),
        ("단위: 천 달러", "단위: 천 달러", ""),
        ("(천명)", "천명", ""),
        ("(전년동월대비, %)", "전년동월대비, %", ""),
    ],
)
def test_unit_notes_are_read_without_their_brackets(line: str, unit: str, rest: str) -> None:
    assert unit_in(line) == (unit, rest)


@pytest.mark.parametrize("line", ["(예시 1)", "주요 지표", "가입자가 늘었다(12명)", "(신설)", "(단위사업 포함)"])
def test_other_brackets_are_no_units(line: str) -> None:
    assert unit_in(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "□ 지점 현황",
        "표 2 | 업종별 연체율",
        "< 추진 일정 >",
        "가. 노출 기준",
        "[별표 1]",
        "주요 계정 과목",
        "①급여 기준",
    ],
)
def test_lines_that_name_a_table(line: str) -> None:
    assert is_caption(line)


@pytest.mark.parametrize(
    "line",
    [
        "지난해보다 크게 늘어난 것으로 나타났다.",
        "다음 각 호의 사항을 확인하여야 하며,",
        "전년 동월보다 소폭 낮아졌으나 하락 폭은 줄어듦에 따라 수요가 회복되고",
        "",
    ],
)
def test_lines_of_text_name_none(line: str) -> None:
    assert not is_caption(line)
