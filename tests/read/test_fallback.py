import io
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)
from support import write_pdf

from kure_rag.errors import NoTextError
from kure_rag.read import ReadSettings, read_pdf
from kure_rag.read.clean import clean_text
from kure_rag.read.fallback import characters_of_glyphs, reread
from kure_rag.read.page import PageContent
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.quality import is_unreadable, judge
from kure_rag.read.rescue import REREAD

SENTENCES = (
    "이 규정은 직원의 연차휴가와 병가에 관하여 필요한 사항을 정함을 목적으로 한다.",
    "휴가를 쓰려는 직원은 사흘 전까지 소속 부서의 장에게 신청하여야 한다.",
    "The head of the office keeps the record of leave for five years (2030.1.1.).",
)
LETTERS = sorted({*"".join(SENTENCES)})
GLYPHS = {letter: number for number, letter in enumerate(LETTERS, start=3)}


def cmap_table(codes: dict[int, int], *, kind: int) -> bytes:
    """A cmap table with one Unicode subtable of format 4 (with offsets, as Korean fonts have) or 12."""
    ordered = sorted(codes.items())
    if kind == 12:
        groups = b"".join(struct.pack(">LLL", code, code, glyph) for code, glyph in ordered)
        table = struct.pack(">HHLLL", 12, 0, 16 + len(groups), 0, len(ordered)) + groups
        return struct.pack(">HHHHL", 0, 1, 3, 10, 12) + table
    segments = [*[(code, code) for code, _ in ordered], (0xFFFF, 0xFFFF)]
    n = len(segments)
    ends = struct.pack(f">{n}H", *(end for _, end in segments))
    starts = struct.pack(f">{n}H", *(start for start, _ in segments))
    deltas = struct.pack(f">{n}H", *[0] * (n - 1), 1)
    # Each offset counts from its own place to the glyph's in the array behind all offsets.
    offsets = struct.pack(f">{n}H", *[2 * n] * (n - 1), 0)
    glyphs = struct.pack(f">{n - 1}H", *(glyph for _, glyph in ordered))
    body = struct.pack(">HHHH", 2 * n, 0, 0, 0) + ends + b"\0\0" + starts + deltas + offsets + glyphs
    return struct.pack(">HHHHL", 0, 1, 3, 1, 12) + struct.pack(">HHH", 4, 6 + len(body), 0) + body


def font_file(codes: dict[int, int], *, kind: int = 4) -> bytes:
    table = cmap_table(codes, kind=kind)
    return struct.pack(">LHHHH", 0x00010000, 1, 16, 0, 0) + struct.pack(">4sLLL", b"cmap", 0, 28, len(table)) + table


def without_map(pages: int = 1) -> bytes:
    """Text in a CID font whose only way to characters is the table in the font file."""
    writer = PdfWriter()
    file = DecodedStreamObject()
    file.set_data(font_file({ord(letter): glyph for letter, glyph in GLYPHS.items()}))
    descriptor = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/FontDescriptor"),
            NameObject("/FontName"): NameObject("/AAAAAA+Unmapped"),
            NameObject("/Flags"): NumberObject(4),
            NameObject("/FontBBox"): ArrayObject([NumberObject(n) for n in (0, -200, 1000, 800)]),
            NameObject("/Ascent"): NumberObject(800),
            NameObject("/Descent"): NumberObject(-200),
            NameObject("/FontFile2"): writer._add_object(file),
        }
    )
    info = DictionaryObject(
        {
            NameObject("/Registry"): TextStringObject("Adobe"),
            NameObject("/Ordering"): TextStringObject("Identity"),
            NameObject("/Supplement"): NumberObject(0),
        }
    )
    descendant = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/CIDFontType2"),
            NameObject("/BaseFont"): NameObject("/AAAAAA+Unmapped"),
            NameObject("/CIDSystemInfo"): info,
            NameObject("/DW"): NumberObject(1000),
            NameObject("/FontDescriptor"): writer._add_object(descriptor),
        }
    )
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type0"),
            NameObject("/BaseFont"): NameObject("/AAAAAA+Unmapped"),
            NameObject("/Encoding"): NameObject("/Identity-H"),
            NameObject("/DescendantFonts"): ArrayObject([writer._add_object(descendant)]),
        }
    )
    shown = b"BT /F1 11 Tf 60 760 Td 18 TL "
    for sentence in SENTENCES:
        shown += b"<" + "".join(f"{GLYPHS[letter]:04X}" for letter in sentence).encode() + b"> Tj T* "
    for _ in range(pages):
        page = writer.add_blank_page(width=595, height=842)
        content = DecodedStreamObject()
        content.set_data(shown + b"ET")
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Contents")] = writer._add_object(content)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_font_without_a_character_map_is_recovered_from_its_own_table() -> None:
    data = without_map()
    with PdfFile(data, "규정.pdf") as pdf:
        first = pdf.page(1)
    assert is_unreadable(judge(first, clean_text(first.text)))
    again = reread(data, [1])[1]
    assert clean_text(again.text).split("\n")[:3] == list(SENTENCES)
    assert judge(again, clean_text(again.text)) == ()


