"""Pages whose text is not what they show: judged, read again by the fallback parser, recognised by OCR."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from kure_rag.read import ocr, quality
from kure_rag.read.clean import clean_text
from kure_rag.read.fallback import reread
from kure_rag.read.page import PageContent
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.settings import ReadSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REREAD: Final = "read by the fallback parser"
RECOGNISED: Final = "recognised by OCR"
UNRECOGNISED: Final = "not recognised, since OCR is not available"
UNFINISHED: Final = "OCR took too long"

_INK_DPI: Final = 50  # enough to tell a blank page from a picture

_PLAIN_LEAST: Final = 100  # frequent syllables on a page

Reading = tuple[PageContent, tuple[str, ...]]


def judged(pdf: PdfFile, content: PageContent) -> tuple[str, ...]:
    """What is wrong with a page, see :func:`kure_rag.read.quality.judge`."""
    pictured = (quality.PICTURED,) if quality.has_picture(content) else ()
    if _is_plain_korean(content.text):
        return pictured
    undrawn: list[str] = []

    def ink() -> float:
        drawn = pdf.gray(content.number, _INK_DPI)
        if drawn is None:
            undrawn.append(quality.UNDRAWN)
            return 0.0
        return quality.ink_outside(drawn, content)

    found = quality.judge(content, clean_text(content.text), ink=ink)
    if undrawn:
        return (*(warning for warning in found if warning != quality.BLANK), *undrawn[:1])
    return found if quality.is_bare(found) else (*found, *pictured)


def _is_plain_korean(text: str) -> bool:
    """Whether a page is so clearly sound Korean that none of the judge's questions could find fault with it."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    common, rare, plain, doubtful = np.bincount(_kinds()[codes], minlength=4)[:4].tolist()
    return bool(common >= _PLAIN_LEAST and common > plain and common >= 4 * rare and doubtful <= 0.02 * common)


@functools.cache
def _kinds() -> NDArray[np.uint8]:
    """For each UTF-16 code: 0 frequent syllable, 1 other known one, 2 letter, digit or mark, 3 doubtful, 4 space."""
    import numpy as np

    kinds = np.full(0x10000, 3, np.uint8)
    kinds[[ord(char) for char in quality.KNOWN]] = 1
    kinds[[ord(char) for char in quality.COMMON]] = 0
    kinds[[ord(char) for char in "\r\n \u00a0\u3000"]] = 4
    marks = "0123456789.,()[]:/%-~“”‘’「」『』ㆍ·①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮<>"
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    kinds[[ord(char) for char in marks + letters]] = 2
    return kinds


def needs_rescue(warnings: Sequence[str], settings: ReadSettings) -> bool:
    """Whether another way of reading the page is to be tried under these settings."""
    return (
        settings.ocr == "always"
        or (settings.fallback and quality.needs_fallback(warnings))
        or (settings.ocr == "auto" and quality.needs_ocr(warnings))
    )


def rescue(
    pdf: PdfFile,
    data: bytes,
    readings: Sequence[Reading],
    settings: ReadSettings,
    *,
    max_seconds: float,
    on_page: Callable[[int], None] | None,
) -> dict[int, Reading]:
    """Reads pages in other ways.

    Args:
        pdf: The open file.
        data: Its bytes.
        readings: Pages and what is wrong with them.
        settings: Which ways may be tried.
        max_seconds: For the recognition of one page.
        on_page: Called with each page's 1-based number before it is recognised.

    Returns:
        The best reading of each page by its number, and what is still wrong with it.
    """
    found = {content.number: (content, warnings) for content, warnings in readings}
    if settings.fallback:
        _reread(data, found)
    missing = "" if settings.ocr == "never" else ocr.available()
    if missing and settings.ocr == "always":
        note = f"{UNRECOGNISED}; {missing}"
        found = {number: (content, (*warnings, note)) for number, (content, warnings) in found.items()}
    if settings.ocr != "never" and not missing:
        for number, (content, warnings) in found.items():
            if settings.ocr == "always" or quality.needs_ocr(warnings):
                if on_page is not None:
                    on_page(number)
                found[number] = _recognised(pdf, content, warnings, max_seconds)
    return found


def _reread(data: bytes, found: dict[int, Reading]) -> None:
    wanted = [number for number, (_, warnings) in found.items() if quality.needs_fallback(warnings)]
    for number, content in reread(data, wanted).items() if wanted else ():
        warnings = quality.judge(content, clean_text(content.text))
        if content.text.strip() and quality.severity(warnings) < quality.severity(found[number][1]):
            found[number] = (content, (REREAD, *warnings))


def _recognised(pdf: PdfFile, content: PageContent, warnings: tuple[str, ...], max_seconds: float) -> Reading:
    image = pdf.render(content.number, ocr.DPI)
    if image is None:
        return content, tuple(dict.fromkeys((*warnings, quality.UNDRAWN)))
    read = ocr.recognise(image, width=content.width, height=content.height, max_seconds=max_seconds)
    if not read.finished:
        return content, (*warnings, UNFINISHED)
    if quality.is_unreadable(warnings):
        again = ocr.page_content(content.number, content.width, content.height, read.lines)
    else:
        again = ocr.completed(pdf.page(content.number, boxes=True, rules=False), read.lines)
    if len("".join(again.text.split())) <= len("".join(content.text.split())) and not quality.is_unreadable(warnings):
        return content, warnings  # the picture says no more than the text layer
    noted = (ocr.LOW_CONFIDENCE,) if read.dropped else ()
    still = [warning for warning in quality.judge(again, clean_text(again.text)) if quality.is_unreadable((warning,))]
    return again, (RECOGNISED, *noted, *still)
