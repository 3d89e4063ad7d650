"""Text from pictures of pages, by Tesseract. The only module that imports tesserocr (extra ``ocr``).

Why tesserocr (MIT) and not pytesseract (Apache-2.0): it is released several times a year with wheels for every platform
that bring Tesseract along (2.13.0 of November 2026 brings 5.5.4; pytesseract's last release is of 2024), it reads from
memory instead of temporary files, and it recognises in this process, so that a worker that is killed leaves no
``tesseract`` behind. Only the language data come from elsewhere.

Settings are measured on five pages with a sound text layer (a statute, a ruling, an economic note, reimbursement
criteria, a tender), share of characters found and F1 of words: one column of lines, ``kor+eng``, 200 dpi .931 and .825
(2.0 s a page); automatic segmentation .773 and .599; one block .870 and .772; sparse text .891 and .744; ``kor`` alone
.885 and .839, with Latin names garbled; 300 dpi .930 and .831.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.read.noise import LOST
from kure_rag.read.page import Box, PageContent
from kure_rag.read.pdfium import LINE
from kure_rag.read.quality import is_garbled, without_rare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kure_rag.read.page import Boxes

DPI: Final = 200  # what the settings were measured with
LOW_CONFIDENCE: Final = "recognised with low confidence in part"

_RULE: Final = re.compile(r"[|‖ㅣ]+")  # the lines of a table
_TEXT: Final = re.compile(r"[가-힣\d]|[^\W_]{2}")
_SAYS: Final = re.compile(r"[가-힣\d]|[^\W_]{4}")
_SPACE: Final = re.compile(r"(?<=\S) (?=\S)")
_LETTER: Final = re.compile(r"[가-힣\d]")
_VISIBLE: Final = re.compile(r"\S")
_LANGUAGES: Final = ("kor", "eng")
_LEAST_PART: Final = 30.0  # percent: under it a "word" is a line of a drawing or a speck
_LEAST_LINE: Final = 50.0
_SURE: Final = 60.0  # and a word takes the place of what the text layer lost
_SHORT: Final = 0.4  # of a word's height: how far its first or last letter may stand out of its box
_WHERE: Final = (
    *("/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata", "/usr/share/tessdata"),
    *("/usr/local/share/tessdata", "/opt/homebrew/share/tessdata", "/usr/share/tesseract/tessdata"),
    "C:/Program Files/Tesseract-OCR/tessdata",
)


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word.

    Attributes:
        text: Without spaces.
        box: In points of the page, origin at its bottom left.
        confidence: Percent.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class _Part:
    """What Tesseract calls a word: in Hangul often a syllable, so it says where it saw a space."""

    text: str
    place: tuple[int, int, int, int]
    confidence: float
    spaced: bool


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was read from a picture.

    Attributes:
        lines: Words of each printed line, in reading order.
        dropped: Words or syllables left out because Tesseract was not sure of them.
        finished: Whether the time was enough for the whole page; if not, ``lines`` are empty.
    """

    lines: tuple[tuple[Word, ...], ...]
    dropped: int = 0
    finished: bool = True


def available() -> str:
    """What is missing for OCR, with the command that brings it; an empty string when nothing is."""
    if importlib.util.find_spec("tesserocr") is None:
        return 'install it with pip install "kure-rag[ocr]"'
    folder = _data_folder()
    if folder is None:
        return f"install Korean for Tesseract: {_command()}, or name its folder in TESSDATA_PREFIX"
    return ""


def load() -> None:
    """Brings Tesseract's libraries into the process."""
    import tesserocr  # noqa: F401 - that is what is wanted of it


