import io
from collections.abc import Callable, Sequence

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from kure_rag.read import ReadSettings, read_pdf
from kure_rag.read.pdfium import PdfFile
from kure_rag.types import Document

FONT = "HYSMyeongJo-Medium"
SETTINGS = [ReadSettings(tables=False, ocr="never"), ReadSettings(ocr="never")]
LEFT = [
    "여신 심사는 신청인의 상환 능력을 먼저 살",
    "핀다. 담보가 있더라도 소득으로 갚을 수 없",
    "는 대출은 하지 않는다. 소득은 최근 두 해의",
    "평균으로 하되 한 해의 소득이 다른 해의 절",
    "반에 못 미치면 낮은 쪽을 쓴다. 사업 소득은",
    "비용을 뺀 금액으로 하고 일시적인 소득은 넣",
]
RIGHT = [
    "지 않는다. 심사 결과는 신청한 날부터 이레",
    "안에 서면으로 알린다. 거절할 때에는 그 까",
    "닭을 적고 신청인이 다시 심사를 청구할 수",
    "있음을 알려야 한다. 다시 심사할 때에는 처",
    "음 심사한 사람이 아닌 사람이 심사하며 그",
    "결과에는 더 다툴 수 없다.",
]


def drawn(*pages: Callable[[Canvas], None], size: tuple[float, float] = (595, 842)) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=1)
    for page in pages:
        canvas.setFont(FONT, 11)
        page(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def lines(texts: Sequence[str], x: float = 60, top: float = 760, step: float = 18) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        for i, text in enumerate(texts):
            canvas.drawString(x, top - step * i, text)

    return draw


def show_some(canvas: Canvas, x: float, y: float, line: str, wanted: Callable[[str], bool]) -> None:
    """Draws some characters of a line by one operator, as word processors do, with gaps for the others."""
    parts = []
    for char in line:
        if wanted(char) and char != " ":
            parts.append(f"<{char.encode('utf-16-be').hex()}>")
        else:
            parts.append(f"{-1000 * pdfmetrics.stringWidth(char, FONT, 11) / 11:.0f}")
    font = pdfmetrics.getFont(FONT)
    canvas.setFont(FONT, 11)
    canvas._code.append(
        f"BT {canvas._doc.getInternalFontName(font.fontName)} 11 Tf {x} {y} Td [{' '.join(parts)}] TJ ET"
    )


def read(data: bytes, settings: ReadSettings) -> Document:
    document = read_pdf(data, "심사.pdf", settings=settings, space_at=lambda pairs: [False] * len(pairs))
    assert [page.start for page in document.pages][1:] == [page.end for page in document.pages][:-1]
    assert document.pages[-1].end == len(document.text)
    return document


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
@pytest.mark.parametrize("by_row", [True, False], ids=["row by row", "column by column"])
def test_columns_are_read_one_after_the_other(settings: ReadSettings, by_row: bool) -> None:
    def page(canvas: Canvas) -> None:
        canvas.setFont(FONT, 16)
        canvas.drawString(60, 780, "여신 심사 지침의 주요 내용과 앞으로 지켜야 할 절차 안내")
        canvas.setFont(FONT, 11)
        if by_row:
            for i, (a, b) in enumerate(zip(LEFT, RIGHT, strict=True)):
                canvas.drawString(60, 720 - 18 * i, a)
                canvas.drawString(320, 720 - 18 * i, b)
        else:
            lines(LEFT, 60, 720)(canvas)
            lines(RIGHT, 320, 720)(canvas)

    text = read(drawn(page), settings).text
    assert squeezed("".join([*LEFT, *RIGHT])) in squeezed(text)
    assert text.startswith("여신 심사 지침")
    assert "살핀다" in text
    assert "넣지 않는다" in text


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_short_columns_of_names_and_values_are_read_row_by_row(settings: ReadSettings) -> None:
    rows = [("예금", "1,250"), ("적금", "830"), ("대출", "4,410"), ("보증", "75"), ("외환", "96"), ("신탁", "310")]

    def page(canvas: Canvas) -> None:
        lines([name for name, _ in rows])(canvas)
        lines([value for _, value in rows], 320)(canvas)

    text = read(drawn(page), settings).text
    places = [text.index(cell) for row in rows for cell in row]
    assert places == sorted(places)


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_digits_and_brackets_drawn_in_a_second_pass_return_to_their_places(settings: ReadSettings) -> None:
    whole = ["제 1 조(목적) 이 규정은 위원을 10 인 이내로 한다.", "제 12 조의 2(임기) 임기는 2 년으로 한다."]

    def page(canvas: Canvas) -> None:
        canvas.drawString(60, 800, "위원회 규정")
        for i, line in enumerate(whole):
            for marks in (False, True):
                show_some(canvas, 60, 760 - 20 * i, line, lambda char, marks=marks: (char in "0123456789()") == marks)
        lines(["시행세칙은 위원장이 따로 정한다.", "이 규정은 공포한 날부터 시행한다."], top=700)(canvas)

    text = read(drawn(page), settings).text
    assert "제1조(목적) 이 규정은 위원을 10" in text
    assert "제12조의2(임기) 임기는 2" in text


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_headings_in_the_middle_above_short_lines_are_no_column(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        for i in range(7):
            canvas.setFont(FONT, 11)
            canvas.drawString(285, 790 - 60 * i, "부")
            canvas.drawString(315, 790 - 60 * i, "칙")
            line = f"이 규정은 20{10 + i}년 {1 + i}월 1일부터 시행한다."
            if i == 3:  # reaches over the place where the headings begin
                line = f"1.(시행일) 이 규정은 20{10 + i}년 {1 + i}월 1일부터 본교의 모든 대학원에서 시행하기로 한다."
            for marks in (False, True):
                show_some(canvas, 60, 770 - 60 * i, line, lambda char, marks=marks: (char in "0123456789().") == marks)

    text = read(drawn(page), settings).text
    kept = [line for line in text.splitlines() if line.strip()]
    assert [squeezed(line) for line in kept[::2]] == ["부칙"] * 7
    assert all(line.endswith("한다.") and f"20{10 + i}년" in line for i, line in enumerate(kept[1::2]))


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_a_paragraph_goes_on_over_a_page_and_its_footnote(settings: ReadSettings) -> None:
    def first(canvas: Canvas) -> None:
        lines([*LEFT, *RIGHT[:3]])(canvas)
        canvas.setFont(FONT, 8)
        canvas.line(60, 130, 160, 130)
        canvas.drawString(60, 110, "1) 소득은 세무서가 증명한 금액을 말한다.")

    document = read(drawn(first, lines(RIGHT[3:])), settings)
    assert squeezed(RIGHT[2] + RIGHT[3]) in squeezed(document.text)
    assert "\n" not in document.text[document.pages[1].start - 5 : document.pages[1].start + 5]
    assert document.text[document.pages[1].start :].startswith(RIGHT[3])
    assert "1) 소득은 세무서가 증명한 금액을 말한다.\n" in document.text[: document.pages[0].end]


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_a_footnote_stands_after_the_text_of_its_page(settings: ReadSettings) -> None:
    def first(canvas: Canvas) -> None:
        lines([*LEFT, *RIGHT])(canvas)
        canvas.setFont(FONT, 8)
        canvas.drawString(60, 110, "1) 소득은 세무서가 증명한 금액을 말한다.")

    document = read(drawn(first, lines(["다음 해의 심사는 이월에 시작한다."])), settings)
    assert document.text[: document.pages[0].end].endswith("1) 소득은 세무서가 증명한 금액을 말한다.\n")


def test_circled_numbers_that_a_font_reports_as_keys_are_restored_in_order() -> None:
    numbers = [*"⑭⑮", "1^", "1&", "1*", "1(", "2)", "2!"]
    items = [f"{number} 직원은 해마다 건강검진을 받는다." for number in numbers]
    text = read(drawn(lines(["제5조(건강)", *items])), SETTINGS[0]).text
    assert [line[0] for line in text.splitlines()[1:]] == list("⑭⑮⑯⑰⑱⑲⑳㉑")


def test_lines_that_look_like_keys_out_of_order_stay() -> None:
    items = ["1( 첫째 요건을 갖춘 사람", "2) 둘째 요건을 갖춘 사람", "5% 이상을 가진 사람", "1^2는 1이다."]
    text = read(drawn(lines(items)), SETTINGS[0]).text
    assert text.splitlines() == items


def test_a_circled_number_gets_its_space() -> None:
    items = ["제3조(휴가) ①직원은 휴가를 신청할 수 있다.", "②휴가는 부서장이 승인한다.", "③ 병가는 따로 정한다."]
    assert read(drawn(lines(items)), SETTINGS[0]).text.splitlines() == [
        "제3조(휴가) ① 직원은 휴가를 신청할 수 있다.",
        "② 휴가는 부서장이 승인한다.",
        "③ 병가는 따로 정한다.",
    ]


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_page_reads_as_an_upright_one(settings: ReadSettings, degrees: int) -> None:
    def turned(canvas: Canvas) -> None:
        width, height = {90: (0, 595), 180: (595, 842), 270: (842, 0)}[degrees]
        canvas.translate(*{90: (595, 0), 180: (595, 842), 270: (0, 842)}[degrees])
        canvas.rotate({90: 90, 180: 180, 270: 270}[degrees])
        assert width or height
        lines([*LEFT, *RIGHT], top=560, step=18)(canvas)

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(drawn(turned))))
    writer.pages[0].rotate(degrees)
    out = io.BytesIO()
    writer.write(out)
    upright = read(drawn(lines([*LEFT, *RIGHT])), settings).text
    assert squeezed(read(out.getvalue(), settings).text) == squeezed(upright)


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_text_turned_by_a_quarter_follows_the_rest(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        lines([*LEFT, *RIGHT])(canvas)
        canvas.saveState()
        canvas.translate(560, 300)
        canvas.rotate(90)
        canvas.drawString(0, 0, "대외비 문서입니다")
        canvas.restoreState()

    text = read(drawn(page), settings).text
    assert text.endswith("대외비 문서입니다\n")


def test_places_are_those_of_the_visible_page() -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(drawn(lines(["여비 규정"])))))
    writer.pages[0].cropbox = RectangleObject((50, 700, 400, 800))
    out = io.BytesIO()
    writer.write(out)
    with PdfFile(out.getvalue(), "여비.pdf") as pdf:
        page = pdf.page(1)
    assert (page.width, page.height) == pytest.approx((350, 100))
    left, bottom, right, top = page.boxes[0]
    assert left == pytest.approx(10, abs=1)
    assert 50 < bottom < 62 < top < 75
    assert left < right


