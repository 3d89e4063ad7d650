"""The parser: characters, their places and rules, by PDFium. The only module that imports pypdfium2.

Places come through prototypes of our own made from the same addresses: PDFium writes each box straight into an array,
which takes a quarter of the time of the usual bindings.
"""

from __future__ import annotations

import ctypes
import functools
import math
import re
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, repeat
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import DamagedFileError, EncryptedFileError
from kure_rag.read.page import PageContent, line_ends

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kure_rag.read.page import Boxes

LINE = re.compile(r"[^\r\n]+")
_BROAD = re.compile(r"[\ud800-\udfff\U00010000-\U0010ffff]")
_BLACK_ENOUGH: Final = 250  # of 255: a lighter fill cannot be seen on paper, and its edges are no rules
_MAX_OBJECTS: Final = 20_000  # on a page: more of them draw a map or a chart
_DEEPEST: Final = 8  # forms inside forms
_TITLE: Final = (
    512  # bytes of a bookmark's title: asking a second time for a longer one is cheaper than asking twice for all
)
_DEEPEST_BOOKMARK: Final = 14
_THIN: Final = 3.0  # points: a filled rectangle this thin is drawn as a line
_MOST_PIXELS: Final = 40_000_000  # of a drawn page: an A1 sheet at 200 dots an inch has as many
_LONGEST_SIDE: Final = 30_000  # pixels
_STRAIGHT: Final = 1.0  # points that a horizontal or vertical line may deviate
_LETTER: Final = (0.0, 0.0, 612.0, 792.0)  # the page of a file that names no size, as pypdfium2 takes it
_Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Final[_Matrix] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class PdfFile:
    """An open PDF file. A context manager: leaving it closes the file.

    Args:
        data: The whole file.
        source: Its name, for messages.

    Raises:
        EncryptedFileError: It needs a password.
        DamagedFileError: It cannot be parsed.
    """

    def __init__(self, data: bytes, source: str) -> None:
        from kure_rag.read.outline import without_password

        try:
            self._pdf = _opened(data, source)
        except EncryptedFileError:
            free = without_password(data)
            if free is None:
                raise
            self._pdf = _opened(free, source)

    def __enter__(self) -> PdfFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pdf.close()

    def __len__(self) -> int:
        return len(self._pdf)

    def stored_title(self) -> str:
        """The title in the file's properties, or an empty string."""
        try:
            title: str = self._pdf.get_metadata_value("Title")
        except UnicodeDecodeError:  # half a character
            return ""
        return title

    def outline(self) -> list[tuple[int, str, int]]:
        """Bookmarks, see :func:`kure_rag.read.outline.outline_of`."""
        from kure_rag.read.outline import outline_of

        return outline_of(_bookmarks(_address(self._pdf.raw), None, 0, set()))

    def page(self, number: int, *, boxes: bool = True, rules: bool = True) -> PageContent:
        """Parses a page.

        Args:
            number: 1-based.
            boxes: The places of all characters; otherwise those of the first and the last visible one of each line
                stand in ``extra["ends"]``, the lines' spans in ``extra["spans"]``, places of runs in ``extra["runs"]``.
            rules: Lines and edges too.

        Returns:
            The page; what could not be parsed has its ``error`` set.
        """
        import pypdfium2.raw as raw

        # Handles instead of pypdfium2's objects, which take a fiftieth of a page's whole time to make and to close.
        page = raw.FPDF_LoadPage(self._pdf, number - 1)
        if not page:
            return _unparsed(number, "Failed to load page.")
        try:
            textpage = raw.FPDFText_LoadPage(page)
            if not textpage:
                return _unparsed(number, "Failed to load text page.")
            try:
                return _read(page, textpage, number, boxes, rules)
            finally:
                raw.FPDFText_ClosePage(textpage)
        finally:
            raw.FPDF_ClosePage(page)

    def gray(self, number: int, dpi: int) -> NDArray[np.uint8] | None:
        """A page drawn in shades of grey, shape (height, width), or ``None`` where it cannot be drawn.

        Args:
            number: 1-based.
            dpi: Dots an inch; fewer are taken for a giant page.
        """
        drawn: NDArray[np.uint8] | None = self._drawn(
            number, dpi, lambda bitmap: bitmap.to_numpy().reshape(bitmap.height, bitmap.width).copy(), gray=True
        )
        return drawn

    def render(self, number: int, dpi: int = 200) -> Any:
        """A picture of a page, as a Pillow image, or ``None`` where it cannot be drawn.

        Args:
            number: 1-based.
            dpi: Dots an inch; fewer are taken for a giant page.
        """
        return self._drawn(number, dpi, lambda drawn: drawn.to_pil(), gray=False)

    def _drawn(self, number: int, dpi: int, take: Callable[[Any], Any], *, gray: bool) -> Any:
        """What ``take`` makes of a page's bitmap, or ``None`` where it cannot be drawn."""
        import pypdfium2

        try:
            page = self._pdf[number - 1]
            try:
                width, height = page.get_size()
                scale = _scale(width, height, dpi)
                return take(page.render(scale=scale, grayscale=gray)) if scale else None
            finally:
                page.close()
        except (pypdfium2.PdfiumError, MemoryError, ValueError):
            return None


