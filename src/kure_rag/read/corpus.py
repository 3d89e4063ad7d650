"""Corpora in JSON lines, as BEIR ships them: one record a line, streamed, each fault named by its line.

``corpus.jsonl`` or ``corpus.jsonl.gz`` (Thakur et al. 2021, "BEIR"): ``{"_id": …, "title": …, "text": …,
"metadata": {…}}``. Everything that is read here comes out in NFC, the ids included: a corpus made on macOS and
questions typed on Linux then still name the same document.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import math
import re
import unicodedata
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, cast

from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kure_rag.types import Domain

CORPUS_NAMES: Final[tuple[str, ...]] = ("corpus.jsonl", "corpus.jsonl.gz")

# A file without line breaks, or a small gzip that unpacks to gigabytes, must not fill the memory as one line.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024

_EXAMPLE: Final = '{"_id": "…", "text": "…"}'
_GZIP_MAGIC: Final = b"\x1f\x8b"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FIELDS: Final = frozenset({"_id", "title", "text", "metadata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a passage was cut from, as far as its corpus says so.

    Attributes:
        source: Name of the file, without its folder.
        pages: 1-based numbers of the pages it touches, ascending.
        breadcrumb: Headings above it, outermost first.
        lead: As in :class:`~kure_rag.types.Chunk`.
        domain: What the file is.
    """

    source: str
    pages: tuple[int, ...] = ()
    breadcrumb: tuple[str, ...] = ()
    lead: str = ""
    domain: Domain = "general"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a corpus.

    Attributes:
        id: Its ``_id``; a number is written out in digits.
        title: May be empty if ``text`` is not.
        text: May be empty if ``title`` is not.
        metadata: The record's ``metadata``, and its other fields where ``metadata`` does not name them too.
        place: Set where the record was cut from a file, so that it is cited by that and not by its id.
    """

    id: str
    title: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None


def read_corpus(path: Path) -> Iterator[Record]:
    """Stream the records of a corpus.

    Args:
        path: A ``.jsonl`` or ``.jsonl.gz`` file in UTF-8. A byte order mark and blank lines are skipped.

    Returns:
        The records in the file's order. Only the ids are kept in memory, to find one that is used twice.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A line breaks the format; raised when it is reached, after every record before it.
    """
    require_file(path)
    return _records(path)


def find_corpus(folder: Path) -> Path:
    """The corpus of a folder: ``corpus.jsonl``, otherwise ``corpus.jsonl.gz``.

    Raises:
        SourceNotFoundError: The folder has neither.
        CorpusFormatError: It has a corpus in another format only, such as ``corpus.csv``.
    """
    for name in CORPUS_NAMES:
        if (folder / name).is_file():
            return folder / name
    if others := sorted(path.name for path in folder.glob("corpus.*") if path.is_file()):
        raise CorpusFormatError(others[0], "unknown corpus format; convert it to corpus.jsonl, one JSON object a line")
    raise SourceNotFoundError(folder.name or str(folder), "no corpus.jsonl or corpus.jsonl.gz in this folder")


def record_id(record: Record) -> str:
    """SHA-256 over a record's id, title and text in hexadecimal: the document id that changes when they do."""
    digest = hashlib.sha256()
    for part in (record.id, record.title, record.text):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def _records(path: Path) -> Iterator[Record]:
    for number, identifier, row in read_rows(path):
        title = row.get("title")
        title = "" if title is None else _string(path.name, number, "title", title)
        text = _string(path.name, number, "text", row["text"])
        if not title.strip() and not text.strip():
            fail(path.name, number, "title and text are both empty; remove the record or give it a text")
        metadata = row.get("metadata")
        if metadata is None:
            metadata = {}
        elif not isinstance(metadata, dict):
            fail(path.name, number, f"metadata is {_kind(metadata)}; write a JSON object or leave it out")
        extra = {key: value for key, value in row.items() if key not in _FIELDS}
        yield Record(identifier, title, text, {**extra, **metadata})


