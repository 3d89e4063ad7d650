"""PDF bytes → Document: the stages of reading, one after the other.

Parse, judge, find tables, bring lines into reading order, drop what pages wear, join what margins broke, put together.
"""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from kure_rag.errors import DamagedFileError, NoTextError, ReadLimitError, UnsupportedFileError
from kure_rag.read import ocr, quality
from kure_rag.read.assemble import assemble, join_tables
from kure_rag.read.circled import restore_circled
from kure_rag.read.domain import detect_domain
from kure_rag.read.furniture import drop_furniture
from kure_rag.read.headings import find_headings
from kure_rag.read.lines import join_lines
from kure_rag.read.outline import find_title
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.rescue import RECOGNISED, UNFINISHED
from kure_rag.read.settings import ReadLimits, ReadSettings
from kure_rag.read.sheets import Sheet, check_lengths, page_count, read_sheets
from kure_rag.read.spacing import Spacer, informed
from kure_rag.types import Document, Domain, Page

_MIN_VISIBLE: Final = 10  # visible characters in a whole file under which there is nothing to search for


# How a file's pages become sheets: given their number, and what reads the sheets from one page to another.
Share = Callable[[int, Callable[[int, int], list[Sheet]]], list[Sheet]]


def read_pdf(
    data: bytes,
    name: str,
    *,
    domain: Domain | None = None,
    settings: ReadSettings | None = None,
    limits: ReadLimits | None = None,
    space_at: Spacer | None = None,
    on_page: Callable[[int], None] | None = None,
    share: Share | None = None,
) -> Document:
    """Reads a PDF.

    Args:
        data: The whole file.
        name: The file's name, for the document's ``source``, messages and, failing a better one, its title.
        domain: Given by the user; detected from the text when ``None``.
        settings: Defaults to :class:`ReadSettings`.
        limits: Defaults to :class:`ReadLimits`.
        space_at: Decides spaces at broken lines, see :func:`kure_rag.read.lines.join_lines`; without it none is put.
        on_page: Called with each page's 1-based number before it is parsed, and with 0 when all are.
        share: Reads the pages, or has others read some of them; by default they are read here, one after the other.

    Raises:
        UnsupportedFileError: Not a PDF.
        DamagedFileError: It breaks off or cannot be parsed.
        EncryptedFileError: It needs a password.
        NoTextError: No page has a usable text layer.
        ReadLimitError: It passes one of the limits.
    """
    settings, limits = settings or ReadSettings(), limits or ReadLimits()
    source = unicodedata.normalize("NFC", name)  # macOS hands out decomposed names
    _check_frame(data, source, limits)
    with PdfFile(data, source) as pdf:
        count = page_count(pdf, source, limits)
        read = functools.partial(read_sheets, pdf, data, settings=settings, limits=limits, on_page=on_page)
        sheets = share(count, read) if share else read(1, count)
        check_lengths(sheets, source, limits)
        stored, outline = pdf.stored_title(), pdf.outline()
    if on_page is not None:
        on_page(0)
    _check_readable(sheets, data, source, settings, limits)
    title = find_title(
        sheets[0].lines,
        height=sheets[0].height,
        stored=stored,
        outline=outline,
        source=source,
        recognised=RECOGNISED in sheets[0].warnings,
    )
    pages_lines = [sheet.lines for sheet in sheets]
    if settings.tables and sum(any(line.table for line in lines) for lines in pages_lines) >= 3:
        from kure_rag.read.tables import drop_page_headers

        pages_lines = drop_page_headers(pages_lines)
    kept = drop_furniture(pages_lines, [sheet.height for sheet in sheets])
    restore_circled(line for page in kept for line in page)
    spacer = informed([line.text for page in kept for line in page], space_at) if space_at else None
    paragraphs = join_tables(join_lines(kept, space_at), spacer)
    text, spans, tables, begins = assemble(paragraphs, len(sheets))
    # OCR tells sizes by what is drawn in a line, not by its font.
    typeset = [[] if RECOGNISED in sheet.warnings else page for sheet, page in zip(sheets, kept, strict=True)]
    pages = tuple(
        Page(
            sheet.number,
            start,
            end,
            sheet.width,
            sheet.height,
            ocr=RECOGNISED in sheet.warnings,
            warnings=sheet.warnings,
        )
        for sheet, (start, end) in zip(sheets, spans, strict=True)
    )
    detected, evidence = detect_domain(text)
    return Document(
        id=hashlib.sha256(data).hexdigest(),
        source=source,
        title=title,
        domain=domain or detected,
        text=text,
        pages=pages,
        tables=tables,
        metadata={
            "page_count": len(pages),
            "domain_evidence": evidence,
            "domain_given": domain is not None,
            "outline": [list(entry) for entry in outline],
            "headings": [list(entry) for entry in find_headings(typeset, paragraphs, begins, title)],
        },
    )


def _check_frame(data: bytes, source: str, limits: ReadLimits) -> None:
    if len(data) > limits.max_bytes:
        raise ReadLimitError(source, f"{len(data):,} bytes, over the limit of {limits.max_bytes:,}; split the file")
    if b"%PDF-" not in data[:1024]:
        what = "an empty file" if not data else "not a PDF (it does not begin with %PDF-)"
        raise UnsupportedFileError(source, f"{what}; export it as PDF and try again")
    if b"%%EOF" not in data[-4096:] and b"startxref" not in data[-4096:]:
        raise DamagedFileError(source, "the file breaks off before its end (truncated); copy or download it again")


def _has_text(sheets: Sequence[Sheet]) -> bool:
    visible = 0
    for sheet in sheets:
        for line in sheet.lines:
            visible += len("".join(line.text.split()))
            if line.table or visible >= _MIN_VISIBLE:
                return True
    return False


def _check_readable(
    sheets: Sequence[Sheet], data: bytes, source: str, settings: ReadSettings, limits: ReadLimits
) -> None:
    count = len(sheets)
    errors = [sheet.error for sheet in sheets if sheet.error]
    if _has_text(sheets):
        return
    if errors:
        raise DamagedFileError(
            source, f"{len(errors)} of its {count} pages: {errors[0]}; open and re-save it in a PDF reader"
        )
    if lost := quality.damage(data):
        raise DamagedFileError(
            source, f"no text layer is left ({lost}); copy or download it again, then run OCR if needed"
        )
    if any(quality.is_unreadable(sheet.warnings) for sheet in sheets):
        what = f"the text layer of its {count} pages is unreadable (fonts without a character map)"
    else:
        what = f"no text layer on any of its {count} pages (a scan?)"
    if late := sum(UNFINISHED in sheet.warnings for sheet in sheets):
        raise NoTextError(
            source,
            f"{what}; OCR of {late} of them took longer than {limits.max_page_seconds / 2:g} s a page: raise"
            " max_page_seconds, or run OCR on it first, for example with ocrmypdf",
        )
    missing = "" if settings.ocr == "never" else ocr.available()
    how = f"for OCR {missing}" if missing else "run OCR on it first, for example with ocrmypdf"
    raise NoTextError(source, f"{what}; {how}")
