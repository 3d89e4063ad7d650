"""The cache's SQLite file: rows of bytes by key, for many processes and threads, bounded, and never in the way."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

NAME: Final = "embeddings-v1.sqlite3"  # another layout gets another name: no version can misread the other's
_APPLICATION: Final = 0x4B555245
_VERSION: Final = 1
_PAGE: Final = 16_384  # three vectors of 1,024 numbers to a page; with 4,096 half of each second page would be empty
_MANY: Final = 900  # bound parameters in one statement; SQLite builds allow 999 at the least
_ROWS: Final = 1_000  # rows in one transaction: other writers wait for some milliseconds only
_KEEP: Final = 0.9  # of the bytes allowed, after making room
_WAL: Final = 16 << 20
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_DDL: Final = """
CREATE TABLE model (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    model INTEGER NOT NULL,
    used INTEGER NOT NULL    -- the newest id at the time of the last use
);
CREATE INDEX entry_used ON entry (used);
CREATE TABLE vector (id INTEGER PRIMARY KEY, data BLOB NOT NULL);  -- apart, so that marking a use rewrites little
"""

# A connection must not be used, nor closed, by a child of the process that opened it.
_inherited: list[sqlite3.Connection] = []


class CacheUnusableError(Exception):
    """The file cannot be used now; says why. Never leaves the cache.

    Attributes:
        begun_anew: It was damaged and is out of the way; the next use will do.
    """

    def __init__(self, message: str, *, begun_anew: bool = False) -> None:
        super().__init__(message)
        self.begun_anew = begun_anew


class CacheFile:
    """Bytes by key in one SQLite file.

    Args:
        folder: Made where it is not there.
        fingerprint: The model that new rows belong to.
        max_bytes: Size the file is kept under.
        busy_seconds: How long to wait for another process's transaction.
    """

    def __init__(self, folder: Path, fingerprint: str, *, max_bytes: int, busy_seconds: float) -> None:
        self.path = folder / NAME
        self._fingerprint = fingerprint
        self._max_bytes = max_bytes
        self._busy_seconds = busy_seconds
        self._pid = os.getpid()
        self._guard = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._model_id: int | None = None

    def read(self, keys: Sequence[bytes], sizes: tuple[int, int]) -> dict[bytes, bytes]:
        """The rows of exactly one or the other size in bytes among those of ``keys``, marked as used.

        Raises:
            CacheUnusableError: See there.
        """
        with self._using() as connection:
            found: dict[bytes, bytes] = {}
            seen: list[tuple[int, int]] = []
            for part in _parts(keys, _MANY):
                rows = connection.execute(
                    "SELECT key, data, id, used FROM entry JOIN vector USING (id) "
                    f"WHERE key IN ({_marks(len(part))}) AND length(data) IN (?, ?)",
                    (*part, *(size + 4 for size in sizes)),
                )
                for key, data, row, used in rows:
                    found[key] = _checked(data)
                    seen.append((row, used))
            self._mark_used(connection, seen)
        return found

    def write(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Keeps rows, and removes the least recently used ones when the file grows over its bound.

        Raises:
            CacheUnusableError: See there. Some of the rows may be kept then.
        """
        source = iter(rows)
        while part := list(itertools.islice(source, _ROWS)):
            with self._using() as connection, _transaction(connection):
                model = self._model(connection)
                self._remove(connection, [key for key, _ in part])
                first = _newest(connection) + 1
                connection.executemany(
                    "INSERT INTO entry (id, key, model, used) VALUES (?, ?, ?, ?)",
                    [(first + i, key, model, first + i) for i, (key, _) in enumerate(part)],
                )
                connection.executemany(
                    "INSERT INTO vector (id, data) VALUES (?, ?)",
                    [(first + i, data + _checksum(data)) for i, (_, data) in enumerate(part)],
                )
                self._make_room(connection)
        with self._using() as connection:
            self._shrink(connection)

    def clear(self, *, all_models: bool) -> int:
        """Removes the rows of this model, or of all; returns how many.

        Raises:
            CacheUnusableError: See there.
        """
        with self._using() as connection:
            with _transaction(connection):
                where, values = ("1", ()) if all_models else ("model = ?", (self._model(connection),))
                connection.execute(f"DELETE FROM vector WHERE id IN (SELECT id FROM entry WHERE {where})", values)
                removed = connection.execute(f"DELETE FROM entry WHERE {where}", values).rowcount
            _give_back(connection, 0)
        return removed

    def counts(self) -> tuple[int, int, int]:
        """Rows of this model, rows of all, and the bytes they take.

        Raises:
            CacheUnusableError: See there.
        """
        with self._using() as connection:
            own, every = connection.execute(
                "SELECT coalesce(sum(fingerprint = ?), 0), count(*) FROM entry JOIN model ON model.id = entry.model",
                (self._fingerprint,),
            ).fetchone()
            return own, every, _live_bytes(connection)

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        with self._guard:
            self._drop()

    # The connection

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            if self._connection is not None:
                _inherited.append(self._connection)
            self._pid, self._guard, self._connection, self._model_id = os.getpid(), threading.RLock(), None, None
        with self._guard:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except sqlite3.Error as error:
                self._drop()
                if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGED:
                    raise self._set_aside(error) from error
                raise CacheUnusableError(f"{self.path}: {error}") from error
            except (OSError, Timeout) as error:
                self._drop()
                raise CacheUnusableError(f"{self.path}: {error}") from error
            except BaseException:
                self._model_id = None  # it may have been undone with its transaction
                raise

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        self._model_id = None

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._inode = _inode(self.path)
            connection = sqlite3.connect(
                self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._inode = _inode(self.path)
            return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if (application, version) != (_APPLICATION, _VERSION):
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise sqlite3.OperationalError("the file is another program's database; name another folder")
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            with _transaction(connection):
                for statement in _DDL.split(";\n"):  # executescript would commit before it begins
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
        # A power cut may lose the newest rows and tears nothing: they are computed again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL}")

    def _alone(self) -> FileLock:
        return FileLock(self.path.with_suffix(".lock"), timeout=max(self._busy_seconds, 1.0))

    def _set_aside(self, error: sqlite3.Error) -> CacheUnusableError:
        """Moves a damaged file away, unless another process has done that; the next use begins a new one."""
        aside = self.path.with_name(f"{NAME}.damaged")
        try:
            with self._alone():
                if self._inode is not None and _inode(self.path) == self._inode:
                    for end in ("-shm", "-wal", ""):
                        with contextlib.suppress(FileNotFoundError):
                            self.path.with_name(NAME + end).replace(aside.with_name(aside.name + end))
        except (OSError, Timeout) as late:
            return CacheUnusableError(f"{self.path} is damaged ({error}) and cannot be moved ({late}); delete it")
        return CacheUnusableError(
            f"{self.path} was damaged ({error}); it is now {aside.name}, and a new one is begun", begun_anew=True
        )

    # Rows

    def _model(self, connection: sqlite3.Connection) -> int:
        if self._model_id is None:
            connection.execute("INSERT OR IGNORE INTO model (fingerprint) VALUES (?)", (self._fingerprint,))
            (found,) = connection.execute("SELECT id FROM model WHERE fingerprint = ?", (self._fingerprint,)).fetchone()
            self._model_id = int(found)
            return int(found)
        return self._model_id

    @staticmethod
    def _remove(connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Rows that another process wrote meanwhile, or of another width, give way."""
        for part in _parts(keys, _MANY):
            query = f"SELECT id FROM entry WHERE key IN ({_marks(len(part))})"
            if ids := connection.execute(query, part).fetchall():
                connection.executemany("DELETE FROM vector WHERE id = ?", ids)
                connection.executemany("DELETE FROM entry WHERE id = ?", ids)

    @staticmethod
    def _mark_used(connection: sqlite3.Connection, seen: Sequence[tuple[int, int]]) -> None:
        """Marks rows as used where that tells anything: those used lately are far from removal, and cost no write."""
        if not seen:
            return
        (oldest,) = connection.execute("SELECT min(used) FROM entry").fetchone()
        newest = _newest(connection)
        stale = [(newest, row) for row, used in seen if used < newest - (newest - (oldest or 0)) // 10]
        if not stale:
            return
        (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute("PRAGMA busy_timeout = 0")  # reading never waits for a writer
        try:
            with _transaction(connection):
                connection.executemany("UPDATE entry SET used = ? WHERE id = ?", stale)
        except sqlite3.OperationalError:  # busy, full or read-only: what was found is as good without the mark
            pass
        finally:
            connection.execute(f"PRAGMA busy_timeout = {patience}")

    def _make_room(self, connection: sqlite3.Connection) -> None:
        oldest = "SELECT id FROM entry ORDER BY used, id LIMIT ?"
        while (live := _live_bytes(connection)) > self._max_bytes:  # again, where indexes keep more than their share
            (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
            if not count:
                return
            surplus = -int(-count * (live - _KEEP * self._max_bytes) // live)
            connection.execute(f"DELETE FROM vector WHERE id IN ({oldest})", (surplus,))
            connection.execute(f"DELETE FROM entry WHERE id IN ({oldest})", (surplus,))

    def _shrink(self, connection: sqlite3.Connection) -> None:
        """Gives pages back that a lower bound than before, or a large batch, has left empty."""
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if (surplus := pages - self._max_bytes // _PAGE) > 0:
            _give_back(connection, surplus + 2)  # the map of pages may need one more than was counted


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # Ctrl-C too: what was begun is undone
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _give_back(connection: sqlite3.Connection, pages: int) -> None:
    """Returns empty pages to the file system, all of them for 0. `execute` would stop after the first."""
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")


def _parts(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (keys[i : i + size] for i in range(0, len(keys), size))


def _marks(count: int) -> str:
    return ",".join("?" * count)


def _newest(connection: sqlite3.Connection) -> int:
    ids, used = connection.execute("SELECT (SELECT max(id) FROM entry), (SELECT max(used) FROM entry)").fetchone()
    return max(ids or 0, used or 0)


def _live_bytes(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free) * _PAGE


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _checked(data: bytes) -> bytes:
    """SQLite notices torn pages, not flipped bits inside a row."""
    if _checksum(data[:-4]) != data[-4:]:
        error = sqlite3.DatabaseError("a row is not what was written")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
    return data[:-4]
