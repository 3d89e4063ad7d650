"""The catalog: documents, chunks, terms and vectors in SQLite, and what the views have still to do.

One transaction puts a document's chunks, vectors and pending operations; nothing else is ever the truth.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from kure_rag.errors import IndexNotFoundError, IndexPathError, IndexVersionError
from kure_rag.index.backup import CatalogBackup, restore
from kure_rag.index.catalog_file import FILE
from kure_rag.index.catalog_state import State
from kure_rag.index.catalog_write import CatalogWriter
from kure_rag.index.fields import migrate_fields
from kure_rag.index.migrate import create_tables, migrate
from kure_rag.index.rows import DocumentRow, Keywords, NewDocument, Pending, StoredChunk, Vectors, checksum
from kure_rag.index.schema import VERSION, VIEWS

__all__ = ["Catalog", "DocumentRow", "Keywords", "NewDocument", "Pending", "State", "StoredChunk", "Vectors", "restore"]


_SMALLEST: Final = 512  # bytes of a page


class Catalog(CatalogWriter, CatalogBackup):
    """The catalog of one index folder.

    Threads may share it: each has a connection of its own. Readers see whole transactions only.

    Args:
        folder: The index folder.
        create: Make folder and catalog where there are none.

    Raises:
        IndexNotFoundError: There is no catalog, and none was to be made.
        IndexPathError: The folder cannot be made or written.
        IndexVersionError: It was written by a newer version.
        IndexCorruptError: The file is no SQLite database, or a torn one.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        super().__init__(folder)
        try:
            self._find_or_make(create=create)
            self._check_version()
        except BaseException:
            self.close()
            raise

    def _find_or_make(self, *, create: bool) -> None:
        if self._has_tables():
            return
        if not create:
            raise IndexNotFoundError(
                f"{self.folder}: no index there; make one with `kure-rag ingest PATH --index {self.folder}`"
            )
        self._create()

    def _has_tables(self) -> bool:
        """Whether the catalog was ever finished: a crash while it was made leaves a file without tables.

        The file is never opened but by SQLite: closing it would let go of the locks of all its connections (POSIX).
        """
        if not self._file.is_file():
            return False
        size, log = self._file.stat().st_size, self._file.with_name(f"{FILE}-wal")
        logged = log.is_file() and log.stat().st_size > 0  # somebody is writing, or the log mends it
        if 0 < size < _SMALLEST:  # SQLite would take it for a new file
            raise self._damaged("it breaks off in its first page")
        tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master")}
        if size % self._rows("PRAGMA page_size")[0][0] and not logged:  # SQLite would fill the page up
            raise self._damaged("it breaks off within a page")
        if "settings" in tables:
            return True
        if tables:
            raise self._damaged("it holds other tables than a catalog's")
        # Views are made after the catalog is: a catalog beside them without its tables was cut off.
        if views := [path.name for view in VIEWS for path in self.folder.glob(f"{view}*") if path.is_dir()]:
            raise self._damaged(f"it holds no tables, and the views {', '.join(sorted(views))} lie beside it")
        return False

    def _create(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._transaction() as db:
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'settings'").fetchone():
                    create_tables(db)
                    migrate_fields(db)
                    first = {
                        "version": VERSION,
                        "generation": 0,
                        "epoch": 0,
                        "count.documents": 0,
                        "count.chunks": 0,
                        "tables": _tables(db),
                    }
                    self._set(db, {**first, **{f"{key}.{v}": 0 for v in VIEWS for key in ("applied", "folder")}})
        except (OSError, IndexPathError) as error:
            raise IndexPathError(
                f"{self.folder}: the index folder cannot be made or written ({error}); "
                "choose another folder, or get the right to write there"
            ) from error

    def _check_version(self) -> None:
        with self._explained("read"):
            version = self._version(self._db)
        if version > VERSION:
            raise IndexVersionError(
                f"{self.folder}: written by a newer kure-rag (format {version}, this one reads up to {VERSION}); "
                "upgrade with `pip install -U kure-rag`"
            )
        if version < VERSION:
            self._migrate()
        self._check_small()

    def _check_small(self) -> None:
        """What everything else hangs on, and what is read in no time: settings, and the tables' definitions."""
        for row in self._rows("SELECT key, value, crc FROM settings"):  # one whose key has rotted would seem not set
            self._setting(row)
        with self._explained("read"):
            tables = _tables(self._db)
        if wrong := [name for name, crc in (self.get("tables") or {}).items() if tables.get(name) != crc]:
            raise self._damaged(f"the definition of {', '.join(wrong)} is not as it was")

    def _version(self, db: sqlite3.Connection) -> int:
        """The format, before anything is known of the tables; from version 3 on a setting has its checksum."""
        row = db.execute("SELECT * FROM settings WHERE key = 'version'").fetchone()
        if row is None or not str(row[1]).isdecimal() or (len(row) > 2) != (int(row[1]) > 2):
            raise self._damaged("it has no version")
        if len(row) > 2 and checksum(*row[:2]) != row[2]:
            raise self._damaged("its version does not have its checksum")
        return int(row[1])

    def _migrate(self) -> None:
        """Brings a catalog of an older version up to this one, in one transaction; a second opener finds it done."""
        with self._transaction(foreign_keys=False) as db:
            version = self._version(db)
            if version < VERSION:
                migrate(db, version)
                migrate_fields(db)
                self._set(db, {"version": VERSION, "tables": _tables(db)})


def _tables(db: sqlite3.Connection) -> dict[str, int]:
    """Checksums of the definitions of tables and indexes, by name."""
    found = db.execute("SELECT name, type, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return {row[0]: checksum(*row) for row in found.fetchall()}
