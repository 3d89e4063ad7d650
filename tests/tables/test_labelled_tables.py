"""Tables of real Korean documents, labelled by hand: cells, units and headers."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from tables.scoring import Candidate, Label, Score, labels, score

from kure_rag.read.page import FoundTable
from kure_rag.read.pdfium import PdfFile
from kure_rag.read.tables import find_tables, join_continued

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not (DATA / "pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA"),
]


def found_tables(label: Label) -> list[Candidate]:
    """The tables of a label's pages, those that go on over the pages joined."""
    with PdfFile((DATA / "pdf" / label.file).read_bytes(), label.file) as pdf:
        first, *rest = [find_tables(pdf.page(number)) for number in label.pages]
    tables = list(first)
    for following in rest:
        joined = [whole for table in tables for part in following if (whole := join_continued(table, part))]
        tables = [*joined, *tables, *following]
    return [_candidate(table) for table in tables]


def _candidate(table: FoundTable) -> Candidate:
    return Candidate(table.header, table.rows, table.unit, table.caption)


@functools.cache
def scores() -> tuple[Score, ...]:
    return tuple(score(label, found_tables(label)) for label in labels())


def test_there_are_enough_labels_of_every_kind() -> None:
    assert len(labels()) >= 20
    assert {label.ruled for label in labels()} >= {"full", "partial", "none"}


def test_cells_are_right_in_text_and_position() -> None:
    found = scores()
    wrong = [f"{each.label.name} {each.accuracy:.3f}" for each in found if each.accuracy < 1]
    assert sum(each.right for each in found) >= 0.95 * sum(each.cells for each in found), wrong
    assert sum(each.accuracy for each in found) >= 0.95 * len(found), wrong


def test_every_table_has_its_unit() -> None:
    assert not [
        f"{each.label.name}: {each.found and each.found.unit!r}, not {each.label.unit!r}"
        for each in scores()
        if not each.unit
    ]


def test_every_table_has_its_header() -> None:
    assert not [
        f"{each.label.name}: {each.found and each.found.header}, not {each.label.header}"
        for each in scores()
        if not each.header
    ]