def _scale(width: float, height: float, dpi: int) -> float:
    """Pixels a point: a page may be giant, and its picture must still fit into memory. 0 for a page without a size."""
    scale = dpi / 72
    if not 0 < width * height < float("inf"):
        return 0.0
    return min(scale, math.sqrt(_MOST_PIXELS / (width * height)), _LONGEST_SIDE / max(width, height))


def _opened(data: bytes, source: str) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if any(clue in str(error).lower() for clue in ("password", "security scheme")):
            raise EncryptedFileError(
                source, "encrypted with a password; save a copy without the password and ingest that"
            ) from None
        raise DamagedFileError(
            source, f"cannot be parsed as a PDF ({error}); open and re-save it in a PDF reader"
        ) from None


@dataclass(slots=True)
class _Bookmark:
    """A bookmark or its destination, with the methods of pypdfium2's, which take twice as long."""

    file: int
    place: int
    level: int

    def get_title(self) -> str:
        call = _prototypes()["title"]
        memory = bytearray(_TITLE)
        size = call(self.place, _start(memory), _TITLE)
        if size > _TITLE:  # nothing was written
            memory = bytearray(size)
            call(self.place, _start(memory), size)
        return memory[: max(0, size - 2)].decode("utf-16-le")

    def get_dest(self) -> _Bookmark | None:
        place = _prototypes()["destination"](self.file, self.place)
        return _Bookmark(self.file, place, self.level) if place else None

    def get_index(self) -> int | None:
        index: int = _prototypes()["index"](self.file, self.place)
        return index if index >= 0 else None


def _bookmarks(file: int, parent: int | None, level: int, seen: set[int]) -> Iterator[_Bookmark]:
    """Each before those below it; one that was ``seen`` before ends its level, for references may be circular."""
    calls = _prototypes()
    place = calls["child"](file, parent)
    while place and place not in seen:
        seen.add(place)
        yield _Bookmark(file, place, level)
        if level < _DEEPEST_BOOKMARK:
            yield from _bookmarks(file, place, level + 1, seen)
        place = calls["next"](file, place)


def _unparsed(number: int, why: str) -> PageContent:
    import numpy as np

    none = np.zeros((0, 4), np.float32)
    return PageContent(number, 0.0, 0.0, "", none, none, error=f"page cannot be parsed ({why})")


def _read(page: Any, textpage: Any, number: int, boxes: bool, rules: bool) -> PageContent:
    import numpy as np

    at, calls, shown = _address(textpage), _prototypes(), _shown(_address(page))
    text = _text(at)
    extra: dict[str, Any] = {}
    if boxes:
        places = _turned(_char_boxes(at, range(len(text))), shown)
    else:
        places = np.zeros((len(text), 4), np.float32)
        spans, ends = line_ends(text)
        extra["spans"], extra["ends"] = spans, _turned(_char_boxes(at, ends), shown)
        extra["runs"] = _turned(_runs(at), shown)
    edges = np.zeros((0, 4), np.float32)
    if rules:
        edges, extra["pictures"] = (_turned(found, shown) for found in _rules(page))
    width, height = (calls[side](_address(page)) for side in ("width", "height"))
    return PageContent(number, width, height, text, places, edges, extra=extra)


def _text(textpage: int) -> str:
    """One character for each of the parser's, which leaves out some of its own and adds others."""
    calls = _prototypes()
    count = max(0, calls["count"](textpage))
    first, last = 0, count - 1
    start = end = -1
    while first <= last and (start := calls["at"](textpage, first)) < 0:
        first += 1
    while first <= last and (end := calls["at"](textpage, last)) < 0:
        last -= 1
    if first > last:
        text, length = "", 0
    else:
        units = bytearray(2 * max(end + 2 - start, last + 2 - first))  # with the zero that PDFium puts behind
        length = calls["text"](textpage, first, last - first + 1, _start(units)) - 1
        text = units[: 2 * length].decode("utf-16-le", "ignore")
    if len(text) == count and (length == count or not _BROAD.search(text)):
        return text
    return "".join(map(chr, map(_valid, (calls["unicode"](textpage, i) for i in range(count)))))


def _valid(code: int) -> int:
    return code if code <= 0x10FFFF else 0xFFFD


