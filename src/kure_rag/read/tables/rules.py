"""The rules of a page: merged into long ones and grouped into those that belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.read.page import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_THIN: Final = 3.2  # a filled rectangle up to this thick is drawn as a line
_ALONG: Final = 3.0  # points between pieces of one rule: dots, dashes, cells
_ACROSS: Final = 1.2  # points between the places of pieces of one rule
_SHORT: Final = 6.0  # what is shorter after merging is a glyph or a mark
_TOUCH: Final = 1.8  # points by which rules that meet may miss each other
_EVEN: Final = 3.0  # points by which the ends of stacked rules may differ
_EDGE: Final = 2.0  # points from the page's edge
_NEXT: Final = 30.0  # points from a ruling to one more rule of it
_FARTHEST: Final = 20_000.0  # points: pages are never as large
_MOST: Final = 2500  # rules after merging; a page with more is a drawing


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line along one axis: its place across, and where it starts and ends along."""

    at: float
    start: float
    end: float

    @property
    def length(self) -> float:
        """In points."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Ruling:
    """Rules that belong together, perhaps a table."""

    across: tuple[Rule, ...]  # horizontal
    down: tuple[Rule, ...]  # vertical

    @property
    def box(self) -> Box:
        """All of it."""
        across, down = self.across, self.down
        return (
            min([rule.start for rule in across] + [rule.at for rule in down]),
            min([rule.start for rule in down] + [rule.at for rule in across]),
            max([rule.end for rule in across] + [rule.at for rule in down]),
            max([rule.end for rule in down] + [rule.at for rule in across]),
        )


def rulings(boxes: Floats, width: float, height: float) -> list[Ruling]:
    """A page's rules → groups of rules that touch, and stacks of horizontal ones with the same ends."""
    across, down = merged(boxes)
    across = [rule for rule in across if _EDGE < rule.at < height - _EDGE]  # the page's own frame is no rule
    down = [rule for rule in down if _EDGE < rule.at < width - _EDGE]
    if len(across) < 2 or len(across) + len(down) > _MOST:
        return []
    groups = _touching(across, down)
    return _absorbed(_stacked(groups))


def merged(boxes: Floats) -> tuple[list[Rule], list[Rule]]:
    """Pieces → whole rules, horizontal and vertical; marks too short to bound a cell leave."""
    boxes = boxes[(np.abs(boxes) < _FARTHEST).all(axis=1)]  # not NaN either
    if not len(boxes):
        return [], []
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    lying = boxes[(high <= _THIN) & (wide >= high)]
    standing = boxes[(wide <= _THIN) & (high >= wide)]
    across = _joined((lying[:, 1] + lying[:, 3]) / 2, lying[:, 0], lying[:, 2])
    down = _joined((standing[:, 0] + standing[:, 2]) / 2, standing[:, 1], standing[:, 3])
    return across, down


def _joined(at: Floats, start: Floats, end: Floats) -> list[Rule]:
    """Pieces → rules: those at one place join where they touch, dots and dashes too."""
    if not len(at):
        return []
    order = np.argsort(at, kind="stable")
    place = _places(at[order])
    order = order[np.lexsort((start[order], place))]
    place.sort()
    start, end, at = start[order], end[order], at[order]
    # How far the pieces so far reach; a new place begins far beyond all that was before.
    beyond = place * np.float64(1e6)
    reach = np.maximum.accumulate(end + beyond)
    first = np.flatnonzero(np.concatenate(([True], start[1:] + beyond[1:] > reach[:-1] + _ALONG)))
    last = np.concatenate((first[1:], [len(at)])) - 1
    count = last - first + 1
    middle = np.add.reduceat(at, first) / count
    low, high = start[first], reach[last] - beyond[last]
    long = high - low >= _SHORT
    return [Rule(*rule) for rule in zip(middle[long].tolist(), low[long].tolist(), high[long].tolist(), strict=True)]


