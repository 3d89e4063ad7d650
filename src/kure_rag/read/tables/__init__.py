"""Tables of a page: found by their rules or by aligned numbers, read cell by cell, joined over pages, written as text."""

from __future__ import annotations

from kure_rag.read.tables.find import find_tables
from kure_rag.read.tables.join import join_continued

__all__ = ["find_tables", "join_continued"]
