"""What one printed page holds before it is text: characters and rules with their places.

Coordinates are PDF points (1/72 inch) of the page as shown, origin at its bottom left: left, bottom, right, top.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Boxes = NDArray[np.float32]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PageContent:
    """One page as the parser gives it.

    Attributes:
        number: 1-based.
        width: In points.
        height: In points.
        text: The parser's characters in its order, uncleaned, its generated spaces and line ends among them.
        boxes: Shape (len(text), 4), float32: each character's loose box, as high as its font and as wide as its
            advance; zeros for characters the parser generated.
        rules: Shape (n, 4), float32: horizontal and vertical lines and the edges of filled or stroked rectangles, which
            may be ruled tables; empty when they were not asked for.
        error: Why the page could not be parsed, or an empty string.
        extra: What else a stage needs and only the parser knows, such as the open page.
    """

    number: int
    width: float
    height: float
    text: str
    boxes: Boxes
    rules: Boxes
    error: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table of one page.

    Attributes:
        box: All that belongs to it, its caption and unit note too: characters inside are not text of the page.
        body: The grid alone.
        columns: Horizontal places of the column edges, one more than columns, to tell whether a table goes on.
        caption: The line that names it, or an empty string.
        unit: Its unit note without brackets, such as ``단위: 백만원``, or an empty string.
        header: Column names, multi-row headers flattened with `` > ``; empty strings where it has no header.
        rows: Cells as printed, merged cells filled, each row as long as the header.
    """

    box: Box
    body: Box
    columns: tuple[float, ...]
    caption: str
    unit: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def line_ends(text: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Where the visible part of each line begins and the line ends; its first and its last visible character."""
    spans: list[tuple[int, int]] = []
    ends: list[int] = []
    at = 0
    for line in text.split("\r\n"):
        end = at + len(line)
        if visible := line.lstrip():
            first = end - len(visible)
            spans.append((first, end))
            ends += (first, first + len(visible.rstrip()) - 1)
        at = end + 2
    return spans, ends
