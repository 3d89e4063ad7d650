"""Tables of real Korean documents, labelled by hand: cells, units and headers."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from tables.scoring import Candidate, Label, Score, labels, score

from kure_rag.read import read_pdf
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Document

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
# Captions that are not read as they are printed, and why.
OTHER_CAPTIONS = {
    "05_kyobo_fund_overview": "drawn as outlines, not as text",
    "28_rfp2_roles": "a symbol font gives the letter m for its bullet ❍",
    "29_rfp2_requirement_classes": "a symbol font gives a private code for the boxed 2",
}
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not (DATA / "pdf").is_dir(), reason="no PDFs to read; set KURE_RAG_DATA"),
]


@functools.cache
def document(file: str) -> Document:
    """A document as users get it, with Kiwi to join broken lines."""
    return read_pdf((DATA / "pdf" / file).read_bytes(), file, space_at=KiwiTokenizer().space_at)


def found_tables(label: Label) -> list[Candidate]:
    """The document's tables that begin on the label's first page."""
    tables = [table for table in document(label.file).tables if table.page == label.pages[0]]
    return [Candidate(table.header, table.rows, table.unit, table.caption) for table in tables]


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


def test_every_table_has_its_caption() -> None:
    wrong = {each.label.name: each.found and each.found.caption for each in scores() if not each.caption}
    assert not {name: caption for name, caption in wrong.items() if name not in OTHER_CAPTIONS}, wrong


def test_enough_tables_have_a_caption_and_a_unit() -> None:
    assert sum(bool(label.caption) for label in labels()) >= 29
    assert sum(bool(label.unit) for label in labels()) >= 9


def test_every_table_has_its_header() -> None:
    assert not [
        f"{each.label.name}: {each.found and each.found.header}, not {each.label.header}"
        for each in scores()
        if not each.header
    ]