def recognise(image: Image, *, width: float, height: float, max_seconds: float = 60.0) -> Recognised:
    """Reads a picture of a page.

    Args:
        image: The whole page, best drawn with :data:`DPI` dots an inch.
        width: The page's, in points.
        height: The page's, in points.
        max_seconds: After which the page is given up.

    Raises:
        RuntimeError: See :func:`available`.
    """
    if missing := available():
        raise RuntimeError(f"OCR is not available; {missing}")
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # files are read in parallel already
    import tesserocr

    api = tesserocr.PyTessBaseAPI(path=str(_data_folder()), lang="+".join(_LANGUAGES), psm=tesserocr.PSM.SINGLE_COLUMN)
    with api:
        api.SetImage(image.convert("L"))
        api.SetSourceResolution(max(70, round(72 * image.width / width)) if width > 0 else DPI)
        if not api.Recognize(max(1, int(1000 * max_seconds))):
            return Recognised((), finished=False)
        scale_x, scale_y = width / max(1, image.width), height / max(1, image.height)
        lines, dropped = [], 0
        for parts in _lines(api):
            certain = [part for part in parts if _is_certain(part)]
            words = _words(parts)
            if not _TEXT.search("".join(part.text for part in certain)) or _confidence(certain) < _LEAST_LINE:
                words = []
            dropped += sum(part.confidence < _LEAST_PART for part in parts) if words else len(parts)
            if words:
                lines.append(tuple(_placed(word, scale_x, scale_y, height) for word in words))
    return Recognised(tuple(lines), dropped)


def completed(content: PageContent, lines: Sequence[Sequence[Word]]) -> PageContent:
    """A page whose text layer is sound in part: what is sound of it, and what was recognised beside it.

    For pages with a table as a picture, a heading in a broken font or words with holes. Text is not recognised where it
    can be read; where a glyph has no character, a word recognised with confidence takes the place of all that it
    covers. A hole without such a word stays one.

    Args:
        content: The page with the places of all characters, glyphs without a character as
            :data:`kure_rag.read.noise.LOST`.
        lines: Of :class:`Recognised`.
    """
    import numpy as np

    text = without_garbled(content.text)
    blank = np.array([char.isspace() for char in text], bool)
    holes = np.array([char == LOST for char in text], bool)
    kept: NDArray[np.bool_] = np.any(content.boxes, axis=1)  # a space's place tells that words stand apart
    x, y = (content.boxes[:, 0] + content.boxes[:, 2]) / 2, (content.boxes[:, 1] + content.boxes[:, 3]) / 2
    for word in (word for line in lines for word in line if holes.any()):
        left, bottom, right, top = word.box
        reach = _SHORT * (top - bottom)
        near = kept & (left - reach <= x) & (x <= right + reach) & (bottom - 1 <= y) & (y <= top + 1)
        if word.confidence >= _SURE and LOST not in word.text and (near & holes).any():
            kept &= ~(near & (holes | ((left - 1 <= x) & (x <= right + 1))))
    known = content.boxes[kept & ~blank]

    def is_known(word: Word) -> bool:
        x, y = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
        left, bottom, right, top = known.T
        return bool(((left - 1 <= x) & (x <= right + 1) & (bottom - 1 <= y) & (y <= top + 1)).any())

    new = [[word for word in line if not is_known(word)] for line in lines]
    if len(known):  # no specks beside sound text
        new = [line for line in new if any(_SAYS.search(word.text) for word in line)]
    added = page_content(content.number, content.width, content.height, [line for line in new if line])
    sound = "".join(char if here or char.isspace() else " " for char, here in zip(text, kept.tolist(), strict=True))
    places = _with_spaces(sound, np.where(kept[:, None], content.boxes, 0).astype(np.float32))
    end = np.zeros((1, 4), np.float32)
    return replace(content, text=f"{sound}\n{added.text}", boxes=np.concatenate([places, end, added.boxes]), extra={})


def _with_spaces(text: str, places: Boxes) -> Boxes:
    """Places for spaces that the parser put between words, so that they stay where recognised words join a line."""
    for match in _SPACE.finditer(text):
        at = match.start()
        before, space, after = places[at - 1 : at + 2]
        if not space.any() and before.any() and after.any() and before[2] < after[0]:
            places[at] = before[2], before[1], after[0], before[3]
    return places


def without_garbled(text: str) -> str:
    """The text with :data:`kure_rag.read.noise.LOST` for what was drawn with a font whose character map is wrong."""
    if not any(is_garbled(line.group()) for line in LINE.finditer(text)):
        return text
    return LINE.sub(lambda line: (_lost if is_garbled(line.group()) else without_rare)(line.group()), text)


def _lost(line: str) -> str:
    return _VISIBLE.sub(LOST, line)


