"""Inference rows on disk: in memory KorNLI's 950,000 take 600 MB, and they are only needed before training begins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from kure_rag.train.readers import NliRow, as_dataset

_COLUMNS: Final = ("premise", "hypothesis", "label")


class NliRows:
    """Rows in their order, of which one group at a time is in memory.

    Args:
        dataset: With a row's three values as its columns; ``None`` for no rows.
        kept: Which of them are there: all by default.
    """

    def __init__(self, dataset: Any = None, kept: np.ndarray | None = None) -> None:
        self._dataset = dataset
        self._kept = np.ones(0 if dataset is None else len(dataset), dtype=bool) if kept is None else kept

    @classmethod
    def written(cls, rows: Iterable[NliRow], cache: Path) -> Self:
        """Writes rows.

        Args:
            rows: Taken one at a time; there may be none.
            cache: A folder of their own.

        Raises:
            TrainingError: They cannot be written: no room, or no permission.
        """
        some = iter(rows)
        first = next(some, None)
        return cls() if first is None else cls(as_dataset(chain([first], some), _COLUMNS, cache))

    def where(self, holds: Callable[[NliRow], bool]) -> NliRows:
        """Those of which something is so."""
        kept = self._kept.copy()
        kept[kept] = [holds(row) for row in self]
        return NliRows(self._dataset, kept)

    def __len__(self) -> int:
        return int(self._kept.sum())

    def __iter__(self) -> Iterator[NliRow]:
        start = 0
        for batch in [] if self._dataset is None else self._dataset.data.to_batches():
            kept = self._kept[start : start + batch.num_rows]
            start += batch.num_rows
            for is_kept, row in zip(kept, batch.to_pylist(), strict=True):
                if is_kept:
                    yield NliRow(**row)


def each_once(rows: Iterable[NliRow]) -> Iterator[NliRow]:
    """The rows without those that repeat an earlier one, of which eight bytes and a little are held."""
    seen: set[int] = set()
    for row in rows:
        # No text that was read has a NUL in it.
        told = f"{row.premise}\0{row.hypothesis}\0{row.label}".encode()
        key = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest())
        if key not in seen:
            seen.add(key)
            yield row
