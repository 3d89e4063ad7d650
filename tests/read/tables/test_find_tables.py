"""Tables drawn on a page come back cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kure_rag.read.page import FoundTable
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.tables import find_tables, join_continued
from kure_rag.read.tables.borderless import has_number_lines

WIDTH, HEIGHT = 595, 842
Draw = Callable[["Sheet"], None]


class Sheet:
    """A page to draw on, in points from the bottom left."""

    def __init__(self, path: Path) -> None:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.pdfgen.canvas import Canvas

        pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
        self.canvas = Canvas(str(path), pagesize=(WIDTH, HEIGHT), invariant=1)
        self.canvas.setLineWidth(0.5)

    def text(self, x: float, y: float, value: str, size: float = 10) -> None:
        self.canvas.setFont("HYSMyeongJo-Medium", size)
        self.canvas.drawString(x, y, value)

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.canvas.line(x0, y0, x1, y1)

    def grid(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        for x in xs:
            self.line(x, ys[0], x, ys[-1])
        for y in ys:
            self.line(xs[0], y, xs[-1], y)

    def fill(self, xs: Sequence[float], ys: Sequence[float], rows: Sequence[Sequence[str]]) -> None:
        for row, top in zip(rows, ys, strict=False):
            for cell, x in zip(row, xs, strict=False):
                for i, line in enumerate(cell.split("\n")):
                    self.text(x + 4, top - 14 - 12 * i, line)


@pytest.fixture
def tables(tmp_path: Path) -> Callable[[Draw], list[FoundTable]]:
    def found(draw: Draw) -> list[FoundTable]:
        path = tmp_path / "표.pdf"
        sheet = Sheet(path)
        draw(sheet)
        sheet.canvas.save()
        with PdfFile(path.read_bytes(), path.name) as pdf:
            return find_tables(pdf.page(1))

    return found


Tables = Callable[[Draw], list[FoundTable]]

XS = (80, 180, 280, 380)
YS = (600, 580, 560, 540)


def test_a_ruled_table_with_its_caption_and_unit(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.text(80, 640, "□ 주요 재무 현황")
        sheet.text(320, 612, "(단위: 백만원)")
        sheet.grid(XS, YS)
        sheet.fill(XS, YS, [["구분", "2023", "2024"], ["매출액", "1,204", "1,377"], ["영업이익", "△35", "(12)"]])

    [table] = tables(draw)
    assert table.caption == "□ 주요 재무 현황"
    assert table.unit == "단위: 백만원"
    assert table.header == ("구분", "2023", "2024")
    assert table.rows == (("매출액", "1,204", "1,377"), ("영업이익", "△35", "(12)"))
    assert table.box[3] > table.body[3]
    assert [round(x) for x in table.columns] == list(XS)


def test_a_note_between_caption_and_table_stays_text_of_the_page(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.text(80, 632, "□ 위원 현황")
        sheet.text(300, 612, "※ 자료: 가온부")
        sheet.grid(XS, YS)
        sheet.fill(XS, YS, [["구분", "여성", "남성"], ["학계", "12", "10"], ["산업", "3", "9"]])

    [table] = tables(draw)
    assert table.caption == "□ 위원 현황"
    assert table.box == table.body


@pytest.mark.parametrize(
    ("lines", "caption"),
    [
        (["① 안전한 기반 마련", "② 민간과 협력", "③ 모든 직원의 활용"], ""),
        (["1등급: 매우 높은 위험", "2등급: 높은 위험"], ""),
        (["가. 지점 수", "나. 직원 수"], ""),
        (["② 본점과 지점 그리고 출장소를 포함한 모든 영업점의 정규", "  직원 수", "③ 지점 수"], ""),
        (["② 직원 수", "  해당 없음", "③ 지점 현황"], "③ 지점 현황"),
        (["1. 일반 현황", "3. 지점 현황"], "3. 지점 현황"),
        (["1. 일반 현황", "가. 지점 현황"], "가. 지점 현황"),
    ],
)
def test_an_item_that_goes_on_counting_is_no_caption(tables: Tables, lines: list[str], caption: str) -> None:
    def draw(sheet: Sheet) -> None:
        for i, line in enumerate(reversed(lines)):
            sheet.text(90 if line.startswith(" ") else 80, 608 + 15 * i, line.strip())
        sheet.grid(XS, YS)
        sheet.fill(XS, YS, [["구분", "2023", "2024"], ["서울", "12", "13"], ["부산", "3", "4"]])

    [table] = tables(draw)
    assert table.caption == caption


def test_merged_cells_are_filled_and_header_rows_flattened(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        for x, bottom in ((80, 540), (180, 540), (280, 540), (380, 540)):
            sheet.line(x, 600 if x != 280 else 580, x, bottom)
        sheet.line(80, 600, 380, 600)
        sheet.line(180, 580, 380, 580)
        sheet.line(80, 560, 380, 560)
        sheet.line(80, 540, 380, 540)
        sheet.text(84, 576, "구분")
        sheet.text(260, 586, "제56기")
        sheet.fill(XS, (580, 560), [["", "3개월", "누적"], ["매출액", "1,204", "3,377"]])

    [table] = tables(draw)
    assert table.header == ("구분", "제56기 > 3개월", "제56기 > 누적")
    assert table.rows == (("매출액", "1,204", "3,377"),)


def test_a_cell_over_several_rows_stands_in_each(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        for x in XS:
            sheet.line(x, 600, x, 540)
        for y in (600, 580, 540):
            sheet.line(80, y, 380, y)
        sheet.line(180, 560, 380, 560)
        sheet.fill(XS, YS, [["구분", "항목", "배점"], ["", "보안성", "10"], ["", "확장성", "15"]])
        sheet.text(84, 556, "기술 평가")

    [table] = tables(draw)
    assert table.rows == (("기술 평가", "보안성", "10"), ("기술 평가", "확장성", "15"))


def test_lines_of_a_cell_are_kept_as_printed(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        ys = (600, 580, 530)
        sheet.grid((80, 180, 380), ys)
        sheet.fill((80, 180), ys, [["항목", "내용"], ["제출 서류", "1. 신청서\n2. 사업 계획서\n3. 견적서"]])

    [table] = tables(draw)
    assert table.rows == (("제출 서류", "1. 신청서\n2. 사업 계획서\n3. 견적서"),)


def test_rows_and_columns_without_rules_between_them(tables: Tables) -> None:
    rows = [["예금", "1,204", "1,377", "173"], ["대출금", "980", "1,012", "32"], ["유가증권", "△35", "20", "55"]]

    def draw(sheet: Sheet) -> None:
        for y in (600, 580, 520):
            sheet.line(80, y, 420, y)
        for i, row in enumerate([["과목", "2023년", "2024년", "증감액"], *rows]):
            for x, cell in zip((84, 200, 280, 360), row, strict=True):
                sheet.text(x, 586 - 20 * i, cell)

    [table] = tables(draw)
    assert table.header == ("과목", "2023년", "2024년", "증감액")
    assert table.rows == tuple(map(tuple, rows))


def test_a_table_without_any_rule_is_found_by_its_numbers(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.text(60, 700, "고용 지표는 다음과 같이 움직였다.")
        rows = [["", "1월", "2월", "3월"], ["실업률", "3.1", "3.2", "2.9"], ["고용률", "60.3", "61.0", "61.6"]]
        rows.append(["참가율", "62.2", "63.0", "63.4"])
        for i, row in enumerate(rows):
            for x, cell in zip((80, 200, 280, 360), row, strict=True):
                sheet.text(x, 600 - 16 * i, cell)

    [table] = tables(draw)
    assert table.header == ("", "1월", "2월", "3월")
    assert table.rows[2] == ("참가율", "62.2", "63.0", "63.4")


def test_a_table_inside_a_cell_is_found_and_its_text_stays_in_the_cell_row_by_row(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.grid((60, 140, 500), (700, 680, 520))
        sheet.fill((60, 140), (700, 680), [["질의", "답변"], ["신고 시기", "○ 다음 기간에 신고합니다."]])
        sheet.grid((160, 260, 380), (650, 630, 590))
        sheet.fill((160, 260), (650, 630), [["구분", "기간"], ["상반기", "2월 1일부터\n2월 14일까지"]])

    outer, inner = tables(draw)
    assert inner.rows == (("상반기", "2월 1일부터\n2월 14일까지"),)
    assert outer.rows == (("신고 시기", "○ 다음 기간에 신고합니다.\n구분 기간\n상반기 2월 1일부터 2월 14일까지"),)


def test_two_tables_side_by_side_stay_two(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        for left in (60, 320):
            xs = (left, left + 100, left + 200)
            sheet.grid(xs, YS)
            sheet.fill(xs, YS, [["구분", "금액"], ["예금", f"1,{left}"], ["적금", f"2,{left}"]])

    first, second = sorted(tables(draw), key=lambda table: table.body[0])
    assert first.rows == (("예금", "1,60"), ("적금", "2,60"))
    assert second.rows == (("예금", "1,320"), ("적금", "2,320"))


def test_dotted_shading_and_double_rules_make_no_rows_of_their_own(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.canvas.setFillColorRGB(0.85, 0.9, 1)
        sheet.canvas.rect(80, 580, 300, 20, fill=1, stroke=0)
        sheet.canvas.setFillColorRGB(0, 0, 0)
        sheet.grid(XS, YS)
        sheet.line(80, 601.5, 380, 601.5)
        sheet.line(80, 578.5, 380, 578.5)
        sheet.fill(XS, YS, [["구분", "1월", "2월"], ["입고", "10", "20"], ["출고", "7", "9"]])

    [table] = tables(draw)
    assert (table.header, table.rows) == (("구분", "1월", "2월"), (("입고", "10", "20"), ("출고", "7", "9")))


def test_values_of_several_words_stay_one_column(tables: Tables) -> None:
    rows = [["성인", "10 mg", "1일 1회"], ["만 6~11세", "5 mg", "1일 2회"], ["고령자", "5 mg", "1일 1회"]]

    def draw(sheet: Sheet) -> None:
        ys = (*YS, 520)
        sheet.grid(XS, ys)
        sheet.fill(XS, ys, [["구분", "1회 용량", "투여 횟수"], *rows])

    [table] = tables(draw)
    assert table.rows == tuple(map(tuple, rows))


def test_a_form_has_no_header(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.grid((80, 180, 480), YS)
        sheet.fill((80, 180), YS, [["요구사항 번호", "SFR-001"], ["요구사항 명칭", "통합 검색"], ["유형", "기능"]])

    [table] = tables(draw)
    assert table.header == ("", "")
    assert table.rows[0] == ("요구사항 번호", "SFR-001")


def _paragraph(sheet: Sheet) -> None:
    for i in range(6):
        sheet.text(90, 680 - 16 * i, f"제{i + 1}조 이 규정은 회사의 휴가와 수당에 관하여 필요한 사항을 정한다.")


def _boxed(sheet: Sheet) -> None:
    sheet.canvas.rect(80, 580, 430, 120)
    _paragraph(sheet)


def _underlined(sheet: Sheet) -> None:
    _paragraph(sheet)
    for i in range(6):
        sheet.line(90, 677 - 16 * i, 200, 677 - 16 * i)


def _framed(sheet: Sheet) -> None:
    sheet.line(60, 780, 535, 780)
    sheet.line(60, 60, 535, 60)
    _paragraph(sheet)


def _charted(sheet: Sheet) -> None:
    sheet.canvas.rect(100, 500, 300, 150)
    for i in range(1, 5):
        sheet.line(100, 500 + 30 * i, 400, 500 + 30 * i)
        sheet.text(80, 496 + 30 * i, str(10 * i))
    for i in range(12):
        sheet.line(110 + 22 * i, 520 + 7 * (i % 5), 132 + 22 * i, 520 + 7 * ((i + 1) % 5))


def _blank(sheet: Sheet) -> None:
    sheet.grid(XS, YS)
    sheet.text(84, 586, "가")


def _counted(sheet: Sheet) -> None:
    for i in range(5):
        sheet.text(
            90, 680 - 16 * i, f"{i + 1} 2024년 매출은 1,{i}00억원이고 영업이익은 12{i} 억원, 순이익은 9{i} 억원이다."
        )


def _pictured(sheet: Sheet) -> None:
    xs, ys = (80, 100, 120), (600, 594, 588)
    sheet.grid(xs, ys)
    for x in xs[:2]:
        for y in ys[:2]:
            sheet.text(x + 1, y - 4, "가나다", size=2)


def _contents(sheet: Sheet) -> None:
    sheet.canvas.rect(80, 560, 400, 140)
    for i, page in enumerate((1, 1, 2, 3, 5)):
        sheet.text(90, 680 - 16 * i, f"{i + 1}. 사업의 개요")
        sheet.text(460, 680 - 16 * i, str(page))


@pytest.mark.parametrize(
    "draw", [_paragraph, _boxed, _underlined, _framed, _charted, _blank, _counted, _pictured, _contents]
)
def test_boxes_frames_underlines_and_charts_are_no_tables(tables: Tables, draw: Draw) -> None:
    assert tables(draw) == []


def test_text_without_lines_of_numbers_is_no_candidate() -> None:
    assert not has_number_lines("제1조(목적) 이 법은 2024년 1월 1일부터 시행한다.\n1. 신청서\n2. 계획서\n3. 5 6\n")
    assert has_number_lines("실업률 3.1 3.2 2.9\r\n고용률 60.3 61.0 61.6\r\n참가율 62.2 △1.0 63.4\r\n")


def test_a_form_filled_in_twice_stays_two_tables_over_pages(tables: Tables) -> None:
    def form(number: str, top: float) -> Draw:
        def draw(sheet: Sheet) -> None:
            ys = (top, top - 20, top - 40)
            sheet.grid((80, 180, 480), ys)
            sheet.fill((80, 180), ys, [["요구사항 번호", number], ["요구사항 명칭", "통합 검색"]])

        return draw

    [first], [second] = tables(form("SFR-001", 120)), tables(form("SFR-002", 780))
    assert join_continued(first, second) is None


def test_a_mark_that_hangs_out_at_the_edge_belongs_to_what_it_closes(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.grid((80, 160, 300), (660, 630, 560))
        sheet.fill((80, 160), (660, 630), [["구분", "내용"], ["산정", ""]])
        for y, value in ((612, "소정점수의 백분의 칠십을,"), (596, "나머지 혈관은 따로 산정함.")):
            width = sheet.canvas.stringWidth(value[:-1], "HYSMyeongJo-Medium", 10)
            sheet.text(300 - width, y, value)  # its last mark is outside of the frame

    [table] = tables(draw)
    assert table.rows[-1][1] == "소정점수의 백분의 칠십을,\n나머지 혈관은 따로 산정함."
    assert table.box[2] > 300


STATEMENT = [["유동자산", "1,234", "△117"], ["매출채권", "3,702", "△351"], ["재고자산", "4,936", "△468"]]


@pytest.mark.parametrize("columns", [2, 3])
def test_a_statement_of_one_or_two_years_needs_no_rules(tables: Tables, columns: int) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.text(60, 622, "요약 재무상태표")
        sheet.text(440, 622, "(단위: 백만원)")
        for i, row in enumerate([["구분", "제56기", "제55기"], *STATEMENT]):
            for x, cell in zip((60, 288, 388), row[:columns], strict=False):
                sheet.text(x, 594 - 16 * i, cell)
        sheet.text(60, 500, "재무상태표는 회계법인의 감사를 받았다.")

    [table] = tables(draw)
    assert (table.caption, table.unit) == ("요약 재무상태표", "단위: 백만원")
    assert table.header == ("구분", "제56기", "제55기")[:columns]
    assert table.rows == tuple(tuple(row[:columns]) for row in STATEMENT)


def test_sentences_that_end_in_two_numbers_are_no_table(tables: Tables) -> None:
    def draw(sheet: Sheet) -> None:
        sheet.text(60, 616, "다음 조문은 개정 전과 개정 후의 번호가 서로 다르므로 표와 같이 옮긴다")
        for i in range(4):
            sheet.text(60, 600 - 16 * i, f"개정 전 조문과 개정 후 조문 제{i}호")
            sheet.text(288, 600 - 16 * i, str(10 + i))
            sheet.text(388, 600 - 16 * i, str(20 + i))

    assert tables(draw) == []
