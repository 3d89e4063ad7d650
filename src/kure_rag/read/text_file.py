"""Plain text and Markdown → Document: what encoding the bytes are in, and nothing of the text changed but characters.

Lines stay as they were written: a text file has no margins that could have broken them. Of Markdown, headings, code
and tables are read, see :mod:`kure_rag.read.markdown_text`; other markup stays. A file's one page is the whole of it.
"""

from __future__ import annotations

import codecs
import hashlib
import unicodedata
from typing import Final

from kure_rag.errors import DamagedFileError, NoTextError, ReadLimitError, UnsupportedFileError
from kure_rag.read import markdown, quality
from kure_rag.read.clean import clean_text
from kure_rag.read.domain import detect_domain
from kure_rag.read.file_types import file_type
from kure_rag.read.layout import Line
from kure_rag.read.markdown_text import MarkedText, marked_text
from kure_rag.read.outline import find_title
from kure_rag.read.page import PageContent
from kure_rag.read.settings import ReadLimits
from kure_rag.types import Document, Domain, Page

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# No text has them but by accident. Escapes and the end-of-file mark of DOS stand in old text files.
_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1a\x1b")) + b"\x7f"
_CONTROLS_MOST: Final = 0.01  # of a file's bytes; compressed data has ten times as many
_CONTROLS_FEW: Final = 2
_BREAKS: Final = ("\v", "\f", "\x85")  # they end a line or a page: dropped, they would join two words
_SAMPLE: Final = 100_000  # characters that tell whether Korean was decoded as Korean
_TOP_LINES: Final = 40  # among which a title is looked for
_LINE: Final = 500  # characters of each; a longer one is no title
_BYTES_MOST: Final = 4  # of a character in any of the encodings


def read_text(data: bytes, name: str, *, domain: Domain | None = None, limits: ReadLimits | None = None) -> Document:
    """Reads a text file.

    A byte order mark decides between UTF-8 and UTF-16; without one it is UTF-8, otherwise CP949, which holds EUC-KR.

    Args:
        data: The whole file.
        name: The file's name, for the document's ``source``, messages and, failing a heading, its title.
        domain: Given by the user; detected from the text when ``None``.
        limits: Of which ``max_bytes`` and ``max_chars`` are checked; defaults to :class:`ReadLimits`.

    Raises:
        UnsupportedFileError: It is no text.
        DamagedFileError: A byte belongs to no character of its encoding; the message says which.
        NoTextError: Nothing visible is in it.
        ReadLimitError: It passes one of the limits.
    """
    limits = limits or ReadLimits()
    source = unicodedata.normalize("NFC", name)  # macOS hands out decomposed names
    if len(data) > limits.max_bytes:
        raise ReadLimitError(source, f"{len(data):,} bytes, over the limit of {limits.max_bytes:,}; split the file")
    if len(data) > _BYTES_MOST * (limits.max_chars + 1):  # too long before it is decoded
        raise ReadLimitError(source, f"over {limits.max_chars:,} characters; split the file")
    raw, encoding = _decoded(data, source)
    if len(raw) > limits.max_chars:
        raise ReadLimitError(source, f"{len(raw):,} characters, over the limit of {limits.max_chars:,}; split the file")
    for mark in _BREAKS:
        raw = raw.replace(mark, "\n")
    text = clean_text(raw)
    if not text.strip():
        raise NoTextError(source, "a text file without any text; check that it was saved")
    kind = file_type(source)
    outline = markdown.outline(text) if kind == "md" else []
    marked = marked_text(text) if kind == "md" else MarkedText(text)
    title = (markdown.front_title(text) if kind == "md" else "") or (outline[0][1] if outline else "")
    text = marked.text
    if len(text) > limits.max_chars:
        what = f"{len(text):,} characters with the names of its tables' columns above each of their parts"
        raise ReadLimitError(source, f"{what}, over the limit of {limits.max_chars:,}; split the file")
    detected, evidence = detect_domain(text)
    said = {"headings": [list(heading) for heading in marked.headings], "code": [list(span) for span in marked.code]}
    return Document(
        id=hashlib.sha256(data).hexdigest(),
        source=source,
        title=title or _title(text, source),
        domain=domain or detected,
        text=text,
        pages=(Page(1, 0, len(text)),),
        tables=marked.tables,
        metadata={
            "file_type": kind,
            "encoding": encoding,
            "page_count": 1,
            "domain_evidence": evidence,
            "domain_given": domain is not None,
            "outline": [list(entry) for entry in outline],
            **(said if kind == "md" else {}),
        },
    )


