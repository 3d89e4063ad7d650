"""Groups of texts that mean something alike: k-means or HDBSCAN on their vectors, each named by its typical terms.

::

    clustering = cluster_texts("static-ko", texts, ClusterSettings(method="kmeans", clusters=4))
    for cluster in clustering.clusters:
        print(cluster.size, ", ".join(cluster.terms), texts[cluster.example])
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from kure_rag.embed import as_embedder
from kure_rag.errors import ConfigError
from kure_rag.evaluate.clustering_terms import TermsOf, nouns, typical_terms
from kure_rag.evaluate.pairs import Progress, embedded, unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Method = Literal["kmeans", "hdbscan"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
NOISE: Final = -1
"""The number of texts that HDBSCAN puts into no cluster, as scikit-learn has it."""

_STARTS: Final = 10  # of k-means; the best is kept
_MOST_TRIED: Final = 12  # clusters, where none were asked for
_JUDGED: Final = 2_000  # texts that silhouettes are computed from: they compare each with each
_HDBSCAN_DIMENSIONS: Final = 16  # density says little in hundreds of dimensions, where all are about equally far


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """How texts are grouped.

    Attributes:
        method: ``kmeans`` (every text gets a cluster) or ``hdbscan`` (finds how many there are; texts between them are
            noise).
        clusters: Of k-means; by default the number from 2 to 12 with the best mean silhouette (Rousseeuw 1987), of
            2,000 texts drawn by chance where there are more.
        min_cluster_size: Of HDBSCAN: a smaller group is noise. By default a hundredth of the texts, 5 at the least.
        terms: Typical terms of each cluster.
        seed: The same seed gives the same clusters.

    Raises:
        ConfigError: A value that makes no sense, or does not go with the method.
    """

    method: Method = "kmeans"
    clusters: int | None = None
    min_cluster_size: int | None = None
    terms: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"method={self.method!r}: choose one of {', '.join(METHODS)}")
        if self.clusters is not None and self.method != "kmeans":
            raise ConfigError("HDBSCAN finds the number of clusters itself: leave it out, or choose kmeans")
        if self.min_cluster_size is not None and self.method != "hdbscan":
            raise ConfigError("a minimum cluster size is for HDBSCAN: leave it out, or choose hdbscan")
        for name, value, least in (
            ("number of clusters", self.clusters, 1),
            ("minimum cluster size", self.min_cluster_size, 2),
            ("number of terms", self.terms, 1),
            ("seed", self.seed, 0),
        ):
            if value is not None and value < least:
                raise ConfigError(f"the {name} is {value}; choose {least} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One group.

    Attributes:
        number: From 0, the largest first.
        size: Texts in it.
        terms: The most typical first, from :func:`~kure_rag.evaluate.clustering_terms.typical_terms`.
        example: 0-based position of the text nearest to the cluster's mean vector.
    """

    number: int
    size: int
    terms: tuple[str, ...]
    example: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """What came out.

    Attributes:
        labels: Of each text the number of its cluster, or :data:`NOISE`.
        clusters: The largest first.
        silhouette: Mean silhouette by cosine of the texts that have a cluster, from -1 to 1, of 2,000 texts at the
            most; ``None`` for fewer than two clusters. Near 0 the clusters run into each other.
    """

    labels: NDArray[np.int64]
    clusters: tuple[Cluster, ...]
    silhouette: float | None

    @property
    def noise(self) -> int:
        """How many texts have no cluster."""
        return int((self.labels == NOISE).sum())


def cluster_texts(
    embeddings: object,
    texts: Sequence[str],
    settings: ClusterSettings | None = None,
    *,
    terms_of: TermsOf = nouns,
    progress: Progress | None = None,
) -> Clustering:
    """Embeds texts as passages and groups them; see :func:`cluster_vectors`.

    Args:
        embeddings: A model's name or folder, an ``Embedder``, or a LangChain or LlamaIndex embedding object.
        texts: Two or more that are not empty.
        settings: How.
        terms_of: What makes terms of texts; nouns by default.
        progress: Told the number of texts that are embedded, at times.

    Raises:
        ConfigError: There are fewer than two texts.
    """
    settings = settings or ClusterSettings()
    check_count(len(texts), settings)
    vectors = embedded(as_embedder(embeddings), texts, "passage", progress)
    return cluster_vectors(vectors, texts, settings, terms_of=terms_of)


