"""Glyphs without a character: what becomes of the words, cells, lines and pages they stand in."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, StreamObject

from kure_rag.chunk import chunk_document
from kure_rag.errors import NoTextError
from kure_rag.read import ReadSettings, noise, ocr, quality, read_pdf
from kure_rag.read.layout import Line, text_lines
from kure_rag.read.noise import LOST, MARK, marked_glyphs, paired, without_noise
from kure_rag.read.page import FoundTable, PageContent
from kure_rag.read.rescue import RECOGNISED
from kure_rag.read.tables.nested import Inner, OuterTable
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document

NEVER = ReadSettings(ocr="never")
CONTRACT = (
    "제7조(손해배상) 을은 납품을 지체한 경우 지체일수 1일마다 계약금액의 1000분의 3을 지급하지 아니하면 안 된다.",
    "제8조(해지) 갑은 을이 30일 넘게 이행하지 않으면 서면으로 알리고 이 계약을 해지할 수 있다.",
    "제9조(관할) 이 계약에 관한 다툼은 서울중앙지방법원을 제1심 관할 법원으로 하여 해결한다.",
)
needs_tesseract = pytest.mark.skipif(bool(ocr.available()), reason=f"no Tesseract with Korean: {ocr.available()}")


def drawn(lines: Sequence[str], broken: Mapping[str, int], table: Sequence[Sequence[str]] = ()) -> bytes:
    """A page whose font maps some characters to others, as printed as any: to U+FFFD, a control or a private one."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.setFont("HYSMyeongJo-Medium", 10)
    for i, line in enumerate(lines):
        canvas.drawString(40, 780 - 18 * i, line)
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            x, y = 60 + 120 * column, 500 - 22 * row
            canvas.rect(x, y, 120, 22)
            canvas.drawString(x + 6, y + 7, cell)
    canvas.showPage()
    canvas.save()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(out.getvalue())))
    pairs = " ".join(f"<{ord(char):04X}> <{code:04X}>" for char, code in broken.items())
    stream = StreamObject()
    stream.set_data(
        f"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <FFFF> endcodespacerange\n{len(broken)} beginbfchar {pairs} endbfchar\n"
        f"endcmap end end".encode()
    )
    fonts: Any = writer.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    for name in fonts:
        fonts[name].get_object()[NameObject("/ToUnicode")] = writer._add_object(stream)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def passed_on(document: Document) -> str:
    """All that leaves the reader and the chunkers."""
    return "\n".join(
        [document.text, *(item.chunk.contextualized() for item in chunk_document(document, WhitespaceTokenizer()))]
    )


def assert_no_noise(document: Document) -> None:
    found = {char for char in passed_on(document) if noise.is_noise(char) or "\ue000" <= char <= "\uf8ff"}
    assert not found, found


CODES = {"replacement": 0xFFFD, "control": 0x07, "white to Python": 0x1C, "C1 control": 0x90, "private": 0xF53A}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_word_with_a_hole_is_marked_and_never_closed(code: int) -> None:
    document = read_pdf(drawn(CONTRACT, {"아": code}), "계약서.pdf", settings=NEVER)
    assert f"지급하지 {MARK}니하면 안 된다." in document.text
    assert "지급하지 니하면" not in document.text
    assert CONTRACT[1] in document.text
    assert "서울중앙지방법원을 제1심 관할 법원으로" in document.text
    assert document.pages[0].warnings == (f"1 place unreadable, marked {MARK}",)
    assert_no_noise(document)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_page_with_holes_in_some_words_keeps_the_others(code: int) -> None:
    """Between a twentieth and a fifth of its characters are noise: the page is marked, and so is each hole."""
    data = drawn(CONTRACT, dict.fromkeys("을이하", code))
    document = read_pdf(data, "계약서.pdf", settings=NEVER)
    page = document.pages[0]
    if code < 0xE000 or code == 0xFFFD:
        assert quality.SOME_CONTROLS in page.warnings
    assert any(warning.endswith(MARK) for warning in page.warnings)
    assert document.text.count(MARK) >= 8
    assert "서울중앙지방법원" in document.text
    assert_no_noise(document)
    for word in ("해지할", "지급하지", "다툼은"):
        assert (word in document.text) == (not set(word) & set("을이하"))


