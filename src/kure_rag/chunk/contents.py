"""Which lines are a table of contents: they name headings and are none."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kure_rag.chunk.markers import LEADERS

_ABOVE: Final = re.compile(
    r"[\[<【〈《\s]*(?:(?:표|그림|도표|부록)\s?)?(?:목\s*차|차\s*례|(?:table\s+of\s+)?contents)[\]>】〉》\s]*$",
    re.IGNORECASE,
)
_PAGE: Final = re.compile(r"(\d{1,4})\s*-?\s*$")
_BARE_PAGE: Final = re.compile(r"\s(?:-\s?|p\.?\s?)?(\d{1,3})(?:\s?-)?$", re.IGNORECASE)
_LONGEST: Final = 80
_GAP: Final = 2  # lines of an entry that is printed on several, or that has no page
_LEAST: Final = 3  # entries that nothing announces: with leaders,
_LEAST_BARE: Final = 4  # and without
_KNOWN: Final = 2 / 3  # of the latter name a heading that follows
_SENTENCE: Final = re.compile(r"[다요][.)]$|[.?!]$")


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    page: int | None
    leaders: bool


@dataclass(slots=True)
class _Run:
    """Entries that follow each other."""

    stop: int
    entries: list[_Entry] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    @property
    def page(self) -> int:
        return next((entry.page for entry in reversed(self.entries) if entry.page is not None), 0)


def contents_lines(lines: Sequence[str]) -> frozenset[int]:
    """The positions of lines that are entries of a table of contents.

    Such entries end in page numbers that rise, with leaders before them or not; under 「목차」 an entry may have none
    if the same line comes again, as the heading that it names.

    Args:
        lines: Without white space at their ends; those of tables are empty.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for i, line in enumerate(lines):
        if line and len(line) <= _LONGEST:
            places[_entry(line).key].append(i)
    found: set[int] = set()
    i = 0
    while i < len(lines):
        told = _ABOVE.match(lines[i]) is not None
        if not told and not _has_page(lines[i]):
            i += 1
            continue
        start = i + told
        run = _run(lines, start, places, told=told)
        if _is_contents(run, places, told=told):
            found.update(range(start, run.stop))
            i = max(run.stop, i + 1)
        else:
            i += 1
    return frozenset(found)


def _has_page(line: str) -> bool:
    return 0 < len(line) <= _LONGEST and (LEADERS.search(line) is not None or _BARE_PAGE.search(line) is not None)


def _entry(line: str) -> _Entry:
    """What an entry names, by its letters, and where it says that is."""
    leaders = LEADERS.search(line)
    if leaders is not None:
        page = _PAGE.search(line, leaders.start())
        return _Entry(_letters(line[: leaders.start()]), int(page.group(1)) if page else None, leaders=True)
    bare = _BARE_PAGE.search(line)
    if bare is not None:
        return _Entry(_letters(line[: bare.start()]), int(bare.group(1)), leaders=False)
    return _Entry(_letters(line), None, leaders=False)


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalpha())


def _run(lines: Sequence[str], start: int, places: Mapping[str, Sequence[int]], *, told: bool) -> _Run:
    run = _Run(start)
    gap = 0
    for i in range(start, len(lines)):
        line = lines[i]
        if not line or len(line) > _LONGEST or _ABOVE.match(line):
            break
        entry = _entry(line)
        named = len(entry.key) > 1
        if entry.page is not None and entry.page < run.page:
            break
        paged = named and _has_page(line)
        if not paged and (entry.key in run.keys or _SENTENCE.search(line)):
            break  # the first heading that was named, or text
        if paged or (told and named and _recurs(entry.key, i, places)):
            gap = 0
            run.entries.append(entry)
            run.keys.add(entry.key)
            run.stop = i + 1
            continue
        gap += 1
        if gap > (_GAP if told else 1):
            break
    return run


def _recurs(key: str, i: int, places: Mapping[str, Sequence[int]]) -> bool:
    at = places.get(key, ())
    return bisect_right(at, i) < len(at)


def _is_contents(run: _Run, places: Mapping[str, Sequence[int]], *, told: bool) -> bool:
    if told:
        return len(run.entries) > 1
    if len(run.entries) < _LEAST:
        return False
    if all(entry.leaders for entry in run.entries):
        return True
    known = sum(_recurs(entry.key, run.stop - 1, places) for entry in run.entries)
    return (
        len(run.entries) >= _LEAST_BARE
        and known >= _KNOWN * len(run.entries)
        and run.page > (run.entries[0].page or 0) >= 1
    )
