"""What the dense leg asks: the matrix, or the catalog's own vectors while there is no matrix yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from kure_rag.index.catalog import Catalog
from kure_rag.index.matrix_scores import length_of, lengths_of
from kure_rag.search.candidates import Rows, Scores

Vectors = npt.NDArray[np.float32]
_BLOCK: Final = 10_000  # vectors read at once
_SAMPLE: Final = 256  # passages whose cosines say how a model's vary
_FEWEST: Final = 64  # passages that say anything of it
_VARY: Final = 0.06  # standard deviation of cosines between unrelated passages by the bundled model, at the least


class VectorSource(Protocol):
    """Exact cosines by row number; :class:`kure_rag.index.matrix.MatrixView` is one."""

    def __len__(self) -> int: ...

    def rows(self) -> Rows:
        """Every row number, ascending."""
        ...

    def vectors(self, rows: Rows) -> tuple[Rows, Vectors]:
        """Vectors of the rows that are known."""
        ...

    def score(self, vector: Vectors, rows: Rows) -> tuple[Rows, Scores]:
        """Cosines of the rows that are known."""
        ...

    def search(
        self,
        vectors: Vectors,
        limit: int,
        *,
        allowed: Rows | None = None,
        engine: Literal["exact", "quantized"] = "quantized",
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> Sequence[tuple[Rows, Scores]]:
        """The rows of the highest cosines for each query, best first."""
        ...


class CatalogVectors:
    """The vectors in the catalog: slower than a matrix, and always there.

    Args:
        catalog: The index's.
        visible: Rows seen at this generation.
    """

    def __init__(self, catalog: Catalog, visible: int) -> None:
        self._catalog = catalog
        self._visible = visible

    def __len__(self) -> int:
        return self._catalog.counts()[1]

    def rows(self) -> Rows:
        """See :class:`VectorSource`."""
        return np.array([row for row, _ in self._catalog.all_rows(self._visible)], dtype=np.int64)

    def vectors(self, rows: Rows) -> tuple[Rows, Vectors]:
        """See :class:`VectorSource`."""
        found, vectors = self._catalog.vectors(rows.tolist())
        return np.array(found, dtype=np.int64), vectors

    def score(self, vector: Vectors, rows: Rows) -> tuple[Rows, Scores]:
        """See :class:`VectorSource`."""
        found, matrix = self.vectors(rows)
        if not len(found):
            return found, np.zeros(0)
        # As the matrix does it, to the last digit.
        lengths = lengths_of(matrix).astype(np.float64) * length_of(vector)
        dots = np.einsum("ij,j->i", matrix, vector)
        return found, np.round(dots / np.where(lengths > 0, lengths, 1), 6)

    def search(
        self,
        vectors: Vectors,
        limit: int,
        *,
        allowed: Rows | None = None,
        engine: Literal["exact", "quantized"] = "exact",
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> list[tuple[Rows, Scores]]:
        """See :class:`VectorSource`; always exact, and on the CPU."""
        rows = self.rows() if allowed is None else allowed
        return [self._best(vector, rows, limit) for vector in vectors]

    def _best(self, vector: Vectors, rows: Rows, limit: int) -> tuple[Rows, Scores]:
        best, scores = np.zeros(0, dtype=np.int64), np.zeros(0)
        for i in range(0, len(rows), _BLOCK):
            found, cosines = self.score(vector, rows[i : i + _BLOCK])
            best, scores = np.concatenate([best, found]), np.concatenate([scores, cosines])
            order = np.lexsort((best, -scores))[:limit]
            best, scores = best[order], scores[order]
        return best, scores


def sample_of(source: VectorSource) -> Rows:
    """Rows from all over; the same for the same rows."""
    rows = source.rows()
    return (
        rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(np.int64))] if len(rows) else rows
    )


def stretch_of(source: VectorSource, sample: Rows) -> float:
    """By how much a model's cosines are to be spread: 1 where those of unrelated passages vary as they should."""
    if len(sample) < _FEWEST:
        return 1.0
    _, vectors = source.vectors(sample)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float64)
    cosines = (units @ units.T)[np.triu_indices(len(units), 1)]
    vary = float(np.std(cosines))
    return max(1.0, round(_VARY / vary, 2)) if vary > 0 else 1.0
