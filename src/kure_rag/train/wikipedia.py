"""Articles of a Wikipedia dump, one at a time: MediaWiki's XML as it is downloaded, or text taken out of it."""

from __future__ import annotations

import bz2
import gzip
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn
from xml.parsers import expat

from kure_rag.errors import CorpusFormatError, ReadError
from kure_rag.read.corpus import fail, read_lines, read_objects, require_file
from kure_rag.train.wikitext import plain_text

ARTICLE_EXAMPLE: Final = '{"id": "5", "title": "…", "text": "…"}'

_CHUNK: Final = 1 << 20  # bytes of XML at a time
_MOST: Final = 1 << 26  # characters of one page; the longest of Wikipedia have some millions
_MAIN: Final = "0"  # the namespace of articles
_KEPT: Final = frozenset(("title", "ns", "id", "text"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WikiArticle:
    """One article.

    Attributes:
        id: Of the page.
        title: Of the page; empty where the file has none.
        text: Plain, in NFC.
    """

    id: str
    title: str
    text: str


def read_articles(path: Path) -> Iterator[WikiArticle]:
    """Stream the articles of a dump, in its order, in memory for about one.

    Pages of other namespaces (talk, templates, files), redirects and articles without text are left out.

    Args:
        path: ``pages-articles.xml``, also with ``.bz2`` or ``.gz``; or one article a line, plain or gzip: JSON objects
            with ``id``, ``title`` and ``text``, as extractors write them, or bare text. Told by what is in it.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: The file breaks its format, or breaks off; raised when that place is reached.
    """
    require_file(path)
    start = _start(path)
    if start.startswith(b"<"):
        return _of_xml(path)
    return _of_objects(path) if start.startswith(b"{") else _of_lines(path)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        magic = file.read(3)
    if magic == b"BZh":
        return bz2.open(path, "rb")
    return gzip.open(path, "rb") if magic[:2] == b"\x1f\x8b" else path.open("rb")  # type: ignore[return-value]  # bytes


def _start(path: Path) -> bytes:
    try:
        with _open(path) as file:
            start = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    except (OSError, EOFError, zlib.error) as error:
        _damaged(path, error)
    if not start:
        raise CorpusFormatError(path.name, "empty; give a Wikipedia dump, or one article a line")
    return start


def _damaged(path: Path, error: BaseException) -> NoReturn:
    if isinstance(error, OSError) and error.errno is not None:
        raise ReadError(path.name, f"cannot be read ({error.strerror}); check its permissions and the disk") from error
    raise CorpusFormatError(path.name, "breaks off, or is damaged; download it again") from error


class _Pages:
    """Takes pages out of XML as expat reports it. Only what is needed of the page that is open is in memory."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.done: list[WikiArticle] = []
        self.seen = False
        self._path: list[str] = []
        self._page: dict[str, list[str]] | None = None
        self._redirect = False
        self._size = 0
        self._into: list[str] | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        # A dump declares no document type. Without one there are no entities that could be blown up, or read files.
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _refuse(self, *_: Any) -> NoReturn:
        number = self.parser.CurrentLineNumber
        fail(
            self._name, number, "a document type is declared, which no Wikipedia dump does; download it from Wikimedia"
        )

    def _start(self, tag: str, _: Any) -> None:
        if not self._path:
            if tag != "mediawiki":
                fail(self._name, self.parser.CurrentLineNumber, f"<{tag[:40]}> where <mediawiki> should be")
            self.seen = True
        self._path.append(tag)
        if len(self._path) == 2 and tag == "page":
            self._page, self._redirect, self._size = {}, False, 0
        elif self._page is not None:
            # Of a page: its own title, ns and id; the text of its last revision.
            place = self._path[2:]
            if place == ["redirect"]:
                self._redirect = True
            wanted = (len(place) == 1 and tag != "text") or place == ["revision", "text"]
            if wanted and tag in _KEPT:
                self._into = self._page[tag] = []

    def _text(self, text: str) -> None:
        if self._into is not None:
            self._size += len(text)
            if self._size > _MOST:
                fail(self._name, self.parser.CurrentLineNumber, f"a page of more than {_MOST:,} characters")
            self._into.append(text)

    def _end(self, tag: str) -> None:
        self._path.pop()
        self._into = None
        if len(self._path) == 1 and tag == "page" and self._page is not None:
            page = {key: "".join(parts).strip() for key, parts in self._page.items()}
            self._page = None
            if page.get("ns", _MAIN) == _MAIN and not self._redirect:
                self._add(page)

    def _add(self, page: dict[str, str]) -> None:
        text = unicodedata.normalize("NFC", plain_text(page.get("text", "")))
        if text:
            title = unicodedata.normalize("NFC", page.get("title", ""))
            self.done.append(WikiArticle(id=page.get("id", ""), title=title, text=text))

    def take(self) -> list[WikiArticle]:
        """The articles that were finished since the last call."""
        done, self.done = self.done, []
        return done


def _of_xml(path: Path) -> Iterator[WikiArticle]:
    pages = _Pages(path.name)
    try:
        with _open(path) as file:
            while chunk := file.read(_CHUNK):
                pages.parser.Parse(chunk, False)
                yield from pages.take()
            pages.parser.Parse(b"", True)
    except expat.ExpatError as error:
        what = f"not XML ({expat.ErrorString(error.code)}); it may break off here: download it again"
        fail(path.name, error.lineno, what, error)
    except (OSError, EOFError, zlib.error) as error:
        _damaged(path, error)
    yield from pages.take()


def _of_objects(path: Path) -> Iterator[WikiArticle]:
    for number, row in read_objects(path, example=ARTICLE_EXAMPLE):
        text, title = row.get("text"), row.get("title") or ""
        if not isinstance(text, str) or not isinstance(title, str):
            fail(path.name, number, f"no text, or a title that is no string; write {ARTICLE_EXAMPLE}")
        if text.strip():
            identifier = row.get("id", row.get("_id"))
            yield WikiArticle(id=str(number if identifier is None else identifier), title=title, text=text.strip())


def _of_lines(path: Path) -> Iterator[WikiArticle]:
    for number, line in read_lines(path):
        yield WikiArticle(id=str(number), title="", text=unicodedata.normalize("NFC", line).strip())