@functools.cache
def _prototypes() -> dict[str, Callable[..., Any]]:
    import pypdfium2.raw as raw

    def prototype(name: str, result: Any, *args: Any) -> Callable[..., Any]:
        address = ctypes.cast(getattr(raw, name), ctypes.c_void_p).value
        # PyFuncPtr keeps the interpreter's lock: giving it up and taking it back costs more than the call.
        return ctypes.PYFUNCTYPE(result, *args)(address or 0)

    pointer, number = ctypes.c_void_p, ctypes.c_int
    return {
        "box": prototype("FPDFText_GetLooseCharBox", number, pointer, number, pointer),
        "width": prototype("FPDF_GetPageWidthF", ctypes.c_float, pointer),
        "height": prototype("FPDF_GetPageHeightF", ctypes.c_float, pointer),
        "rotation": prototype("FPDFPage_GetRotation", number, pointer),
        "count": prototype("FPDFText_CountChars", number, pointer),
        "unicode": prototype("FPDFText_GetUnicode", ctypes.c_uint, pointer, number),
        "text": prototype("FPDFText_GetText", number, pointer, number, number, pointer),
        "at": prototype("FPDFText_GetTextIndexFromCharIndex", number, pointer, number),
        "child": prototype("FPDFBookmark_GetFirstChild", pointer, pointer, pointer),
        "next": prototype("FPDFBookmark_GetNextSibling", pointer, pointer, pointer),
        "title": prototype("FPDFBookmark_GetTitle", ctypes.c_ulong, pointer, pointer, ctypes.c_ulong),
        "destination": prototype("FPDFBookmark_GetDest", pointer, pointer, pointer),
        "index": prototype("FPDFDest_GetDestPageIndex", number, pointer, pointer),
        "media": prototype("FPDFPage_GetMediaBox", number, pointer, pointer, pointer, pointer, pointer),
        "crop": prototype("FPDFPage_GetCropBox", number, pointer, pointer, pointer, pointer, pointer),
        "runs": prototype("FPDFText_CountRects", number, pointer, number, number),
        "run": prototype("FPDFText_GetRect", number, pointer, number, pointer, pointer, pointer, pointer),
    }


def _address(handle: Any) -> int:
    return ctypes.addressof(handle.contents)


def _start(memory: bytearray) -> int:
    """Where memory to write into begins: ten times as fast as asking an array."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _char_boxes(textpage: int, wanted: range | list[int]) -> Boxes:
    import numpy as np

    if not wanted:
        return np.zeros((0, 4), np.float32)
    memory = bytearray(16 * len(wanted))
    start = _start(memory)
    places = range(start, start + len(memory), 16)
    deque(map(_prototypes()["box"], repeat(textpage), wanted, places), maxlen=0)
    # PDFium writes left, top, right, bottom.
    return np.frombuffer(memory, np.float32).reshape(-1, 4)[:, [0, 3, 2, 1]]


def _runs(textpage: int) -> Boxes:
    import numpy as np

    calls = _prototypes()
    count = calls["runs"](textpage, 0, -1)
    if count <= 0:
        return np.zeros((0, 4), np.float32)
    memory = bytearray(32 * count)
    start = _start(memory)
    left, bottom, right, top = (range(start + side, start + len(memory), 32) for side in (0, 8, 16, 24))
    deque(map(calls["run"], repeat(textpage), range(count), left, top, right, bottom), maxlen=0)
    return np.frombuffer(memory, np.float64).reshape(-1, 4).astype(np.float32)


def _shown(page: int) -> tuple[int, float, float, float, float]:
    """Rotation in degrees, and the visible box: what turns the file's coordinates into those of the page as shown."""
    media = _page_box(page, "media") or _LETTER
    left, bottom, right, top = _page_box(page, "crop") or media
    left, bottom = max(min(left, right), media[0]), max(min(bottom, top), media[1])
    right, top = min(max(left, right), media[2]), min(max(bottom, top), media[3])
    return 90 * _prototypes()["rotation"](page), left, bottom, right, top


def _page_box(page: int, name: str) -> tuple[float, ...] | None:
    memory = bytearray(16)
    start = _start(memory)
    known = _prototypes()[name](page, start, start + 4, start + 8, start + 12)
    return struct.unpack("4f", memory) if known else None


def _turned(boxes: Boxes, shown: tuple[int, float, float, float, float]) -> Boxes:
    """Boxes in the coordinates of the page as shown; zeros stay."""
    import numpy as np

    rotation, left, bottom, right, top = shown
    if rotation == 0 and left == 0 and bottom == 0:
        return boxes
    x0, y0, x1, y1 = boxes.T
    match rotation:
        case 90:
            sides = (y0 - bottom, right - x1, y1 - bottom, right - x0)
        case 180:
            sides = (right - x1, top - y1, right - x0, top - y0)
        case 270:
            sides = (top - y1, x0 - left, top - y0, x1 - left)
        case _:
            sides = (x0 - left, y0 - bottom, x1 - left, y1 - bottom)
    turned = np.stack(sides, axis=1)
    turned[(boxes == 0).all(axis=1)] = 0
    return turned.astype(np.float32)


