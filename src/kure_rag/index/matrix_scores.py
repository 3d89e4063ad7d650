"""The matrix as of one commit, and exact cosines over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError
from kure_rag.index import matrix_files as files
from kure_rag.index.matrix_files import Manifest

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]
ROW: Final = np.dtype([("row", "<i8"), ("length", "<f4"), ("spare", "<u4")])
GONE: Final = np.dtype("<i8")
_TOGETHER: Final = 32  # queries
_SHORT: Final = 300  # positions of each, at the most, to be handled together
_GATHER: Final = 2_048  # vectors copied together at once
_BLOCK: Final = 8_192  # vectors in one matrix product, at the least
_MOST: Final = 131_072  # and at the most
_SCORES: Final = 1 << 22  # scores that are held at once
_SMALL: Final = 1 << 20  # numbers for which a second thread is not worth waiting for
_NEAR: Final = 1e-5  # more than a matrix product, or rounding to six digits, differs from an exact score


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The matrix after one commit. A search works on one, whatever is committed meanwhile.

    Attributes:
        manifest: What of the files counts.
        rows: Row numbers, ascending, deleted ones too.
        lengths: Of the vectors.
        vectors: Shape (len(rows), dimension), mapped.
        alive: False for what was deleted; ``None`` when nothing was.
    """

    manifest: Manifest
    rows: Rows
    lengths: Vectors
    vectors: Vectors
    alive: Mask | None

    def __len__(self) -> int:
        return len(self.rows)

    def places(self, rows: Rows) -> tuple[Rows, Mask]:
        """Where rows stand, and which of them stand there at all, deleted or not."""
        if not len(self):
            return np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=bool)
        first, last = int(self.rows[0]), int(self.rows[-1])
        if last - first + 1 == len(self):  # no gaps
            places = rows - first
            known = (places >= 0) & (places < len(self))
            return np.where(known, places, 0), known
        places = np.minimum(np.searchsorted(self.rows, rows), len(self) - 1)
        return places, self.rows[places] == rows

    def living(self, rows: Rows) -> Rows:
        """Positions of those rows that are known and not deleted, in the order of the rows."""
        places, known = self.places(rows)
        if self.alive is not None:
            known = known & self.alive[places]
        return places if known.all() else places[known]

    def all_living(self) -> Rows:
        """Positions of all that is not deleted."""
        return np.arange(len(self)) if self.alive is None else np.flatnonzero(self.alive)

    def mask(self, places: Rows | None) -> Mask | None:
        """True at these positions; ``None`` when that is everywhere."""
        if places is None:
            return self.alive
        mask = np.zeros(len(self), dtype=bool)
        mask[places] = True
        return mask


def snapshot_of(folder: Path, manifest: Manifest) -> Snapshot:
    """Maps what a manifest counts.

    Raises:
        IndexCorruptError: The files do not fit together.
    """
    if not manifest.parts:
        nothing = np.zeros(0, dtype=np.float32)
        return Snapshot(manifest, np.zeros(0, dtype=np.int64), nothing, nothing.reshape(0, 0), None)
    records = files.mapped(folder, manifest.parts["rows"], ROW)
    vectors = files.mapped(folder, manifest.parts["vectors"], "<f4", manifest.dimension)
    rows = np.ascontiguousarray(records["row"]).astype(np.int64, copy=False)
    gone = files.mapped(folder, manifest.parts["gone"], GONE)
    if len(vectors) != len(rows) or (len(gone) and not 0 <= gone.min() <= gone.max() < len(rows)):
        raise IndexCorruptError(f"{folder}: the matrix's files do not fit together; rebuild the view")
    alive = None
    if len(gone):
        alive = np.ones(len(rows), dtype=bool)
        alive[gone] = False
    return Snapshot(manifest, rows, np.ascontiguousarray(records["length"]), vectors, alive)


def length_of(vector: Vectors) -> float:
    """A vector's length; the same wherever in a batch it stands."""
    wide = vector.astype(np.float64)
    return float(np.sqrt(np.einsum("i,i", wide, wide)))


def lengths_of(vectors: Vectors) -> Vectors:
    """Lengths of vectors."""
    out = np.empty(len(vectors), dtype=np.float32)
    for i in range(0, len(vectors), _GATHER):
        wide = vectors[i : i + _GATHER].astype(np.float64)
        out[i : i + _GATHER] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return out


def units(vectors: Vectors, lengths: Vectors) -> Vectors:
    """Vectors at length 1; those without a direction at 0."""
    sound = np.isfinite(lengths) & (lengths > 0)
    out: Vectors = (vectors / np.where(sound, lengths, 1)[:, None]).astype(np.float32, copy=False)
    out[~sound] = 0
    return out


def exact(snapshot: Snapshot, vector: Vectors, places: Rows) -> Scores:
    """Cosines at positions, rounded to six digits; 0 where there is no direction.

    einsum sums each row by itself. A matrix product's last bits hang on where a row stands, and equal passages would be
    ordered by that; what is left of such noise is rounded away.
    """
    dots = np.empty(len(places), dtype=np.float32)
    for i in range(0, len(places), _GATHER):
        part = places[i : i + _GATHER]
        whole = len(part) and part[-1] - part[0] + 1 == len(part) and bool((np.diff(part) == 1).all())
        chosen = snapshot.vectors[part[0] : part[-1] + 1] if whole else snapshot.vectors[part]
        with np.errstate(all="ignore"):  # of vectors that are not finite, which score 0
            dots[i : i + _GATHER] = np.einsum("ij,j->i", chosen, vector)
    return _cosines(dots, snapshot.lengths[places], length_of(vector))


