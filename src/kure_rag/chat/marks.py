"""A model's text on its way to the reader: its thoughts and the numbers of sources that do not exist are left out."""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = re.compile(r"[ \t]?\[((?:\d{1,3})(?:\s*[,、~–-]\s*\d{1,3})*)\]")
_MAYBE: Final = re.compile(r"[ \t]?(?:\[[\d \t,、~–-]{0,30})?\Z")  # a mark that may still be coming
_NUMBERS: Final = re.compile(r"(\d{1,3})(?:\s*[~–-]\s*(\d{1,3}))?")
_OPEN, _CLOSE = "<think>", "</think>"


class Marks:
    """Text that comes in pieces, without marks of sources that do not exist.

    ``[2]``, ``[1, 3]`` and ``[1-3]`` are marks; ``[2026]`` and ``[별표 1]`` are text.

    Args:
        sources: How many there are; their numbers begin at 1.

    Attributes:
        cited: The numbers named so far.
    """

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._held = ""
        self.cited: set[int] = set()

    def feed(self, piece: str) -> str:
        """What can be shown now; the beginning of a mark is held back until it is whole."""
        text = self._held + piece
        tail = _MAYBE.search(text)
        at = tail.start() if tail else len(text)
        self._held = text[at:]
        return _MARK.sub(self._good, text[:at])

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return _MARK.sub(self._good, held)

    def _good(self, mark: re.Match[str]) -> str:
        named: list[int] = []
        for first, last in _NUMBERS.findall(mark[1]):
            named += range(int(first), min(int(last or first), self._sources) + 1)
        good = [number for number in dict.fromkeys(named) if 1 <= number <= self._sources]
        self.cited.update(good)
        space = mark[0][: mark[0].index("[")]
        return space + "".join(f"[{number}]" for number in good) if good else ""


class Thoughts:
    """Text that comes in pieces, without what stands between ``<think>`` and ``</think>``.

    Servers that do not set a model's thoughts apart send them at the beginning of its answer.
    """

    def __init__(self) -> None:
        self._held = ""
        self._begun = False  # with the answer itself

    def feed(self, piece: str) -> str:
        """What can be shown now."""
        if self._begun:
            return piece
        self._held = (self._held + piece).lstrip()
        if self._held.startswith(_OPEN):
            _, close, rest = self._held.partition(_CLOSE)
            if not close:
                return ""
            self._held = rest.lstrip()
        if _OPEN.startswith(self._held):  # also where nothing is there yet
            return ""
        self._begun = True
        return self.end()

    def end(self) -> str:
        """What was held back, unless it is a thought without an end."""
        held, self._held = self._held, ""
        return "" if held.startswith(_OPEN) else held


def without_marks(text: str) -> str:
    """A text without numbers of sources: those of an earlier answer are other passages now."""
    return _MARK.sub("", text)


def without_thoughts(text: str) -> str:
    """A whole text without thoughts."""
    thoughts = Thoughts()
    return thoughts.feed(text) + thoughts.end()
