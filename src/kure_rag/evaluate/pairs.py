"""How alike are two texts? Pairs row by row, all against all, and the texts of a list that are nearest to a question.

::

    score_pairs("static-ko", ["치타가 들판을 가로질러 먹이를 쫓는다."], ["치타 한 마리가 먹이 뒤에서 달리고 있다."])
    score_matrix("static-ko", questions, answers)            # shape (len(questions), len(answers))
    similar_texts("static-ko", "휴가는 며칠인가요?", sentences, k=3)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from kure_rag.embed import Embedder, as_embedder
from kure_rag.errors import SearchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kure_rag.embed import EmbedderLike

Similarity = Literal["cosine", "euclidean", "manhattan", "dot"]
Role = Literal["query", "passage"]
Progress = Callable[[int], None]

SIMILARITIES: Final[tuple[Similarity, ...]] = get_args(Similarity)
"""In the order of the columns in KorSTS tables."""

_ROWS: Final = 4096  # at a time: in float64 all rows of a large set would take twice their memory again
_HUNDRED: Final = 100
_ALIKE: Final = 6  # decimals of a cosine: vectors of one text differ in the seventh, depending on what is beside them


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarText:
    """One of the texts nearest to a question.

    Attributes:
        position: 0-based, in the list that was searched.
        text: As it stands there.
        score: Its similarity to the question, not times 100: a cosine runs from -1 to 1.
    """

    position: int
    text: str
    score: float


def score_pairs(
    embeddings: object,
    first: Sequence[str],
    second: Sequence[str],
    similarity: Similarity = "cosine",
    *,
    role: Role = "query",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The similarity of each text to the one at its place in the other list, times 100.

    With ``similarity="cosine"`` this is what ``cal_score`` of KoSimCSE's example gives
    (https://github.com/BM-K/KoSimCSE-SKT), for one pair of each row.

    Args:
        embeddings: A model's name or folder, an ``Embedder``, or a LangChain or LlamaIndex embedding object.
        first: Texts that are not empty.
        second: As many.
        similarity: ``cosine``, ``dot``, or the negative distance ``euclidean`` or ``manhattan``: more is always nearer.
        role: Which of the model's prefixes both sides get. Neither side answers the other here: E5's card says to use
            the queries' prefix for such symmetric tasks.
        progress: Told the number of texts that are embedded, at times.

    Returns:
        Shape (len(first),), float64.

    Raises:
        ValueError: The lists are not of one length, or there is no such similarity.
        InvalidTextError: A text is empty; its position counts ``first``, then ``second``.
        ModelNotAvailableError: The weights cannot be reached.
    """
    if isinstance(first, str) or isinstance(second, str):
        raise TypeError("one text where a list is wanted; pass [text] for each side")
    if len(first) != len(second):
        raise ValueError(f"{len(first)} texts and {len(second)} to pair with them; give two lists of one length")
    vectors = embedded(as_embedder(embeddings), [*first, *second], role, progress)
    return _HUNDRED * pair_similarities(vectors[: len(first)], vectors[len(first) :], similarity)


