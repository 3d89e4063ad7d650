"""Tables of hand-labelled Korean documents: ours beside pdfplumber and Camelot, in accuracy and speed.

    python benchmarks/tables.py PDF_DIR [--tools ours,pdfplumber,camelot] [--each]

PDF_DIR holds the PDFs that the labels in tests/tables/labels name. Ours are the tables of the whole document as users
get it: read from its first page to its last, tables joined over pages, tables in cells of others; the others read the
labelled pages alone. A tool that is not installed is left out (``pip install pdfplumber camelot-py``, best in an
environment of its own). Tools that know no headers get the best of all ways to count their first rows as header, and
merged cells are filled for them. Cells are right where text and position are, white space ignored; rows and columns
that the label does not have are wrong cells, and a table that was not found has no right one.

November 2026, two cores shared with other work, pdfplumber 0.11.10, camelot-py 2.0.0; opening and parsing the file is
part of the time::

    tool           found   cells  tables   units  headers  pages/s  ratio
    ours           50/50   1.000   0.999    9/9     46/46     28.5    1.0
    pdfplumber     46/50   0.523   0.590    0/9     31/46      3.2    8.8
    camelot        38/50   0.593   0.613    0/9     29/46      2.3   12.4
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kure_rag.tokenize import KiwiTokenizer
    from kure_rag.types import Document

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "tables"))

from scoring import Candidate, Label, Score, labels, score  # noqa: E402

Found = list[Candidate]
Tool = Callable[[Path, Sequence[int]], tuple[list[Found], int]]  # tables, and how many pages were read for them


def ours(path: Path, pages: Sequence[int]) -> tuple[list[Found], int]:
    document = _document(path)
    tables = [table for table in document.tables if table.page == pages[0]]
    return [[Candidate(t.header, t.rows, t.unit, t.caption)] for t in tables], len(document.pages)


def _document(path: Path) -> Document:
    from kure_rag.read import read_pdf

    return read_pdf(path.read_bytes(), path.name, space_at=_kiwi().space_at)


@functools.cache
def _kiwi() -> KiwiTokenizer:
    from kure_rag.tokenize import KiwiTokenizer

    tokenizer = KiwiTokenizer()
    tokenizer.terms("준비")  # loads it
    return tokenizer


def pdfplumber(path: Path, pages: Sequence[int]) -> tuple[list[Found], int]:
    import pdfplumber as library

    with library.open(path) as pdf:
        grids = [grid for number in pages for grid in pdf.pages[number - 1].extract_tables()]
    return [list(_readings(grid)) for grid in _with_joined(grids)], len(pages)


def camelot(path: Path, pages: Sequence[int]) -> tuple[list[Found], int]:
    import camelot as library

    found = library.read_pdf(str(path), pages=",".join(map(str, pages)), flavor="lattice", copy_text=["h", "v"])
    return [list(_readings(table.df.values.tolist())) for table in found], len(pages)


def _with_joined(grids: list[list[list[str | None]]]) -> list[list[list[str | None]]]:
    """Each grid, and each two that follow each other and are as wide."""
    pairs = [a + b for a, b in pairwise(grids) if a and b and len(a[0]) == len(b[0])]
    return [*grids, *pairs]


def _readings(grid: Sequence[Sequence[str | None]]) -> Iterator[Candidate]:
    rows: list[tuple[str, ...]] = []
    for row in grid:
        filled: list[str] = []
        for c, cell in enumerate(row):
            above = rows[-1][c] if rows and c < len(rows[-1]) else ""
            filled.append(cell if cell is not None else (filled[-1] if c and row[c - 1] is not None else above))
        rows.append(tuple(filled))
    for depth in range(min(4, len(rows))):
        columns = list(zip(*rows[:depth], strict=False))
        header = [" > ".join(dict.fromkeys(filter(None, column))) for column in columns]
        yield Candidate(header, rows[depth:])


TOOLS: dict[str, Tool] = {"ours": ours, "pdfplumber": pdfplumber, "camelot": camelot}


def measure(tool: Tool, data: Path) -> tuple[list[Score], float]:
    """Scores for all labels and pages per second."""
    scores: list[Score] = []
    pages, spent = 0, 0.0
    known: dict[tuple[str, tuple[int, ...]], list[Found]] = {}
    if tool is ours:
        _kiwi()
    for label in labels():
        place = label.file, label.pages
        if place not in known:
            began = time.perf_counter()
            try:
                known[place], read = tool(data / label.file, label.pages)
            except Exception as error:  # noqa: BLE001 - another tool's failure is a result
                print(f"  {label.name}: {type(error).__name__}: {error}"[:150], file=sys.stderr)
                known[place], read = [], len(label.pages)
            spent += time.perf_counter() - began
            pages += read
        scores.append(_best(label, known[place]))
    return scores, pages / spent


def _best(label: Label, found: Sequence[Found]) -> Score:
    scores = [score(label, [reading]) for readings in found for reading in readings]
    return max(scores, key=lambda each: (each.accuracy, each.header, each.unit), default=score(label, []))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="PDF_DIR", help="the folder of the labelled PDFs")
    parser.add_argument("--tools", default=",".join(TOOLS), help="some of %(default)s")
    parser.add_argument("--each", action="store_true", help="print each label's accuracy too")
    options = parser.parse_args()
    print(f"{'tool':12}{'found':>8}{'cells':>8}{'tables':>8}{'units':>8}{'headers':>9}{'pages/s':>9}{'ratio':>7}")
    base = 0.0
    for name in options.tools.split(","):
        if name != "ours" and importlib.util.find_spec(name) is None:
            print(f"{name:12} not installed")
            continue
        scores, speed = measure(TOOLS[name], options.folder)
        base = base or speed
        with_unit = [each for each in scores if each.label.unit]
        with_header = [each for each in scores if each.label.header_rows]
        print(
            f"{name:12}{sum(each.found is not None for each in scores):>5}/{len(scores)}"
            f"{sum(each.right for each in scores) / sum(each.cells for each in scores):>8.3f}"
            f"{sum(each.accuracy for each in scores) / len(scores):>8.3f}"
            f"{sum(each.unit for each in with_unit):>5}/{len(with_unit):<2}"
            f"{sum(each.header for each in with_header):>6}/{len(with_header):<2}"
            f"{speed:>9.1f}{base / speed:>7.1f}"
        )
        if options.each:
            for each in scores:
                print(f"    {each.label.name:40} {each.label.ruled:8} {each.accuracy:.3f}")


if __name__ == "__main__":
    main()
