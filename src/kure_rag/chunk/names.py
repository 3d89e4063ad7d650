"""Section names that a kind of document is known by, found by their spelling and not by their number.

The number of a section moves from year to year and from form to form; 재무에 관한 사항 and 용법·용량 stay what they
are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kure_rag.chunk.markers import find_marker

PART_RANK: Final = 10  # where 장 and Ⅰ. rank
ABSTRACT: Final = ("요약", "요약문", "국문요약", "국문초록", "영문초록", "초록", "Abstract", "ABSTRACT")
_OPENING: Final = "[【<〈《「("
_MARK: Final = r"\s?(?:[·ㆍ・‧⋅∙･․/,]|및)?\s?"


@dataclass(frozen=True, slots=True)
class Names:
    """Names of sections.

    Attributes:
        spellings: Each section's name and how it may be printed. ``·`` stands for any such mark, 및, or nothing, and a
            space may be missing; printed letters may be spaced out, as in 주 문.
        patterns: Sections whose whole line varies too much to be spelled out.
        rank: Where one without a number ranks among headings; as 장 and Ⅰ. do unless said otherwise.
        restart: Names under which numbers begin anew on a lower level, as those of the notes to financial statements.
    """

    spellings: Mapping[str, Collection[str]]
    patterns: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    rank: int = PART_RANK
    restart: Collection[str] = ()


class Found(NamedTuple):
    """A name at the beginning of a line.

    Attributes:
        name: The key in :attr:`Names.spellings`.
        rank: Its rank.
        restart: Whether numbers begin anew under it.
        stop: Offset after the printed name in the line.
    """

    name: str
    rank: int
    restart: bool
    stop: int


class NameFinder:
    """Finds names at the beginning of lines.

    Args:
        names: Groups of names; where one name begins another, the longer one is tried first.
    """

    def __init__(self, names: Sequence[Names]) -> None:
        every = [
            (spelling, name, group.rank, name in group.restart)
            for group in names
            for name, spellings in group.spellings.items()
            for spelling in spellings
        ]
        self._patterns = [(p, name, group.rank) for group in names for name, p in group.patterns.items()]
        every.sort(key=lambda item: len(item[0]), reverse=True)
        self._by_letter: dict[str, list[tuple[str, str, int, bool]]] = {}
        for spelling, name, rank, restart in every:
            self._by_letter.setdefault(spelling[0], []).append((spelling, name, rank, restart))

    def find(self, line: str) -> Found | None:
        """The name that a line without its number begins with.

        The line holds nothing else, or the name is in brackets, or a colon follows it.
        """
        for pattern, name, rank in self._patterns:
            if match := pattern.fullmatch(line):
                return Found(name, rank, False, match.end())
        first = line[:3].lstrip(_OPENING + " ")[:1]
        for spelling, name, rank, restart in self._by_letter.get(first, ()):
            if match := _line_with(spelling).match(line):
                return Found(name, rank, restart, match.end())
        return None

    def name_of(self, heading: str) -> str | None:
        """The name that a heading goes by, whatever its number."""
        marker = find_marker(heading)
        found = self.find(heading[marker.length :] if marker else heading)
        return found.name if found else None


@functools.cache
def _line_with(spelling: str) -> re.Pattern[str]:
    # Compiled when it is first needed: there are hundreds, and few documents have a line for most of them.
    printed = "".join(
        _MARK if char == "·" else "" if char == " " else re.escape(char) + r"\s?" for char in spelling
    ).removesuffix(r"\s?")
    boxed = rf"[{re.escape(_OPENING)}]\s?{printed}\s?[\]】>〉》」)](?:\s?:)?"
    plain = rf"{printed}(?:\s?\([^()]{{1,30}}\))?(?:\s?:(?=\s|$)|\.?\s*$)"
    return re.compile(f"(?:{boxed}|{plain})")
