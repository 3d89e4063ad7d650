"""Exact search on a graphics card: the matrix is kept there in half precision, its best rows are scored again here.

One query reads every vector once, which the memory's bandwidth bounds; many queries share that reading in one matrix
product. Half precision moves a cosine by some 1e-5, so what is near the last one asked for comes back too.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from kure_rag.errors import KureIndexError
from kure_rag.index.matrix_scores import Mask, Rows, Snapshot, Vectors, units

_UPLOAD: Final = 65_536  # vectors that travel together
_SCORES: Final = 1 << 28  # scores that are held at once: half a gigabyte
_MARGIN: Final = 100  # rows more than asked for that are looked at, and as many again as asked for
_OFF: Final = 5e-4  # more than half precision moves two cosines apart


class DeviceMatrix:
    """A copy of a matrix on a device. Threads may share it; they take turns.

    Args:
        device: What torch calls it: ``cuda``, ``cuda:1``, ``cpu``.

    Raises:
        KureIndexError: There is no such device.
    """

    def __init__(self, device: str) -> None:
        import torch

        if device.startswith("cuda") and not torch.cuda.is_available():
            raise KureIndexError("device='cuda': torch sees no graphics card here; use device='cpu'")
        self._torch: Any = torch
        self._device = torch.device(device)
        self._guard = threading.Lock()
        self._number = -1
        self._count = 0
        self._matrix: Any = None  # (room, dimension)

    def candidates(self, snapshot: Snapshot, queries: Vectors, limit: int, mask: Mask | None) -> list[Rows]:
        """Positions that hold each unit query's ``limit`` highest cosines, and more.

        Args:
            snapshot: The matrix; what the device does not hold of it yet is sent there first.
            queries: Shape (queries, dimension).
            limit: At least 1.
            mask: True where positions may be found; all when ``None``.
        """
        torch = self._torch
        with self._guard, torch.inference_mode():
            self._follow(snapshot)
            count = len(snapshot)
            wanted = min(count, 2 * limit + _MARGIN)
            hidden = None if mask is None else torch.from_numpy(~mask).to(self._device)
            asked = torch.from_numpy(np.ascontiguousarray(queries)).to(self._device, self._matrix.dtype)
            step = max(1, _SCORES // count)
            found: list[Rows] = []
            for i in range(0, len(asked), step):
                scores = self._product(asked[i : i + step], self._matrix[:count].T)
                if hidden is not None:
                    scores.masked_fill_(hidden, -torch.inf)
                top = torch.topk(scores, wanted, dim=1)
                found += _near(top.values.cpu().numpy(), top.indices.cpu().numpy(), min(limit, count))
        return found

    def _product(self, queries: Any, matrix: Any) -> Any:
        """Sums in 32 bits: 16 would leave three digits of a cosine, and many rows alike."""
        if self._device.type == "cpu":
            return queries.float() @ matrix.float()
        return self._torch.mm(queries, matrix, out_dtype=self._torch.float32)

    def _follow(self, snapshot: Snapshot) -> None:
        """Sends what is new; everything, when the matrix was written anew."""
        torch = self._torch
        if self._number != snapshot.manifest.number:
            self._number, self._count, self._matrix = snapshot.manifest.number, 0, None
        if self._matrix is None or len(self._matrix) < len(snapshot):
            room = len(snapshot) if self._matrix is None else max(len(snapshot), len(self._matrix) * 5 // 4)
            larger = torch.empty((room, snapshot.manifest.dimension), dtype=torch.float16, device=self._device)
            if self._matrix is not None:
                larger[: self._count] = self._matrix[: self._count]
            self._matrix = larger
        for i in range(self._count, len(snapshot), _UPLOAD):
            block = slice(i, min(i + _UPLOAD, len(snapshot)))
            sent = units(snapshot.vectors[block], snapshot.lengths[block]).astype(np.float16)
            self._matrix[block] = torch.from_numpy(sent).to(self._device)
        self._count = max(self._count, len(snapshot))


def _near(cosines: Vectors, places: Rows, limit: int) -> list[Rows]:
    """Of each query's highest ones, best first, those that may be among the ``limit`` best by an exact score."""
    enough = (cosines >= cosines[:, limit - 1 : limit] - _OFF) & np.isfinite(cosines)
    return [row[keep] for row, keep in zip(places, enough, strict=True)]
