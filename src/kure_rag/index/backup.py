"""A catalog ↔ one file that can be kept elsewhere. Views are not kept: they are made anew from the catalog."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from kure_rag.errors import IndexCorruptError, IndexNotFoundError, IndexPathError
from kure_rag.index.catalog_check import CatalogChecker
from kure_rag.index.catalog_file import FILE

_SUFFIX: Final = ".part"  # of a copy that is not whole yet


def copy_whole(source: sqlite3.Connection, file: Path) -> None:
    """Copies a database as of one moment into a new file, through to the disk.

    Others may write meanwhile: all pages are copied in one step, which reads one snapshot.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as target:
        source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    with file.open("rb+") as written:
        os.fsync(written.fileno())


class CatalogBackup(CatalogChecker):
    """Copies a catalog."""

    def backup(self, file: Path, *, overwrite: bool = False) -> None:
        """Copies the catalog as of one moment into one file, while searches and writes go on.

        Args:
            file: Appears when it is whole; a backup that is cut off leaves nothing under this name.
            overwrite: Replace the file that is there.

        Raises:
            IndexPathError: The file is there, or cannot be written.
        """
        db = self._db
        with appearing(file, overwrite=overwrite) as part:
            try:
                copy_whole(db, part)
            except sqlite3.Error as error:
                ours = self._in_our_words(error, "read")
                if isinstance(ours, IndexCorruptError):
                    raise ours from error
                raise  # of the new file, not of the catalog


@contextmanager
def appearing(file: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name to write to; what was written there gets its own name at the end, whole or not at all."""
    if not overwrite and file.exists():
        raise IndexPathError(f"{file}: is there already; choose another name, or ask for it to be overwritten")
    part = file.with_name(f"{file.name}.{os.getpid()}{_SUFFIX}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        yield part
        if overwrite:
            part.replace(file)
        else:
            _rename_to_new(part, file)
        _sync_folder(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise IndexPathError(
            f"{file}: the backup cannot be written ({error}); make room there or choose another place"
        ) from error
    finally:
        for leftover in (part, part.with_name(part.name + "-journal")):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def _rename_to_new(part: Path, file: Path) -> None:
    """Fails where somebody else has put a file of that name there meanwhile."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:  # no hard links on that disk
        if file.exists():
            raise FileExistsError(file) from None
        part.rename(file)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def restore(file: Path, folder: Path) -> None:
    """Makes an index folder from a backup. Its views are marked to be made anew from the catalog.

    Args:
        file: Made by :meth:`CatalogBackup.backup`, by this version or an older one.
        folder: Made when it does not exist; it must hold no index.

    Raises:
        IndexNotFoundError: There is no such file.
        IndexPathError: The folder holds an index, or cannot be written.
        IndexCorruptError: The file is no catalog, or a damaged one.
        IndexVersionError: It was written by a newer version.
    """
    from kure_rag.index.catalog import Catalog

    if not file.is_file():
        raise IndexNotFoundError(f"{file}: no backup there; check its name")
    if (folder / FILE).exists():
        raise IndexPathError(f"{folder}: holds an index already; restore into another folder, or remove this one")
    workshop = folder / f".restore-{os.getpid()}"
    try:
        workshop.mkdir(parents=True, exist_ok=True)
        _read_backup(file, workshop / FILE)
        catalog = Catalog(workshop, create=False)  # migrates it
        try:
            if problems := catalog.integrity():
                raise IndexCorruptError(f"{file}: the backup is damaged ({'; '.join(problems[:3])}); use an older one")
            catalog.mark_stale()
        finally:
            catalog.close()  # the last connection: its log is written back into the file
        _rename_to_new(workshop / FILE, folder / FILE)
        _sync_folder(folder)
    except OSError as error:
        raise IndexPathError(
            f"{folder}: the index cannot be restored there ({error}); choose another folder"
        ) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _read_backup(file: Path, target: Path) -> None:
    """Copies the file, which is opened for reading only, and only if it is a catalog."""
    uri = f"{file.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
            names = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not {"settings", "documents", "chunks", "vectors"} <= names:
                raise IndexCorruptError(f"{file}: is no backup of an index; choose a file made by `kure-rag backup`")
            copy_whole(source, target)
    except sqlite3.Error as error:
        raise IndexCorruptError(f"{file}: is no backup of an index, or a damaged one ({error})") from error
