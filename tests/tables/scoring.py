"""How a found table is compared with a labelled one: text and position of every cell, white space ignored."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABELS = Path(__file__).parent / "labels"
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Label:
    """A hand-labelled table."""

    name: str
    file: str
    pages: tuple[int, ...]
    ruled: str
    caption: str
    unit: str
    header_rows: int
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def grid(self) -> Rows:
        """Header, where there is one, and rows."""
        return ((self.header,) if self.header_rows else ()) + self.rows


@dataclass(frozen=True)
class Candidate:
    """A table that a tool found; ``header`` is empty where the tool knows none or the table has none."""

    header: Sequence[str]
    rows: Rows
    unit: str = ""
    caption: str = ""

    @property
    def grid(self) -> Rows:
        """Header, where there is one, and rows."""
        return ((tuple(self.header),) if any(self.header) else ()) + tuple(tuple(row) for row in self.rows)


@dataclass(frozen=True)
class Score:
    """How a label was met; ``cells`` are the label's, and those found that it does not have.

    ``unit``, ``header`` and ``caption`` say whether the table has the label's, or none where the label has none.
    """

    label: Label
    found: Candidate | None
    right: int
    cells: int
    unit: bool
    header: bool
    caption: bool

    @property
    def accuracy(self) -> float:
        """Share of the cells that are right."""
        return self.right / self.cells


def labels() -> list[Label]:
    """All labels, by file name."""
    return [_label(path) for path in sorted(LABELS.glob("*.json"))]


def _label(path: Path) -> Label:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Label(
        path.stem,
        data["file"],
        tuple(data["pages"]),
        data["ruled"],
        data["caption"],
        data["unit"],
        data["header_rows"],
        tuple(data["header"]),
        tuple(tuple(row) for row in data["rows"]),
    )


def squeezed(value: str) -> str:
    """NFC without white space."""
    return "".join(unicodedata.normalize("NFC", value).split())


def right_cells(label: Label, found: Candidate) -> int:
    """Cells of a label that the candidate has at the same row and column; with a header, rows are aligned below it."""
    return max(_same(label.grid, found.grid), _same_below_header(label, found))


def _same_below_header(label: Label, found: Candidate) -> int:
    if not label.header_rows:
        return 0
    header = _same([label.header], [found.header]) if any(found.header) else 0
    return header + _same(label.rows, found.rows)


def _same(gold: Rows, found: Rows) -> int:
    return sum(
        squeezed(cell) == squeezed(other)
        for row, others in zip(gold, found, strict=False)
        for cell, other in zip(row, others, strict=False)
    )


def _share(label: Label, found: Candidate) -> float:
    return right_cells(label, found) / _cells(label, found)


def _cells(label: Label, found: Candidate) -> int:
    """The label's cells and those found beside and below them; a header taken for a row is no further row."""
    width = max(len(label.grid[0]), len(found.grid[0]) if found.grid else 0)
    height = max(len(label.rows), len(found.rows)) + bool(label.header_rows)
    return max(sum(len(row) for row in label.grid), width * height)


def score(label: Label, candidates: Sequence[Candidate]) -> Score:
    """Compares a label with the best of the tables found on its pages; a missing table has no right cell.

    Rows and columns that the label does not have count as wrong cells.
    """
    cells = sum(len(row) for row in label.grid)
    best = max(candidates, key=lambda found: _share(label, found), default=None)
    right = right_cells(label, best) if best else 0
    if best is None or right == 0:
        return Score(label, None, 0, cells, not label.unit, not label.header_rows, not label.caption)
    cells = _cells(label, best)
    unit = squeezed(best.unit) == squeezed(label.unit)
    wanted = [squeezed(name) for name in label.header] if label.header_rows else []
    has = [squeezed(name) for name in best.header] if any(best.header) else []
    caption = squeezed(best.caption) == squeezed(label.caption)
    return Score(label, best, right, cells, unit, wanted == has, caption)
