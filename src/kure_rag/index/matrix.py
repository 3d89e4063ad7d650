"""The third view: all vectors as one matrix on disk, mapped into memory, for exact cosines.

What a filter leaves is scored exactly; the whole is searched either exactly or by one-bit codes whose best candidates
are then scored exactly. Vectors are only ever appended, deleted ones are marked, and :meth:`MatrixView.compact` writes
what is left anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError
from kure_rag.index import matrix_files as files
from kure_rag.index.failpoints import failpoint
from kure_rag.index.matrix_files import Manifest, Part
from kure_rag.index.matrix_scores import (
    GONE,
    ROW,
    Mask,
    Rows,
    Scores,
    Snapshot,
    Vectors,
    best_of_many,
    candidates,
    exact,
    length_of,
    lengths_of,
    snapshot_of,
    units,
)

if TYPE_CHECKING:
    from kure_rag.index.codes import Codes
    from kure_rag.index.on_device import DeviceMatrix

Engine = Literal["exact", "quantized"]
Device = Literal["cpu", "cuda"]
Added = Mapping[int, npt.ArrayLike] | tuple[npt.ArrayLike, npt.ArrayLike]
ENGINES: Final = ("exact", "quantized")
_CODED_FROM: Final = 20_000  # vectors; fewer are scored exactly about as fast as by codes
_RETRAIN: Final = 4  # times as many vectors as the codes' centre was computed from
_TAIL: Final = 1_024  # new vectors that are scored exactly before their codes are loaded
_FEW: Final = 2_000  # rows that are gathered and scored one by one
_STEP: Final = 4_096  # vectors handled at once
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


class MatrixView:
    """Vectors by row number in a folder of its own. Threads may share it; one process at a time may write.

    A row number stands for one vector for ever: adding it again changes nothing, and that of a deleted one is not to be
    used again.

    Args:
        folder: Made when it does not exist.

    Raises:
        IndexCorruptError: A file is lost, breaks off, or is not as it was written. Contents are compared with their
            checksums when sizes or times of the files are not those they were left with.
    """

    _checked: ClassVar[dict[Path, _Checked]] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._writing = threading.Lock()
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
        places = snapshot.living(_as_rows(rows))
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
        places = snapshot.all_living() if rows is None else snapshot.living(_as_rows(rows))
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
        places = None if allowed is None else snapshot.living(_as_rows(allowed))
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

    # Writing

    def apply(self, added: Added, deleted: Iterable[int] | Rows = ()) -> None:
        """Adds vectors and deletes others; both are on disk when it returns. Doing it again changes nothing.

        Args:
            added: Vectors by row number, or row numbers and a matrix of shape (rows, dimension).
            deleted: Row numbers; unknown ones are passed over.

        Raises:
            ValueError: A vector has another dimension than the others.
        """
        rows, vectors = _as_pairs(added)
        with self._writing:
            snapshot = self._snapshot
            _, known = snapshot.places(rows)
            rows, vectors = rows[~known], vectors[~known]
            if len(rows):
                _check_dimension(snapshot.manifest, vectors)
                if len(snapshot) and rows[0] < snapshot.rows[-1]:  # never where a catalog gives the numbers
                    snapshot = self._anew(snapshot, rows, vectors)
                else:
                    snapshot = self._appended(snapshot, rows, vectors)
            self._snapshot = self._struck(snapshot, _as_rows(deleted))

    def _appended(self, snapshot: Snapshot, rows: Rows, vectors: Vectors) -> Snapshot:
        manifest = snapshot.manifest
        if not manifest.parts:
            manifest = replace(manifest, dimension=vectors.shape[1], parts=_parts(vectors.shape[1], manifest.number))
            files.write_manifest(self.folder, manifest)  # so that files without a manifest are never ours
        files.sweep(self.folder, manifest)
        grown = self._written(manifest, rows, vectors)
        due = grown.count("rows") >= max(_CODED_FROM, _RETRAIN * grown.trained)
        if due or grown.trained:
            grown = self._coded(snapshot_of(self.folder, grown), retrain=due)
            failpoint("matrix-codes-written")
        return self._commit(grown)

    def _written(self, manifest: Manifest, rows: Rows, vectors: Vectors) -> Manifest:
        parts = dict(manifest.parts)
        records = np.zeros(len(rows), dtype=ROW)
        records["row"], records["length"] = rows, lengths_of(vectors)
        parts["vectors"] = files.append(self.folder, parts["vectors"], vectors)
        failpoint("matrix-vectors-written")
        parts["rows"] = files.append(self.folder, parts["rows"], records.view(np.uint8))
        failpoint("matrix-rows-written")
        return replace(manifest, parts=parts)

    def _struck(self, snapshot: Snapshot, deleted: Rows) -> Snapshot:
        places = snapshot.living(np.unique(deleted))
        if not len(places):
            return snapshot
        parts = dict(snapshot.manifest.parts)
        parts["gone"] = files.append(self.folder, parts["gone"], places.astype(GONE))
        failpoint("matrix-gone-written")
        return self._commit(replace(snapshot.manifest, parts=parts))

    def _commit(self, manifest: Manifest) -> Snapshot:
        files.write_manifest(self.folder, manifest)
        failpoint("matrix-committed")
        files.write_seal(self.folder, manifest)
        self._remember(manifest, files.seal_of(self.folder, manifest))
        return snapshot_of(self.folder, manifest)

    def _coded(self, snapshot: Snapshot, *, retrain: bool) -> Manifest:
        """Writes codes for vectors that have none yet; for all of them, around a new centre, when asked to."""
        from kure_rag.index.codes import Codes, centre_of

        parts, manifest = dict(snapshot.manifest.parts), snapshot.manifest
        codes = None if retrain else self._coder(snapshot)
        if codes is None:
            sample = slice(None, None, max(1, len(snapshot) // _CODED_FROM))  # from all over
            codes = Codes(centre_of(units(snapshot.vectors[sample], snapshot.lengths[sample])))
            manifest = replace(manifest, trained=len(snapshot))
            name = f"-{manifest.number}-{manifest.trained}.bin"
            centre = Part(f"centre{name}", "centre", manifest.dimension, 4 * manifest.dimension)
            parts["centre"] = files.append(self.folder, centre, codes.centre)
            parts["codes"] = Part(f"codes{name}", "codes", manifest.dimension, codes.width)
        made = [
            codes.encode(units(snapshot.vectors[i : i + _STEP], snapshot.lengths[i : i + _STEP]))
            for i in range(parts["codes"].count, len(snapshot), _STEP)
        ]
        parts["codes"] = files.append(self.folder, parts["codes"], np.concatenate(made))
        return replace(manifest, parts=parts)

    def compact(self) -> None:
        """Writes all that is not deleted anew, and lets go of the rest."""
        with self._writing:
            if self._snapshot.manifest.count("gone"):
                self._snapshot = self._anew(self._snapshot, _as_rows(()), self._snapshot.vectors[:0])

    def _anew(self, snapshot: Snapshot, rows: Rows, vectors: Vectors) -> Snapshot:
        """Everything in new files, in the order of rows, with more rows among it."""
        number = snapshot.manifest.number + 1
        manifest = Manifest(snapshot.manifest.dimension, number, 0, _parts(snapshot.manifest.dimension, number))
        for some, of_them in _merged(snapshot, rows, vectors):
            manifest = self._written(manifest, some, of_them)
        if manifest.count("rows") >= _CODED_FROM:
            manifest = self._coded(snapshot_of(self.folder, manifest), retrain=True)
        after = self._commit(manifest)
        files.sweep(self.folder, manifest)
        return after

    # Looking after it

    def check(self) -> list[str]:
        """Compares all contents with their checksums; one clause for each problem."""
        return files.problems(self.folder, self._snapshot.manifest)

    def close(self) -> None:
        """Lets go of what it keeps in memory. Maps are closed when the last search on them ends."""
        with self._loading:
            self._codes = None
            self._devices.clear()


def _check_dimension(manifest: Manifest, vectors: Vectors) -> None:
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise ValueError(f"vectors of shape {vectors.shape}: one row of numbers for each row number is needed")
    if manifest.dimension not in {0, vectors.shape[1]}:
        raise ValueError(
            f"vectors of {vectors.shape[1]} numbers cannot stand beside vectors of {manifest.dimension}; "
            "embed with the model that the index was made with"
        )


def _parts(dimension: int, number: int) -> dict[str, Part]:
    records = {"vectors": 4 * dimension, "rows": ROW.itemsize, "gone": GONE.itemsize}
    return {kind: Part(f"{kind}-{number}.bin", kind, dimension, record) for kind, record in records.items()}


def _merged(snapshot: Snapshot, rows: Rows, vectors: Vectors) -> Iterator[tuple[Rows, Vectors]]:
    """What is not deleted and what is new, a few at a time, by row number."""
    living = snapshot.all_living()
    for i in range(0, max(1, len(living)), _STEP):
        places = living[i : i + _STEP]
        last = i + _STEP >= len(living)
        new = (rows > (snapshot.rows[living[i - 1]] if i else -(2**62))) & (
            True if last else rows <= snapshot.rows[places[-1]]
        )
        some = np.concatenate([snapshot.rows[places], rows[new]])
        order = np.argsort(some)
        if len(some):
            yield some[order], np.concatenate([snapshot.vectors[places], vectors[new]])[order]


def _as_rows(rows: Iterable[int] | Rows) -> Rows:
    if isinstance(rows, np.ndarray):
        return rows.astype(np.int64, copy=False)
    return np.fromiter(rows, dtype=np.int64)


def _as_pairs(added: Added) -> tuple[Rows, Vectors]:
    """Row numbers, ascending, each once, and their vectors.

    Raises:
        ValueError: Vectors of several dimensions.
    """
    if isinstance(added, tuple):
        rows, vectors = np.asarray(added[0], dtype=np.int64), np.asarray(added[1], dtype=np.float32)
    else:
        rows = np.fromiter(added, dtype=np.int64)
        each = [np.asarray(vector, dtype=np.float32) for vector in added.values()]
        if len({vector.shape for vector in each}) > 1:
            raise ValueError(f"vectors of several dimensions: {sorted({vector.shape for vector in each})}")
        vectors = np.stack(each) if each else np.zeros((0, 0), dtype=np.float32)
    if len(rows) != len(vectors):
        raise ValueError(f"{len(rows)} row numbers for {len(vectors)} vectors")
    rows, first = np.unique(rows, return_index=True)
    return rows, vectors[first]
