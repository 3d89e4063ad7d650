import difflib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from support import write_pdf

from kure_rag.read import ocr, quality
from kure_rag.read.clean import clean_text
from kure_rag.read.noise import LOST
from kure_rag.read.ocr import Word, completed, page_content, recognise
from kure_rag.read.page import PageContent
from kure_rag.read.pdfium import PdfFile

LINES = (
    "제15조(연차휴가) 직원에게 15일의 유급휴가를 준다.",
    "휴가를 쓰려는 직원은 사흘 전까지 부서의 장에게 신청하여야 한다.",
    "예금자보호 한도는 2030년 1월부터 1억원으로 오른다.",
    "The office keeps the record for five years.",
)
FONTS = (
    "/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/System/Library/Fonts/AppleSDGothicNeo.ttc",
    "C:/Windows/Fonts/malgun.ttf",
)
needs_tesseract = pytest.mark.skipif(bool(ocr.available()), reason=f"no Tesseract with Korean: {ocr.available()}")


def scan(folder: Path, lines: tuple[str, ...] = LINES) -> Image.Image:
    """A page of an A4 scan at 200 dots an inch, slightly grey and noisy."""
    font = next((path for path in FONTS if Path(path).is_file()), None)
    if font is None:  # the parser draws with a font of its own
        with PdfFile(write_pdf(folder / "원본.pdf", [lines]).read_bytes(), "원본.pdf") as pdf:
            return pdf.render(1, ocr.DPI)
    image = Image.new("L", (1654, 2339), 246)
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((160, 200 + 70 * i), line, fill=30, font=ImageFont.truetype(font, 33))
    noise = np.random.default_rng(7).normal(0, 6, (2339, 1654))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def alike(found: str, printed: str) -> float:
    return difflib.SequenceMatcher(None, found, printed, autojunk=False).ratio()


def text_of(lines: tuple[tuple[Word, ...], ...]) -> list[str]:
    return [" ".join(word.text for word in line) for line in lines]


@needs_tesseract
def test_a_scan_is_read_with_its_word_spaces_and_places(tmp_path: Path) -> None:
    read = recognise(scan(tmp_path), width=595, height=842)
    assert read.finished
    found = text_of(read.lines)
    assert len(found) == len(LINES)
    for line, printed in zip(found, LINES, strict=True):
        assert alike(line, printed) > 0.85, line
        assert abs(line.count(" ") - printed.count(" ")) <= 2, line
    tops = [line[0].box[3] for line in read.lines]
    assert tops == sorted(tops, reverse=True)
    left, bottom, right, top = read.lines[0][0].box
    assert 40 < left < right < 595
    assert 700 < bottom < top < 842


@needs_tesseract
def test_what_was_read_passes_the_gate_as_any_page(tmp_path: Path) -> None:
    read = recognise(scan(tmp_path), width=595, height=842)
    content = page_content(3, 595, 842, read.lines)
    assert content.number == 3
    assert quality.judge(content, clean_text(content.text)) == ()


@needs_tesseract
def test_noise_is_not_passed_on_as_text() -> None:
    speckles = (np.random.default_rng(3).random((1200, 900)) > 0.97).astype(np.uint8) * 255
    read = recognise(Image.fromarray(255 - speckles), width=595, height=842)
    assert len("".join(text_of(read.lines))) < 20
    blank = recognise(Image.new("RGB", (900, 1200), "white"), width=595, height=842)
    assert blank.lines == ()


@needs_tesseract
def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    read = recognise(scan(tmp_path, LINES * 8), width=595, height=842, max_seconds=0.001)
    assert not read.finished
    assert read.lines == ()


@needs_tesseract
def test_a_page_without_a_size_is_read(tmp_path: Path) -> None:
    assert recognise(scan(tmp_path), width=0, height=0).lines


def test_missing_parts_are_named_with_their_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ocr.available() == 'install it with pip install "kure-rag[ocr]"'
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert "TESSDATA_PREFIX" in ocr.available()
    assert "install" in ocr.available()
    with pytest.raises(RuntimeError, match="TESSDATA_PREFIX"):
        recognise(Image.new("L", (10, 10)), width=10, height=10)
    for language in ("kor", "eng"):
        (tmp_path / f"{language}.traineddata").touch()
    assert ocr.available() == ""


def test_syllables_join_where_no_space_was_seen() -> None:
    parts = [
        ocr._Part("연", (10, 10, 20, 30), 90, True),
        ocr._Part("차", (21, 10, 30, 30), 80, False),
        ocr._Part("~~", (31, 10, 34, 30), 5, False),
        ocr._Part("휴", (35, 8, 44, 30), 70, False),
        ocr._Part("§", (45, 10, 47, 30), 10, True),
        ocr._Part("15일", (50, 10, 80, 30), 95, False),
    ]
    words = ocr._words(parts)
    assert [(word.text, word.confidence) for word in words] == [("연차휴", pytest.approx(80)), ("15일", 95)]
    assert words[0].box == (10, 8, 44, 30)