def score_matrix(
    embeddings: object,
    first: Sequence[str],
    second: Sequence[str],
    similarity: Similarity = "cosine",
    *,
    role: Role = "query",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The similarity of each text to each of another list, times 100; otherwise as :func:`score_pairs`.

    Returns:
        Shape (len(first), len(second)), float64.
    """
    if isinstance(first, str) or isinstance(second, str):
        raise TypeError("one text where a list is wanted; pass [text] for each side")
    vectors = embedded(as_embedder(embeddings), [*first, *second], role, progress)
    return _HUNDRED * similarity_matrix(vectors[: len(first)], vectors[len(first) :], similarity)


def similar_texts(
    embeddings: object, question: str, texts: Sequence[str], *, k: int = 5, progress: Progress | None = None
) -> list[SimilarText]:
    """The texts nearest to a question by cosine, best first; of ones equal to six decimals the earlier first.

    The question gets the model's query prefix and the texts its passage prefix. Nothing is stored: for many questions
    or thousands of texts make an index.

    Args:
        embeddings: As in :func:`score_pairs`.
        question: What is looked for.
        texts: Where; none is empty.
        k: How many, 1 or more. All, where there are fewer.
        progress: Told the number of texts that are embedded, at times.

    Raises:
        SearchError: ``k`` is below 1.
        InvalidTextError: The question or a text is empty.
    """
    if k < 1:
        raise SearchError(f"k is {k}; ask for 1 text or more")
    embedder = as_embedder(embeddings)
    asked = embedder.embed_queries([question])
    if not texts:
        return []
    cosines = similarity_matrix(asked, embedded(embedder, texts, "passage", progress))[0]
    best = np.argsort(-cosines.round(_ALIKE), kind="stable")[:k]
    return [SimilarText(position=int(i), text=texts[i], score=float(cosines[i])) for i in best]


def pair_similarities(first: Any, second: Any, similarity: Similarity = "cosine") -> NDArray[np.float64]:
    """Similarities of vectors row by row.

    Args:
        first: Shape (n, dimension).
        second: The same shape.
        similarity: See :func:`score_pairs`. The cosine to a vector of zeros, which has no direction, is 0.

    Returns:
        Shape (n,), float64, not times 100.

    Raises:
        ValueError: The shapes differ, or there is no such similarity.
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"vectors of shapes {a.shape} and {b.shape}; give two matrices with the same rows and columns")
    rows = _PAIRWISE[_known(similarity)]
    return np.concatenate([np.zeros(0), *(rows(x, y) for x, y in _blocks(a, b))])


def similarity_matrix(first: Any, second: Any, similarity: Similarity = "cosine") -> NDArray[np.float64]:
    """Similarities of each vector to each of another matrix; otherwise as :func:`pair_similarities`.

    Args:
        first: Shape (n, dimension).
        second: Shape (m, dimension).
        similarity: As there.

    Returns:
        Shape (n, m), float64, not times 100.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"vectors of shapes {a.shape} and {b.shape}; give two matrices with the same columns")
    _known(similarity)
    if similarity == "cosine":
        return np.asarray(unit(a) @ unit(b).T)
    if similarity == "dot":
        return np.asarray(a @ b.T)
    from scipy.spatial.distance import cdist

    return np.asarray(-cdist(a, b, "euclidean" if similarity == "euclidean" else "cityblock"))


def unit(vectors: Any) -> NDArray[np.float64]:
    """Rows scaled to length 1; a row of zeros stays one."""
    matrix = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(matrix, axis=-1, keepdims=True)
    return np.asarray(matrix / np.where(lengths == 0, 1, lengths))


def embedded(
    embedder: EmbedderLike, texts: Sequence[str], role: Role, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Vectors of texts in one of the two roles; only our own embedder can say how far it is."""
    if isinstance(embedder, Embedder):
        ours = embedder.embed_queries if role == "query" else embedder.embed_passages
        return ours(texts, progress=progress)
    return embedder.embed_queries(texts) if role == "query" else embedder.embed_passages(texts)


_PAIRWISE: Final[dict[str, Callable[[Any, Any], NDArray[np.float64]]]] = {
    "cosine": lambda a, b: np.einsum("ij,ij->i", unit(a), unit(b)),
    "euclidean": lambda a, b: -np.linalg.norm(a - b, axis=1),
    "manhattan": lambda a, b: -np.abs(a - b).sum(axis=1),
    "dot": lambda a, b: np.einsum("ij,ij->i", a, b),
}


def _blocks(a: Any, b: Any) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    for i in range(0, len(a), _ROWS):
        part = slice(i, i + _ROWS)
        yield np.asarray(a[part], dtype=np.float64), np.asarray(b[part], dtype=np.float64)


def _known(similarity: str) -> str:
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity={similarity!r}: choose one of {', '.join(SIMILARITIES)}")
    return similarity
