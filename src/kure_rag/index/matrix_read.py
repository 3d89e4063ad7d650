"""Exact cosines from the matrix of all vectors, and searches by one-bit codes.

What a filter leaves is scored exactly; the whole is searched either exactly or by codes whose best candidates are then
scored exactly.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError
from kure_rag.index import matrix_files as files
from kure_rag.index.matrix_files import Manifest
from kure_rag.index.matrix_scores import (
    Mask,
    Rows,
    Scores,
    Snapshot,
    Vectors,
    best_of_many,
    candidates,
    exact,
    length_of,
    snapshot_of,
    units,
)

if TYPE_CHECKING:
    from kure_rag.index.codes import Codes
    from kure_rag.index.on_device import DeviceMatrix

Engine = Literal["exact", "quantized"]
Device = Literal["cpu", "cuda"]
ENGINES: Final = ("exact", "quantized")
_TAIL: Final = 1_024  # new vectors that are scored exactly before their codes are loaded
_FEW: Final = 2_000  # rows that are gathered and scored one by one
_SAMPLE: Final = 8  # vectors whose codes are made again to see that they are read as they were written
_CANDIDATES: Final = 200  # by codes, at the least
_LONG: Final = 1_024  # numbers in a vector for which that is enough
_PER_LIMIT: Final = 4  # candidates by codes for each result asked for


@dataclass(frozen=True, slots=True)
class _Checked:
    """What this process has seen to be whole, by file name."""

    seal: Mapping[str, list[int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def since(self, seal: Mapping[str, list[int]]) -> dict[str, int]:
        """Records that need not be looked at again: another process adds behind them."""
        as_left = {
            name for name, now in seal.items() if (old := self.seal.get(name)) and (old == now or old[0] < now[0])
        }
        return {name: count for name, count in self.counts.items() if name in as_left}


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Codes in memory: of which file, of how many vectors. ``None`` stands for codes that another faiss made."""

    name: str
    covers: int
    codes: Codes | None


