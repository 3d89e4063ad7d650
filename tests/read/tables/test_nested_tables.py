"""Tables inside cells of other tables: found, written in their place, and put together over pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read import read_pdf
from kure_rag.read.page import FoundTable
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.tables import find_tables, join_continued, joined_cells, outermost, written
from kure_rag.read.tables.nested import Inner, inner_of, with_inner

Draw = Callable[["Sheet"], None]


class Sheet:
    """A page to draw on, in points from the bottom left."""

    def __init__(self, path: Path) -> None:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.pdfgen.canvas import Canvas

        pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
        self.canvas = Canvas(str(path), pagesize=(595, 842), invariant=1)
        self.canvas.setLineWidth(0.5)

    def text(self, x: float, y: float, *values: str) -> None:
        self.canvas.setFont("HYSMyeongJo-Medium", 10)
        for i, value in enumerate(values):
            self.canvas.drawString(x, y - 14 * i, value)

    def grid(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        for x in xs:
            self.canvas.line(x, ys[0], x, ys[-1])
        for y in ys:
            self.canvas.line(xs[0], y, xs[-1], y)

    def table(self, xs: Sequence[float], ys: Sequence[float], rows: Sequence[Sequence[str]]) -> None:
        self.grid(xs, ys)
        for row, top in zip(rows, ys, strict=False):
            for cell, x in zip(row, xs, strict=False):
                self.text(x + 4, top - 14, *cell.split("\n"))


def save(path: Path, draw: Draw) -> bytes:
    sheet = Sheet(path)
    draw(sheet)
    sheet.canvas.save()
    return path.read_bytes()


def answers(sheet: Sheet) -> None:
    """Two questions; the first one's answer holds two tables with text before, between and below them."""
    sheet.grid((60, 100, 220, 540), (760, 740, 480, 440))
    sheet.text(64, 746, "연번")
    sheet.text(104, 746, "질의")
    sheet.text(224, 746, "답변")
    sheet.text(64, 726, "1")
    sheet.text(104, 726, "언제 신고하나요?")
    sheet.text(224, 726, "○ 아래의 기간에 신고합니다.")
    sheet.table(
        (240, 320, 500),
        (710, 690, 654, 634),
        [["구분", "기간"], ["상반기", "2월 1일부터\n2월 14일까지"], ["하반기", "8월"]],
    )
    sheet.text(224, 616, "○ 수가는 다음과 같습니다.")
    sheet.text(400, 602, "(단위: 원)")
    sheet.table(
        (240, 320, 400, 500),
        (596, 576, 556, 536),
        [["코드", "기준", "금액"], ["가101", "1회", "1,200"], ["가102", "2회", "2,300"]],
    )
    sheet.text(224, 510, "○ 야간은 따로 정합니다.")
    sheet.text(64, 466, "2")
    sheet.text(104, 466, "누가 신고하나요?")
    sheet.text(224, 466, "○ 기관의 장이 신고합니다.")


def test_tables_in_a_cell_are_written_in_their_place_with_the_text_around_them(tmp_path: Path) -> None:
    text = read_pdf(save(tmp_path / "질의응답.pdf", answers), "질의응답.pdf").text
    assert (
        "1 | 언제 신고하나요?\n답변\n○ 아래의 기간에 신고합니다.\n"
        "| 구분 | 기간 |\n| --- | --- |\n| 상반기 | 2월 1일부터 2월 14일까지 |\n| 하반기 | 8월 |\n"
        "○ 수가는 다음과 같습니다.\n(단위: 원)\n"
        "| 코드 | 기준 | 금액 |\n| --- | --- | --- |\n| 가101 | 1회 | 1,200 |\n| 가102 | 2회 | 2,300 |\n"
        "○ 야간은 따로 정합니다.\n"
    ) in text
    assert text.count("가101") == 1


def test_a_document_has_tables_in_cells_among_its_tables_behind_the_one_around_them(tmp_path: Path) -> None:
    document = read_pdf(save(tmp_path / "질의응답.pdf", answers), "질의응답.pdf")
    outer, when, fee = document.tables
    assert outer.header == ("연번", "질의", "답변")
    assert when.rows == (("상반기", "2월 1일부터 2월 14일까지"), ("하반기", "8월"))
    assert (fee.unit, fee.rows) == ("단위: 원", (("가101", "1회", "1,200"), ("가102", "2회", "2,300")))
    for table in (when, fee):
        assert outer.start < table.start < table.end < outer.end
        for start, end, first, after in table.pieces:
            for row in table.rows[first:after]:
                assert f"| {' | '.join(row)} |" in document.text[start:end]
    assert not any("\ufdd0" in cell for table in document.tables for row in table.rows for cell in row)


