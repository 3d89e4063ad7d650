"""What became of each file, as lines of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kure_rag.ingest import IngestReport, IngestRow

_WIDTH = 11


def printer(wanted: Callable[[IngestRow], bool]) -> Callable[[IngestRow], None]:
    """A function that prints the rows wanted, until nobody reads them any more."""
    closed = False

    def show(row: IngestRow) -> None:
        nonlocal closed
        if not closed and wanted(row):
            try:
                print(line(row), flush=True)
            except BrokenPipeError:  # `| head` has seen enough; the files after it are still ingested
                closed = True

    return show


def line(row: IngestRow) -> str:
    """One row."""
    start = f"{row.status:{_WIDTH}}{row.source}"
    if row.status == "rejected":
        return f"{start}: {row.reason}"
    if row.status in ("unchanged", "removed"):
        return start
    if not row.document_id:  # of a dry run: not read
        return start
    warned = f"  ({len(row.warnings)} page warnings, first {row.warnings[0]})" if row.warnings else ""
    return f"{start}: {row.pages} pages, {row.chunks} chunks{warned}"


def summary(report: IngestReport) -> str:
    """All rows: how many have each status, pages, chunks and time."""
    counts = report.counts()
    # What there is always something to say about, and what only some runs do.
    said = [
        f"{count} {status}" for status, count in counts.items() if count or status in ("added", "unchanged", "rejected")
    ]
    pages, chunks = sum(row.pages for row in report.rows), sum(row.chunks for row in report.rows)
    return f"{', '.join(said)}; {pages} pages, {chunks} chunks in {report.seconds:.1f} s"