def test_a_number_that_lacks_a_digit_leaves_no_other_number() -> None:
    lines = [*CONTRACT, "제10조(금액) 계약금액은 금 1,275,000원으로 하고 선금은 40%로 한다."]
    document = read_pdf(drawn(lines, {"7": 0xFFFD}), "계약서.pdf", settings=NEVER)
    assert f"계약금액은 금 {MARK}원으로 하고 선금은 40%로 한다." in document.text
    assert "5,000" not in document.text
    assert_no_noise(document)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_cell_with_noise_is_marked_and_its_table_kept(code: int) -> None:
    table = [
        ("약제", "1회 용량", "투여 횟수"),
        ("아목시실린", "250 mg", "하루 3회"),
        ("세파클러", "375 mg", "하루 2회"),
    ]
    data = drawn(CONTRACT, dict.fromkeys("7클", code), table)
    document = read_pdf(data, "기준.pdf", settings=NEVER)
    (found,) = document.tables
    assert [list(row) for row in found.rows][-2:] == [
        ["아목시실린", "250 mg", "하루 3회"],
        [f"세파{MARK}러", f"{MARK} mg", "하루 2회"],
    ]
    assert any(warning.endswith(MARK) for warning in document.pages[0].warnings)
    assert_no_noise(document)


def test_a_page_with_holes_in_half_of_its_words_goes_entirely() -> None:
    often = Counter(char for char in "".join(CONTRACT) if "가" <= char <= "힣").most_common(11)
    broken = dict.fromkeys((char for char, _ in often), 0xFFFD)
    with pytest.raises(NoTextError, match="unreadable"):
        read_pdf(drawn(CONTRACT, broken), "계약서.pdf", settings=NEVER)


@needs_tesseract
@pytest.mark.parametrize("code", [0xFFFD, 0x07], ids=["replacement", "control"])
def test_with_ocr_holes_are_filled_with_what_is_printed(code: int) -> None:
    document = read_pdf(drawn(CONTRACT, dict.fromkeys("을이하", code)), "계약서.pdf")
    assert RECOGNISED in document.pages[0].warnings
    assert document.pages[0].ocr
    assert document.text.count(MARK) <= 2
    assert "지급하지 아니하면" in document.text
    assert "서울중앙지방법원을" in document.text
    assert_no_noise(document)


@needs_tesseract
def test_with_ocr_a_page_broken_entirely_is_recognised() -> None:
    broken = dict.fromkeys({char for line in CONTRACT for char in line if "가" <= char <= "힣"}, 0xFFFD)
    document = read_pdf(drawn(CONTRACT, broken), "계약서.pdf")
    assert RECOGNISED in document.pages[0].warnings
    assert "서울중앙지방법원을" in document.text
    assert_no_noise(document)


def test_a_glyph_that_draws_nothing_is_a_space_and_no_hole() -> None:
    content = placed("제1조\x03목적", gap=1)
    gray = np.full((842, 595), 255, np.uint8)
    for i in (0, 1, 2, 4, 5):
        gray[40:50, 62 + 10 * i : 68 + 10 * i : 2] = 0
    assert marked_glyphs(content, gray).text == "제1조 목적"
    gray[40:50, 90:99:2] = 0
    assert marked_glyphs(content, gray).text == f"제1조{LOST}목적"
    assert marked_glyphs(content, None).text == f"제1조{LOST}목적"
    content.boxes[3] = np.nan, 0, np.inf, 5
    assert marked_glyphs(content, gray).text == f"제1조{LOST}목적"


def test_inner_tables_are_marked_with_the_cell_that_holds_them() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    small = FoundTable(box, box, (0, 1), "", "", ("용\ufffd량",), (("3\ufffd0 mg",),))
    inner = Inner("\ufdd0 1\ufdd1", 1, small, ("용\ufffd량", "3\ufffd0 mg"))
    outer = OuterTable(
        box, box, (0, 1), "", "", ("약제",), (("소아\ufffd 용량\n용\ufffd량\n3\ufffd0 mg",),),
        marked=((f"소아\ufffd 용량\n{inner.mark}",),), inner=(inner,),
    )  # fmt: skip
    holder = replace(text_lines("줄")[0], text="", table=outer)
    (found,), _ = without_noise([holder], doubtful=False)
    assert isinstance(found.table, OuterTable)
    assert found.table.marked == ((f"소아{MARK} 용량\n{inner.mark}",),)
    assert found.table.inner[0].table.rows == ((f"{MARK} mg",),)
    assert found.table.inner[0].lines == (f"용{MARK}량", f"{MARK} mg")
    assert LOST not in "".join(found.table.rows[0])


def test_line_ends_and_hyphens_are_no_noise() -> None:
    text = "코로나\ufffe\r\n19\t환자"
    assert not noise.has_noise(text)
    assert marked_glyphs(placed(text), None).text == text


