"""What a check of an index says, and the part of it that compares views with the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kure_rag.errors import IndexCorruptError
from kure_rag.index.catalog import Catalog
from kure_rag.index.lexical import LexicalView
from kure_rag.index.matrix import MatrixView

_BATCH: Final = 2_000  # vectors compared at once


@dataclass(frozen=True, slots=True)
class Verification:
    """Catalog and views compared.

    Attributes:
        documents: In the catalog.
        chunks: In the catalog.
        problems: One clause each; empty for a clean index.
    """

    documents: int
    chunks: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def compare(catalog: Catalog, lexical: Path | None, matrix: Path, alive: set[int], stored: set[int]) -> list[str]:
    """What is wrong with the keyword view and the matrix.

    Args:
        catalog: What they should say.
        lexical: The keyword view's folder; ``None`` to leave a torn one alone.
        matrix: The matrix's folder.
        alive: Rows that they have to hold.
        stored: Rows that they may hold: alive, or gone and not yet purged.
    """
    problems = []
    try:
        if lexical is not None:
            words = LexicalView(lexical)
            problems += _rows_compared("lexical", words.rows(), alive, stored)
            words.close()
    except IndexCorruptError as error:
        problems.append(f"lexical: {error}")
    try:
        view = MatrixView(matrix)
        problems += [f"matrix: {problem}" for problem in view.check()]
        problems += _rows_compared("matrix", view.rows().tolist(), alive, stored)
        problems += _vectors_compared(catalog, view, sorted(stored))
        view.close()
    except IndexCorruptError as error:
        problems.append(f"matrix: {error}")
    return problems


def _rows_compared(view: str, rows: Iterable[int], alive: set[int], stored: set[int]) -> list[str]:
    there = set(rows)
    problems = []
    if missing := len(alive - there):
        problems.append(f"{view}: {missing} chunks are missing")
    if extra := len(there - stored):
        problems.append(f"{view}: {extra} chunks are too many")
    return problems


def _vectors_compared(catalog: Catalog, view: MatrixView, rows: list[int]) -> list[str]:
    wrong = 0
    for i in range(0, len(rows), _BATCH):
        held, ours = view.vectors(rows[i : i + _BATCH])
        found, theirs = catalog.vectors(held.tolist())
        same = np.isin(held, found)
        if ours.shape[1:] != theirs.shape[1:]:
            wrong += len(held)
        else:
            wrong += int((ours[same] != theirs).any(axis=1).sum())
    return [f"matrix: {wrong} vectors are not the catalog's"] if wrong else []
