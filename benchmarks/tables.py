"""Tables of hand-labelled Korean documents: ours beside pdfplumber, Camelot, img2table and docling.

    python benchmarks/tables.py PDF_DIR [--tools ours,pdfplumber,camelot-lattice,img2table] [--each]

PDF_DIR holds the PDFs that the labels in tests/tables/labels name. Ours are the tables of the whole document as users
get it: read from its first page to its last, tables joined over pages, tables in cells of others; the others read the
labelled pages alone. A tool that is not installed is left out (``pip install pdfplumber camelot-py img2table
docling``, best in an environment of its own). Tools that know no headers get the best of all ways to count their first
rows as header, merged cells are filled for them, and grids of the same width that follow each other are joined. Cells
are right where text and position are, white space ignored; rows and columns that the label does not have are wrong
cells, and a table that was not found has no right one. Opening and parsing the file is part of the time.

What came out, with versions and licences: results/tables.md. In short, 21 November 2026, two shared cores::

    tool                   found   cells  tables  units  headers  pages  seconds  pages/s  ratio
    ours                   50/50   1.000   0.999    9/9    46/46   1580     53.6     29.5    1.0
    pdfplumber             46/50   0.523   0.590    0/9    31/46     50     16.1      3.1    9.5
    camelot-lattice        38/50   0.613   0.618    0/9    28/46     50     24.9      2.0   14.7
    img2table              38/50   0.645   0.650    0/9    30/46     50     17.0      2.9   10.1
    img2table-borderless   44/50   0.711   0.697    0/9    30/46     50     36.4      1.4   21.4
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kure_rag.tokenize import KiwiTokenizer
    from kure_rag.types import Document

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "tables"))

from scoring import Candidate, Label, Score, labels, score  # noqa: E402

Grid = Sequence[Sequence[str | None]]
Found = list[Candidate]  # the ways to read one table
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


def pdfplumber(path: Path, pages: Sequence[int], strategy: str = "lines") -> tuple[list[Found], int]:
    import pdfplumber as library

    settings = {"vertical_strategy": strategy, "horizontal_strategy": strategy}
    with library.open(path) as pdf:
        grids = [grid for number in pages for grid in pdf.pages[number - 1].extract_tables(settings)]
    return _found(grids), len(pages)


def camelot(path: Path, pages: Sequence[int], flavor: str = "lattice") -> tuple[list[Found], int]:
    import camelot as library

    merged = {"copy_text": ["h", "v"]} if flavor == "lattice" else {}  # the other flavors know no merged cells
    found = library.read_pdf(str(path), pages=",".join(map(str, pages)), flavor=flavor, **merged)
    return _found([table.df.values.tolist() for table in found]), len(pages)


def img2table(path: Path, pages: Sequence[int], borderless: bool = False) -> tuple[list[Found], int]:
    from img2table.document import PDF

    # Without an OCR engine the text is the PDF's own.
    tables = PDF(path, pages=[number - 1 for number in pages]).extract_tables(borderless_tables=borderless)
    cells = [table.content.values() for number in sorted(tables) for table in tables[number]]
    return _found([[[cell.value or "" for cell in row] for row in rows] for rows in cells]), len(pages)


def docling(path: Path, pages: Sequence[int]) -> tuple[list[Found], int]:
    tables = _docling().convert(path, page_range=(pages[0], pages[-1])).document.tables
    return _found([[[cell.text for cell in row] for row in table.data.grid] for table in tables]), len(pages)


def docling_parse(path: Path, pages: Sequence[int]) -> tuple[list[Found], int]:
    from docling_parse.pdf_parser import DoclingPdfParser

    document = DoclingPdfParser().load(path)
    for number in pages:
        document.get_page(number)  # characters, words, lines of text and drawn shapes: it has nothing for tables
    return [], len(pages)


@functools.cache
def _docling() -> Any:
    from docling.datamodel.base_models import InputFormat
    from docling.datamodel.pipeline_options import PdfPipelineOptions
    from docling.document_converter import DocumentConverter, PdfFormatOption

    options = PdfPipelineOptions(do_ocr=False)
    converter = DocumentConverter(format_options={InputFormat.PDF: PdfFormatOption(pipeline_options=options)})
    converter.initialize_pipeline(InputFormat.PDF)
    return converter


def _found(grids: Sequence[Grid]) -> list[Found]:
    return [list(_readings(grid)) for grid in _with_joined([grid for grid in grids if grid])]


def _with_joined(grids: Sequence[Grid]) -> Iterator[Grid]:
    """Each grid, and each run of grids that follow each other and are as wide: a table may go on over pages."""
    for i, first in enumerate(grids):
        run = [*first]
        yield run
        for grid in grids[i + 1 :]:
            if len(grid[0]) != len(first[0]):
                break
            run = [*run, *grid]
            yield run


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


TOOLS: dict[str, Tool] = {  # each begins with the name of its module
    "ours": ours,
    "pdfplumber": pdfplumber,
    "pdfplumber-text": functools.partial(pdfplumber, strategy="text"),
    "camelot-lattice": camelot,
    "camelot-stream": functools.partial(camelot, flavor="stream"),
    "camelot-network": functools.partial(camelot, flavor="network"),
    "camelot-hybrid": functools.partial(camelot, flavor="hybrid"),
    "camelot-auto": functools.partial(camelot, flavor="auto"),
    "img2table": img2table,
    "img2table-borderless": functools.partial(img2table, borderless=True),
    "docling_parse": docling_parse,
    "docling": docling,
}
PREPARED = {"ours": _kiwi, "docling": _docling}  # what a tool loads once, before its time is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A tool's scores for all labels, the pages that it read and its seconds for them, and how often it failed."""

    scores: Sequence[Score]
    pages: int
    seconds: float
    failures: Mapping[str, int]


