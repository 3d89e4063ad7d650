"""Tables: found by their rules or by aligned numbers, read cell by cell, joined over pages, written as text."""

from __future__ import annotations

from kure_rag.read.tables.find import find_tables, outermost
from kure_rag.read.tables.join import join_continued, join_halves
from kure_rag.read.tables.place import moved, placed, written
from kure_rag.read.tables.render import render_pieces
from kure_rag.read.tables.repeated import drop_page_headers
from kure_rag.read.tables.wrapped import joined_cells

__all__ = [
    "drop_page_headers",
    "find_tables",
    "join_continued",
    "join_halves",
    "joined_cells",
    "moved",
    "outermost",
    "placed",
    "render_pieces",
    "written",
]