# Rules: what a ruled table is drawn with.


def _rules(page: Any) -> tuple[Boxes, Boxes]:
    """Rules, and the boxes of pictures."""
    import numpy as np
    import pypdfium2.raw as raw

    found: list[tuple[float, float, float, float]] = []
    pictures: list[tuple[float, float, float, float]] = []
    left = [_MAX_OBJECTS]

    def walk(count: int, get: Callable[[int], Any], matrix: _Matrix, depth: int) -> None:
        for i in range(min(count, left[0])):
            item = get(i)
            kind = raw.FPDFPageObj_GetType(item)
            left[0] -= 1
            if kind == raw.FPDF_PAGEOBJ_PATH:
                found.extend(_edges(item, _times(_matrix(item), matrix), left))
            elif kind == raw.FPDF_PAGEOBJ_IMAGE:
                pictures.append(_corners(_times(_matrix(item), matrix)))
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
                walk(
                    raw.FPDFFormObj_CountObjects(item),
                    functools.partial(raw.FPDFFormObj_GetObject, item),
                    _times(_matrix(item), matrix),
                    depth + 1,
                )

    walk(raw.FPDFPage_CountObjects(page), functools.partial(raw.FPDFPage_GetObject, page), _IDENTITY, 0)
    return np.array(found, np.float32).reshape(-1, 4), np.array(pictures, np.float32).reshape(-1, 4)


def _corners(matrix: _Matrix) -> tuple[float, float, float, float]:
    """The box of a picture, which is drawn into the unit square."""
    a, b, c, d, e, f = matrix
    return e + min(0, a, c, a + c), f + min(0, b, d, b + d), e + max(0, a, c, a + c), f + max(0, b, d, b + d)


def _matrix(item: Any) -> _Matrix:
    import pypdfium2.raw as raw

    m = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, m):
        return _IDENTITY
    return m.a, m.b, m.c, m.d, m.e, m.f


def _times(first: _Matrix, then: _Matrix) -> _Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _edges(item: Any, matrix: _Matrix, left: list[int]) -> Iterator[tuple[float, float, float, float]]:
    """Horizontal and vertical parts of a path that can be seen."""
    import pypdfium2.raw as raw

    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not raw.FPDFPath_GetDrawMode(item, fill, stroke):
        return
    filled = bool(fill.value) and _seen(item)
    if not (filled or stroke.value):
        return
    for points in _outlines(item, matrix, left):
        xs, ys = [x for x, _ in points], [y for _, y in points]
        x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
        if filled and not stroke.value and (x1 - x0 <= _THIN or y1 - y0 <= _THIN):
            middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
            if x1 - x0 >= y1 - y0:
                yield x0, middle_y, x1, middle_y
            else:
                yield middle_x, y0, middle_x, y1
            continue
        for (ax, ay), (bx, by) in pairwise(points):
            # The longer way counts: dotted rules are strokes of half a point.
            if abs(ay - by) <= min(_STRAIGHT, abs(ax - bx)):
                y = (ay + by) / 2
                yield min(ax, bx), y, max(ax, bx), y
            elif abs(ax - bx) <= min(_STRAIGHT, abs(ay - by)):
                x = (ax + bx) / 2
                yield x, min(ay, by), x, max(ay, by)


def _seen(item: Any) -> bool:
    import pypdfium2.raw as raw

    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not raw.FPDFPageObj_GetFillColor(item, red, green, blue, alpha):
        return True
    return alpha.value > 0 and min(red.value, green.value, blue.value) < _BLACK_ENOUGH


def _outlines(item: Any, matrix: _Matrix, left: list[int]) -> Iterator[list[tuple[float, float]]]:
    """The straight-sided figures of a path, in the page's coordinates; a curve ends one."""
    import pypdfium2.raw as raw

    a, b, c, d, e, f = matrix
    x, y = ctypes.c_float(), ctypes.c_float()
    points: list[tuple[float, float]] = []
    count = min(raw.FPDFPath_CountSegments(item), left[0])
    left[0] -= max(0, count // 4)
    for i in range(count):
        segment = raw.FPDFPath_GetPathSegment(item, i)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = (a * x.value + c * y.value + e, b * x.value + d * y.value + f)
        if kind != raw.FPDF_SEGMENT_LINETO:
            if len(points) > 1:
                yield points
            points = [point]
        else:
            points.append(point)
        if raw.FPDFPathSegment_GetClose(segment) and len(points) > 1:
            points.append(points[0])
            yield points
            points = [points[0]]
    if len(points) > 1:
        yield points