def test_two_halves_of_a_sign_are_one_and_places_stay() -> None:
    content = placed("이하 \udb82\udc54갑\udb82\udc55이라")
    whole = paired(content)
    assert len(whole.text) == len(content.text) == len(whole.boxes)
    assert whole.text.replace("\u200b", "") == "이하 \U000f0854갑\U000f0855이라"
    at = content.text.index("갑")
    assert whole.text[at] == "갑"
    assert (whole.boxes[at] == content.boxes[at]).all()
    assert not noise.is_noise(whole.text[3])
    assert paired(placed("하나")).text == "하나"
    assert marked_glyphs(paired(placed("하\udb82나")), None).text == f"하{LOST}나"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("권리를 \ufffd리한다고 본다", f"권리를 {MARK}리한다고 본다"),
        ("이자는 연 1\ufffd.5%로 한다", f"이자는 연 {MARK}%로 한다"),
        ("금 1,2\ufffd4,0\ufffd0원을 낸다", f"금 {MARK}원을 낸다"),
        ("가 \ufffd\ufffd \ufffd 나 다 라 마", f"가 {MARK} 나 다 라 마"),
        ("\uf53b글 등 상용 프로그램", f"{MARK}글 등 상용 프로그램"),
        ("\uf53a글 등 상용 프로그램", "\u1112\u119e\u11ab글 등 상용 프로그램"),
        ("\ufffd가 나\ufffd 다", MARK),
        ("2.\ufffd봉급\ufffd이라 함은", f"2.{MARK}봉급{MARK}이라 함은"),
        ("금 12.\ufffd5% 이하", f"금 {MARK}% 이하"),
        ("12 \ufffd 34 일", f"12 {MARK} 34 일"),
        ("보통의 줄이다", "보통의 줄이다"),
    ],
)
def test_marks_in_a_line(text: str, expected: str) -> None:
    (line, other), notes = without_noise(text_lines(f"{text}\n다른 줄"), doubtful=False)
    assert (line.text, other.text) == (expected, "다른 줄")
    count = expected.count(MARK)
    assert notes == ((f"{count} {'places' if count > 1 else 'place'} unreadable, marked {MARK}",) if count else ())


def test_lines_without_a_readable_word_become_one_mark() -> None:
    lines, notes = without_noise(text_lines("첫 줄이다\n\ufffd가\n\ufffd\ufffd\n끝 줄이다"), doubtful=False)
    assert [line.text for line in lines] == ["첫 줄이다", MARK, "끝 줄이다"]
    assert notes == (f"1 place unreadable, marked {MARK}",)
    assert without_noise(text_lines("\ufffd가\n\ufffd"), doubtful=False)[0] == []


def test_where_a_font_is_wrong_rare_syllables_are_holes_in_lines_and_cells() -> None:
    line = text_lines("스마트 데이터 컪비스 보안 기술")[0]
    table = FoundTable(
        (0, 0, 1, 1),
        (0, 0, 1, 1),
        (0, 1, 2),
        "묾푷 컪픦팢 솒빪",
        "",
        ("구분", "금액"),
        (("컪비", "12"), ("서비스", "팢")),
    )
    holder = replace(line, text="", table=table)
    (found, held), notes = without_noise([line, holder], doubtful=True)
    assert found.text == f"스마트 데이터 {MARK}비스 보안 기술"
    assert held.table is not None
    assert held.table.caption == MARK
    assert held.table.rows == ((MARK, "12"), ("서비스", MARK))
    assert notes == (f"4 places unreadable, marked {MARK}",)
    assert without_noise([line, holder], doubtful=False) == ([line, holder], ())


def test_a_sign_before_a_lines_text_is_a_bullet_and_is_told() -> None:
    lines, notes = without_noise(
        text_lines("\uf000 추진 배경\n\U000f02ee 추진 체계\n\uf53a 글 등 프로그램\n\uf000데이터 도입\uf000을"),
        doubtful=False,
    )
    assert [line.text for line in lines] == [
        "• 추진 배경",
        "• 추진 체계",
        f"{MARK} 글 등 프로그램",
        f"{MARK}데이터 도입{MARK}을",
    ]
    assert notes == (f"3 places unreadable, marked {MARK}", "2 signs before text unknown, shown as •")


@given(st.text(st.sampled_from("가나12,. \ufffd\uf53a\U000f0900"), max_size=40), st.booleans())
def test_no_noise_is_left_in_any_line(text: str, doubtful: bool) -> None:
    lines: list[Line] = text_lines(f"{text}\n다른 줄")
    found, _ = without_noise(lines, doubtful=doubtful)
    assert not any(char in line.text for line in found for char in "\ufffd\uf53a\U000f0900")
    assert found[-1].text == "다른 줄"


def placed(text: str, *, gap: int = 0) -> PageContent:
    """A page of one line, each character ten points wide, below the top margin."""
    boxes = np.array([(60 + 10 * i, 790, 70 + 10 * i - gap, 804) for i in range(len(text))], np.float32)
    return PageContent(1, 595, 842, text, boxes, np.zeros((0, 4), np.float32))