def _decoded(data: bytes, source: str) -> tuple[str, str]:
    """The text, and the encoding it was in."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _marked(data, len(mark), encoding, source)
            before = len(mark) + len(text.partition("\0")[0].encode(encoding))
            _check_is_text(text.encode("utf-8"), source, nul=before if "\0" in text else -1)
            return text, encoding
    _check_is_text(data, source, nul=data.find(b"\0"))
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        broken = error.start + 1
    try:
        text = data.decode("cp949")
    except UnicodeDecodeError as error:
        if _is_broken_utf8(data):
            raise _broken_utf8(source, broken) from None
        what = f"neither UTF-8 (byte {broken:,}) nor CP949 (byte {error.start + 1:,})"
        raise DamagedFileError(source, f"{what}; save it as UTF-8, or copy it again") from None
    if _is_broken_utf8(data):
        raise _broken_utf8(source, broken)
    if quality.is_unreadable(_judged(text[:_SAMPLE])):
        what = f"not UTF-8 (byte {broken:,}), and as CP949 its characters are unlike Korean"
        raise DamagedFileError(source, f"{what}; open it with its own encoding and save it as UTF-8")
    return text, "cp949"


def _marked(data: bytes, at: int, encoding: str, source: str) -> str:
    try:
        return data[at:].decode(encoding)
    except UnicodeDecodeError as error:
        what = f"not {encoding.upper()}, which its byte order mark says it is, at byte {at + error.start + 1:,}"
        raise DamagedFileError(source, f"{what}; save it as UTF-8, or copy it again") from None


def _check_is_text(data: bytes, source: str, *, nul: int) -> None:
    """Refuses what is no text.

    Args:
        data: In an encoding whose control characters are single bytes.
        source: The file's name.
        nul: Where the first NUL stands in the file, from 0; -1 without one.
    """
    if nul >= 0:
        what = f"no text file, whatever its name says (a NUL at byte {nul + 1:,})"
        raise UnsupportedFileError(source, f"{what}; UTF-16 needs a byte order mark, other files their own ending")
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > max(_CONTROLS_FEW, _CONTROLS_MOST * len(data)):
        what = f"no text file, whatever its name says ({controls:,} control characters in {len(data):,} bytes)"
        raise UnsupportedFileError(source, f"{what}; give it its own ending, or export it as text")


def _is_broken_utf8(data: bytes) -> bool:
    """Whether it was UTF-8 before some bytes were lost or changed: Korean in CP949 seldom makes its sequences."""
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    return sum(char >= "\u0800" for char in text) - lost >= 2 * lost


def _broken_utf8(source: str, at: int) -> DamagedFileError:
    return DamagedFileError(source, f"UTF-8 with a byte that belongs to no character (byte {at:,}); copy it again")


def _judged(text: str) -> tuple[str, ...]:
    import numpy as np

    nowhere = np.zeros((0, 4), np.float32)
    return quality.judge(PageContent(1, 0.0, 0.0, text, nowhere, nowhere), clean_text(text))


def _title(text: str, source: str) -> str:
    """The first line where it reads like a title; a law's, a ruling's or a notice's as on a page; or the file's name.

    The lines stand below each other as on a page whose first line is printed larger.
    """
    lines: list[Line] = []
    for i, line in enumerate(text.lstrip("\n").split("\n", _TOP_LINES)[:_TOP_LINES]):
        if shown := line[:_LINE].strip():
            size, top = (10.0, 800.0 - 14 * i) if lines else (16.0, 806.0)
            lines.append(Line(shown, 0.0, top - size, 7.0 * len(shown), top, size))
    return find_title(lines, height=1_000.0, stored="", outline=(), source=source)
