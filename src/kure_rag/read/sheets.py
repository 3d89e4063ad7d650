"""The stage of reading that looks at one page at a time: pages → sheets, any range of them.

Nothing here depends on the pages before, so that several processes may each read a part of a large file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kure_rag.errors import DamagedFileError, ReadLimitError
from kure_rag.read import noise, quality
from kure_rag.read.layout import Line, page_lines
from kure_rag.read.page import FoundTable, PageContent
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.rescue import Reading, first_look, judged, legible, needs_rescue, rescue
from kure_rag.read.settings import ReadLimits, ReadSettings

_BLOCK: Final = 16  # pages parsed in a row: parser and Python push each other out of the processor's caches


@dataclass(slots=True, kw_only=True)
class Sheet:
    """A page on its way into a document.

    Attributes:
        number: 1-based.
        width: In points.
        height: In points.
        chars: Characters as the parser gave them, which count towards the limits.
        lines: In reading order, tables among them.
        warnings: What is wrong with the page.
        error: Why it could not be parsed, or an empty string.
    """

    number: int
    width: float
    height: float
    chars: int
    lines: list[Line] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    error: str = ""


def page_count(pdf: PdfFile, source: str, limits: ReadLimits) -> int:
    """How many pages a file has.

    Raises:
        ReadLimitError: More than ``limits`` allow.
        DamagedFileError: None.
    """
    count = len(pdf)
    if count > limits.max_pages:
        raise ReadLimitError(source, f"{count:,} pages, over the limit of {limits.max_pages:,}; split the file")
    if count == 0:
        raise DamagedFileError(source, "the file has no pages; open and re-save it in a PDF reader")
    return count


def read_sheets(
    pdf: PdfFile,
    data: bytes,
    first: int,
    last: int,
    *,
    settings: ReadSettings,
    limits: ReadLimits,
    on_page: Callable[[int], None] | None = None,
) -> list[Sheet]:
    """Parses page after page; of each only its lines are kept, or all of it where it must be read in another way.

    Args:
        pdf: The open file.
        data: Its bytes.
        first: 1-based number of the first page.
        last: Number of the last page.
        settings: How pages are read.
        limits: What they may cost.
        on_page: Called with each page's number before it is parsed, before its lines are found, and again before it is
            recognised: a slow page is told from its neighbours.

    Returns:
        The sheets of the range. Where these alone pass a limit on characters, it breaks off after the page that does,
        with sheets that are good for nothing but :func:`check_lengths`.
    """
    sheets: list[Sheet] = []
    doubtful: list[Reading] = []
    chars = 0
    for start in range(first, last + 1, _BLOCK):
        block: list[tuple[Sheet, PageContent]] = []
        for number in range(start, min(start + _BLOCK, last + 1)):
            if on_page is not None:
                on_page(number)
            content = pdf.page(number, boxes=settings.tables, rules=settings.tables)
            length = len(content.text)
            sheet = Sheet(number=number, width=content.width, height=content.height, chars=length, error=content.error)
            sheets.append(sheet)
            block.append((sheet, content))
            chars += length
            if length > limits.max_page_chars or chars > limits.max_chars:
                return sheets
        for sheet, content in block:
            if on_page is not None:
                on_page(sheet.number)
            plain, noisy = first_look(content.text)
            if noisy:
                content = noise.paired(content)
            sheet.warnings = judged(pdf, content, plain=plain)
            if not content.error and needs_rescue(sheet.warnings, settings):
                doubtful.append((content, sheet.warnings))
            elif not content.error:
                _fill(sheet, pdf, content, settings, noisy=noisy)
    found = rescue(pdf, data, doubtful, settings, max_seconds=limits.max_page_seconds / 2, on_page=on_page)
    for number, (content, warnings) in found.items():
        sheets[number - first].warnings = warnings
        _fill(sheets[number - first], pdf, content, settings, noisy=noise.has_noise(content.text))
    return sheets


def check_lengths(sheets: Sequence[Sheet], source: str, limits: ReadLimits) -> None:
    """Counts the characters of a file's pages.

    Args:
        sheets: From the first page on.
        source: The file's name, for messages.
        limits: Characters of a page and of all.

    Raises:
        ReadLimitError: A limit is passed; it names the first page that does.
    """
    chars = 0
    for sheet in sheets:
        chars += sheet.chars
        if sheet.chars > limits.max_page_chars:
            what = f"{sheet.chars:,} characters on page {sheet.number}, over the limit of {limits.max_page_chars:,}"
            raise ReadLimitError(source, f"{what}; leave that page out")
        if chars > limits.max_chars:
            what = f"over {limits.max_chars:,} characters of text by page {sheet.number}"
            raise ReadLimitError(source, f"{what}; split the file")


def _fill(sheet: Sheet, pdf: PdfFile, content: PageContent, settings: ReadSettings, *, noisy: bool) -> None:
    """Sets the sheet's lines and tables in reading order; what is not what the page shows is never passed on."""
    if quality.is_unreadable(sheet.warnings):
        return
    if noisy:
        content = legible(pdf, content, rules=settings.tables)
    lines = _lines(pdf, content, settings)
    doubtful = quality.PARTLY in sheet.warnings
    if noisy or doubtful:
        lines, notes = noise.without_noise(lines, doubtful=doubtful)
        sheet.warnings = (*sheet.warnings, *notes)
    sheet.lines = lines


def _lines(pdf: PdfFile, content: PageContent, settings: ReadSettings) -> list[Line]:
    tables: list[FoundTable] = []
    if settings.tables:
        from kure_rag.read.tables import find_tables, outermost

        tables = outermost(find_tables(content))
    lines = page_lines(content, tables)
    if lines is None:
        lines = page_lines(pdf.page(content.number, boxes=True, rules=False)) or []
    if len(tables) > 1:
        from kure_rag.read.tables import join_halves

        lines = join_halves(lines)
    return lines