def test_boxes_stand_where_the_parser_of_sound_pages_puts_them(tmp_path: Path) -> None:
    data = write_pdf(tmp_path / "규정.pdf", [SENTENCES]).read_bytes()
    with PdfFile(data, "규정.pdf") as pdf:
        known = pdf.page(1)
    again = reread(data, [1])[1]
    assert (again.width, again.height) == pytest.approx((known.width, known.height))
    assert len(again.text) == len(again.boxes)
    place, reference = again.boxes[again.text.index("휴")], known.boxes[known.text.index("휴")]
    assert np.abs(place[[0, 2]] - reference[[0, 2]]).max() < 2
    assert np.abs(place - reference).max() < 6
    assert not again.boxes[again.text.index("\n")].any()


def test_the_corner_of_the_visible_part_is_the_origin(tmp_path: Path) -> None:
    reader = PdfReader(io.BytesIO(write_pdf(tmp_path / "규정.pdf", [SENTENCES]).read_bytes()))
    page = reader.pages[0]
    page[NameObject("/CropBox")] = ArrayObject([FloatObject(n) for n in (40, 50, 595, 842)])
    writer = PdfWriter()
    writer.add_page(page)
    out = io.BytesIO()
    writer.write(out)
    cropped = reread(out.getvalue(), [1])[1]
    assert (cropped.width, cropped.height) == (555, 792)
    assert cropped.boxes[0][0] == pytest.approx(60 - 40, abs=1)


def test_only_the_pages_asked_for_are_read() -> None:
    data = without_map(pages=3)
    assert list(reread(data, [3, 1, 3])) == [1, 3]
    assert reread(data, []) == {}
    assert reread(data, [9]) == {}


def test_each_page_is_announced_before_it_is_parsed() -> None:
    """A worker's clock for a page begins anew with each."""
    seen: list[int] = []
    reread(without_map(pages=3), [3, 1], on_page=seen.append)
    assert seen == [1, 3]


def test_pages_of_pictures_and_outlines_are_not_parsed_and_forms_are(tmp_path: Path) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    canvas: Any = Canvas(str(tmp_path / "도면.pdf"), invariant=1)
    canvas.drawImage(ImageReader(Image.new("L", (90, 120), 128)), 0, 0, 595, 842)
    canvas.showPage()
    for i in range(200):
        canvas.line(10, i, 500, 2 * i)
    canvas.showPage()
    canvas.save()
    assert reread((tmp_path / "도면.pdf").read_bytes(), [1, 2]) == {}
    form: Any = Canvas(str(tmp_path / "서식.pdf"), invariant=1)
    form.beginForm("form")
    form.drawString(60, 700, "text in a form of the page")
    form.endForm()
    form.doForm("form")
    form.showPage()
    form.save()
    assert "text in a form of the page" in reread((tmp_path / "서식.pdf").read_bytes(), [1])[1].text


def test_a_page_without_a_text_layer_goes_to_the_fallback_parser_before_ocr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when PDFium cannot make out a page's fonts: it gives no character, and the page is not blank."""
    data = write_pdf(tmp_path / "규정.pdf", [SENTENCES * 8]).read_bytes()
    page = PdfFile.page

    def without_text(pdf: PdfFile, number: int, **kinds: bool) -> PageContent:
        none = np.zeros((0, 4), np.float32)
        known = page(pdf, number, **kinds)
        return PageContent(number, known.width, known.height, "", none, none)

    monkeypatch.setattr(PdfFile, "page", without_text)
    ways: tuple[Literal["auto", "never"], ...] = ("auto", "never")
    for how in ways:
        document = read_pdf(data, "규정.pdf", settings=ReadSettings(ocr=how))
        assert document.pages[0].warnings == (REREAD,)
        assert not document.pages[0].ocr
        assert SENTENCES[1] in document.text
    with pytest.raises(NoTextError, match="no text layer"):
        read_pdf(data, "규정.pdf", settings=ReadSettings(ocr="never", fallback=False))


def test_glyphs_without_a_character_are_marked() -> None:
    data = without_map().replace(b"cmap", b"cmaq")
    text = reread(data, [1])[1].text
    assert "\ufffd" in text
    assert "(cid:" not in text


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n%%EOF", b"\x00" * 400, without_map()[:900]])
def test_a_file_that_cannot_be_opened_gives_no_page(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert reread(data, [1]) == {}
    assert capfd.readouterr().err == ""


@given(st.integers(0, 2**32 - 1))
def test_a_damaged_file_never_raises(seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(without_map())
    for place in random.integers(0, len(data), 30):
        data[place] = random.integers(0, 256)
    reread(bytes(data), [1])


@pytest.mark.parametrize("kind", [4, 12])
def test_a_fonts_table_gives_each_glyph_its_first_character(kind: int) -> None:
    codes = {0x20: 3, 0xA0: 3, ord("가"): 4, ord("힣"): 5, 0xE000: 5, 0xF000: 6}
    assert characters_of_glyphs(font_file(codes, kind=kind)) == {3: " ", 4: "가", 5: "힣", 6: "\uf000"}


def test_a_font_without_a_table_gives_nothing() -> None:
    assert characters_of_glyphs(font_file({65: 1}).replace(b"cmap", b"name")) == {}
    with pytest.raises(struct.error):
        characters_of_glyphs(b"\x00\x01")


@given(st.binary(max_size=200))
def test_any_table_ends(table: bytes) -> None:
    font = struct.pack(">LHHHH", 0x00010000, 1, 16, 0, 0) + struct.pack(">4sLLL", b"cmap", 0, 28, len(table)) + table
    try:
        found = characters_of_glyphs(font)
    except struct.error:
        return
    assert all(len(character) == 1 for character in found.values())
