"""Unit notes that a margin broke are read whole, and nothing around a table leaves the text."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read import read_pdf
from kure_rag.read.tables.glyphs import Glyph, Line
from kure_rag.read.tables.notes import unit_in
from kure_rag.read.tables.wrapped_notes import has_wrapped_note, parts_with_notes, said
from kure_rag.types import Document

ROWS = (("과목", "제56기", "제55기"), ("매출액", "1,204", "1,377"), ("영업이익", "35", "12"), ("순이익", "8", "9"))
Text = tuple[float, float, str]
SENTENCE = "17. 당기와 전기 중 관계 회사와의 매출과 매입 내역은 아래와 같습니다"
WIDTHS = [(70, 455), (107, 380), (132, 330), (70, 300), (210, 180)]


def document(path: Path, texts: Sequence[Text], left: float = 70, width: float = 455) -> Document:
    """A page with some text and, below 600 points, one ruled table of three columns."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    canvas = Canvas(str(path), pagesize=(595, 842), invariant=1)
    canvas.setFont("HYSMyeongJo-Medium", 10)
    for x, y, value in [(70, 700, "가온전자의 매출액은 지난해보다 늘었습니다."), *texts]:
        canvas.drawString(x, y, value)
    for r, row in enumerate(ROWS):
        for c, value in enumerate(row):
            canvas.drawString(left + c * width / 3 + 4, 586 - 20 * r, value)
    for c in range(4):
        canvas.line(left + c * width / 3, 600, left + c * width / 3, 520)
    for r in range(5):
        canvas.line(left, 600 - 20 * r, left + width, 600 - 20 * r)
    canvas.save()
    return read_pdf(path.read_bytes(), path.name)


def squeezed(value: str) -> str:
    return "".join(value.split())


@pytest.mark.parametrize(("left", "width"), WIDTHS)
@pytest.mark.parametrize(
    ("upper", "lower", "unit"),
    [
        (f"{SENTENCE}(단위: 백", "만원).", "단위: 백만원"),
        (f"{SENTENCE} (외화단위: 천", "USD)", "외화단위: 천USD"),
        (f"{SENTENCE}. (원화단위: 백만원,", "외화단위: 천유로)", "원화단위: 백만원, 외화단위: 천유로"),
        (f"{SENTENCE}(", "단위: 백만원).", "단위: 백만원"),
    ],
)
def test_a_note_at_the_end_of_a_broken_sentence(
    tmp_path: Path, left: float, width: float, upper: str, lower: str, unit: str
) -> None:
    read = document(tmp_path / "표.pdf", [(70, 622, upper), (70, 608, lower)], left, width)
    [table] = read.tables
    assert (table.caption, table.unit) == ("", unit)
    assert squeezed(upper + lower) in squeezed(read.text)


@pytest.mark.parametrize(("left", "width"), WIDTHS)
@pytest.mark.parametrize("at", [(440, 460), (445, 470), (70, 70)])
def test_a_note_of_two_lines_by_itself(tmp_path: Path, left: float, width: float, at: tuple[float, float]) -> None:
    texts = [(70, 638, "표 1. 요약 손익계산서"), (at[0], 622, "(단위: 백만원,"), (at[1], 608, "천USD)")]
    read = document(tmp_path / "표.pdf", texts, left, width)
    [table] = read.tables
    assert (table.caption, table.unit) == ("표 1. 요약 손익계산서", "단위: 백만원, 천USD")
    assert read.text.count("천USD") == 1


def test_a_note_of_three_lines(tmp_path: Path) -> None:
    texts = [(70, 636, f"{SENTENCE}(원화"), (70, 622, "단위: 백만원, 외화단위: 천"), (70, 608, "유로).")]
    [table] = document(tmp_path / "표.pdf", texts, 150, 300).tables
    assert table.unit == "원화단위: 백만원, 외화단위: 천유로"


@pytest.mark.parametrize(("left", "width"), WIDTHS)
@pytest.mark.parametrize("lower", ["만원 기준입니다.", "1) 만원 미만은 버렸습니다.", "[주석 4] 참조"])
def test_a_note_that_never_closes_binds_no_unit(tmp_path: Path, left: float, width: float, lower: str) -> None:
    read = document(tmp_path / "표.pdf", [(70, 622, f"{SENTENCE}(단위: 백"), (70, 608, lower)], left, width)
    [table] = read.tables
    assert table.unit == ""
    assert squeezed(f"{SENTENCE}(단위: 백") in squeezed(read.text)
    assert squeezed(lower) in squeezed(read.text)


@pytest.mark.parametrize("line", ["같습니다(단위: 백", "(단위 : 천", "(원화단위: 원, 외화단위: 천", "[금액 단위: 백만"])
def test_what_a_line_end_cut_off_is_no_unit(line: str) -> None:
    assert unit_in(line) is None


@pytest.mark.parametrize("line", ["(감사 전) 단위: 백만원", "<표 1> 지점 현황 단위: 백만원", "단위: 백만원"])
def test_a_unit_without_brackets_is_one(line: str) -> None:
    found = unit_in(line)
    assert found is not None
    assert found[0] == "단위: 백만원"


@pytest.mark.parametrize("left", [210, 250])
def test_a_line_above_a_heading_at_the_margin_is_no_caption(tmp_path: Path, left: float) -> None:
    texts = [(270, 650, "감사보고서"), (70, 630, "손익계산서"), (455, 610, "(단위: 백만원)")]
    read = document(tmp_path / "표.pdf", texts, left, 120)
    [table] = read.tables
    assert (table.caption, table.unit) == ("", "단위: 백만원")
    assert read.text.index("감사보고서") < read.text.index("손익계산서") < read.text.index("매출액 |")


def line_at(y: float, value: str) -> Line:
    return [
        Glyph(70 + 10 * i, y, 80 + 10 * i, y + 10, 75 + 10 * i, y + 5, 10, char, spaced=False)
        for i, char in enumerate(value)
    ]


@given(st.text("(단위: 백만원)가나" + string.ascii_letters, min_size=1), st.text("만원).[]가나(", min_size=1))
def test_no_character_is_lost_or_doubled_by_joining(upper: str, lower: str) -> None:
    rows = [line_at(622, upper), line_at(608, lower)]
    ids = [id(glyph) for row in parts_with_notes(rows) for part in row for glyph in part]
    assert sorted(ids) == sorted(id(glyph) for row in rows for glyph in row)


def test_lines_of_a_joined_note_read_on() -> None:
    rows = [line_at(622, "같습니다(단위:백"), line_at(608, "만원).")]
    assert [said(part) for row in parts_with_notes(rows) for part in row] == ["같습니다(단위:백만원)."]
    assert has_wrapped_note(rows)


def test_lines_far_apart_are_not_joined() -> None:
    assert not has_wrapped_note([line_at(660, "같습니다(단위:백"), line_at(608, "만원).")])
