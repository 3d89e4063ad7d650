"""Exact search over vectors in a file: every query is compared with every passage, and memory holds a block of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import ConfigError, CorpusFormatError, IndexPathError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kure_rag.embed import EmbedderLike

_VECTORS: Final = "vectors.f32"
_ABOUT: Final = "vectors.json"
_TEXTS: Final = 1_024  # embedded at a time
_BLOCK: Final = 8_192  # passages compared at a time
_CELLS: Final = 16_000_000  # scores held at a time: 64 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFile:
    """Unit vectors on disk, mapped into memory when they are read.

    Attributes:
        path: Of the raw float32 numbers, row after row.
        count: Rows.
        dimension: Numbers in one.
    """

    path: Path
    count: int
    dimension: int

    def open(self) -> NDArray[np.float32]:
        """Shape (count, dimension), read-only."""
        return np.memmap(self.path, dtype=np.float32, mode="r", shape=(self.count, self.dimension))


def embed_to_file(
    embedder: EmbedderLike,
    texts: Iterable[str],
    folder: Path,
    *,
    corpus: str,
    progress: Callable[[int], None] | None = None,
) -> VectorFile:
    """Vectors of passages, computed now or taken from a folder that holds those of the same model and corpus.

    Args:
        embedder: Embeds them as passages.
        texts: Streamed.
        folder: Where they are kept. It is made; the description appears when the vectors are whole.
        corpus: A digest of the texts.
        progress: Told the number of texts that are done.

    Raises:
        CorpusFormatError: There are no texts.
        ConfigError: The folder holds vectors of another model or corpus, which are left as they are.
        IndexPathError: It cannot be written.
    """
    identity = {"corpus": corpus, "model": dict(embedder.fingerprint)}
    about = folder / _ABOUT
    if about.is_file():
        return _known(folder, identity)
    count = dimension = 0
    rest = iter(texts)
    part = folder / f"{_VECTORS}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            while batch := list(islice(rest, _TEXTS)):
                vectors = _unit(embedder.embed_passages(batch))
                vectors.tofile(file)
                count, dimension = count + len(batch), vectors.shape[1]
                if progress is not None:
                    progress(count)
        if not count:
            raise CorpusFormatError(folder.name, "no passage in the corpus, so there is nothing to find")
        part.replace(folder / _VECTORS)
        stored = {"count": count, "dimension": dimension, **identity}
        waiting = folder / f"{_ABOUT}.part"
        waiting.write_text(json.dumps(stored, ensure_ascii=False, default=str), encoding="utf-8")
        waiting.replace(about)
    except OSError as error:
        raise IndexPathError(
            f"{folder}: cannot be written ({error.strerror or error}); make room or choose another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return VectorFile(path=folder / _VECTORS, count=count, dimension=dimension)


def _known(folder: Path, identity: dict[str, Any]) -> VectorFile:
    about = folder / _ABOUT
    try:
        stored = json.loads(about.read_text(encoding="utf-8"))
        count, dimension = int(stored["count"]), int(stored["dimension"])
        size = (folder / _VECTORS).stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{about}: cannot be read ({error}); remove the folder and run again") from error
    if size != count * dimension * 4:
        raise ConfigError(f"{folder}: {_VECTORS} is not as long as it was written; remove the folder and run again")
    wanted = json.loads(json.dumps(identity, ensure_ascii=False, default=str))
    if differing := [key for key in wanted if stored.get(key) != wanted[key]]:
        raise ConfigError(
            f"{folder}: holds vectors of another {' and '.join(differing)}; give another folder, or remove this one"
        )
    return VectorFile(path=folder / _VECTORS, count=count, dimension=dimension)


def best_rows(vectors: NDArray[np.float32], queries: NDArray[np.floating[Any]], k: int) -> NDArray[np.int64]:
    """The rows with each query's highest cosines, best first; of equal ones the earlier row first.

    Args:
        vectors: Unit vectors, shape (n, dimension); may be mapped from a file.
        queries: Shape (m, dimension).
        k: How many; all, where there are fewer.

    Returns:
        Shape (m, min(k, n)).
    """
    asked = _unit(queries)
    k = min(k, len(vectors))
    found = np.empty((len(asked), k), dtype=np.int64)
    step = max(1, _CELLS // _BLOCK)
    for start in range(0, len(asked), step):
        some = asked[start : start + step]
        scores = np.empty((len(some), 0), dtype=np.float32)
        rows = np.empty((len(some), 0), dtype=np.int64)
        for first, block in _blocks(vectors):
            near = some @ block.T
            best = _top(near, k)
            scores = np.concatenate([scores, np.take_along_axis(near, best, axis=1)], axis=1)
            rows = np.concatenate([rows, best + first], axis=1)
            # Stable: rows stand in their order among equals, since earlier blocks come first.
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
        found[start : start + step] = rows
    return found


def _top(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of each row's k highest scores, in the order of the places; of equal ones the earlier places."""
    if scores.shape[1] <= k:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    last = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]  # the k-th highest
    above, equal = scores > last, scores == last
    room = k - above.sum(axis=1, keepdims=True)
    # argpartition would take whichever of the equal ones it came by.
    taken = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room))
    return np.nonzero(taken)[1].reshape(len(scores), k)


def _blocks(vectors: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for first in range(0, len(vectors), _BLOCK):
        yield first, np.asarray(vectors[first : first + _BLOCK])


def _unit(vectors: Any) -> NDArray[np.float32]:
    matrix = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def texts_digest(texts: Iterable[str]) -> str:
    """SHA-256 over texts in their order, in hexadecimal."""
    whole = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.hexdigest()
