"""Which tables of a document stand in a cell of another."""

from __future__ import annotations

from collections.abc import Sequence

from kure_rag.types import Table


def outer_tables(tables: Sequence[Table]) -> list[Table]:
    """The tables that stand in no other: a document's text is theirs and what is around them."""
    found: list[Table] = []
    for table in sorted(tables, key=lambda table: (table.start, -table.end)):
        if not found or table.start >= found[-1].end:
            found.append(table)
    return found


def tables_in(table: Table, tables: Sequence[Table]) -> list[Table]:
    """The tables that stand in a table's cells, those in their cells left out."""
    inside = [one for one in tables if one is not table and table.start <= one.start and one.end <= table.end]
    return outer_tables([one for one in inside if (one.start, one.end) != (table.start, table.end)])
