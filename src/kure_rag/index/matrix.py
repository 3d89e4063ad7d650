"""The third view: all vectors as one matrix on disk, mapped into memory, for exact cosines.

Vectors are only ever appended, deleted ones are marked, and :meth:`MatrixView.compact` writes what is left anew. How it
is searched stands in :mod:`kure_rag.index.matrix_read`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.index import matrix_files as files
from kure_rag.index.failpoints import failpoint
from kure_rag.index.matrix_files import Manifest, Part
from kure_rag.index.matrix_read import MatrixReader, as_rows
from kure_rag.index.matrix_scores import GONE, ROW, Rows, Snapshot, Vectors, lengths_of, snapshot_of, units

Added = Mapping[int, npt.ArrayLike] | tuple[npt.ArrayLike, npt.ArrayLike]
_CODED_FROM: Final = 20_000  # vectors; fewer are scored exactly about as fast as by codes
_RETRAIN: Final = 4  # times as many vectors as the codes' centre was computed from
_STEP: Final = 4_096  # vectors handled at once


class MatrixView(MatrixReader):
    """Vectors by row number in a folder of its own. Threads may share it; one process at a time may write.

    A row number stands for one vector for ever: adding it again changes nothing, and that of a deleted one is not to be
    used again.

    Args:
        folder: Made when it does not exist.

    Raises:
        IndexCorruptError: A file is lost, breaks off, or is not as it was written. Contents are compared with their
            checksums when sizes or times of the files are not those they were left with.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._writing = threading.Lock()

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
            self._snapshot = self._struck(snapshot, as_rows(deleted))

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
                self._snapshot = self._anew(self._snapshot, as_rows(()), self._snapshot.vectors[:0])

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

    def check(self) -> list[str]:
        """Compares all contents with their checksums; one clause for each problem."""
        return files.problems(self.folder, self._snapshot.manifest)


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
