"""Rows of named values out of any of the formats that training data comes in, one at a time.

JSON lines, one JSON array, a table with a header line and values between tabs (all three also gzip), and parquet. The
format is told by what is in the file, not by its name. Quotation marks in tables are text, never quoting: sentences of
KorNLI begin with them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from kure_rag.errors import CorpusFormatError, MissingExtraError, ReadError
from kure_rag.read.corpus import read_lines, read_objects, require_file, short
from kure_rag.read.json_array import read_array
from kure_rag.train.readers.omissions import Omissions

Record = Mapping[str, Any]
"""One row: its values by name."""

_PARQUET_MAGIC: Final = b"PAR1"
_BATCH_ROWS: Final = 512
_R = TypeVar("_R")


class LeftOutError(Exception):
    """A row that belongs to its set and is no training row, such as one without a gold label; its text is why."""


def fault(name: str, place: str, what: str) -> NoReturn:
    """Raise the :class:`~kure_rag.errors.CorpusFormatError` of a row; ``place`` is such as ``line 3`` or ``row 3``."""
    raise CorpusFormatError(name, f"{place}: {what}")


def read_records(path: Path, *, example: str, columns: Sequence[str] | None = None) -> Iterator[tuple[str, Record]]:
    """Stream (where it stands, values by name) of a file.

    Args:
        path: JSON lines, a JSON array, a table with a header line (all three also gzip), or parquet.
        example: A JSON object that messages tell to write.
        columns: The only ones that are read of parquet, where there are others; all by default.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: The file breaks its format; raised when that place is reached.
        MissingExtraError: It is parquet, and pyarrow is not installed.
    """
    require_file(path)
    if is_parquet(path):
        return _of_parquet(path, columns)
    return _of_text(path, example)


def is_parquet(path: Path) -> bool:
    """Whether a file begins as parquet does, or is called so."""
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC or path.suffix.lower() == ".parquet"
    except OSError as error:
        raise ReadError(path.name, f"cannot be read ({error.strerror}); check its permissions") from error


def parsed(
    name: str,
    records: Iterable[tuple[str, Record]],
    parse: Callable[[str, str, Record], Iterable[_R]],
    *,
    skip_faults: bool,
    omissions: Omissions | None,
) -> Iterator[_R]:
    """Rows of records: each faulty one is an error, or is left out and counted.

    Args:
        name: The file that they are from, for messages.
        records: As :func:`read_records` gives them.
        parse: (file's name, place, record) → rows; raises CorpusFormatError for a fault and LeftOutError.
        skip_faults: Leave faulty rows out instead of raising.
        omissions: Counts what is left out; without it, that is logged at the end.
    """
    notes = Omissions() if omissions is None else omissions
    try:
        for place, record in records:
            try:
                rows = tuple(parse(name, place, record))
            except LeftOutError as left_out:
                notes.add(name, place, str(left_out))
                continue
            except CorpusFormatError as error:
                if not skip_faults:
                    raise
                notes.add(name, place, error.reason.removeprefix(f"{place}: "))
                continue
            yield from rows
    finally:
        if omissions is None:
            notes.log()


def text_of(name: str, place: str, key: str, value: object) -> str:
    """A text in NFC.

    Raises:
        CorpusFormatError: No string, empty, or with characters that no text has: NUL, half of a surrogate pair.
    """
    if not isinstance(value, str):
        fault(name, place, f"{key} is {'missing' if value is None else 'no string'}; write a text")
    if not value.strip():
        fault(name, place, f"{key} is empty; write a text or remove the row")
    if "\0" in value:
        fault(name, place, f"{key} has a NUL character; the file may be damaged or UTF-16: save it as UTF-8")
    try:
        value.encode()
    except UnicodeEncodeError:
        fault(name, place, f"{key} has a lone surrogate, half a character, in it; correct it")
    return unicodedata.normalize("NFC", value)


def one_key(name: str, place: str, record: Record, keys: Sequence[str]) -> str | None:
    """Which of several names for the same a record has, or ``None``.

    Raises:
        CorpusFormatError: It has two of them, and nobody can tell which is meant.
    """
    found = [key for key in keys if record.get(key) is not None]
    if len(found) > 1:
        fault(name, place, f"both {found[0]!r} and {found[1]!r}, which mean the same here; keep one")
    return found[0] if found else None


def _of_text(path: Path, example: str) -> Iterator[tuple[str, Record]]:
    start = next((line.lstrip()[:1] for _, line in read_lines(path)), "")
    if not start:
        raise CorpusFormatError(path.name, "empty; give a file with at least one row")
    if start == "{":
        for number, row in read_objects(path, example=example):
            yield f"line {number}", row
    elif start == "[":
        for number, element in read_array(path, what="the file"):
            if not isinstance(element, dict):
                fault(path.name, f"line {number}", f"not an object; write one such as {example}")
            yield f"line {number}", element
    else:
        yield from _of_table(path)


def header_of(path: Path) -> tuple[int, list[str]]:
    """Line number and names of columns, in lower case, of a table's first line that is not blank."""
    number, line = next(read_lines(path), (1, ""))
    return number, [unicodedata.normalize("NFC", cell).strip().lower() for cell in line.split("\t")]


def _of_table(path: Path) -> Iterator[tuple[str, Record]]:
    first, names = header_of(path)
    if len(names) == 1:
        what = f"neither JSON nor columns separated by tabs ({short(names[0])}); begin a table with its columns' names"
        fault(path.name, f"line {first}", what)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        fault(path.name, f"line {first}", f"two columns are called {short(twice[0])}; give each its own name")
    for number, line in read_lines(path):
        if number == first:
            continue
        row = line.split("\t")
        if len(row) != len(names):
            # Which of the values is too much, or missing, nobody can tell; the row may be left out all the same.
            yield f"line {number}", TornRow(len(row), len(names))
        else:
            yield f"line {number}", dict(zip(names, row, strict=True))


class TornRow(dict[str, Any]):
    """A line of a table with another number of values than its header names."""

    def __init__(self, found: int, named: int) -> None:
        super().__init__()
        self.found, self.named = found, named

    def refuse(self, name: str, place: str) -> NoReturn:
        """Raise its :class:`~kure_rag.errors.CorpusFormatError`."""
        fault(name, place, f"{self.found} columns separated by tabs, and the header names {self.named}")


def whole(name: str, place: str, record: Record) -> Record:
    """The record, unless its line has too many or too few values: that is a fault."""
    if isinstance(record, TornRow):
        record.refuse(name, place)
    return record


def _of_parquet(path: Path, columns: Sequence[str] | None) -> Iterator[tuple[str, Record]]:
    arrow = load_arrow()
    number = 0
    try:
        with arrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = None if columns is None else [name for name in names if name in columns]
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
    except (arrow.ArrowException, UnicodeDecodeError, OSError) as error:
        what = f"not parquet, or damaged after row {number} ({error}); fetch or write it again"
        raise CorpusFormatError(path.name, what) from error


def load_arrow() -> Any:
    """The library that reads parquet.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading parquet files", "train") from error
    return pyarrow