def _cosines(dots: Vectors, lengths: Vectors, of_queries: float | Scores) -> Scores:
    with np.errstate(all="ignore"):
        products = lengths.astype(np.float64) * of_queries
        sound = np.isfinite(products) & (products > 0) & np.isfinite(dots)
        scores: Scores = np.where(sound, np.round(dots / np.where(sound, products, 1), 6), 0.0)
    return scores


def best_of_many(snapshot: Snapshot, queries: Vectors, chosen: Sequence[Rows], limit: int) -> list[tuple[Rows, Scores]]:
    """:func:`best` for each query among its own positions, few of them handled together."""
    if len(queries) < _TOGETHER or sum(map(len, chosen)) > _SHORT * len(queries):
        return [best(snapshot, query, places, limit) for query, places in zip(queries, chosen, strict=True)]
    out: list[tuple[Rows, Scores]] = []
    for i in range(0, len(queries), _TOGETHER):
        out += _best_of_some(snapshot, queries[i : i + _TOGETHER], chosen[i : i + _TOGETHER], limit)
    return out


def _best_of_some(
    snapshot: Snapshot, queries: Vectors, chosen: Sequence[Rows], limit: int
) -> list[tuple[Rows, Scores]]:
    places = np.concatenate(chosen)
    of = np.repeat(np.arange(len(queries)), [len(some) for some in chosen])
    with np.errstate(all="ignore"):
        dots = np.einsum("ij,ij->i", snapshot.vectors[places], queries[of])  # sums as in `exact`
    lengths = np.array([length_of(query) for query in queries])
    scores = _cosines(dots, snapshot.lengths[places], lengths[of])
    order = np.lexsort((places, -scores, of))
    begins = np.searchsorted(of, np.arange(len(queries)))  # sorting moves nothing from one query to another
    out = []
    for begin, some in zip(begins, chosen, strict=True):
        top = order[begin : begin + min(limit, len(some))]
        out.append((snapshot.rows[places[top]], scores[top]))
    return out


def best(snapshot: Snapshot, vector: Vectors, places: Rows, limit: int) -> tuple[Rows, Scores]:
    """Rows of the highest exact cosines among positions; equal ones by row."""
    scores = exact(snapshot, vector, places)
    if len(scores) > limit:
        chosen = scores >= np.partition(scores, len(scores) - limit)[len(scores) - limit]
        places, scores = places[chosen], scores[chosen]
    order = np.lexsort((places, -scores))[:limit]
    return snapshot.rows[places[order]], scores[order]


def candidates(snapshot: Snapshot, queries: Vectors, limit: int, mask: Mask | None, begin: int = 0) -> list[Rows]:
    """Positions that hold each query's ``limit`` highest cosines, and a few more.

    One matrix product for all queries finds them; as many as could be among the best by an exact score are given, so
    that what :func:`best` chooses of them does not hang on the other queries.

    Args:
        snapshot: The matrix.
        queries: Unit vectors, shape (queries, dimension).
        limit: At least 1.
        mask: True where positions may be found.
        begin: First position looked at.
    """
    held: list[list[tuple[Rows, Vectors]]] = [[] for _ in queries]
    floors = np.full(len(queries), -np.inf, dtype=np.float32)
    step = min(max(_BLOCK, _SCORES // max(1, len(queries))), _MOST)
    for i in range(begin, len(snapshot), step):
        block = slice(i, min(i + step, len(snapshot)))
        places = np.arange(block.start, block.stop) if mask is None else i + np.flatnonzero(mask[block])
        if not len(places):
            continue
        sparse = len(places) < (block.stop - block.start) // 4
        lengths = snapshot.lengths[places] if sparse else snapshot.lengths[block]
        with np.errstate(all="ignore"):
            cosines = _products(snapshot.vectors[places] if sparse else snapshot.vectors[block], queries)
            cosines /= np.where(lengths > 0, lengths, 1)[:, None]
        if not sparse and len(places) < len(cosines):
            cosines = cosines[places - i]
        np.nan_to_num(cosines, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        _hold(held, floors, places, cosines, limit)
    return [_cut(parts, limit) for parts in held]


def _products(vectors: Vectors, queries: Vectors) -> Vectors:
    if len(queries) == 1 and vectors.size <= _SMALL:
        alone: Vectors = np.einsum("ij,j->i", vectors, queries[0])[:, None]
        return alone
    products: Vectors = vectors @ queries.T
    return products


def _hold(held: list[list[tuple[Rows, Vectors]]], floors: Vectors, places: Rows, cosines: Vectors, limit: int) -> None:
    """Keeps what may be among the best, and raises the floors below which nothing can be."""
    for number, column in enumerate(cosines.T):
        chosen = column >= floors[number] - _NEAR
        few = column[chosen]
        if len(few) > limit:
            floor = np.partition(few, len(few) - limit)[len(few) - limit]
            floors[number] = max(floors[number], floor)
            chosen = column >= floors[number] - _NEAR
            few = column[chosen]
        if len(few):
            held[number].append((places[chosen], few))


def _cut(parts: list[tuple[Rows, Vectors]], limit: int) -> Rows:
    if not parts:
        return np.zeros(0, dtype=np.int64)
    places, cosines = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(places) > limit:
        places = places[cosines >= np.partition(cosines, len(cosines) - limit)[len(cosines) - limit] - _NEAR]
    return places