def test_recognised_lines_have_the_shape_of_a_parsed_page() -> None:
    lines = [
        [Word("연차", (60, 700, 80, 710), 90), Word("휴가", (85, 698, 105, 712), 90)],
        [Word("끝", (60, 680, 70, 690), 90)],
    ]
    content = page_content(1, 595, 842, lines)  # fmt: skip
    assert content.text == "연차 휴가\n끝\n"
    assert content.boxes.shape == (len(content.text), 4)
    assert content.boxes[0].tolist() == [60, 698, 70, 712]
    assert content.boxes[1].tolist() == [70, 698, 80, 712]
    assert content.boxes[2].tolist() == [80, 698, 85, 712]
    assert not content.boxes[[5, 7]].any()
    assert page_content(1, 595, 842, []).text == ""


def test_of_a_page_sound_in_part_only_the_rest_is_taken() -> None:
    lines = [
        [Word("머리글", (60, 800, 90, 810), 90)],
        [Word("그림", (60, 500, 80, 510), 90), Word("속", (85, 500, 95, 510), 90)],
    ]
    text = "머리글\r\n묾푷컪"  # fmt: skip
    boxes = np.zeros((len(text), 4), np.float32)
    boxes[:3] = [[60, 799, 70, 811], [70, 799, 80, 811], [80, 799, 90, 811]]
    boxes[5:] = [[60, 499, 70, 511], [70, 499, 80, 511], [80, 499, 90, 511]]
    content = PageContent(1, 595, 842, text, boxes, np.zeros((0, 4), np.float32))
    both = completed(content, lines)
    assert clean_text(both.text).split() == ["머리글", "그림", "속"]
    assert both.boxes.shape == (len(both.text), 4)
    assert both.boxes[0].tolist() == [60, 799, 70, 811]
    assert both.boxes[both.text.index("그")].tolist() == [60, 500, 70, 510]
    assert completed(content, []).text.split() == ["머리글", LOST * 3]


def test_a_page_drawn_as_a_picture_has_no_text_layer(tmp_path: Path) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas: Any = Canvas(out, invariant=1)
    canvas.drawImage(ImageReader(scan(tmp_path, LINES * 4)), 0, 0, 595, 842)
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    with PdfFile(out.getvalue(), "스캔.pdf") as pdf:
        assert [verdict(pdf, number) for number in (1, 2)] == [(quality.NO_TEXT,), (quality.BLANK,)]


def verdict(pdf: PdfFile, number: int) -> tuple[str, ...]:
    content = pdf.page(number)
    gray = np.asarray(pdf.render(number, quality.INK_DPI).convert("L"))
    return quality.judge(content, content.text, ink=lambda: quality.ink_outside(gray, content))


def test_a_recognised_word_takes_the_place_of_a_word_with_a_hole() -> None:
    text = f"지급하지 {LOST}니한다\r\n그{LOST} 밖"
    boxes = np.zeros((len(text), 4), np.float32)
    boxes[:9] = [(60 + 10 * i, 700, 70 + 10 * i, 712) for i in range(9)]
    boxes[11:] = [(60 + 10 * i, 680, 70 + 10 * i, 692) for i in range(4)]
    content = PageContent(1, 595, 842, text, boxes, np.zeros((0, 4), np.float32))
    sure = [[Word("지급하지", (60, 701, 100, 711), 95), Word("아니한다", (110, 701, 150, 711), 90)]]
    both = completed(content, sure)
    assert both.text.split() == ["지급하지", f"그{LOST}", "밖", "아니한다"]
    assert both.boxes[4].tolist() == [100, 700, 110, 712]  # the space
    guessed = [[Word("지급하지", (60, 701, 100, 711), 95), Word("이니한다", (110, 701, 150, 711), 40)]]
    assert completed(content, guessed).text.split() == ["지급하지", f"{LOST}니한다", f"그{LOST}", "밖"]


def test_beside_sound_text_specks_are_left_out_and_spaces_kept() -> None:
    text = "웨어 컨트\r\n"
    boxes = np.array([(60 + 10 * i, 700, 69 + 10 * i, 712) for i in range(5)] + [(0, 0, 0, 0)] * 2, np.float32)
    boxes[2] = 0  # the parser's own space
    content = PageContent(1, 595, 842, text, boxes, np.zeros((0, 4), np.float32))
    lines = [
        [Word("+", (60, 600, 70, 610), 95), Word("op", (80, 600, 95, 610), 77)],
        [Word(".", (140, 701, 144, 703), 90)],
    ]
    both = completed(content, [*lines, [Word("표", (60, 500, 70, 510), 90)]])
    assert both.text.split() == ["웨어", "컨트", "표"]
    assert both.boxes[2].tolist() == [79, 700, 90, 712]


def test_an_uncertain_letter_or_digit_leaves_a_hole_and_a_speck_does_not() -> None:
    parts = [
        ocr._Part("혈압차가", (10, 10, 50, 30), 90, True),
        ocr._Part("20", (60, 10, 70, 30), 12, True),
        ocr._Part("이상", (80, 10, 100, 30), 95, True),
        ocr._Part("1,2", (110, 10, 120, 30), 95, True),
        ocr._Part("3", (121, 10, 125, 30), 5, False),
        ocr._Part("4원", (126, 10, 140, 30), 95, False),
        ocr._Part("~", (141, 10, 144, 30), 5, False),
    ]
    assert [word.text for word in ocr._words(parts)] == ["혈압차가", LOST, "이상", f"1,2{LOST}4원"]
