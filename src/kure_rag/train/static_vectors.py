"""Where the vectors start from, before they are tuned: a fingerprint and a meaning, times a weight.

The fingerprint is a random direction, at right angles to those of words about as common. It keeps the inner product of
two bags of words near that of their full count vectors (Johnson and Lindenstrauss), so that a question finds the
passage with its words in it. The meaning is the singular value decomposition of positive pointwise mutual information
(Levy and Goldberg 2014); words that the training text has no neighbours for go without. The weight lets rare words
outvote common ones, since a mean is all that follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.train.static_vocab import Kind, Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSettings:
    """How the vectors are made.

    Attributes:
        window: How many pieces to each side count as neighbours.
        statute_weight: What a neighbourhood in a statute counts.
        smoothing: Exponent of the context's share; below 1 it holds rare contexts back.
        meaning: Length of the meaning beside a fingerprint of length 1.
        common: Log of 1 / share at which a piece weighs next to nothing.
        flatten: How far the directions that all passages share are shrunk: 0 not at all, 1 to equal strength.
    """

    window: int = 6
    statute_weight: float = 0.2
    smoothing: float = 0.75
    meaning: float = 0.7
    common: float = 3.0
    flatten: float = 0.5


_KIND_WEIGHTS: Final[Mapping[Kind, float]] = {
    Kind.WORD: 1.0,
    Kind.NUMBER: 1.2,
    Kind.PAIR: 1.0,
    Kind.SYLLABLE: 0.6,
    Kind.LIGHT: 0.5,
    Kind.BYTE: 0.3,
    Kind.FUNCTION: 0.1,
    Kind.MARK: 0.02,  # not 0: a text of marks alone must have a direction too
}
_MEANINGLESS: Final = frozenset({Kind.FUNCTION, Kind.MARK, Kind.BYTE})
# How much each source says about how common a word is for those who search.
_STATUTES, _GENERAL, _PRIOR = 0.35, 0.40, 0.25
_RAREST: Final = 1e-6
_LEAST: Final = 0.2


def start_vectors(
    statutes: Sequence[Ids],
    general: Sequence[Ids],
    passages: Sequence[Ids],
    vocabulary: Vocabulary,
    *,
    dim: int,
    seed: int,
    settings: VectorSettings,
) -> Matrix:
    """One vector for each piece; the longest has length 1.

    Args:
        statutes: Piece ids of each article.
        general: Piece ids of each other sentence.
        passages: Piece ids of texts of the length that is searched, to see which directions they share.
        vocabulary: The pieces.
        dim: How long a vector is.
        seed: Of the fingerprints, and of the decomposition's start.
        settings: How the vectors are made.
    """
    share = _share(statutes, general, vocabulary)
    keep = np.array([kind not in _MEANINGLESS for kind in vocabulary.kinds])
    meaning = _meaning(statutes, general, keep, dim=dim, seed=seed, settings=settings)
    vectors = _unit(_fingerprints(share, keep, dim=dim, seed=seed) + settings.meaning * meaning)
    vectors *= _weights(share, vocabulary, common=settings.common)[:, None]
    vectors = _flatten(vectors, passages, strength=settings.flatten)
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1).max(), dtype=np.float32)


def quantise(vectors: Matrix, *, levels: int) -> tuple[NDArray[np.int8], Matrix]:
    """Whole numbers from ``-levels`` to ``levels``, and what to multiply each row by.

    Few levels lose nothing measurable and compress well, which is what keeps the wheel small.
    """
    # Three standard deviations: stretching the grid to a row's one largest value would waste it on the others.
    reach = np.maximum(3.0 * vectors.std(axis=1), 1e-12)
    whole = np.clip(np.rint(vectors / reach[:, None] * levels), -levels, levels).astype(np.int8)
    return whole, (reach / levels).astype(np.float32)


def count_matrix(texts: Sequence[Ids], size: int) -> Any:
    """Texts by pieces, as a sparse matrix of counts."""
    from scipy import sparse

    ends = np.cumsum([0, *(len(ids) for ids in texts)])
    ids = np.concatenate(texts)
    counts = sparse.csr_matrix((np.ones(len(ids), dtype=np.float32), ids, ends), shape=(len(texts), size))
    counts.sum_duplicates()
    return counts


def _share(statutes: Sequence[Ids], general: Sequence[Ids], vocabulary: Vocabulary) -> NDArray[np.float64]:
    """How common each piece is, the sources weighed by how like questions and passages they are."""
    share = _PRIOR * np.array(vocabulary.prior)
    for texts, part in ((statutes, _STATUTES), (general, _GENERAL)):
        seen = np.bincount(np.concatenate(texts), minlength=len(share))
        share += part * seen / seen.sum()
    return np.asarray(share)


def _fingerprints(share: NDArray[np.float64], keep: NDArray[np.bool_], *, dim: int, seed: int) -> Matrix:
    """Random directions of length 1.

    Among the most common pieces, which make most of the chance resemblance between passages, as many as there are
    dimensions stand at exact right angles; then the next as many, and so on.
    """
    drawn = np.random.default_rng(seed).standard_normal((len(share), dim))
    order = np.argsort(-share * np.where(keep, 1.0, 1e-6), kind="stable")
    for start in range(0, len(order), dim):
        block = order[start : start + dim]
        drawn[block] = np.linalg.qr(drawn[block].T)[0].T
    return np.asarray(drawn, dtype=np.float32)


def _weights(share: NDArray[np.float64], vocabulary: Vocabulary, *, common: float) -> Matrix:
    information = np.maximum(-np.log(share + _RAREST) - common, _LEAST)
    kinds = np.array([_KIND_WEIGHTS[kind] for kind in vocabulary.kinds])
    return np.asarray(information * kinds, dtype=np.float32)


def _meaning(
    statutes: Sequence[Ids],
    general: Sequence[Ids],
    keep: NDArray[np.bool_],
    *,
    dim: int,
    seed: int,
    settings: VectorSettings,
) -> Matrix:
    """Left singular vectors of the PPMI matrix, each row of length 1 or 0."""
    from sklearn.utils.extmath import randomized_svd

    information = _ppmi(statutes, general, keep, settings)
    rank = min(dim, len(keep) - 1)
    left, _, _ = randomized_svd(information, rank, n_iter=3, random_state=seed)
    meaning = np.zeros((len(keep), dim), dtype=np.float32)
    meaning[:, :rank] = left
    # Rows without neighbours come out as rounding errors, which scaling to unit length would blow up.
    meaning[information.getnnz(axis=1) == 0] = 0.0
    return _unit(meaning)


def _ppmi(statutes: Sequence[Ids], general: Sequence[Ids], keep: NDArray[np.bool_], settings: VectorSettings) -> Any:
    """Positive pointwise mutual information between a piece and the pieces around it."""
    from scipy import sparse

    gap = np.full(settings.window, -1, dtype=np.int64)  # so that no neighbourhood crosses two texts
    size = len(keep)
    counts = sparse.csr_matrix((size, size), dtype=np.float32)
    for texts, weight in ((statutes, settings.statute_weight), (general, 1.0)):
        line = np.concatenate([part for ids in texts for part in (ids[keep[ids]], gap)])
        for distance in range(1, settings.window + 1):
            first, second = line[:-distance], line[distance:]
            inside = (first >= 0) & (second >= 0)
            worth = np.full(int(inside.sum()), weight / np.sqrt(distance), dtype=np.float32)
            counts = counts + sparse.coo_matrix((worth, (first[inside], second[inside])), shape=(size, size)).tocsr()
    both = (counts + counts.T).tocoo()
    rows = np.bincount(both.row, both.data, size)
    contexts = np.bincount(both.col, both.data, size) ** settings.smoothing
    expected = rows[both.row] * contexts[both.col] / contexts.sum()
    information = np.log(both.data / np.maximum(expected, 1e-12))
    positive = information > 0
    cells = (both.row[positive], both.col[positive])
    return sparse.csr_matrix((information[positive].astype(np.float32), cells), shape=(size, size))


def _flatten(vectors: Matrix, passages: Sequence[Ids], *, strength: float) -> Matrix:
    """Shrink the directions in which passages resemble one another, whatever they are about."""
    if not strength or len(passages) < vectors.shape[1]:
        return vectors  # fewer passages than directions would stretch those that none of them uses
    means = _unit(np.asarray(count_matrix(passages, len(vectors)) @ vectors))
    power, axes = np.linalg.eigh(means.T @ means / len(means))
    return np.asarray(vectors @ axes * (power / power.mean()) ** (-strength / 2), dtype=np.float32)


def _unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)
