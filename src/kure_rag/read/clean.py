"""Characters: one canonical spelling.

NFC and never NFKC, which would turn ① into 1 and ㈜ into (주). Everything else is an explicit map.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Spellings that only differ in width or by a vendor's private code points. U+318D (ㆍ) is a real Korean mark and stays.
_MAP: Final[dict[int, str | None]] = {
    **{ord(c): v for c, v in {"（": "(", "）": ")", "：": ":", "％": "%", "～": "~"}.items()},
    0x3000: " ",
    0x00A0: " ",
    0x2028: "\n",
    0x2029: "\n",
    0x00AD: None,  # soft hyphen
    0x200B: None,  # zero-width space
    0xFEFF: None,  # byte-order mark
    0xFFFE: "-",  # PDFium's mark for a hyphen at a line's end; in Korean text it mostly belongs there, as in 코로나-19
    # Signs of Wingdings and Hancom's private-use glyphs, as the fonts draw them.
    0xF06C: "●",
    0xF06E: "■",
    0xF06F: "□",
    0xF09F: "•",
    0xF0A7: "▪",
    0xF0E8: "→",
    0xF0FC: "✔",
    0xF012B: "(인)",
    **{0xF02B1 + i: chr(0x2460 + i) for i in range(20)},
    0xF081D: "┊",
    0xF0850: "‘",
    0xF0851: "’",
    0xF0854: "『",
    0xF0855: "』",
}
# Hancom's equation font, as its glyphs print. Other fonts use the same codes for other glyphs, so they are only mapped
# on pages that were found readable, where private characters are few.
_EQUATION: Final[dict[int, str]] = {
    **{0xE000 + i: chr(ord("A") + i) for i in range(26)},
    **{0xE0E5 + i: chr(ord("a") + i) for i in range(26)},
    **{0xE034 + i: char for i, char in enumerate("1234567890")},
    **dict(zip(range(0xE042, 0xE049), "%*()-=+", strict=True)),
    0xE052: ",",
}
# Hancom's code for the old spelling of 한 in the name of its program; elsewhere it may be any font's for anything.
_PROGRAM: Final = ("\uf53a글", "\u1112\u119e\u11ab글")
_NEWLINE = re.compile(r"\r\n?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# What may change but by NFC: controls, surrogates, private and unusual characters, and those of the map.
_TOUCHED = re.compile(
    rf"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\uf8ff\U00010000-\U0010ffff{''.join(re.escape(chr(code)) for code in _MAP)}]"
)
_TOUCHES: Final = 2  # what is mapped or taken out
_COMPOSES: Final = 1  # what may not be NFC
# Blocks of which every character is NFC by itself and composes with no other: ASCII, Latin-1, the usual marks, Hangul
# syllables and the commonest of Hanja. Asking only for the rest saves half of the time.
_COMPOSED: Final = (
    (0x00, 0x300),
    (0x2010, 0x2028),
    (0x2030, 0x2060),
    (0x2460, 0x2500),
    (0x25A0, 0x2700),
    (0x3001, 0x302A),
    (0x3200, 0x3400),
    (0x4E00, 0xA000),
    (0xAC00, 0xD7A4),
    (0xFF00, 0xFFF0),
)
_SHORT: Final = 500  # characters: a search in fewer is faster than a look-up by numpy


def clean_text(raw: str) -> str:
    """Raw extracted text → NFC text whose only control character is the line feed.

    Applying it twice changes nothing more.
    """
    text = raw.replace("\r\n", "\n")
    if not needs_cleaning(text):
        return text
    text = _NEWLINE.sub("\n", text).replace("\t", " ")
    text = _SURROGATE.sub("\ufffd", text)
    return unicodedata.normalize("NFC", _CONTROL.sub("", text.translate(_MAP)))


def clean_line(raw: str) -> str:
    """:func:`clean_text` for one line of a readable page: any line feed in it becomes a space."""
    if "\n" not in raw and not needs_cleaning(raw):
        return raw
    return clean_text(raw.translate(_EQUATION)).replace("\n", " ").replace(*_PROGRAM)


def needs_cleaning(text: str) -> bool:
    """Whether :func:`clean_text` would change anything but line ends."""
    if len(text) < _SHORT:
        return _TOUCHED.search(text) is not None or not unicodedata.is_normalized("NFC", text)
    import numpy as np

    codes = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    kinds = _kinds()[codes]
    if int(kinds.max(initial=0)) < _COMPOSES:
        return False
    return bool((kinds == _TOUCHES).any()) or not unicodedata.is_normalized("NFC", text)


@functools.cache
def _kinds() -> NDArray[np.uint8]:
    """For each UTF-16 code what it may bring about: looking up a page is ten times faster than searching it."""
    import numpy as np

    kinds = np.full(0x10000, _COMPOSES, np.uint8)
    for start, end in _COMPOSED:
        kinds[start:end] = 0
    kinds[0:0x0A] = kinds[0x0B:0x20] = kinds[0x7F:0xA0] = kinds[0xD800:0xF900] = _TOUCHES
    kinds[[code for code in _MAP if code < 0x10000]] = _TOUCHES
    return kinds
