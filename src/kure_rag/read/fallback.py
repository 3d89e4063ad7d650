"""A second parser for pages whose text PDFium reads as noise. The only module that imports pdfminer.

PDFium gives the numbers of the glyphs for a CID font without a character map. pdfminer.six (MIT) looks the glyphs up in
the embedded font's own table, which recovers the text where the font has one. It reads some 10 pages a second, so it
reads only the pages that need it. What it gives is judged again: it is often no better.

Pages without any text go through it too, before OCR is tried.

Its look-up (version 20260107) misreads tables whose segments have an offset, as those of Korean fonts do, and takes the
last of several characters that share a glyph (U+00A0 for a space), so here the table is read again.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kure_rag.read.page import PageContent

if TYPE_CHECKING:
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.layout import LAParams, LTPage
    from pdfminer.pdfinterp import PDFResourceManager
    from pdfminer.pdfpage import PDFPage

# What the parser lets through on broken files, beside its own errors.
_ON_BROKEN_FILES: Final = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    *(OSError, NotImplementedError, struct.error, zlib.error),
)
_UNMAPPED: Final = re.compile(r"\(cid:\d+\)")
_TEXT_OPERATOR: Final = re.compile(rb"T[jJ]|['\"]")
_MAX_GLYPHS: Final = 0x10000


def reread(
    data: bytes, pages: Sequence[int], *, on_page: Callable[[int], None] | None = None
) -> dict[int, PageContent]:
    """Reads pages with pdfminer.six.

    Args:
        data: The whole file.
        pages: 1-based numbers.
        on_page: Called with each page's number before it is parsed.

    Returns:
        The pages with text that could be parsed, by number, without rules: ``text`` has a line feed after each printed
        line and U+FFFD for a glyph without a character; ``boxes`` are zeros for line feeds and for spaces that the
        parser put between words. Empty when the file cannot be opened.
    """
    from pdfminer.psexceptions import PSException

    found: dict[int, PageContent] = {}
    with _quiet():
        try:
            for number, layout in _layouts(data, sorted(set(pages)), on_page):
                found[number] = _content(number, layout)
        except (PSException, *_ON_BROKEN_FILES):
            return found
    return found


def _layouts(data: bytes, pages: Sequence[int], on_page: Callable[[int], None] | None) -> Iterator[tuple[int, LTPage]]:
    from pdfminer.layout import LAParams
    from pdfminer.pdfinterp import PDFPageInterpreter
    from pdfminer.pdfpage import PDFPage
    from pdfminer.psexceptions import PSException

    manager = _resource_manager()
    # Columns are the reader's work, so lines come in the file's order; text in form objects is text like any other.
    settings = LAParams(boxes_flow=None, all_texts=True)
    wanted = [number - 1 for number in pages]
    if not wanted:
        return
    for number, page in zip(pages, PDFPage.get_pages(io.BytesIO(data), wanted, wanted[-1] + 1), strict=False):
        if on_page is not None:
            on_page(number)
        # A page that breaks off inside a figure leaves its device in the middle of it: each has one of its own.
        device = _device(manager, settings)
        try:
            if not _shows_text(page):
                continue
            PDFPageInterpreter(manager, device).process_page(page)
        except (PSException, *_ON_BROKEN_FILES):
            continue  # the next page may be sound
        layout = device.get_result()
        if not page.rotate:  # the visible box, whose corner is the origin of our coordinates
            left, bottom = page.cropbox[0] - page.mediabox[0], page.cropbox[1] - page.mediabox[1]
            layout.set_bbox(
                (left, bottom, left + page.cropbox[2] - page.cropbox[0], bottom + page.cropbox[3] - page.cropbox[1])
            )
        yield number, layout


def _shows_text(page: PDFPage) -> bool:
    """Whether a page may have any text: a scan has none, nor has one of outlines, which takes half a second to parse.

    All text is shown by ``Tj``, ``TJ``, ``'`` or ``"``, in the page's own content or in forms.
    """
    from pdfminer.pdftypes import dict_value, resolve1, stream_value

    if any(_TEXT_OPERATOR.search(stream_value(part).get_data()) for part in page.contents):
        return True
    objects = dict_value(page.resources.get("XObject", {})).values()
    return any(getattr(resolve1(one), "attrs", {}).get("Subtype") is not _image() for one in objects)


def _image() -> object:
    from pdfminer.psparser import LIT

    return LIT("Image")


def _device(manager: PDFResourceManager, settings: LAParams) -> PDFPageAggregator:
    from pdfminer.converter import PDFPageAggregator

    class TextDevice(PDFPageAggregator):
        """Leaves out what is no text: a page whose letters are drawn as outlines has tens of thousands of paths."""

        def paint_path(self, *_: object) -> None:
            return

        def render_image(self, *_: object) -> None:
            return

    return TextDevice(manager, laparams=settings)


def _content(number: int, layout: LTPage) -> PageContent:
    import numpy as np

    chars: list[str] = []
    boxes: list[tuple[float, float, float, float]] = []
    for text, place in _characters(layout):
        chars.append(text)
        boxes.extend([place] * len(text))  # a ligature is several characters in one place
    places = np.array(boxes, np.float32).reshape(-1, 4)
    places[places.any(axis=1)] -= np.array([layout.x0, layout.y0] * 2, np.float32)
    none = np.zeros((0, 4), np.float32)
    return PageContent(number, float(layout.width), float(layout.height), "".join(chars), places, none)


def _characters(item: Any) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    from pdfminer.layout import LTAnno, LTChar, LTTextLine

    none = (0.0, 0.0, 0.0, 0.0)
    stack = [item]
    while stack:
        item = stack.pop()
        if isinstance(item, LTTextLine):
            for part in item:
                if isinstance(part, LTChar):
                    yield _UNMAPPED.sub("\ufffd", part.get_text()), part.bbox
                elif isinstance(part, LTAnno):
                    yield part.get_text(), none
        elif hasattr(item, "__iter__"):
            stack.extend(reversed(list(item)))


def _resource_manager() -> PDFResourceManager:
    from pdfminer.cmapdb import FileUnicodeMap
    from pdfminer.pdffont import PDFCIDFont, PDFFont
    from pdfminer.pdfinterp import PDFResourceManager

    class Manager(PDFResourceManager):
        """Gives fonts without a map of their own the one of their font file."""

        def get_font(self, objid: object, spec: Mapping[str, object]) -> PDFFont:
            known = objid in self._cached_fonts if objid else False
            font = super().get_font(objid, spec)
            stream = getattr(font, "fontfile", None)
            if not known and isinstance(font, PDFCIDFont) and "ToUnicode" not in spec and stream is not None:
                try:
                    characters = characters_of_glyphs(stream.get_data())
                except (struct.error, zlib.error, ValueError):
                    characters = {}
                if characters:
                    font.unicode_map = FileUnicodeMap()
                    font.unicode_map.cid2unichr.update(characters)
            return font

    return Manager()


def characters_of_glyphs(font: bytes) -> dict[int, str]:
    """The character of each glyph of a TrueType or OpenType font file, from its ``cmap`` table.

    Formats 4 and 12 of the OpenType specification, which all fonts with Hangul use. Of several characters with one
    glyph it takes the first, and never one from the private use areas if there is another.

    Raises:
        struct.error: The table breaks off.
    """
    start = _table(font, b"cmap")
    if start is None:
        return {}
    (count,) = struct.unpack_from(">2xH", font, start)
    found: dict[int, int] = {}
    for i in range(min(count, 32)):
        platform, encoding, offset = struct.unpack_from(">HHL", font, start + 4 + 8 * i)
        if platform != 0 and (platform, encoding) not in ((3, 1), (3, 10)):
            continue
        (kind,) = struct.unpack_from(">H", font, start + offset)
        pairs = {4: _format_4, 12: _format_12}.get(kind)
        if pairs is not None:
            for code, glyph in pairs(font, start + offset):
                found[glyph] = min(found.get(glyph, code), code, key=_rank)
    return {glyph: chr(code) for glyph, code in found.items() if glyph and not 0xD800 <= code < 0xE000}


def _rank(code: int) -> tuple[bool, int]:
    return (0xE000 <= code < 0xF900 or code >= 0xF0000, code)


def _table(font: bytes, tag: bytes) -> int | None:
    (count,) = struct.unpack_from(">4xH", font)
    for i in range(min(count, 64)):
        name, offset = struct.unpack_from(">4s4xL", font, 12 + 16 * i)
        if name == tag:
            return int(offset)
    return None


def _format_4(font: bytes, at: int) -> Iterator[tuple[int, int]]:
    (segments,) = struct.unpack_from(">6xH", font, at)
    segments //= 2
    ends = struct.unpack_from(f">{segments}H", font, at + 14)
    starts = struct.unpack_from(f">{segments}H", font, at + 16 + 2 * segments)
    deltas = struct.unpack_from(f">{segments}H", font, at + 16 + 4 * segments)
    offsets_at = at + 16 + 6 * segments
    offsets = struct.unpack_from(f">{segments}H", font, offsets_at)
    left = _MAX_GLYPHS
    for i, (first, last, delta, offset) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
        for code in range(first, min(last, first + left - 1) + 1):
            glyph = code
            if offset:
                (glyph,) = struct.unpack_from(">H", font, offsets_at + 2 * i + offset + 2 * (code - first))
                if glyph == 0:
                    continue
            yield code, (glyph + delta) & 0xFFFF
        left -= max(0, last - first + 1)
        if left <= 0:
            return


def _format_12(font: bytes, at: int) -> Iterator[tuple[int, int]]:
    (groups,) = struct.unpack_from(">12xL", font, at)
    left = _MAX_GLYPHS
    for i in range(min(groups, _MAX_GLYPHS)):
        first, last, glyph = struct.unpack_from(">LLL", font, at + 16 + 12 * i)
        for code in range(first, min(last, first + left - 1, 0x10FFFF) + 1):
            yield code, glyph + code - first
        left -= max(0, last - first + 1)
        if left <= 0:
            return


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the parser's remarks on broken files off the terminal: the page's warnings say what is wrong with it."""
    logger = logging.getLogger("pdfminer")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
