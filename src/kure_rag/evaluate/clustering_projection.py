"""Vectors on a map of two dimensions: PCA, t-SNE or UMAP.

What a map shows: t-SNE and UMAP keep neighbours together and say little about distances between groups; PCA keeps the
directions of most variance, and lets groups lie over one another.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.evaluate.clustering import one_thread
from kure_rag.evaluate.pairs import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

Projection = Literal["tsne", "umap", "pca"]
PROJECTIONS: Final[tuple[Projection, ...]] = get_args(Projection)

_PERPLEXITY: Final = 30.0  # of t-SNE, its authors' middle; smaller for few texts
_NEIGHBOURS: Final = 15  # of UMAP, its default
_FEWEST_UMAP: Final = 5
_DIMENSIONS: Final = 50  # principal components that t-SNE gets, as its authors do: the rest is noise that costs time


def check_projection(projection: str) -> None:
    """Raises before any work, where a projection is unknown or needs what is not installed.

    Raises:
        ConfigError: There is no such projection.
        MissingExtraError: UMAP without the extra ``umap``.
    """
    if projection not in PROJECTIONS:
        raise ConfigError(f"projection={projection!r}: choose one of {', '.join(PROJECTIONS)}")
    if projection == "umap" and find_spec("umap") is None:
        raise MissingExtraError("a UMAP projection", "umap")


def project(vectors: Any, projection: Projection = "tsne", *, seed: int = 0) -> NDArray[np.float64]:
    """Places of vectors on a map.

    Vectors are scaled to unit length first. Texts that are one to the model get one place with PCA, and places side by
    side otherwise.

    Args:
        vectors: Shape (n, dimension).
        projection: ``tsne`` (van der Maaten and Hinton 2008; scikit-learn), ``umap`` (McInnes et al. 2018; extra
            ``umap``) or ``pca``.
        seed: The same seed gives the same map.

    Returns:
        Shape (n, 2), float64. Only one vector, or none that differs from the others, lies at 0, 0.

    Raises:
        ConfigError: There is no such projection, or UMAP is to place fewer than 5 texts.
        MissingExtraError: UMAP without the extra ``umap``.
    """
    check_projection(projection)
    matrix = unit(vectors)
    if projection == "umap" and len(matrix) < _FEWEST_UMAP:
        raise ConfigError(f"UMAP needs {_FEWEST_UMAP} texts or more, not {len(matrix)}; choose pca")
    if len(matrix) < 2 or np.ptp(matrix, axis=0).max() == 0:
        return np.zeros((len(matrix), 2))
    with one_thread():
        if projection == "umap":
            return _umap(matrix, seed)
        if projection == "tsne" and len(matrix) > 2:
            return _tsne(matrix, seed)
        return _pca(matrix, 2)


def _pca(matrix: NDArray[np.float64], components: int) -> NDArray[np.float64]:
    from sklearn.decomposition import PCA

    kept = min(components, *matrix.shape)
    found = PCA(kept, svd_solver="full").fit_transform(matrix)
    return np.pad(found, ((0, 0), (0, components - kept))) if components == 2 else np.asarray(found)


def _tsne(matrix: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    reduced = _pca(matrix, _DIMENSIONS) if matrix.shape[1] > _DIMENSIONS else matrix
    few = (len(matrix) - 1) / 3  # more neighbours than a third of the texts is more than there are groups to show
    tsne = TSNE(2, perplexity=max(1.0, min(_PERPLEXITY, few)), init="pca", random_state=seed)
    return np.asarray(tsne.fit_transform(reduced), dtype=np.float64)


def _umap(matrix: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    umap = import_module("umap")
    # One thread: with more of them, UMAP's result depends on which is first. Its spectral start needs more texts than
    # components.
    start = "spectral" if len(matrix) > 2 * _FEWEST_UMAP else "random"
    reducer = umap.UMAP(
        n_neighbors=min(_NEIGHBOURS, len(matrix) - 1), n_components=2, random_state=seed, n_jobs=1, init=start
    )
    return np.asarray(reducer.fit_transform(matrix.astype(np.float32)), dtype=np.float64)
