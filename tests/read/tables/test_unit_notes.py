"""The unit note and the caption directly above a table belong to it wherever they stand in its column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kure_rag.read.page import FoundTable
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.tables import find_tables

ROWS = (("과목", "제56기", "제55기"), ("매출액", "1,204", "1,377"), ("영업이익", "35", "12"), ("순이익", "8", "9"))
UNIT = "(단위: 백만원)"
Text = tuple[float, float, str]


def found(path: Path, texts: Sequence[Text], left: float, width: float, *, ruled: bool = True) -> list[FoundTable]:
    """The tables of a page with some text and one table of three columns, whose top is at 600 points."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    canvas = Canvas(str(path), pagesize=(595, 842), invariant=1)
    canvas.setFont("HYSMyeongJo-Medium", 10)
    for x, y, value in texts:
        canvas.drawString(x, y, value)
    for r, row in enumerate(ROWS):
        for c, value in enumerate(row):
            canvas.drawString(left + c * width / 3 + 4, 586 - 20 * r, value)
    if ruled:
        for c in range(4):
            canvas.line(left + c * width / 3, 600, left + c * width / 3, 520)
        for r in range(5):
            canvas.line(left, 600 - 20 * r, left + width, 600 - 20 * r)
    canvas.save()
    with PdfFile(path.read_bytes(), path.name) as pdf:
        return find_tables(pdf.page(1))


def right(y: float, value: str) -> Text:
    """Words that end at the right margin."""
    return (525 - 10 * sum(1 if "가" <= char <= "힣" else 0.5 for char in value), y, value)


@pytest.mark.parametrize(
    ("left", "width", "ruled"),
    [(150, 300, True), (210, 180, True), (70, 180, True), (70, 455, True), (70, 435, False), (70, 300, False)],
)
@pytest.mark.parametrize("unit", [(70, 606, UNIT), right(606, UNIT)])
def test_a_unit_note_at_either_margin_is_the_tables(
    tmp_path: Path, left: float, width: float, ruled: bool, unit: Text
) -> None:
    texts = [(70, 660, "당사의 매출액은 아래 재무제표와 같습니다."), (70, 622, "표 1. 요약 손익계산서"), unit]
    [table] = found(tmp_path / "표.pdf", texts, left, width, ruled=ruled)
    assert (table.caption, table.unit) == ("표 1. 요약 손익계산서", "단위: 백만원")
    assert table.header == ROWS[0]
    assert table.box[0] <= unit[0] < table.box[2]
    assert 622 < table.box[3] < 660


def test_caption_and_unit_on_one_line_over_a_narrow_table(tmp_path: Path) -> None:
    texts = [(70, 606, "<표 3> 요약 재무상태표"), right(606, UNIT)]
    [table] = found(tmp_path / "표.pdf", texts, 200, 180)
    assert (table.caption, table.unit) == ("<표 3> 요약 재무상태표", "단위: 백만원")


@pytest.mark.parametrize(
    "note",
    [
        "(금액단위: 백만원)",
        "(2022년 말 기준, 단위: 백만원)",
        "(Unit: KRW million)",
        "[단위 : 백만원]",
        "(화폐단위 : 원)",
    ],
)
def test_a_unit_note_in_other_words_leaves_the_caption_above_it_one(tmp_path: Path, note: str) -> None:
    texts = [(70, 622, "나. 요약 손익"), right(606, note)]
    [table] = found(tmp_path / "표.pdf", texts, 70, 455)
    assert (table.caption, table.unit) == ("나. 요약 손익", note.strip("()[]"))
    assert table.box[3] > 622


@pytest.mark.parametrize(
    ("notes", "unit"),
    [
        ([(70, 606, "(기준일: 2022.6.30.)"), right(606, UNIT)], "기준일: 2022.6.30., 단위: 백만원"),
        ([(70, 620, "(2022.6.30. 현재)"), right(606, UNIT)], "2022.6.30. 현재, 단위: 백만원"),
        ([right(606, "(2022.6.30. 현재)")], "2022.6.30. 현재"),
    ],
)
def test_a_date_note_goes_with_the_unit_and_is_no_caption(tmp_path: Path, notes: list[Text], unit: str) -> None:
    caption = (70, max(y for _, y, _ in notes) + 16, "나. 주주 현황")
    [table] = found(tmp_path / "표.pdf", [caption, *notes], 70, 455)
    assert (table.caption, table.unit) == ("나. 주주 현황", unit)
    assert table.box[3] > caption[1]


def test_a_unit_note_some_way_above_its_table_is_no_text_of_the_page(tmp_path: Path) -> None:
    [table] = found(tmp_path / "표.pdf", [(70, 700, "다음과 같다."), right(630, UNIT)], 70, 455)
    assert table.unit == "단위: 백만원"
    assert 630 < table.box[3] < 700


def test_a_unit_note_with_text_below_it_is_that_columns(tmp_path: Path) -> None:
    beside = [right(606, UNIT), right(580, "매출액이 늘어난 까닭은"), right(560, "수출이 늘었기 때문이다.")]
    [table] = found(tmp_path / "표.pdf", beside, 70, 200)
    assert table.unit == ""
    assert table.box[2] <= 271


def test_a_unit_note_at_the_edge_of_the_left_of_two_columns(tmp_path: Path) -> None:
    texts = [(205, 606, UNIT), right(606, "매출액이 늘어난 까닭은"), right(560, "수출이 늘었기 때문이다.")]
    [table] = found(tmp_path / "표.pdf", texts, 70, 120)
    assert table.unit == "단위: 백만원"
    assert table.box[2] < 290


def test_a_sentence_between_keeps_a_unit_note_off(tmp_path: Path) -> None:
    texts = [right(640, UNIT), (70, 620, "위 금액은 감사를 받기 전의 것입니다."), (70, 606, "세부 내역은 다음과 같다.")]
    [table] = found(tmp_path / "표.pdf", texts, 150, 300)
    assert (table.caption, table.unit) == ("", "")


def test_other_words_beside_a_caption_stay_text_of_the_page(tmp_path: Path) -> None:
    texts = [(70, 622, "표 1. 요약 손익계산서"), right(622, "2024년 말 현재"), right(606, UNIT)]
    [table] = found(tmp_path / "표.pdf", texts, 70, 180)
    assert table.unit == "단위: 백만원"
    assert table.box == table.body


def test_a_line_above_a_table_that_has_its_own_title_stays_text_of_the_page(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    path = tmp_path / "표.pdf"
    canvas = Canvas(str(path), pagesize=(595, 842), invariant=1)
    canvas.setFont("HYSMyeongJo-Medium", 10)
    canvas.drawString(70, 648, "두 혈관에 시술한 경우")
    canvas.drawString(74, 626, "명세서 진료내역")
    for r, row in enumerate(ROWS):
        for c, value in enumerate(row):
            canvas.drawString(74 + 100 * c, 606 - 20 * r, value)
    for c in range(4):
        canvas.line(70 + 100 * c, 640 if c in (0, 3) else 620, 70 + 100 * c, 540)
    for y in (640, 620, 600, 580, 560, 540):
        canvas.line(70, y, 370, y)
    canvas.save()
    with PdfFile(path.read_bytes(), path.name) as pdf:
        [table] = find_tables(pdf.page(1))
    assert table.caption == "명세서 진료내역"
    assert table.box == table.body
