"""The vector view: approximate nearest neighbours by Chroma. The only module that imports chromadb.

Chroma holds ids and vectors; texts and metadata stay in the catalog. Its graph finds candidates, which the search
scores exactly with the catalog's vectors: results do not hang on the order in which the graph was built.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
        try:
            self._client: ClientAPI = chromadb.PersistentClient(
                str(folder), settings=Settings(anonymized_telemetry=False)
            )
            self._collection: Collection = self._client.get_or_create_collection(
                COLLECTION, embedding_function=None, configuration=_CONFIGURATION
            )
        except Exception as error:  # Chroma raises its Rust core's errors without a common base
            raise IndexCorruptError(f"{folder}: the vector view cannot be opened ({error}); rebuild it") from error

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds or replaces vectors by id."""
        for i in range(0, len(ids), _BATCH):
            self._collection.upsert(ids=list(ids[i : i + _BATCH]), embeddings=vectors[i : i + _BATCH])

    def delete(self, ids: Sequence[str]) -> None:
        """Removes vectors by id; unknown ids are passed over."""
        for i in range(0, len(ids), _BATCH):
            self._collection.delete(ids=list(ids[i : i + _BATCH]))

    def search(self, vector: npt.NDArray[np.float32], limit: int) -> list[str]:
        """Ids of the nearest vectors by cosine, nearest first."""
        limit = min(limit, self._collection.count())
        if limit < 1:
            return []
        found = self._collection.query(query_embeddings=vector[None, :], n_results=limit, include=["distances"])
        return list(found["ids"][0])

    def ids(self) -> list[str]:
        """Every id in the view, sorted."""
        out: list[str] = []
        while page := self._collection.get(limit=_BATCH, offset=len(out), include=[])["ids"]:
            out.extend(page)
        return sorted(out)

    def close(self) -> None:
        """Lets go of the files, so that another opening sees what other processes wrote."""
        close: Any = getattr(self._client, "close", None)  # chromadb >= 1.5
        if close is not None:
            close()


def seal(folder: Path) -> dict[str, int]:
    """Sizes of the graph files, by which a truncated one is noticed without opening it."""
    return {str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.glob("*/*.bin"))}
