"""One bit a number: finds candidates among many vectors, which are then scored exactly. The only module with faiss.

RaBitQ (Gao and Long, SIGMOD 2024) keeps the sign of each number of a vector after the mean is taken off, and two
factors by which a distance is estimated from the bits. 1,024 numbers become 136 bytes, so that 100,000 vectors are
looked through in about a millisecond.
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
_QUERY_BITS: Final = 4  # of a query's numbers; 8 find no more
_FEW: Final = 4  # queries for which a second thread costs more than it gives


class Codes:
    """Codes of unit vectors, in memory.

    Args:
        centre: Mean of the vectors, shape (dimension,).
    """

    def __init__(self, centre: Vectors) -> None:
        import faiss

        self._faiss: Any = faiss
        self.centre = np.ascontiguousarray(centre, dtype=np.float32)
        self._index: Any = faiss.IndexRaBitQ(len(self.centre), faiss.METRIC_L2)
        faiss.copy_array_to_vector(self.centre, self._index.center)
        self._index.is_trained = True

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def width(self) -> int:
        """Bytes in a code."""
        return int(self._index.code_size)

    def encode(self, vectors: Vectors) -> Bytes:
        """Codes of unit vectors: shape (n, dimension) gives (n, width)."""
        codes: Bytes = self._index.sa_encode(np.ascontiguousarray(vectors, dtype=np.float32))
        return codes

    def add(self, codes: Bytes) -> None:
        """Takes codes made by :meth:`encode`; they count from 0 on. Not while another thread searches."""
        self._index.add_sa_codes(np.ascontiguousarray(codes))

    def reads(self, vectors: Vectors, codes: Bytes) -> bool:
        """Whether codes from a file say what we would say of the same vectors: faiss may change how it writes them."""
        ours = self.encode(vectors)
        if ours.shape != codes.shape:
            return False
        bits = len(self.centre) // 8
        differ = np.unpackbits(ours[:, :bits] ^ codes[:, :bits]).mean() if len(codes) else 0.0
        if differ > 0.01:  # a number next to the mean may fall on its other side on another processor
            return False
        factors, theirs = (np.ascontiguousarray(part[:, -8:]).view("<f4") for part in (ours, codes))
        return bool(np.allclose(factors, theirs, rtol=1e-2, atol=1e-4))

    def search(self, queries: Vectors, limit: int, allowed: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
        """The nearest codes' positions for each unit query, shape (queries, limit); -1 where there are fewer.

        Args:
            queries: Shape (queries, dimension).
            limit: Candidates for each.
            allowed: Shape (at least len(self),), true for those that may be found.
        """
        faiss = self._faiss
        parameters = faiss.RaBitQSearchParameters()
        parameters.qb = _QUERY_BITS
        if allowed is not None:
            bits = np.packbits(allowed[: len(self)], bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # these names keep alive what C++ only points to
            parameters.sel = selector
        # Each query is one thread's work: with more threads than queries, the others only spin.
        faiss.omp_set_num_threads(1 if len(queries) < _FEW else os.cpu_count() or 1)
        _, found = self._index.search(np.ascontiguousarray(queries), min(limit, max(1, len(self))), params=parameters)
        positions: npt.NDArray[np.int64] = found
        return positions


def centre_of(vectors: Vectors) -> Vectors:
    """The mean of unit vectors."""
    mean: Vectors = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
