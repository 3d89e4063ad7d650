"""A file's pages read in ranges, in any order and by files opened anew, as several processes read them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support import write_pdf

from kure_rag.errors import ReadError, ReadLimitError
from kure_rag.read import ReadLimits, ReadSettings, read_pdf
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.sheets import Sheet, check_lengths, read_sheets
from kure_rag.types import Document

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
SETTINGS, LIMITS = ReadSettings(ocr="never"), ReadLimits()
Share = Callable[[int, Callable[[int, int], list[Sheet]]], list[Sheet]]


def by_two(data: bytes, step: int) -> Share:
    """Every other range is read from a file of its own, the last first."""

    def share(count: int, read: Callable[[int, int], list[Sheet]]) -> list[Sheet]:
        ranges = [(first, min(first + step - 1, count)) for first in range(1, count + 1, step)]
        found: dict[int, list[Sheet]] = {}
        for some in (ranges[::2], ranges[1::2]):
            with PdfFile(data, "규정.pdf") as pdf:
                for first, last in reversed(some):
                    found[first] = read_sheets(pdf, data, first, last, settings=SETTINGS, limits=LIMITS)
        return [sheet for first, _ in ranges for sheet in found[first]]

    return share


def outcome(data: bytes, share: Share | None = None) -> Document | tuple[type[ReadError], str]:
    try:
        return read_pdf(data, "규정.pdf", settings=SETTINGS, share=share)
    except ReadError as error:
        return type(error), error.reason


def test_ranges_in_any_order_make_the_same_document(tmp_path: Path) -> None:
    pages = [[f"제{i}조(휴가) 직원은 휴가를 {i}일 전에 신청하고", "부서장은 그 신청을 승인한다."] for i in range(1, 12)]
    data = write_pdf(tmp_path / "규정.pdf", pages).read_bytes()
    whole = outcome(data)
    assert isinstance(whole, Document)
    for step in (1, 2, 3, 20):
        assert outcome(data, by_two(data, step)) == whole


def test_a_range_names_its_own_pages_and_breaks_off_where_it_alone_passes_a_limit(tmp_path: Path) -> None:
    pages = [[f"제{i}조(휴가) 직원은 휴가를 신청한다."] for i in range(1, 10)]
    data = write_pdf(tmp_path / "규정.pdf", pages).read_bytes()
    seen: list[int] = []
    with PdfFile(data, "규정.pdf") as pdf:
        sheets = read_sheets(pdf, data, 4, 6, settings=SETTINGS, limits=LIMITS, on_page=seen.append)
        few = ReadLimits(max_chars=sheets[0].chars + 1)
        short = read_sheets(pdf, data, 4, 9, settings=SETTINGS, limits=few)
    assert [sheet.number for sheet in sheets] == [4, 5, 6]
    assert seen == [4, 5, 6, 4, 5, 6]  # before each is parsed, and before its lines are found
    assert [line.text.strip() for sheet in sheets for line in sheet.lines] == [page[0] for page in pages[3:6]]
    assert [sheet.number for sheet in short] == [4, 5]
    with pytest.raises(ReadLimitError, match="characters of text by page 5; split the file"):
        check_lengths(short, "규정.pdf", few)
    check_lengths(sheets, "규정.pdf", LIMITS)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA")
def test_real_files_read_in_ranges_make_the_same_documents() -> None:
    for path in sorted((DATA / "pdf").rglob("*.pdf"))[::3]:  # a third shows as much, in a third of the time
        data = path.read_bytes()
        assert outcome(data, by_two(data, 8)) == outcome(data), path.name