class MatrixReader:
    """What :class:`~kure_rag.index.matrix.MatrixView` can be asked.

    Args:
        folder: Made when it does not exist.
    """

    _checked: ClassVar[dict[Path, _Checked]] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._loading = threading.Lock()
        self._codes: _Loaded | None = None
        self._devices: dict[str, DeviceMatrix] = {}
        self._snapshot = self._open()

    def _open(self) -> Snapshot:
        for _ in range(20):
            manifest = files.read_manifest(self.folder) or Manifest()
            try:
                seal = files.seal_of(self.folder, manifest)
                files.look(self.folder, manifest, self._checked.get(self.folder.resolve(), _Checked()).since(seal))
                self._remember(manifest, seal)
                return snapshot_of(self.folder, manifest)
            except IndexCorruptError:
                if (files.read_manifest(self.folder) or Manifest()) == manifest:  # else it was written as we looked
                    raise
        raise IndexCorruptError(f"{self.folder}: the matrix changes faster than it can be opened; try again")

    def _remember(self, manifest: Manifest, seal: Mapping[str, list[int]]) -> None:
        self._checked[self.folder.resolve()] = _Checked(seal, {p.name: p.count for p in manifest.parts.values()})

    # What it holds

    @property
    def dimension(self) -> int:
        """Numbers in a vector; 0 before the first."""
        return self._snapshot.manifest.dimension

    def __len__(self) -> int:
        return len(self._snapshot) - self._snapshot.manifest.count("gone")

    def rows(self) -> Rows:
        """Every row number that is not deleted, ascending."""
        snapshot = self._snapshot
        return snapshot.rows[snapshot.all_living()]

    def vectors(self, rows: Iterable[int] | Rows) -> tuple[Rows, Vectors]:
        """Vectors as they were given: row numbers that are known, in the order asked for, and shape (n, dimension)."""
        snapshot = self._snapshot
        places = snapshot.living(as_rows(rows))
        return snapshot.rows[places], snapshot.vectors[places]

    # Scoring

    def score(self, vector: npt.ArrayLike, rows: Iterable[int] | Rows | None = None) -> tuple[Rows, Scores]:
        """Exact cosines, rounded to six digits.

        Args:
            vector: Shape (dimension,).
            rows: Only these, in this order; all when ``None``.

        Returns:
            Row numbers, without those it does not hold, and their cosines.
        """
        snapshot = self._snapshot
        places = snapshot.all_living() if rows is None else snapshot.living(as_rows(rows))
        if not len(places):
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return snapshot.rows[places], exact(snapshot, self._queries(snapshot, vector)[0], places)

    def search(
        self,
        vectors: npt.ArrayLike,
        limit: int,
        *,
        allowed: Iterable[int] | Rows | None = None,
        engine: Engine = "quantized",
        device: Device = "cpu",
    ) -> list[tuple[Rows, Scores]]:
        """The rows of the highest cosines for each query, best first; equal ones by row number.

        Scores are exact with either engine, and a query's results do not hang on the other queries.

        Args:
            vectors: Queries, shape (queries, dimension).
            limit: Results for each query, at most.
            allowed: Only these rows, if given.
            engine: ``exact`` looks at every vector. ``quantized`` looks at every vector's code first; with few vectors
                it looks at them themselves.
            device: ``cuda`` keeps a copy of the matrix in half precision on the graphics card, for ``exact``.

        Returns:
            Row numbers and cosines for each query.
        """
        if engine not in ENGINES:
            raise ValueError(f"no engine named {engine!r}; choose one of {', '.join(ENGINES)}")
        snapshot = self._snapshot
        queries = self._queries(snapshot, vectors)
        places = None if allowed is None else snapshot.living(as_rows(allowed))
        count = len(self) if places is None else len(places)
        limit = min(limit, count)
        if limit < 1:
            return [(np.zeros(0, dtype=np.int64), np.zeros(0)) for _ in queries]
        if count <= max(_FEW, limit):
            chosen = [snapshot.all_living() if places is None else places] * len(queries)
        else:
            lengths = np.array([[length_of(query) or 1.0] for query in queries], dtype=np.float32)
            chosen = self._chosen(snapshot, queries / lengths, limit, snapshot.mask(places), engine, device)
        return best_of_many(snapshot, queries, chosen, limit)

    @staticmethod
    def _queries(snapshot: Snapshot, vectors: npt.ArrayLike) -> Vectors:
        queries: Vectors = np.atleast_2d(np.ascontiguousarray(vectors, dtype=np.float32))
        if snapshot.manifest.dimension not in {0, queries.shape[1]}:
            raise ValueError(
                f"a query of {queries.shape[1]} numbers cannot be compared with vectors of "
                f"{snapshot.manifest.dimension}; embed with the model that the index was made with"
            )
        return queries

    def _chosen(
        self, snapshot: Snapshot, queries: Vectors, limit: int, mask: Mask | None, engine: Engine, device: Device
    ) -> list[Rows]:
        """Positions among which each query's best ones are."""
        if device != "cpu":
            on_device: list[Rows] = self._on(device).candidates(snapshot, queries, limit, mask)
            return on_device
        codes = self._ready_codes(snapshot) if engine == "quantized" else None
        if codes is None:
            return candidates(snapshot, queries, limit, mask)
        short = max(1, _LONG // queries.shape[1])  # fewer numbers, fewer bits: an estimate is off by more
        found = codes.search(queries, max(_CANDIDATES, _PER_LIMIT * limit) * short, mask)
        chosen = [places[(places >= 0) & (places < len(snapshot))] for places in found]
        if len(codes) < len(snapshot):
            behind = candidates(snapshot, queries, limit, mask, len(codes))
            chosen = [np.concatenate(pair) for pair in zip(chosen, behind, strict=True)]
        return chosen

    def _ready_codes(self, snapshot: Snapshot) -> Codes | None:
        """Codes in memory for all but the newest vectors; ``None`` where there are none, or none that can be read."""
        part = snapshot.manifest.parts.get("codes")
        if part is None:
            return None
        with self._loading:
            if self._codes is None or self._codes.name != part.name or part.count - self._codes.covers > _TAIL:
                codes = self._coder(snapshot)
                if codes is not None:
                    codes.add(files.mapped(self.folder, part, np.uint8, part.record))
                self._codes = _Loaded(part.name, part.count, codes)
            return self._codes.codes

    def _coder(self, snapshot: Snapshot) -> Codes | None:
        """Makes codes as those on disk were made; ``None`` where this faiss makes others: they are made anew."""
        from kure_rag.index.codes import Codes

        parts = snapshot.manifest.parts
        codes = Codes(files.mapped(self.folder, parts["centre"], "<f4", snapshot.manifest.dimension)[0])
        few = min(_SAMPLE, parts["codes"].count)
        there = files.mapped(self.folder, parts["codes"], np.uint8, parts["codes"].record)[:few]
        return codes if codes.reads(units(snapshot.vectors[:few], snapshot.lengths[:few]), there) else None

    def _on(self, device: str) -> DeviceMatrix:
        from kure_rag.index.on_device import DeviceMatrix

        with self._loading:
            if device not in self._devices:
                self._devices[device] = DeviceMatrix(device)
            return self._devices[device]

    def close(self) -> None:
        """Lets go of what it keeps in memory. Maps are closed when the last search on them ends."""
        with self._loading:
            self._codes = None
            self._devices.clear()


def as_rows(rows: Iterable[int] | Rows) -> Rows:
    """Row numbers as an array, which is not copied when it is one."""
    if isinstance(rows, np.ndarray):
        return rows.astype(np.int64, copy=False)
    return np.fromiter(rows, dtype=np.int64)