def test_each_table_in_a_cell_knows_where_its_text_stands(tmp_path: Path) -> None:
    save(tmp_path / "질의응답.pdf", answers)
    with PdfFile((tmp_path / "질의응답.pdf").read_bytes(), "질의응답.pdf") as pdf:
        [outer] = joined_cells(outermost(find_tables(pdf.page(1))))
    first, *rest = written(outer)
    assert not any(piece.inner for piece in rest)
    when, fee = first.inner
    assert (when.header, when.rows) == (("구분", "기간"), (("상반기", "2월 1일부터 2월 14일까지"), ("하반기", "8월")))
    assert (fee.header, fee.unit) == (("코드", "기준", "금액"), "단위: 원")
    assert first.text[when.start : when.end].startswith("| 구분 | 기간 |\n")
    assert first.text[fee.start : fee.end].startswith("(단위: 원)\n| 코드 |")
    assert first.text[fee.start : fee.end].endswith("| 가102 | 2회 | 2,300 |")
    assert fee.pieces == ((fee.start, fee.end, 0, 2),)


def part(name: str, bottom: float, top: float, inner: Inner) -> FoundTable:
    body = (60.0, bottom, 540.0, top)
    found = FoundTable(body, body, (60.0, 200.0, 540.0), "", "", ("질의", "답변"), ((name, f"답\n{inner.mark}"),))
    return with_inner(found, [inner])


def fees(names: Sequence[str], bottom: float, top: float, *, caption: str = "") -> FoundTable:
    body = (240.0, bottom, 500.0, top)
    rows = tuple((name, "1,000") for name in names)
    return FoundTable(body, body, (240.0, 400.0, 500.0), caption, "", ("코드", "금액"), rows)


@pytest.mark.parametrize("caption", ["", "(예시 2) 야간"])
def test_a_table_in_a_cell_goes_on_on_the_next_page_with_the_row_around_it(caption: str) -> None:
    above = Inner("\ufdd01.0\ufdd1", 1, fees(["가101"], 60, 200), ("코드 금액", "가101 1,000"))
    below = Inner("\ufdd02.0\ufdd1", 2, fees(["가102"], 600, 780, caption=caption), ("가102 1,000",))
    second = part("", 400, 790, below)
    second = with_inner(replace(second, rows=(("", below.mark),)), [below])
    whole = join_continued(part("금액은?", 50, 700, above), second)
    assert whole is not None
    assert len(whole.rows) == 1
    [piece] = written(whole)
    if caption:
        assert [table.rows for table in piece.inner] == [(("가101", "1,000"),), (("가102", "1,000"),)]
    else:
        [table] = piece.inner
        assert table.page == 1
        assert table.rows == (("가101", "1,000"), ("가102", "1,000"))
    assert "\ufdd0" not in piece.text


def test_a_table_in_a_cell_of_two_rows_is_a_table_once_and_said_in_both() -> None:
    inner = Inner("\ufdd01.0\ufdd1", 1, fees(["가101"], 60, 200), ("코드 금액", "가101 1,000"))
    found = part("금액은?", 50, 700, inner)
    twice = with_inner(replace(found, rows=(*found.rows, ("야간은?", found.rows[0][1]))), [inner])
    first, second = written(twice)
    assert len(first.inner) == 1
    assert not second.inner
    assert second.text.endswith("코드 금액\n가101 1,000")


WORDS = st.text("가나다 라1|.\u1100\u1161", max_size=12)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.lists(WORDS, min_size=3, max_size=3))
def test_text_and_tables_agree_whatever_stands_in_the_cells(rows: list[tuple[str, str]], around: list[str]) -> None:
    inner = [Inner(f"\ufdd01.{i}\ufdd1", 1, replace(fees([], 60, 200), rows=tuple(rows)), ("줄",)) for i in (0, 1)]
    before, between, after = around
    cell = "\n".join([before, inner[0].mark, between, inner[1].mark, after])
    found = with_inner(replace(fees([], 50, 700), rows=(("질의", cell),)), inner)
    assert len(inner_of(found)) == 2
    [piece] = written(found)
    assert len(piece.inner) == 2
    assert piece.inner[0].end <= piece.inner[1].start
    for table in piece.inner:
        said = piece.text[table.start : table.end]
        assert said.split("\n")[0] == "| 코드 | 금액 |"
        assert len(said.split("\n")) == 2 + len(rows)
        assert table.rows == tuple(rows)
    assert "\ufdd0" not in piece.text
