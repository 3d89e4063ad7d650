"""A ruling → the grids in it: frames, banners and charts that touch a table are cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from kure_rag.read.page import Box
from kure_rag.read.tables.cells import Cell, Table, distinct, merged_cells
from kure_rag.read.tables.grid import Grid, grid_of
from kure_rag.read.tables.rules import Ruling, clipped

_DEPTH: Final = 4  # frames within frames
_CLOSED: Final = 0.5  # of the width: an outer side that is ruled this far shows what lies outside where it is not
_MANY: Final = 60  # places: a grid of a page's layout has more
_SPARSE: Final = 0.35  # cells a place: a grid of a page's layout has fewer
_NARROWER: Final = 4.0  # points


def grids(ruling: Ruling, depth: int = 0) -> list[tuple[Grid, Ruling]]:
    """The grids of a ruling, each with its own rules."""
    grid = grid_of(ruling)
    if grid is None:
        return []
    table = merged_cells(grid)
    if depth < _DEPTH and (parts := _gap_parts(grid) or _layout_parts(grid, table)):
        return [found for part in parts for found in grids(clipped(ruling, part), depth + 1)]
    outside = _outside(grid, table)
    if not outside or depth >= _DEPTH:
        return [(grid, ruling)]
    found = []
    for cluster in _clusters(table, outside):
        cluster = _without_banner(grid, cluster)
        box = _box(grid, cluster)
        if len(cluster) < 2:
            continue
        if _is_same(box, grid.box):
            found.append((grid, ruling))
        else:
            found.extend(grids(clipped(ruling, box), depth + 1))
    return found


def _gap_parts(grid: Grid) -> list[Box]:
    """Tables side by side: the boxes left and right of a column that is open above and below and hardly ruled."""
    height, width = grid.size
    if _share(grid, grid.ceiling) < _CLOSED or _share(grid, grid.floors[-1]) < _CLOSED:
        return []
    gaps = [
        c
        for c in range(1, width - 1)
        if not grid.ceiling[c]
        and not grid.floors[-1][c]
        and sum(grid.floors[r][c] for r in range(height - 1)) <= 0.5 * (height - 1)
    ]
    left, bottom, right, top = grid.box
    edges = [left, *(grid.columns[c + side] for c in gaps for side in (0, 1)), right]
    return [(edges[i], bottom, edges[i + 1], top) for i in range(0, len(edges), 2)] if gaps else []


def _layout_parts(grid: Grid, table: Table) -> list[Box]:
    """A page laid out in boxes: what is left of each band of rows when boxes at its outer sides are taken away."""
    height, width = grid.size
    if height * width < _MANY or len(distinct(table)) > _SPARSE * height * width:
        return []
    full = [r for r in range(height) if all(grid.floors[r])]
    bands: list[tuple[int, int]] = []
    first = 0
    for r in [*full, *([] if full and full[-1] == height - 1 else [height - 1])]:
        walls = [tuple(wall[:-1]) for wall in grid.walls[first : r + 1]]
        if bands and len(set(walls)) == 1 and walls[0] == tuple(grid.walls[bands[-1][0]][:-1]) and any(walls[0]):
            bands[-1] = (bands[-1][0], r + 1)
        else:
            bands.append((first, r + 1))
        first = r + 1
    parts = [_peeled(grid, *band) for band in bands]
    return [box for box in parts if box is not None and not _is_same(box, grid.box)]


def _peeled(grid: Grid, top: int, bottom: int) -> Box | None:
    """Rows ``top`` to ``bottom`` without outer rows of one cell and outer columns of one cell."""
    left, right = 0, grid.size[1]
    while bottom - top > 1 and right - left > 1:
        if not any(grid.walls[top][left : right - 1]):
            top += 1
        elif not any(grid.walls[bottom - 1][left : right - 1]):
            bottom -= 1
        elif not any(grid.floors[r][left] for r in range(top, bottom - 1)):
            left += 1
        elif not any(grid.floors[r][right - 1] for r in range(top, bottom - 1)):
            right -= 1
        else:
            return (grid.columns[left], grid.rows[bottom], grid.columns[right], grid.rows[top])
    return None


def _outside(grid: Grid, table: Table) -> set[int]:
    """Cells that are what the rules leave over: no rectangle, or open where the table's outer side is ruled."""
    height, width = grid.size
    sides = [
        (row, covered)
        for row, covered in ((0, grid.ceiling), (height - 1, grid.floors[-1]))
        if _share(grid, covered) >= _CLOSED
    ]
    found = {id(table[row][c]) for row, covered in sides for c in range(width) if not covered[c]}
    places = Counter(id(cell) for row in table for cell in row)
    edge = {id(cell) for row in (table[0], table[-1]) for cell in row}
    edge |= {id(row[c]) for row in table for c in (0, -1)}
    found |= {id(cell) for cell in distinct(table) if places[id(cell)] < cell.height * cell.width and id(cell) in edge}
    return found


def _share(grid: Grid, covered: list[bool]) -> float:
    total = grid.columns[-1] - grid.columns[0]
    return sum(grid.columns[c + 1] - grid.columns[c] for c, is_covered in enumerate(covered) if is_covered) / total


def _clusters(table: Table, outside: set[int]) -> list[list[Cell]]:
    """Cells that touch each other, without those outside."""
    height, width = len(table), len(table[0])
    seen: set[int] = set(outside)
    found: list[list[Cell]] = []
    for first in distinct(table):
        if id(first) in seen:
            continue
        cluster, queue = [], [first]
        seen.add(id(first))
        while queue:
            cell = queue.pop()
            cluster.append(cell)
            for r in range(max(cell.row - 1, 0), min(cell.row + cell.height + 1, height)):
                for c in range(max(cell.column - 1, 0), min(cell.column + cell.width + 1, width)):
                    beside = cell.row <= r < cell.row + cell.height or cell.column <= c < cell.column + cell.width
                    other = table[r][c]
                    if beside and id(other) not in seen:
                        seen.add(id(other))
                        queue.append(other)
        found.append(cluster)
    return found


def _without_banner(grid: Grid, cluster: list[Cell]) -> list[Cell]:
    """A title's box may be wider than the table below it, and reach over its neighbours."""
    while True:
        top = min(cell.row for cell in cluster)
        rest = [cell for cell in cluster if cell.row > top]
        if not rest or any(cell.height > 1 for cell in cluster if cell.row == top):
            return cluster
        left, _, right, _ = _box(grid, cluster)
        low, _, high, _ = _box(grid, rest)
        if low - left <= _NARROWER and right - high <= _NARROWER:
            return cluster
        cluster = rest


def _box(grid: Grid, cluster: Iterable[Cell]) -> Box:
    cluster = list(cluster)
    return (
        grid.columns[min(cell.column for cell in cluster)],
        grid.rows[max(cell.row + cell.height for cell in cluster)],
        grid.columns[max(cell.column + cell.width for cell in cluster)],
        grid.rows[min(cell.row for cell in cluster)],
    )


def _is_same(box: Box, other: Box) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(box, other, strict=True))
