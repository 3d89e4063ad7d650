"""Documents from JSON values, the other way of :func:`dataclasses.asdict`: lists become tuples again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kure_rag.types import Chunk, Page, Table


def to_page(value: Mapping[str, Any]) -> Page:
    """A page from its JSON object."""
    return Page(**{**value, "warnings": tuple(value["warnings"])})


def to_table(value: Mapping[str, Any]) -> Table:
    """A table from its JSON object; one stored before pieces were has none."""
    return Table(
        **{
            **value,
            "header": tuple(value["header"]),
            "rows": tuple(tuple(row) for row in value["rows"]),
            "pieces": tuple((int(a), int(b), int(i), int(j)) for a, b, i, j in value.get("pieces", ())),
        }
    )


def to_chunk(value: Mapping[str, Any]) -> Chunk:
    """A chunk from its JSON object."""
    return Chunk(**{**value, "pages": tuple(value["pages"]), "breadcrumb": tuple(value["breadcrumb"])})
