"""The catalog's file: connections, transactions, snapshots, and SQLite's errors in our words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import IndexCorruptError, IndexPathError, KureIndexError

FILE: Final = "catalog.sqlite3"
# Our SQL is right: where SQLite cannot make sense of it (SQLITE_ERROR), the tables are not what they were.
_DAMAGE: Final = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_SCHEMA,
}
_SHORT_READ: Final = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an acknowledged file survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA cell_size_check=ON",  # torn pages are noticed when they are read, not when they have misled us
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cache_size=-8000",  # KiB; the file is never memory-mapped: a torn one would end the process by a signal
)


class CatalogFile:
    """The SQLite file of one index folder. Threads may share it: each has a connection of its own.

    Args:
        folder: The index folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / FILE
        self._local = threading.local()
        self._open: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        self._closed = False

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if self._closed:
            raise KureIndexError(f"{self.folder}: this index object is closed; open the folder again")
        if db is None:
            db = self._connect()
            self._local.db = db
            self._local.snapshots = 0
            with self._guard:
                for thread in [thread for thread in self._open if not thread.is_alive()]:
                    self._open.pop(thread).close()
                self._open[threading.current_thread()] = db
        return db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                db.execute(pragma)
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _transaction(self, *, foreign_keys: bool = True) -> Iterator[sqlite3.Connection]:
        """One writing transaction: all of it or nothing. A snapshot that this thread holds moves on to its end."""
        with self._explained("written"):
            db = self._db
            if db.in_transaction:
                db.execute("ROLLBACK")  # a snapshot, which has written nothing
            if not foreign_keys:
                db.execute("PRAGMA foreign_keys=OFF")
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            finally:
                if not foreign_keys:
                    db.execute("PRAGMA foreign_keys=ON")
                if self._local.snapshots:
                    self._begin_reading(db)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What this thread reads within is the catalog of one moment, whatever others write meanwhile.

        Snapshots may be nested. A write by this thread ends one and begins another.
        """
        with self._explained("read"):
            db = self._db
            if not self._local.snapshots:
                self._begin_reading(db)
        self._local.snapshots += 1
        try:
            yield
        finally:
            self._local.snapshots -= 1
            if not self._local.snapshots and not self._closed and db.in_transaction:
                with suppress(sqlite3.Error):  # a torn file was told of already, and nothing was written
                    db.execute("ROLLBACK")

    @staticmethod
    def _begin_reading(db: sqlite3.Connection) -> None:
        db.execute("BEGIN")
        db.execute("SELECT 1 FROM settings WHERE key = 'version'").fetchone()  # SQLite fixes it at the first read

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._in_our_words(error, "read") from error

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._in_our_words(error, verb) from error

    def _in_our_words(self, error: sqlite3.Error | UnicodeDecodeError, verb: str) -> KureIndexError:
        code = getattr(error, "sqlite_errorcode", None)
        if self._closed:
            return KureIndexError(f"{self.folder}: this index object is closed; open the folder again")
        if isinstance(error, sqlite3.IntegrityError):
            return KureIndexError(
                f"{self._file}: refused a row ({error}); look for damage with `kure-rag verify`. "
                "What was stored before is whole"
            )
        # Text that is no UTF-8, also in a message of SQLite's about its own tables.
        undecodable = code is None and isinstance(error, sqlite3.OperationalError | UnicodeDecodeError)
        if undecodable or code in _SHORT_READ or (code is not None and code & 0xFF in _DAMAGE):
            return self._damaged(str(error))
        if verb == "written":
            return IndexPathError(
                f"{self._file}: cannot be written ({error}); make room or get the right to write there. "
                "What was stored before is whole"
            )
        return IndexPathError(f"{self._file}: cannot be read ({error}); get the right to read and write there")

    def _damaged(self, what: str) -> IndexCorruptError:
        return IndexCorruptError(
            f"{self._file}: the catalog is damaged ({what}); restore it from a backup or ingest anew"
        )

    def close(self) -> None:
        """Closes every thread's connection, for good."""
        with self._guard:
            self._closed = True
            for db in self._open.values():
                db.close()
            self._open.clear()