def read_rows(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Stream (line number, id, object) of a JSON lines file whose objects have an ``_id`` of their own and a ``text``.

    Raises:
        CorpusFormatError: A line is not such an object, or its ``_id`` was used before.
    """
    name = path.name
    seen: dict[str, int] = {}
    for number, line in read_lines(path):
        row = _parse(name, number, line, _EXAMPLE)
        for key in ("_id", "text"):
            if key not in row:
                fail(name, number, f'no "{key}"; write {_EXAMPLE}')
        identifier = _identifier(name, number, row["_id"])
        first = seen.setdefault(identifier, number)
        if first != number:
            fail(name, number, f"_id {short(identifier)} is already on line {first}; give each record its own _id")
        yield number, identifier, row


def read_objects(path: Path, *, example: str, name: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream (line number, object) of a JSON lines file of any keys; strings come out in NFC.

    Args:
        path: The file, plain or gzip.
        example: What errors tell to write, such as ``{"query": "…"}``.
        name: What errors call the file; its own name by default.

    Raises:
        CorpusFormatError: A line is not a JSON object.
    """
    for number, line in read_lines(path, name=name):
        yield number, _parse(name or path.name, number, line, example)


def read_lines(path: Path, *, name: str = "") -> Iterator[tuple[int, str]]:
    """Stream (1-based line number, line without its end) of a UTF-8 file, plain or gzip; blank lines are skipped.

    Args:
        path: The file.
        name: What errors call it; its own name by default.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: A line is not UTF-8 or too long, or the gzip file is torn.
        ReadError: The operating system refuses to read it.
    """
    name = name or path.name
    require_file(path, name=name)
    number = 0
    with _open(path, name) as file:
        while raw := _next_line(file, name, number):
            number += 1
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            try:
                line = raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                byte = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
                fail(name, number, f"not UTF-8 ({byte}); save the file as UTF-8 (it may be CP949 or UTF-16)", error)
            if line.strip():
                yield number, line


def require_file(path: Path, *, name: str = "") -> None:
    """Raise :class:`~kure_rag.errors.SourceNotFoundError` unless a file lies at ``path``."""
    name = name or path.name or str(path)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise ReadError(name, f"cannot be read ({error.strerror}); check the path and its permissions") from error
    if is_folder:
        raise SourceNotFoundError(name, "is a folder; name the file in it, such as corpus.jsonl")
    if not exists:
        raise SourceNotFoundError(name, "no such file; check the path")


def fail(name: str, number: int, what: str, cause: BaseException | None = None) -> NoReturn:
    """Raise the :class:`~kure_rag.errors.CorpusFormatError` of a line; ``what`` says what is wrong and what to do."""
    raise CorpusFormatError(name, f"line {number}: {what}") from cause


def short(value: object) -> str:
    """A value as an error message shows it: quoted, control characters escaped, cut at 60 characters."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _open(path: Path, name: str) -> IO[bytes]:
    try:
        with path.open("rb") as file:
            head = file.read(2)
        if head == _GZIP_MAGIC:
            return cast("IO[bytes]", gzip.open(path, "rb"))
        if path.name.lower().endswith(".gz"):
            # An empty download is told here: gzip itself reads nothing out of nothing and is content.
            raise CorpusFormatError(name, "line 1: not a gzip file, or empty; fetch it again or drop .gz from its name")
        return path.open("rb")
    except OSError as error:
        raise ReadError(name, f"cannot be read ({error.strerror}); check its permissions") from error


def _next_line(file: IO[bytes], name: str, number: int) -> bytes:
    """The next line with its end, or nothing at the file's end; ``number`` lines came before it."""
    try:
        raw = file.readline(MAX_LINE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        fail(name, number + 1, "the gzip file breaks off or is damaged here; fetch or compress it again", error)
    except OSError as error:
        raise ReadError(name, f"line {number + 1}: cannot be read ({error.strerror}); check the disk") from error
    if len(raw) > MAX_LINE_BYTES:
        fail(name, number + 1, f"longer than {MAX_LINE_BYTES} bytes; write one record on each line")
    return raw


def _parse(name: str, number: int, line: str, example: str) -> dict[str, Any]:
    try:
        row = _clean(json.loads(line, parse_constant=_refuse_constant))
    except json.JSONDecodeError as error:
        fail(name, number, f"not JSON ({error.msg} at column {error.colno}); write one JSON object on each line", error)
    except RecursionError as error:
        fail(name, number, "nested too deeply; flatten the record", error)
    except ValueError as error:  # ours from _clean, and Python's own about integers of thousands of digits
        fail(name, number, f"{error}; correct the value", error)
    if not isinstance(row, dict):
        fail(name, number, f"is {_kind(row)}; write an object such as {example}")
    return row


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _clean(value: Any) -> Any:
    """The same value with every string in NFC; a ValueError for what cannot be stored as UTF-8 or as JSON."""
    # Strings are normalised after parsing, not before: in '\n' + combining tilde, raw text would lose the escape.
    if isinstance(value, str):
        if found := _SURROGATE.search(value):
            raise ValueError(f"lone surrogate U+{ord(found.group()):04X} in {short(value)}")
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _identifier(name: str, number: int, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        fail(name, number, f"_id is {_kind(value)}; write a string or a number")
    identifier = str(value)
    if not identifier.strip():
        fail(name, number, "_id is empty; give the record an _id")
    return identifier


def _string(name: str, number: int, key: str, value: object) -> str:
    if not isinstance(value, str):
        fail(name, number, f"{key} is {_kind(value)}; write a string")
    return value


def _kind(value: object) -> str:
    """What JSON calls a value, for messages."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")