def test_rules_are_lines_edges_and_thin_rectangles_in_forms_too() -> None:
    def page(canvas: Canvas) -> None:
        canvas.line(100, 700, 300, 700)
        canvas.rect(100, 500, 200, 100)
        canvas.rect(100, 400, 200, 1, stroke=0, fill=1)
        canvas.beginForm("box")
        canvas.line(0, 0, 0, 50)
        canvas.endForm()
        canvas.translate(400, 300)
        canvas.doForm("box")

    with PdfFile(drawn(page), "표.pdf") as pdf:
        rules = {tuple(round(side) for side in rule) for rule in pdf.page(1).rules.tolist()}
        assert len(pdf.page(1, rules=False).rules) == 0
    assert {(100, 700, 300, 700), (100, 500, 300, 500), (100, 600, 300, 600), (100, 500, 100, 600)} <= rules
    assert any(rule[:1] == (100,) and rule[2] == 300 and 399 <= rule[1] <= 401 for rule in rules)
    assert (400, 300, 400, 350) in rules


def test_a_word_written_downwards_is_one_line() -> None:
    def page(canvas: Canvas) -> None:
        lines(LEFT)(canvas)
        for i, char in enumerate("심사지침"):
            canvas.drawString(60, 500 - 14 * i, char)

    assert "심사지침" in read(drawn(page), SETTINGS[1]).text


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_lines_printed_over_each_other_are_not_mixed(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        lines(LEFT)(canvas)
        canvas.drawString(60, 500, "발행처 한빛조사처")
        canvas.drawString(63, 496, "발행인 김한빛 처장")

    text = read(drawn(page), settings).text
    assert "발행처 한빛조사처\n발행인 김한빛 처장" in text


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_slanted_lines_are_not_mixed(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        canvas.translate(60, 100)
        canvas.rotate(5)
        lines(LEFT, 0, 600)(canvas)

    text = squeezed(read(drawn(page), settings).text)
    assert all(squeezed(line) in text for line in LEFT)


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_a_line_drawn_again_as_a_shadow_is_said_once(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        lines(LEFT)(canvas)
        canvas.drawString(60, 500, "여신 심사 지침")
        canvas.drawString(61.5, 498.5, "여신 심사 지침")

    text = squeezed(read(drawn(page), settings).text)
    assert text.count("여신심사지침") == 1
    assert "여여" not in text


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_text_beyond_the_edges_of_the_page_is_left_out(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        lines(LEFT)(canvas)
        canvas.drawString(60, 900, "잘려 나간 글")
        canvas.drawString(60, -40, "보이지 않는 글")

    text = read(drawn(page), settings).text
    assert "잘려" not in text
    assert "보이지" not in text
    assert squeezed("".join(LEFT)) in squeezed(text)


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_a_page_printed_upside_down_is_read_forwards(settings: ReadSettings) -> None:
    def page(canvas: Canvas) -> None:
        canvas.translate(595, 842)
        canvas.rotate(180)
        lines(LEFT)(canvas)

    assert squeezed("".join(LEFT)) in squeezed(read(drawn(page), settings).text)


@pytest.mark.parametrize("settings", SETTINGS, ids=["text", "tables"])
def test_footnotes_below_the_left_column_do_not_stand_inside_its_last_sentence(settings: ReadSettings) -> None:
    notes = ["1) 소득은 세무서가 확인한 금액을 말한다.", "2) 담보는 감정한 값의 칠 할로 셈한다."]

    def page(canvas: Canvas) -> None:
        lines([*LEFT, *LEFT], 60, 720)(canvas)
        lines(RIGHT, 320, 720)(canvas)
        lines(RIGHT, 320, 612)(canvas)
        canvas.setFont(FONT, 8)
        for i, note in enumerate(notes):
            canvas.drawString(60, 490 - 12 * i, note)

    text = read(drawn(page), settings).text
    assert "일시적인 소득은 넣지 않는다" in text
    assert text.index(notes[0]) < text.index(notes[1])
    assert text.rstrip().endswith(notes[1])
