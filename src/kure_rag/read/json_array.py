"""Files that are one JSON array, as KLUE's are: element by element, each with the line it begins on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kure_rag.read.corpus import MAX_LINE_BYTES, fail, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPACE: Final = " \t\r\n"
_BLOCK: Final = (
    1 << 16
)  # characters that are read at a time; an element that is longer makes it twice as many, and again


def read_array(path: Path, *, what: str) -> Iterator[tuple[int, Any]]:
    """Stream (1-based line that it begins on, element) of a UTF-8 file, plain or gzip, that is one JSON array.

    Args:
        path: The file. What is held of it is one element or one line, whichever is longer.
        what: What messages call the set, such as ``KLUE-STS``.

    Raises:
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: It is no array, breaks off, or something follows it; raised when that place is reached.
        ReadError: The operating system refuses to read it.
    """
    return _Array(path, what).elements()


class _Array:
    def __init__(self, path: Path, what: str) -> None:
        self._name, self._what = path.name, what
        self._lines = read_lines(path)
        self._decoder = json.JSONDecoder(parse_constant=_refuse)
        self._text = ""
        self._at = 0  # in _text
        self._counted = 0  # in _text: line breaks before it are in _line
        self._line = 1  # the line that _counted stands on
        self._dropped = 0  # characters of that line that were let go of, for the columns of messages
        self._last = 0  # number of the last line read

    def elements(self) -> Iterator[tuple[int, Any]]:
        if self._next() != "[":
            self._fail(f"not a JSON array; {self._what} is one array of objects")
        self._at += 1
        while self._next() != "]":
            line = self._here()
            yield line, self._element(line)
            if self._next() == ",":
                self._at += 1
            elif self._next() != "]":
                self._fail("the array breaks off or lacks a comma; fetch the file again")
        self._at += 1
        if self._next():
            self._fail(f"something follows the array; {self._what} is one array and no more")

    def _element(self, line: int) -> Any:
        wanted = _BLOCK
        while True:
            try:
                value, self._at = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                fail(self._name, line, f"nested too deeply; {self._what} is one array of objects", error)
            except json.JSONDecodeError as error:
                # It may only be cut off where the text that was read so far ends. Reading on moves that text.
                into = error.pos - self._at
                if wanted <= MAX_LINE_BYTES and self._read(wanted):
                    wanted *= 2
                    continue
                number, column = self._place(self._at + into)
                what = f"not JSON ({error.msg} at column {column}); fetch the file again or correct the line"
                fail(self._name, number, what, error)
            except ValueError as error:  # NaN, and Python's own about integers of thousands of digits
                fail(self._name, line, f"{error}; correct the value", error)
            else:
                return value

    def _next(self) -> str:
        """The next character that is not white space, without taking it; nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(_BLOCK):
                return ""

    def _read(self, wanted: int) -> bool:
        """Reads lines of at least that many characters, and lets go of what was taken; whether there were any."""
        self._here()
        kept = self._text[self._at :]
        line_start = self._text.rfind("\n", 0, self._at) + 1
        self._dropped = self._at - line_start + (self._dropped if line_start == 0 else 0)
        parts, count = [kept], 0
        for number, line in self._lines:
            # Blank lines are not given, and count all the same.
            breaks = number - max(self._last, 1)
            parts.append("\n" * breaks + line)
            self._last = number
            count += breaks + len(line)
            if count >= wanted:
                break
        self._text, self._at, self._counted = "".join(parts), 0, 0
        return count > 0

    def _here(self) -> int:
        """The line that the next character stands on."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _place(self, at: int) -> tuple[int, int]:
        """1-based line and column of a place in the text that is held."""
        number = self._here() + self._text.count("\n", self._at, at)
        start = self._text.rfind("\n", 0, at) + 1
        return number, at - start + 1 + (self._dropped if start == 0 else 0)

    def _fail(self, what: str) -> NoReturn:
        fail(self._name, self._here(), what)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")
