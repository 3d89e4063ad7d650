"""The vector view: approximate nearest neighbours by Chroma. The only module that imports chromadb.

Chroma holds ids and vectors, and texts on request; the truth stays in the catalog. Its graph finds candidates, which
the search scores exactly with the catalog's vectors: results do not hang on the order in which the graph was built.

A process that loads a graph while another one writes it may crash, so both take a lock for as long as that lasts.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from kure_rag.errors import IndexCorruptError, IndexLockedError, IndexPathError, KureIndexError
from kure_rag.index.dense_errors import explained, is_connection_lost
from kure_rag.index.dense_metadata import collection_name
from kure_rag.index.dense_seal import LOCK, broken, log_length, seal
from kure_rag.index.dense_server import SERVER_FILE, claim, confirm
from kure_rag.index.dense_settings import DenseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

__all__ = ["DenseSettings", "DenseView", "broken", "drop", "seal"]

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")
_BATCH: Final = 5_000  # rows in one call; Chroma says itself how many it takes at most (5,461)
_BODY: Final = 8 << 20  # bytes of vectors in one request; a server refuses more than 40 MB, and 20 MB took it 20 s
_PAGE: Final = 20_000  # ids read at once
_WAIT: Final = 30.0  # seconds for another process to finish loading or writing
_FLUSH: Final = 1_000  # rows in the log that are worth writing out: replaying them takes half a second
_NAME, _OWNER = "kure_rag.name", "kure_rag.owner"  # in the collection's metadata


class DenseView:
    """A Chroma collection in a folder of its own, or on a server. Telemetry is off; threads may share it.

    Args:
        folder: Made when it does not exist. Of a collection on a server it only holds which one it is.
        settings: Where and how; embedded by default.
        wait: Seconds to wait while another process loads or writes the same files.

    Raises:
        IndexCorruptError: Chroma cannot open what is there, or the server's collection is gone. A torn file can also
            crash the process: probe it first, see :mod:`kure_rag.index.probe`.
        IndexLockedError: Another process is at the files.
        KureIndexError: The server cannot be reached, or refuses.
    """

    def __init__(self, folder: Path, settings: DenseSettings | None = None, *, wait: float = _WAIT) -> None:
        self.folder = folder
        self.settings = settings or DenseSettings()
        self._wait = wait
        self._closed = False
        self._spelling: _Spelling | None = None
        self._log = 0  # operations in Chroma's log, about
        self._wrote = False
        self._counting = threading.Lock()
        if (folder / SERVER_FILE).exists() != (self.settings.url is not None) and _has_view(folder):
            raise IndexCorruptError(
                f"{folder}: the vectors are not kept where the settings say "
                f"({self.settings.url or 'in this folder'}); make the view anew with `kure-rag rebuild`"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexPathError(f"{folder}: cannot be made ({error.strerror or error})") from error
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # Opening

    def _open(self) -> None:
        with self._at_the_files(), self._explained():
            if self.settings.url:
                claim(self.folder, self.settings.url, self._server_name())  # a record of another server is found first
            self._client: ClientAPI = self._server() if self.settings.url else self._embedded()
            self._collection: Collection = self._find_or_make()
            self._batch = min(_BATCH, self._client.get_max_batch_size())
            if self._configured("ef_search") != self.settings.ef_search:
                self._collection.modify(configuration={"hnsw": {"ef_search": self.settings.ef_search}})
            if not self.settings.url:
                self._log = log_length(self.folder)
                self._collection.get(limit=1, include=["embeddings"])  # loads the graph, while we hold the lock

    def _embedded(self) -> ClientAPI:
        import chromadb
        from chromadb.config import Settings

        self._spelling = _Spelling(self.folder)
        # Named outright, since Chroma also reads its settings from the environment and from a file .env.
        local = {"chroma_api_impl": "chromadb.api.rust.RustBindingsAPI", "chroma_otel_collection_endpoint": ""}
        settings = Settings(anonymized_telemetry=False, **local)  # type: ignore[arg-type]
        return chromadb.PersistentClient(self._spelling.path, settings=settings)

    def _server(self) -> ClientAPI:
        import chromadb
        from chromadb.config import Settings

        parts = urlsplit(self.settings.url or "")
        host = parts.hostname or ""
        bearer = {"Authorization": f"Bearer {self.settings.token}"} if self.settings.token else {}
        return chromadb.HttpClient(
            host=f"[{host}]" if ":" in host else host,
            port=parts.port or (443 if parts.scheme == "https" else 8000),
            ssl=parts.scheme == "https",
            headers={**self.settings.headers, **bearer},
            settings=Settings(anonymized_telemetry=False, chroma_otel_collection_endpoint=""),
        )

    def _find_or_make(self) -> Collection:
        wanted: dict[str, Any] = {_NAME: self.settings.collection}
        name, made = collection_name(self.settings.collection), False
        if self.settings.url:
            record = claim(self.folder, self.settings.url, self._server_name())
            name, made, wanted[_OWNER] = record.collection, record.made, record.owner
        hnsw = {
            "space": "cosine",
            "ef_construction": 60,  # 100, as Chroma itself, takes a third more and finds .998 where this finds .996
            "ef_search": self.settings.ef_search,  # recall .994 at 100,000 x 1,024 with 200, .985 at Chroma's default
            "max_neighbors": 16,
            "sync_threshold": self.settings.sync_threshold,
            "batch_size": min(500, self.settings.sync_threshold),
        }
        if self.settings.url and made:
            found: Collection = self._client.get_collection(name, embedding_function=None)  # gone is gone
        elif not self.settings.url and (mine := self._only_collection()) is not None:
            found = mine
        else:
            configuration: Any = {"hnsw": hnsw}
            found = self._client.get_or_create_collection(
                name, embedding_function=None, configuration=configuration, metadata=wanted
            )
        if self.settings.url and (found.metadata or {}).get(_OWNER) != wanted[_OWNER]:
            raise KureIndexError(
                f"{self.settings.url}: the collection {name!r} belongs to another index; "
                "choose another name (DenseSettings(collection=...)) or delete it on the server"
            )
        if self.settings.url and not made:
            confirm(self.folder, record)
        return found

    def _only_collection(self) -> Collection | None:
        """The collection of an embedded view, whatever it was named when it was made."""
        names = [found.name for found in self._client.list_collections()]
        return self._client.get_collection(names[0], embedding_function=None) if names else None

    def _server_name(self) -> str:
        return collection_name(self.settings.collection, _number(self.folder))

    def _configured(self, key: str) -> Any:
        hnsw: Any = self._collection.configuration_json.get("hnsw") or {}
        return hnsw.get(key)

    # Writing

    def add(
        self,
        ids: Sequence[str],
        vectors: Vectors,
        *,
        texts: Sequence[str] | None = None,
        metadatas: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Adds or replaces vectors by id.

        Args:
            ids: Each once.
            vectors: Shape (len(ids), dimension).
            texts: Stored with ``chroma_text``, and passed over otherwise.
            metadatas: Flat, see :func:`kure_rag.index.dense_metadata.flat_metadata`; likewise.

        Raises:
            FingerprintMismatchError: The vectors have another length than those in the collection.
        """
        step = self._batch
        if self.settings.url and len(ids):
            step = max(1, min(step, _BODY // max(1, vectors.shape[1] * 4)))
        for i in range(0, len(ids), step):
            part = slice(i, i + step)
            more: dict[str, Any] = {}
            if self.settings.chroma_text and texts is not None:
                more["documents"] = list(texts[part])
            if self.settings.chroma_text and metadatas is not None:
                more["metadatas"] = self._replacing(ids[part], metadatas[part])
            with self._at_the_files():
                self._ask(lambda p=part, m=more: self._collection.upsert(list(ids[p]), vectors[p], **m))  # type: ignore[misc]
            self._count_writes(len(ids[part]))

    def _replacing(self, ids: Sequence[str], metadatas: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Metadata that also takes away keys that are there and not wanted: Chroma merges otherwise."""
        held = self._ask(lambda: self._collection.get(list(ids), include=["metadatas"]))
        old = dict(zip(held["ids"], held["metadatas"] or (), strict=True))
        return [
            {**dict.fromkeys(old.get(id_) or {}), **new} or {_NAME: None}  # Chroma refuses empty metadata
            for id_, new in zip(ids, metadatas, strict=True)
        ]

    def delete(self, ids: Sequence[str]) -> None:
        """Removes vectors by id; unknown ids are passed over."""
        for i in range(0, len(ids), self._batch):
            part = list(ids[i : i + self._batch])
            with self._at_the_files():
                self._ask(lambda p=part: self._collection.delete(ids=p))  # type: ignore[misc]
            self._count_writes(len(part))

    def _count_writes(self, rows: int) -> None:
        with self._counting:
            self._log += rows
            self._wrote = True

    def flush(self) -> None:
        """Has the graph written where that is worth it, so that the next opening has little to replay.

        Chroma has no call for this: it writes when ``sync_threshold`` operations are in its log. Deleting ids that were
        never there fills the log up at 20 microseconds each.
        """
        threshold = int(self._configured("sync_threshold") or 0)
        with self._counting:
            if self.settings.url or not self._wrote or self._log < min(_FLUSH, threshold):
                return
            self._log, self._wrote = 0, False
        for i in range(0, threshold, self._batch):
            none = [f"none-{n}" for n in range(i, min(i + self._batch, threshold))]
            with self._at_the_files():
                self._ask(lambda p=none: self._collection.delete(ids=p))  # type: ignore[misc]

    # Reading

    def __len__(self) -> int:
        return self._ask(self._collection.count)

    def search(self, vector: Vectors, limit: int) -> list[str]:
        """Ids of the nearest vectors by cosine, nearest first."""
        return self.search_many(vector[None, :], limit)[0]

    def search_many(self, vectors: Vectors, limit: int) -> list[list[str]]:
        """Ids of the nearest vectors by cosine to each of several, nearest first.

        Args:
            vectors: Shape (queries, dimension).
            limit: Of ids for each.
        """
        if limit < 1 or not len(vectors):
            return [[] for _ in vectors]
        found = self._ask(
            lambda: self._collection.query(query_embeddings=vectors, n_results=limit, include=["distances"])
        )
        return [list(ids) for ids in found["ids"]]

    def ids(self) -> list[str]:
        """Every id in the view, sorted."""
        out: list[str] = []
        while page := self._ask(lambda: self._collection.get(limit=_PAGE, offset=len(out), include=[]))["ids"]:
            out.extend(page)
        return sorted(out)

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Stored vectors by id; unknown ids are left out."""
        out: dict[str, Vectors] = {}
        for i in range(0, len(ids), self._batch):
            part = list(ids[i : i + self._batch])
            found = self._ask(lambda p=part: self._collection.get(ids=p, include=["embeddings"]))  # type: ignore[misc]
            out.update(zip(found["ids"], np.asarray(found["embeddings"], np.float32), strict=True))
        return out

    # The end

    def close(self) -> None:
        """Lets go of the files, so that another opening sees what other processes wrote."""
        if self._closed:
            return
        self._closed = True
        try:
            if getattr(self, "_collection", None) is not None:
                with contextlib.suppress(KureIndexError):  # what is in the log is safe there
                    self.flush()
        finally:
            close: Any = getattr(getattr(self, "_client", None), "close", None)  # chromadb >= 1.5
            if close is not None:
                close()
            if self._spelling is not None:
                self._spelling.release()

    def _ask(self, call: Callable[[], T]) -> T:
        """Calls Chroma. Every call may be done twice, so one that a server's restart broke off is tried once more."""
        with self._explained():
            try:
                return call()
            except Exception as error:
                if not (self.settings.url and is_connection_lost(error)):
                    raise
                time.sleep(0.2)
                return call()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with explained(self.folder, self.settings.url):
            yield

    @contextmanager
    def _at_the_files(self) -> Iterator[None]:
        """Keeps other processes from loading the graph while it is written, and from writing it while it is loaded."""
        if self.settings.url:
            yield
            return
        lock = FileLock(self.folder / LOCK, thread_local=False)
        try:
            lock.acquire(timeout=self._wait)
        except Timeout:
            raise IndexLockedError(self.folder, "it is at the vectors' files") from None
        except OSError as error:
            raise IndexPathError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
        try:
            yield
        finally:
            lock.release()


def drop(folder: Path, settings: DenseSettings) -> None:
    """Deletes the server's collection that a view's folder stands for; does nothing for an embedded view.

    Raises:
        KureIndexError: The server cannot be reached.
    """
    if not settings.url or not (folder / SERVER_FILE).exists():
        return
    try:
        view = DenseView(folder, settings)
    except IndexCorruptError:
        return  # gone, or somewhere else
    try:
        name = view._collection.name
        view._ask(lambda: view._client.delete_collection(name))
    finally:
        view.close()


def _has_view(folder: Path) -> bool:
    return (folder / SERVER_FILE).exists() or (folder / "chroma.sqlite3").exists()


def _number(folder: Path) -> str:
    """``-3`` for ``dense-3``: a view that is made anew is filled beside the old one."""
    name, _, number = folder.name.rpartition("-")
    return f"-{number}" if name and number.isdecimal() else ""


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
