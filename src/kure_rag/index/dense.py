"""The vector view: approximate nearest neighbours by Chroma. The only module that imports chromadb.

Chroma holds ids and vectors; texts and metadata stay in the catalog. Its graph finds candidates, which the search
scores exactly with the catalog's vectors: results do not hang on the order in which the graph was built.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from kure_rag.errors import IndexCorruptError

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

Vectors = npt.NDArray[np.float32]
COLLECTION: Final = "kure_rag"
_BATCH: Final = 2_000  # rows in one call; Chroma takes at most 5,461
_HNSW: Final[dict[str, Any]] = {
    "space": "cosine",
    "ef_construction": 200,
    "ef_search": 200,  # recall .994 at 100,000 x 1,024, against .985 at the default, for .6 ms
    "max_neighbors": 16,
    "sync_threshold": 2_000,  # rows that wait in a log, which is replayed at each opening
    "batch_size": 500,
}
_CONFIGURATION: Final[Any] = {"hnsw": _HNSW}


class DenseView:
    """A Chroma collection in a folder of its own. Telemetry is off.

    Args:
        folder: Made when it does not exist.

    Raises:
        IndexCorruptError: Chroma cannot open what is there. A torn file can also crash the process: probe it first,
            see :mod:`kure_rag.index.probe`.
    """

    def __init__(self, folder: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._spelling = _Spelling(folder)
        with _as_corrupt(folder):
            self._client: ClientAPI = chromadb.PersistentClient(
                self._spelling.path, settings=Settings(anonymized_telemetry=False)
            )
            self._collection: Collection = self._client.get_or_create_collection(
                COLLECTION, embedding_function=None, configuration=_CONFIGURATION
            )

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds or replaces vectors by id."""
        with _as_corrupt(self.folder):
            for i in range(0, len(ids), _BATCH):
                self._collection.upsert(ids=list(ids[i : i + _BATCH]), embeddings=vectors[i : i + _BATCH])

    def delete(self, ids: Sequence[str]) -> None:
        """Removes vectors by id; unknown ids are passed over."""
        with _as_corrupt(self.folder):
            for i in range(0, len(ids), _BATCH):
                self._collection.delete(ids=list(ids[i : i + _BATCH]))

    def search(self, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        """Ids of the nearest vectors by cosine, nearest first."""
        with _as_corrupt(self.folder):
            limit = min(limit, self._collection.count())
            if limit < 1:
                return []
            found = self._collection.query(query_embeddings=vector[None, :], n_results=limit, include=["distances"])
            return list(found["ids"][0])

    def ids(self) -> list[str]:
        """Every id in the view, sorted."""
        out: list[str] = []
        with _as_corrupt(self.folder):
            while page := self._collection.get(limit=_BATCH, offset=len(out), include=[])["ids"]:
                out.extend(page)
        return sorted(out)

    def close(self) -> None:
        """Lets go of the files, so that another opening sees what other processes wrote."""
        close: Any = getattr(self._client, "close", None)  # chromadb >= 1.5
        if close is not None:
            close()
        self._spelling.release()


class _Spelling:
    """A way of writing a folder's path that no other open view of this process uses.

    Chroma shares one engine between all clients of a process that give the same path, and keeps it while any of them is
    open. Such an engine goes on answering with what it once read, so each view asks under a spelling of its own:
    ``dense``, ``dense/.``, ``dense/./.``, …
    """

    _guard: ClassVar[threading.Lock] = threading.Lock()
    _used: ClassVar[set[str]] = set()

    def __init__(self, folder: Path) -> None:
        with self._guard:
            spellings = (str(folder.resolve()) + "/." * n for n in itertools.count())
            self.path = next(spelling for spelling in spellings if spelling not in self._used)
            self._used.add(self.path)

    def release(self) -> None:
        """Lets another view use it."""
        with self._guard:
            self._used.discard(self.path)


@contextmanager
def _as_corrupt(folder: Path) -> Iterator[None]:
    """Chroma raises its Rust core's errors without a common base."""
    try:
        yield
    except Exception as error:
        raise IndexCorruptError(
            f"{folder}: the vector view failed ({error}); make it anew with `kure-rag rebuild`"
        ) from error


def seal(folder: Path) -> dict[str, int]:
    """Sizes of the graph files, by which a truncated one is noticed without opening it."""
    return {str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.glob("*/*.bin"))}
