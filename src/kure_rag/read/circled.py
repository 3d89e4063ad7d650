"""Circled numbers that a font reports as a digit and a sign: ``1^ 1& 1* 1( 2)`` are ⑯ ⑰ ⑱ ⑲ ⑳.

Fonts that stop at ⑮ take the rest from another one, which maps each to the keys that type its number: the tens as they
are, the ones with the shift key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kure_rag.read.layout import Line

_SHIFTED: Final = ")!@#$%^&*("
_CIRCLED: Final = "".join(map(chr, (*range(0x2460, 0x2474), *range(0x3251, 0x3260), *range(0x32B1, 0x32C0))))
_FIRST: Final = 16
_BEGINS = re.compile(
    rf"\s*(?:제\d+조(?:의\d+)?\s*(?:\([^)]*\))?\s*)?(?:([{_CIRCLED}])|([1-5])([{re.escape(_SHIFTED)}])\s*)"
)
_FIRSTS: Final = frozenset(f"{_CIRCLED}12345제 \t\xa0\u3000")  # hardly any other line begins so: it need not be matched


def restore_circled(lines: Iterable[Line]) -> None:
    """Restores the numbers at the beginning of lines, in place, and puts a space behind all that have none.

    Only where the number goes on from the one before, since ``1(`` and ``2)`` begin lines of their own right.
    """
    last = 0
    for line in lines:
        if line.text[:1] not in _FIRSTS or (match := _BEGINS.match(line.text)) is None:
            continue
        if match[1]:
            last = 1 + _CIRCLED.index(match[1])
            if line.text[match.end() : match.end() + 1].strip():
                line.text = f"{line.text[: match.end()]} {line.text[match.end() :]}"
            continue
        number = 10 * int(match[2]) + _SHIFTED.index(match[3])
        if number == last + 1 and number >= _FIRST:
            line.text = f"{line.text[: match.start(2)]}{_CIRCLED[number - 1]} {line.text[match.end() :]}"
            last = number