def measure(tool: Tool, data: Path) -> Run:
    """Runs a tool on the pages of every label."""
    scores: list[Score] = []
    pages, spent = 0, 0.0
    failures: Counter[str] = Counter()
    known: dict[tuple[str, tuple[int, ...]], list[Found]] = {}
    for label in labels():
        place = label.file, label.pages
        if place not in known:
            began = time.perf_counter()
            try:
                known[place], read = tool(data / label.file, label.pages)
            except Exception as error:  # noqa: BLE001 - another tool's failure is a result
                failures[_said(error)] += 1
                known[place], read = [], len(label.pages)
            spent += time.perf_counter() - began
            pages += read
        scores.append(_best(label, known[place]))
    return Run(scores=scores, pages=pages, seconds=spent, failures=failures)


def _best(label: Label, found: Sequence[Found]) -> Score:
    scores = [score(label, [reading]) for readings in found for reading in readings]
    return max(scores, key=lambda each: (each.accuracy, each.header, each.unit), default=score(label, []))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="PDF_DIR", help="the folder of the labelled PDFs")
    parser.add_argument("--tools", default=",".join(TOOLS), help="some of %(default)s")
    parser.add_argument("--each", action="store_true", help="print each label's accuracy too")
    options = parser.parse_args()
    print(f"{'tool':22}{'found':>6}{'cells':>8}{'tables':>8}{'units':>7}{'headers':>9}", end="")
    print(f"{'captions':>10}{'pages':>7}{'seconds':>9}{'pages/s':>9}{'ratio':>7}")
    base = 0.0
    for name in options.tools.split(","):
        if name != "ours" and importlib.util.find_spec(name.partition("-")[0]) is None:
            print(f"{name:22} not installed")
            continue
        try:
            PREPARED.get(name, lambda: None)()
        except Exception as error:  # noqa: BLE001 - docling's models, for one, come from a model hub
            print(f"{name:22}cannot be run: {_said(error)}")
            continue
        run = measure(TOOLS[name], options.folder)
        base = base or run.pages / run.seconds
        print(f"{name:22}{_row(run, base)}", flush=True)
        for message, count in run.failures.items():
            print(f"    {count} times {message}")
        if options.each:
            for each in run.scores:
                print(f"    {each.label.name:40} {each.label.ruled:8} {each.accuracy:.3f}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _row(run: Run, base: float) -> str:
    scores = run.scores
    with_unit = [each.unit for each in scores if each.label.unit]
    with_header = [each.header for each in scores if each.label.header_rows]
    with_caption = [each.caption for each in scores if each.label.caption]
    speed = run.pages / run.seconds
    return (
        f"{sum(each.found is not None for each in scores):>3}/{len(scores)}"
        f"{sum(each.right for each in scores) / sum(each.cells for each in scores):>8.3f}"
        f"{sum(each.accuracy for each in scores) / len(scores):>8.3f}"
        f"{sum(with_unit):>5}/{len(with_unit)}"
        f"{sum(with_header):>6}/{len(with_header)}"
        f"{sum(with_caption):>7}/{len(with_caption)}"
        f"{run.pages:>7}{run.seconds:>9.1f}{speed:>9.1f}{base / speed:>7.1f}"
    )


if __name__ == "__main__":
    main()
