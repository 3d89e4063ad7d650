"""Texts by id on disk, for collections of millions of passages."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from kure_rag.errors import ReadError
from kure_rag.read.corpus import short
from kure_rag.train.readers.records import fault


class TextsOnDisk:
    """Id → text in a temporary file, which takes about as much room as the texts and is gone at the end.

    Args:
        folder: Where the file is made; the system's folder for temporary files by default.

    Raises:
        ReadError: No file can be made there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="kure-rag-texts-", dir=folder)
        except OSError as error:
            what = f"no temporary file can be made here ({error.strerror}); name a folder that can be written to"
            raise ReadError(str(folder or tempfile.gettempdir()), what) from error
        self._sql = sqlite3.connect(Path(self._folder.name) / "texts.sqlite3", isolation_level=None)
        # Nothing here outlives the process: what safe writing costs would be for nothing.
        self._sql.execute("PRAGMA journal_mode = OFF")
        self._sql.execute("PRAGMA synchronous = OFF")
        self._sql.execute("CREATE TABLE texts (kind TEXT, id TEXT, text TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID")

    def __enter__(self) -> TextsOnDisk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sql.close()
        self._folder.cleanup()

    def fill(self, kind: str, name: str, rows: Iterable[tuple[str, str, str]]) -> None:
        """Stores texts.

        Args:
            kind: What they are, such as ``passage``; ids are told apart by it.
            name: The file that they are from, for messages.
            rows: (where it stands, id, text).

        Raises:
            CorpusFormatError: An id comes twice.
            ReadError: There is no room for the file.
        """
        self._sql.execute("BEGIN")
        try:
            for place, identifier, text in rows:
                try:
                    self._sql.execute("INSERT INTO texts VALUES (?, ?, ?)", (kind, identifier, text))
                except sqlite3.IntegrityError:
                    fault(name, place, f"id {short(identifier)} was used before; give each {kind} its own")
            self._sql.execute("COMMIT")
        except sqlite3.OperationalError as error:
            where = f"its texts cannot be laid out in {self._folder.name} ({error})"
            raise ReadError(name, f"{where}; make room there or name another folder") from error

    def get(self, kind: str, identifier: str) -> str | None:
        """The text of an id, or ``None``."""
        found = self._sql.execute("SELECT text FROM texts WHERE kind = ? AND id = ?", (kind, identifier)).fetchone()
        return None if found is None else str(found[0])
