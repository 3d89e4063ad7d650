"""Lines → wholes: a question with its answer, a statement with what explains it, and the text between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from kure_rag.chunk.markers import find_marker
from kure_rag.chunk.pack import Span

if TYPE_CHECKING:
    from kure_rag.chunk.lists import Binding  # which knows this module

PAIR: Final = "pair"  # begun by a line that ``Binding.opens`` knows
STATEMENT: Final = "statement"  # begun by one that ``Binding.states`` knows
RATED: Final = "rated"  # a line that ``Binding.rated`` knows, and what belongs to it

Lines = list[list[Span]]


def find_wholes(text: str, lines: Sequence[list[Span]], binding: Binding) -> Iterator[tuple[str, Lines]]:
    """Lines in order, as (PAIR, STATEMENT, RATED or an empty string, lines that belong together).

    Args:
        text: The document's.
        lines: Sentences of each line.
        binding: Which lines begin a whole.
    """
    if binding.opens is binding.states is binding.rated is None:
        if lines:
            yield "", list(lines)
        return
    held: Lines = []
    whole = ""
    rated = False  # whether the statement held has its grade
    for line in _parted(text, lines, binding):
        begins = _begins(text, line, binding)
        ends = _matches(binding.rated, text, line, search=True)
        if not begins and _belongs(text, line, binding):
            ends = ends or (binding.rated is not None and _matches(binding.clings, text, line))
            if held and ends and not whole:  # the line above is rated by this one
                if held[:-1]:
                    yield "", held[:-1]
                held, whole = held[-1:], RATED
            held.append(line)
            rated = rated or ends
            continue
        if not begins and ends and not (whole == PAIR or (whole == STATEMENT and not rated)):
            begins = RATED
        if begins or (whole == RATED and not ends):
            if held:
                yield whole, held
            held, whole, rated = [], begins, False
        held.append(line)
        rated = rated or ends
    if held:
        yield whole, held


def _begins(text: str, line: list[Span], binding: Binding) -> str:
    if _matches(binding.opens, text, line):
        return PAIR
    return STATEMENT if _matches(binding.states, text, line) else ""


def _belongs(text: str, line: list[Span], binding: Binding) -> bool:
    """Whether a line belongs to the one above: its grade, or a note."""
    marker = find_marker(text[line[0][0] : line[-1][1]])
    return _matches(binding.clings, text, line) or (marker is not None and marker.style == "note")


def _parted(text: str, lines: Sequence[list[Span]], binding: Binding) -> Iterator[list[Span]]:
    """Lines, of which none holds two statements with grades."""
    for line in lines:
        start = 0
        for i in range(1, len(line)):
            own = _matches(binding.rated, text, line[start:i], search=True) and not _belongs(text, line[i:], binding)
            if own and any(_matches(binding.rated, text, [span], search=True) for span in line[i:]):
                yield line[start:i]
                start = i
        yield line[start:]


def _matches(pattern: re.Pattern[str] | None, text: str, line: Sequence[Span], *, search: bool = False) -> bool:
    if pattern is None:
        return False
    find = pattern.search if search else pattern.match
    return find(text, line[0][0], line[-1][1]) is not None
