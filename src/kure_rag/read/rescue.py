"""Pages whose text is not what they show: judged, read again by the fallback parser, recognised by OCR."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from kure_rag.read import noise, ocr, quality
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


def judged(pdf: PdfFile, content: PageContent, *, plain: bool | None = None) -> tuple[str, ...]:
    """What is wrong with a page, see :func:`kure_rag.read.quality.judge`.

    Args:
        pdf: The open file.
        content: The page by any parser.
        plain: What :func:`first_look` says, where it was asked already.
    """
    pictured = (quality.PICTURED,) if quality.has_picture(content) else ()
    if first_look(content.text)[0] if plain is None else plain:
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


def first_look(text: str) -> tuple[bool, bool]:
    """What most pages need to be asked, in a hundredth of the time that it takes to read one.

    Returns:
        Whether the text is so clearly sound Korean that none of the judge's questions could find fault with it, and
        whether it may hold noise, as :func:`kure_rag.read.noise.has_noise` has it.
    """
    import numpy as np

    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    common, rare, plain, odd, _, suspect = np.bincount(_kinds()[codes], minlength=6).tolist()
    doubtful = odd + suspect
    sound = common >= _PLAIN_LEAST and common > plain and common >= 4 * rare and doubtful <= 0.02 * common
    return sound, suspect > 0


@functools.cache
def _kinds() -> NDArray[np.uint8]:
    """For each UTF-16 code: 0 frequent syllable, 1 other known one, 2 letter, digit or mark, 4 space.

    The others are 5 where they may be noise, else 3.
    """
    import numpy as np

    kinds = np.full(0x10000, 3, np.uint8)
    kinds[[ord(char) for char in quality.KNOWN]] = 1
    kinds[[ord(char) for char in quality.COMMON]] = 0
    kinds[[ord(char) for char in "\r\n \u00a0\u3000"]] = 4
    marks = "0123456789.,()[]:/%-~“”‘’「」『』ㆍ·①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮<>"
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    kinds[[ord(char) for char in marks + letters]] = 2
    kinds[noise.suspects()] = 5
    return kinds


def needs_rescue(warnings: Sequence[str], settings: ReadSettings) -> bool:
    """Whether another way of reading the page is to be tried under these settings."""
    return settings.ocr == "always" or (
        (settings.fallback or settings.ocr == "auto") and quality.needs_rescue(warnings)
    )


def legible(pdf: PdfFile, content: PageContent, *, rules: bool) -> PageContent:
    """A page with the places of all characters and those that cannot be read marked, see :mod:`kure_rag.read.noise`.

    Args:
        pdf: The open file.
        content: The page by any parser.
        rules: Whether the lines of tables are needed.
    """
    if "runs" in content.extra:
        content = noise.paired(pdf.page(content.number, boxes=True, rules=rules))
    gray = pdf.gray(content.number, noise.DPI) if any(map(noise.is_noise, content.text)) else None
    return noise.marked_glyphs(content, gray)


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
        _reread(pdf, data, found, on_page)
    missing = "" if settings.ocr == "never" else ocr.available()
    if missing and settings.ocr == "always":
        note = f"{UNRECOGNISED}; {missing}"
        found = {number: (content, (*warnings, note)) for number, (content, warnings) in found.items()}
    if settings.ocr != "never" and not missing:
        for number, (content, warnings) in found.items():
            if settings.ocr == "always" or quality.needs_rescue(warnings):
                if on_page is not None:
                    on_page(number)
                found[number] = _recognised(pdf, content, warnings, max_seconds, rules=settings.tables)
    return found


def _reread(pdf: PdfFile, data: bytes, found: dict[int, Reading], on_page: Callable[[int], None] | None) -> None:
    wanted = [number for number, (_, warnings) in found.items() if quality.needs_rescue(warnings)]
    for number, content in reread(data, wanted, on_page=on_page).items() if wanted else ():
        before = found[number][1]
        warnings = judged(pdf, content)
        if quality.is_bare(before):  # any sound text is more than there was
            better = not warnings
        else:
            better = bool(content.text.strip()) and quality.severity(warnings) < quality.severity(before)
        if better:
            found[number] = (content, (REREAD, *warnings))


def _recognised(
    pdf: PdfFile, content: PageContent, warnings: tuple[str, ...], max_seconds: float, *, rules: bool
) -> Reading:
    image = pdf.render(content.number, ocr.DPI)
    if image is None:
        return content, tuple(dict.fromkeys((*warnings, quality.UNDRAWN)))
    read = ocr.recognise(image, width=content.width, height=content.height, max_seconds=max_seconds)
    if not read.finished:
        return content, (*warnings, UNFINISHED)
    if quality.is_unreadable(warnings):
        again = ocr.page_content(content.number, content.width, content.height, read.lines)
    else:
        sound = legible(pdf, content, rules=rules)
        again = ocr.completed(sound, read.lines)
        if not _says_more(again, sound):
            return content, warnings  # the picture says no more than the text layer
    noted = (ocr.LOW_CONFIDENCE,) if read.dropped else ()
    reread = (REREAD,) if REREAD in warnings and not quality.is_unreadable(warnings) else ()
    still = [warning for warning in quality.judge(again, clean_text(again.text)) if quality.is_unreadable((warning,))]
    return again, (*reread, RECOGNISED, *noted, *still)


def _says_more(again: PageContent, sound: PageContent) -> bool:
    """Whether OCR filled places that could not be read, or found text beside what was read."""
    holes, lost = again.text.count(noise.LOST), ocr.without_garbled(sound.text).count(noise.LOST)
    letters, known = (len("".join(each.text.split())) for each in (again, sound))
    return holes < lost or letters > known
