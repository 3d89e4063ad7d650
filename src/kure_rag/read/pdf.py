"""PDF bytes → Document. The only module that imports PDF libraries.

pypdfium2 keeps Korean word spaces where others lose them, and reads hundreds of pages a second.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import DamagedFileError, EncryptedFileError, NoTextError, ReadLimitError, UnsupportedFileError
from kure_rag.read.clean import clean_text, page_warnings
from kure_rag.read.domain import detect_domain
from kure_rag.read.lines import Spacer, drop_furniture, join_wrapped
from kure_rag.read.settings import ReadLimits
from kure_rag.types import Document, Domain, Page

_HANGUL = re.compile(r"[가-힣]")
_UNREADABLE: Final = frozenset({"private-use characters", "control or replacement characters"})
_GENERIC_TITLES: Final = frozenset(
    {"무제", "제목 없음", "제목없음", "PowerPoint 프레젠테이션", "슬라이드 1", "문서1"}
)  # programs' defaults
_MIN_VISIBLE: Final = 10  # visible characters in a whole file under which there is nothing to search for


@dataclass(frozen=True, slots=True)
class _RawPage:
    text: str
    width: float
    height: float
    error: str = ""


def read_pdf(
    data: bytes,
    name: str,
    *,
    domain: Domain | None = None,
    limits: ReadLimits | None = None,
    space_at: Spacer | None = None,
    on_page: Callable[[int], None] | None = None,
) -> Document:
    """Reads a PDF.

    Args:
        data: The whole file.
        name: The file's name, for the document's ``source``, messages and, failing a better one, its title.
        domain: Given by the user; detected from the text when ``None``.
        limits: Defaults to :class:`ReadLimits`.
        space_at: Decides spaces at broken lines, see :func:`kure_rag.read.lines.join_wrapped`; without it none is put.
        on_page: Called with each page's 1-based number before it is parsed.

    Raises:
        UnsupportedFileError: Not a PDF.
        DamagedFileError: It breaks off or cannot be parsed.
        EncryptedFileError: It needs a password.
        NoTextError: No page has a usable text layer.
        ReadLimitError: It passes one of the limits.
    """
    limits = limits or ReadLimits()
    source = unicodedata.normalize("NFC", name)  # macOS hands out decomposed names
    _check_frame(data, source, limits)
    raw, title = _extract(data, source, limits, on_page)
    texts = [clean_text(page.text) for page in raw]
    warnings = [
        (page.error,) if page.error else page_warnings(page.text, text) for page, text in zip(raw, texts, strict=True)
    ]
    _check_readable(texts, warnings, [page.error for page in raw if page.error], source)
    # A page whose text is not what it shows is reported, never passed on as noise.
    lines = [[] if _UNREADABLE & set(w) else t.split("\n") for t, w in zip(texts, warnings, strict=True)]
    paragraphs = join_wrapped(drop_furniture(lines), space_at or (lambda pairs: [False] * len(pairs)))
    text, pages = _assemble(paragraphs, raw, warnings)
    detected, evidence = detect_domain(text)
    return Document(
        id=hashlib.sha256(data).hexdigest(),
        source=source,
        title=_title(title, source),
        domain=domain or detected,
        text=text,
        pages=pages,
        metadata={"page_count": len(pages), "domain_evidence": evidence, "domain_given": domain is not None},
    )


def _check_frame(data: bytes, source: str, limits: ReadLimits) -> None:
    if len(data) > limits.max_bytes:
        raise ReadLimitError(source, f"{len(data):,} bytes, over the limit of {limits.max_bytes:,}; split the file")
    if b"%PDF-" not in data[:1024]:
        what = "an empty file" if not data else "not a PDF (it does not begin with %PDF-)"
        raise UnsupportedFileError(source, f"{what}; export it as PDF and try again")
    if b"%%EOF" not in data[-4096:] and b"startxref" not in data[-4096:]:
        raise DamagedFileError(source, "the file breaks off before its end (truncated); copy or download it again")


def _extract(
    data: bytes, source: str, limits: ReadLimits, on_page: Callable[[int], None] | None
) -> tuple[list[_RawPage], str]:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if any(clue in str(error).lower() for clue in ("password", "security scheme")):
            raise EncryptedFileError(
                source, "encrypted with a password; save a copy without the password and ingest that"
            ) from None
        raise DamagedFileError(
            source, f"cannot be parsed as a PDF ({error}); open and re-save it in a PDF reader"
        ) from None
    try:
        count = len(pdf)
        if count > limits.max_pages:
            raise ReadLimitError(source, f"{count:,} pages, over the limit of {limits.max_pages:,}; split the file")
        if count == 0:
            raise DamagedFileError(source, "the file has no pages; open and re-save it in a PDF reader")
        pages: list[_RawPage] = []
        chars = 0
        for i in range(count):
            if on_page is not None:
                on_page(i + 1)
            pages.append(_extract_page(pdf, i))
            chars += len(pages[-1].text)
            if chars > limits.max_chars:
                raise ReadLimitError(
                    source, f"over {limits.max_chars:,} characters of text by page {i + 1}; split the file"
                )
        return pages, _stored_title(pdf)
    finally:
        pdf.close()


def _stored_title(pdf: Any) -> str:
    try:
        title: str = pdf.get_metadata_value("Title")
    except UnicodeDecodeError:  # half a character
        return ""
    return title


def _extract_page(pdf: Any, i: int) -> _RawPage:
    import pypdfium2

    try:
        page = pdf[i]
        width, height = page.get_size()
        textpage = page.get_textpage()
        try:
            return _RawPage(textpage.get_text_range(), width, height)
        finally:
            textpage.close()
            page.close()
    except pypdfium2.PdfiumError as error:
        return _RawPage("", 0.0, 0.0, error=f"page cannot be parsed ({error})")


def _check_readable(
    texts: Sequence[str], warnings: Sequence[tuple[str, ...]], errors: Sequence[str], source: str
) -> None:
    count = len(texts)
    if sum(not char.isspace() for text in texts for char in text) < _MIN_VISIBLE:
        if errors:
            raise DamagedFileError(
                source, f"{len(errors)} of its {count} pages: {errors[0]}; open and re-save it in a PDF reader"
            )
        raise NoTextError(
            source,
            f"no text layer on any of its {count} pages (a scan?); run OCR on it first, for example with ocrmypdf",
        )
    if all(_UNREADABLE & set(w) or "no text layer" in w for w in warnings):
        raise NoTextError(
            source,
            f"the text layer of its {count} pages is unreadable (fonts without a character map); run OCR on it first",
        )


def _assemble(
    paragraphs: Sequence[Sequence[str]], raw: Sequence[_RawPage], warnings: Sequence[tuple[str, ...]]
) -> tuple[str, tuple[Page, ...]]:
    """One text with a line feed between pages and paragraphs; the line feed belongs to the page before it."""
    parts: list[str] = []
    pages: list[Page] = []
    at = 0
    for i, (page, lines, warned) in enumerate(zip(raw, paragraphs, warnings, strict=True)):
        # Joining can put combining characters side by side that stood on two lines.
        text = unicodedata.normalize("NFC", "\n".join(lines))
        if text:
            text += "\n"
        pages.append(Page(i + 1, at, at + len(text), page.width, page.height, warnings=warned))
        parts.append(text)
        at += len(text)
    return "".join(parts), tuple(pages)


def _title(given: str, source: str) -> str:
    """The PDF's own title if it is a Korean one that survived its encoding, otherwise the file's name."""
    title = " ".join(clean_text(given).split())
    hangul = len(_HANGUL.findall(title))
    generic = title in _GENERIC_TITLES or title.startswith("Microsoft ") or any(mark in title for mark in ">|")
    if hangul >= 2 and hangul >= 0.3 * len(title) and not generic:
        return title.removesuffix(".pdf")
    return Path(source).stem