def _places(at: Floats) -> NDArray[np.int64]:
    """A number for each of some ascending places, the same for those that are nearly the same."""
    starts = [0]
    # Not as far as each next one is near: the lines of a chart would make one place of many.
    while (following := int(np.searchsorted(at, at[starts[-1]] + _ACROSS, side="right"))) < len(at):
        starts.append(following)
    return np.repeat(np.arange(len(starts)), np.diff([*starts, len(at)]))


def _touching(across: list[Rule], down: list[Rule]) -> list[Ruling]:
    parent = list(range(len(across) + len(down)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    if down:
        y, x0, x1 = (np.array([getattr(r, n) for r in across])[:, None] for n in ("at", "start", "end"))
        x, y0, y1 = (np.array([getattr(r, n) for r in down])[None, :] for n in ("at", "start", "end"))
        meet = (x >= x0 - _TOUCH) & (x <= x1 + _TOUCH) & (y >= y0 - _TOUCH) & (y <= y1 + _TOUCH)
        for i, j in np.argwhere(meet).tolist():
            parent[root(i)] = root(len(across) + j)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for i, rule in enumerate(across):
        groups.setdefault(root(i), ([], []))[0].append(rule)
    for j, rule in enumerate(down):
        groups.setdefault(root(len(across) + j), ([], []))[1].append(rule)
    return [Ruling(tuple(h), tuple(v)) for h, v in groups.values() if h]


def _stacked(groups: list[Ruling]) -> list[Ruling]:
    """Horizontal rules that touch no vertical one and have the same ends make one group."""
    stacks: list[list[Rule]] = []
    for rule in sorted(
        (group.across[0] for group in groups if not group.down and len(group.across) == 1), key=lambda rule: -rule.at
    ):
        for stack in stacks:
            if abs(stack[-1].start - rule.start) <= _EVEN and abs(stack[-1].end - rule.end) <= _EVEN:
                stack.append(rule)
                break
        else:
            stacks.append([rule])
    return [group for group in groups if group.down] + [Ruling(tuple(stack), ()) for stack in stacks]


def _absorbed(groups: list[Ruling]) -> list[Ruling]:
    """Horizontal rules that touch no vertical one join the group they are part of.

    They are inside it and go through most of it or underline several of its columns, or they stand just above or below
    it and are as wide.
    """
    loose = [rule for group in groups if not group.down for rule in group.across]
    found = []
    for group in groups:
        if len(group.across) < 2:
            continue
        left, bottom, right, top = group.box
        extra = []
        if group.down:
            near = [rule for rule in loose if left - _EVEN <= rule.start and rule.end <= right + _EVEN]
            within = [rule for rule in near if bottom - _EVEN <= rule.at <= top + _EVEN]
            extra = [
                rule
                for rule in within
                if rule.length >= 0.6 * (right - left)
                or any(o is not rule and abs(o.at - rule.at) <= _ALONG for o in (*within, *group.across))
            ]
            extra += [
                rule
                for rule in near
                if rule.length >= 0.9 * (right - left)
                and (top <= rule.at <= top + _NEXT or bottom - _NEXT <= rule.at <= bottom)
            ]
        found.append(Ruling((*group.across, *extra), group.down))
    return found


def clipped(ruling: Ruling, box: Box) -> Ruling:
    """The part of a ruling inside a box."""
    left, bottom, right, top = box
    return Ruling(_cut(ruling.across, bottom, top, left, right), _cut(ruling.down, left, right, bottom, top))


def _cut(rules: Iterable[Rule], low: float, high: float, start: float, end: float) -> tuple[Rule, ...]:
    inside = (
        Rule(rule.at, max(rule.start, start), min(rule.end, end)) for rule in rules if low - 1 <= rule.at <= high + 1
    )
    return tuple(rule for rule in inside if rule.length >= _SHORT)


def clustered(places: Iterable[float], *, gap: float = 3.0, widest: float = 5.0) -> list[float]:
    """Places that are nearly the same → their middles, ascending."""
    found: list[list[float]] = []
    for place in sorted(places):
        if found and place - found[-1][-1] <= gap and place - found[-1][0] <= widest:
            found[-1].append(place)
        else:
            found.append([place])
    return [(group[0] + group[-1]) / 2 for group in found]