def cluster_vectors(
    vectors: Any, texts: Sequence[str], settings: ClusterSettings | None = None, *, terms_of: TermsOf = nouns
) -> Clustering:
    """Groups texts whose vectors are there, such as an index's.

    Vectors are scaled to unit length, so that Euclidean distance ranks as cosine does. HDBSCAN gets their first 16
    principal components. One thread computes, see :func:`one_thread`.

    Args:
        vectors: Shape (n, dimension).
        texts: The n texts, for the terms.
        settings: How.
        terms_of: What makes terms of texts; nouns by default.

    Raises:
        ConfigError: Fewer than two texts, fewer different texts than clusters, or all texts are one to the model.
    """
    settings = settings or ClusterSettings()
    matrix = unit(vectors)
    if len(matrix) != len(texts):
        raise ValueError(f"{len(matrix)} vectors for {len(texts)} texts; give one for each")
    check_count(len(matrix), settings)
    different = _different(matrix)
    if different == 1:
        raise ConfigError(f"all {len(matrix)} texts have the same vector: there is nothing to group")
    if settings.clusters is not None and settings.clusters > different:
        raise ConfigError(f"only {different} texts differ: {settings.clusters} clusters cannot be made, ask for fewer")
    found = _kmeans(matrix, settings) if settings.method == "kmeans" else _hdbscan(matrix, settings)
    labels = _by_size(found)
    terms = typical_terms(texts, labels, most=settings.terms, terms_of=terms_of)
    clusters = tuple(
        Cluster(
            number=number,
            size=int((labels == number).sum()),
            terms=terms[number],
            example=_nearest_to_mean(matrix, np.flatnonzero(labels == number)),
        )
        for number in range(labels.max() + 1)
    )
    return Clustering(labels=labels, clusters=clusters, silhouette=_silhouette(matrix, labels, settings.seed))


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps scikit-learn and the linear algebra below it to one thread of this process.

    With several, sums are added in the order in which threads happen to finish: the same seed would not give the same
    clusters and maps. On busy machines waiting threads also cost more than they bring.
    """
    import sklearn.cluster
    import sklearn.manifold  # noqa: F401 - loaded before, so that the limit reaches its threads
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


def check_count(texts: int, settings: ClusterSettings) -> None:
    """Raises before texts are embedded, where there are too few of them.

    Raises:
        ConfigError: Fewer than two texts, than clusters, or than the smallest cluster is to have.
    """
    if texts < 2:
        raise ConfigError(f"{texts} text{'' if texts == 1 else 's'}: groups need two texts or more")
    if settings.clusters is not None and settings.clusters > texts:
        raise ConfigError(f"{texts} texts cannot make {settings.clusters} clusters: ask for {texts} or fewer")
    if settings.min_cluster_size is not None and settings.min_cluster_size > texts:
        raise ConfigError(f"{texts} texts cannot make a cluster of {settings.min_cluster_size}: choose a smaller size")


def _kmeans(matrix: NDArray[np.float64], settings: ClusterSettings) -> NDArray[np.int64]:
    count = settings.clusters or _best_count(matrix[_sample(len(matrix), settings.seed)], settings.seed)
    return _kmeans_of(matrix, count, settings.seed)


def _best_count(matrix: NDArray[np.float64], seed: int) -> int:
    """The number of clusters with the best silhouette; 2 where none has one."""
    scores: dict[int, float] = {}
    # A silhouette needs a text more than clusters.
    for count in range(2, min(_MOST_TRIED, _different(matrix), len(matrix) - 1) + 1):
        score = _silhouette(matrix, _kmeans_of(matrix, count, seed), seed)
        if score is not None:
            scores[count] = score
    return max(scores, key=lambda count: (scores[count], -count), default=2)


def _different(matrix: NDArray[np.float64]) -> int:
    return len(np.unique(matrix.astype(np.float32), axis=0))


def _sample(count: int, seed: int) -> NDArray[np.intp]:
    """Positions of the texts that a number of clusters is judged by, ascending."""
    if count <= _JUDGED:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, _JUDGED, replace=False))


def _kmeans_of(matrix: NDArray[np.float64], count: int, seed: int) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans

    with one_thread():
        return np.asarray(KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(matrix), dtype=np.int64)


def _hdbscan(matrix: NDArray[np.float64], settings: ClusterSettings) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    least = settings.min_cluster_size or max(5, len(matrix) // 100)
    if least > len(matrix):
        raise ConfigError(f"{len(matrix)} texts cannot make a cluster of {least}: choose a smaller size, or kmeans")
    components = min(_HDBSCAN_DIMENSIONS, *matrix.shape)
    with one_thread():
        reduced = PCA(components, svd_solver="full").fit_transform(matrix)
        return np.asarray(HDBSCAN(min_cluster_size=least, copy=True).fit_predict(reduced), dtype=np.int64)


def _silhouette(matrix: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> float | None:
    from sklearn.metrics import silhouette_score

    of_clusters = np.flatnonzero(labels != NOISE)
    of_clusters = of_clusters[_sample(len(of_clusters), seed)]
    judged = labels[of_clusters]
    if not 2 <= len(np.unique(judged)) < len(judged):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(silhouette_score(matrix[of_clusters], judged, metric="cosine"))


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same groups numbered from 0, the largest first and of equal ones the one that begins first; noise stays."""
    numbers, first, sizes = np.unique(labels[labels != NOISE], return_index=True, return_counts=True)
    renumbered = np.full(len(labels), NOISE, dtype=np.int64)
    for new, i in enumerate(np.lexsort((first, -sizes))):
        renumbered[labels == numbers[i]] = new
    return renumbered


def _nearest_to_mean(matrix: NDArray[np.float64], members: NDArray[np.intp]) -> int:
    near = matrix[members] @ matrix[members].mean(axis=0)
    return int(members[int(np.argmax(near))])