def page_content(number: int, width: float, height: float, lines: Sequence[Sequence[Word]]) -> PageContent:
    """Recognised lines in the shape a parser gives, so that columns, headers and tables are found as in any page.

    A word's box is shared out evenly among its characters; a space's lies between two words, line feeds have none.
    """
    import numpy as np

    text: list[str] = []
    boxes: list[Box] = []
    none = (0.0, 0.0, 0.0, 0.0)
    for line in lines:
        bottom, top = min(word.box[1] for word in line), max(word.box[3] for word in line)
        for i, word in enumerate(line):
            step = (word.box[2] - word.box[0]) / max(1, len(word.text))
            text.append(word.text if i == 0 else f" {word.text}")
            if i > 0:  # as a space that was drawn, for words that are set tight
                gap = (line[i - 1].box[2], word.box[0])
                boxes.append((min(gap), bottom, max(*gap, min(gap) + 0.1), top))
            boxes.extend(
                (word.box[0] + step * j, bottom, word.box[0] + step * (j + 1), top) for j in range(len(word.text))
            )
        text.append("\n")
        boxes.append(none)
    places = np.array(boxes, np.float32).reshape(-1, 4)
    return PageContent(number, width, height, "".join(text), places, np.zeros((0, 4), np.float32))


def _confidence(parts: Sequence[_Part]) -> float:
    letters = sum(len(part.text) for part in parts)
    return sum(part.confidence * len(part.text) for part in parts) / max(1, letters)


def _is_certain(part: _Part) -> bool:
    return part.confidence >= _LEAST_PART and not _RULE.fullmatch(part.text)


def _lines(api: Any) -> Iterator[list[_Part]]:
    from tesserocr import RIL, iterate_level

    iterator = api.GetIterator()
    if iterator is None:
        return
    line: list[_Part] = []
    for word in iterate_level(iterator, RIL.WORD):
        try:
            text, place = "".join(word.GetUTF8Text(RIL.WORD).split()), word.BoundingBox(RIL.WORD)
        except RuntimeError:  # nothing was read there
            continue
        if word.IsAtBeginningOf(RIL.TEXTLINE) and line:
            yield line
            line = []
        if text and place:
            line.append(_Part(text, place, word.Confidence(RIL.WORD), word.BlanksBeforeWord() > 0))
    if line:
        yield line


def _words(parts: Sequence[_Part]) -> list[Word]:
    """Words of a line, their boxes in pixels from the top.

    What is uncertain and looks like a letter or a digit leaves a hole, for a number without a digit is another number;
    other signs are specks and lines of drawings.
    """
    words: list[Word] = []
    spaced = True
    for part in parts:
        spaced = spaced or part.spaced
        if not _is_certain(part):
            if _RULE.fullmatch(part.text) or not _LETTER.search(part.text):
                continue
            part = replace(part, text=LOST)
        if spaced or not words:
            words.append(Word(part.text, part.place, part.confidence))
        else:
            words[-1] = _joined(words[-1], part)
        spaced = False
    return words


def _joined(word: Word, part: _Part) -> Word:
    (x0, y0, x1, y1), (a0, b0, a1, b1) = word.box, part.place
    text = word.text + part.text
    confidence = (word.confidence * len(word.text) + part.confidence * len(part.text)) / len(text)
    return Word(text, (min(x0, a0), min(y0, b0), max(x1, a1), max(y1, b1)), confidence)


def _placed(word: Word, scale_x: float, scale_y: float, height: float) -> Word:
    x0, y0, x1, y1 = word.box
    box = (x0 * scale_x, height - y1 * scale_y, x1 * scale_x, height - y0 * scale_y)
    return Word(word.text, box, word.confidence)


def _data_folder() -> Path | None:
    given = os.environ.get("TESSDATA_PREFIX")
    places = [Path(given), Path(given) / "tessdata"] if given else [Path(place) for place in _WHERE]
    for place in places:
        if all((place / f"{language}.traineddata").is_file() for language in _LANGUAGES):
            return place
    return None


def _command() -> str:
    if sys.platform == "darwin":
        return "brew install tesseract-lang"
    if sys.platform == "win32":
        return "run the installer of UB Mannheim and choose Korean"
    return "apt-get install tesseract-ocr-kor tesseract-ocr-eng"
