"""One bit a number: finds candidates among many vectors, which are then scored exactly. The only module with faiss.

RaBitQ (Gao and Long, SIGMOD 2024) keeps the sign of each number of a vector after the mean is taken off, and two
factors by which a distance is estimated from the bits. 1,024 numbers become 136 bytes, so that 100,000 vectors are
looked through in about a millisecond.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
_QUERY_BITS: Final = 4  # of a query's numbers; 8 find no more
_FEW: Final = 4  # queries from which on each is one thread's work; fewer have the codes shared out
_SHARD: Final = 25_000  # codes, at the least: a third of a millisecond, before which another thread has hardly begun
_CORES: Final = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Codes:
    """Codes of unit vectors, in memory.

    Args:
        centre: Mean of the vectors, shape (dimension,).
    """

    def __init__(self, centre: Vectors) -> None:
        import faiss

        self._faiss: Any = faiss
        self.centre = np.ascontiguousarray(centre, dtype=np.float32)
        self._index = self._empty()
        self._shards: list[_Shard] = []
        self._threads: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        return self._shards[-1].end if self._shards else 0

    def _empty(self) -> Any:
        index = self._faiss.IndexRaBitQ(len(self.centre), self._faiss.METRIC_L2)
        self._faiss.copy_array_to_vector(self.centre, index.center)
        index.is_trained = True
        return index

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
        for part in np.array_split(codes, max(1, min(_CORES, len(codes) // _SHARD))):
            index = self._empty()
            index.add_sa_codes(np.ascontiguousarray(part))
            self._shards.append(_Shard(index, len(self), len(self) + len(part)))

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
        queries = np.ascontiguousarray(queries)
        if len(queries) >= _FEW or len(self._shards) < 2:
            # Each query is one thread's work: with more threads than queries, the others only spin.
            threads = 1 if len(queries) < _FEW else _CORES
            found = [self._nearest(shard, queries, limit, allowed, threads) for shard in self._shards]
        else:
            first, *others = self._shards
            waiting = [self._pool().submit(self._nearest, shard, queries, limit, allowed, 1) for shard in others]
            found = [self._nearest(first, queries, limit, allowed, 1), *(future.result() for future in waiting)]
        if not found:
            return np.zeros((len(queries), 0), dtype=np.int64)
        distances, positions = (np.hstack(part) for part in zip(*found, strict=True))
        order = np.argsort(distances, axis=1, kind="stable")[:, :limit]
        best: npt.NDArray[np.int64] = np.take_along_axis(positions, order, axis=1)
        return best

    def _nearest(
        self, shard: _Shard, queries: Vectors, limit: int, allowed: npt.NDArray[np.bool_] | None, threads: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        faiss = self._faiss
        parameters = faiss.RaBitQSearchParameters()
        parameters.qb = _QUERY_BITS
        if allowed is not None:
            bits = np.packbits(allowed[shard.begin : shard.end], bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # these names keep alive what C++ only points to
            parameters.sel = selector
        faiss.omp_set_num_threads(threads)  # of the calling thread alone
        few = min(limit, max(1, shard.end - shard.begin))
        distances, positions = shard.index.search(queries, few, params=parameters)
        nobody = positions < 0
        return np.where(nobody, np.inf, distances), np.where(nobody, -1, positions + shard.begin)

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_CORES, thread_name_prefix="kure-rag-codes")
        return self._threads


@dataclass(frozen=True, slots=True)
class _Shard:
    """Some of the codes, in an index of faiss's: positions from ``begin`` to before ``end``."""

    index: Any
    begin: int
    end: int


def centre_of(vectors: Vectors) -> Vectors:
    """The mean of unit vectors."""
    mean: Vectors = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
