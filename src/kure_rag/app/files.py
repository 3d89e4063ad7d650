"""Which file a document was read from: uploads that the app keeps, and folders that it is shown.

An index holds no PDF files, and of their places only digests. The app keeps what was uploaded beside the index, by
document id (SHA-256 of the bytes), and looks for other documents in folders that it is given.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import unicodedata
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

FOLDER: Final = "app-files"
_PART: Final = ".part"  # what is being written
_LEFT: Final = 6 * 3600.0  # seconds since the last write: no upload pauses that long
_LONGEST_NAME: Final = 180  # bytes: file systems take 255
_BLOCK: Final = 2**20


@dataclass(frozen=True, slots=True)
class KeptFile:
    """An upload in its place.

    Attributes:
        path: Of the file, in a folder named by its document id.
        is_new: Whether it was not there before.
    """

    path: Path
    is_new: bool

    @property
    def document_id(self) -> str:
        """SHA-256 of its bytes."""
        return self.path.parent.name


class KnownFiles:
    """Finds and keeps files. Threads may share it.

    Args:
        index: The index folder; uploads are kept in ``app-files`` in it.
        folders: Folders to look for the files of other documents in, with all that is below them.
    """

    def __init__(self, index: Path, folders: Iterable[Path] = ()) -> None:
        self.kept = index / FOLDER
        self._folders = tuple(folders)
        self._found: dict[str, Path] = {}
        self._digests: dict[tuple[str, int, int], str] = {}
        self._lock = threading.Lock()
        _tidy(self.kept)

    def find(self, document_id: str, source: str) -> Path | None:
        """The file of a document, or ``None`` where none with its bytes is known.

        Args:
            document_id: SHA-256 of its bytes.
            source: Its name. A file of another name is not looked for among the folders.
        """
        if len(document_id) == 64 and document_id.isalnum():
            for path in sorted((self.kept / document_id).glob("*")):
                return path
        with self._lock:
            known = self._found.pop(document_id, None)
            if known is None or not known.is_file():
                known = self._look_for(document_id, source)
            if known is not None:
                self._found[document_id] = known
        return known

    def forget(self, document_id: str) -> None:
        """The file found for a document is not it any more: look for it anew."""
        with self._lock:
            self._found.pop(document_id, None)

    def _look_for(self, document_id: str, source: str) -> Path | None:
        for folder in self._folders:
            for top, _, names in os.walk(folder):
                for name in names:
                    if unicodedata.normalize("NFC", name) == source:
                        path = Path(top) / name
                        if self._digest(path) == document_id:
                            return path
        return None

    def _digest(self, path: Path) -> str:
        try:
            stat = path.stat()
            key = (str(path), stat.st_size, stat.st_mtime_ns)
            if key not in self._digests:
                with path.open("rb") as file:
                    self._digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return self._digests[key]
        except OSError:
            return ""

    def keep(self, name: str, data: IO[bytes]) -> KeptFile:
        """Writes an upload to its place; whole or not at all.

        Args:
            name: As the browser gave it.
            data: From its current position on.

        Returns:
            The file, which is that of an earlier upload where one had the same bytes.
        """
        self.kept.mkdir(parents=True, exist_ok=True)
        part = self.kept / f"{uuid.uuid4().hex}{_PART}"
        digest = hashlib.sha256()
        try:
            with part.open("xb") as out:
                while block := data.read(_BLOCK):
                    digest.update(block)
                    out.write(block)
            folder = self.kept / digest.hexdigest()
            folder.mkdir(exist_ok=True)
            if (before := next(folder.iterdir(), None)) is not None:
                return KeptFile(before, is_new=False)
            path = folder / safe_name(name)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return KeptFile(path, is_new=True)

    def drop(self, kept: KeptFile) -> None:
        """Removes an upload that the index rejected."""
        shutil.rmtree(kept.path.parent, ignore_errors=True)


def _tidy(kept: Path) -> None:
    """Removes what a process left that ended in the middle, but nothing that another one may be writing just now."""
    for left in kept.glob(f"*{_PART}"):
        with suppress(FileNotFoundError):  # it was done meanwhile
            if time.time() - left.stat().st_mtime > _LEFT:
                left.unlink()


def safe_name(name: str) -> str:
    """A name that a file may have, as near as can be to the one that the browser gave: no folder, no controls."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    name = "".join(char for char in name.replace("\\", "/").rpartition("/")[2] if char.isprintable()).strip(". ")
    stem, suffix = os.path.splitext(name or "document")  # noqa: PTH122 - no path
    while len((stem + suffix).encode()) > _LONGEST_NAME:
        stem, suffix = (stem[:-1], suffix) if stem else (suffix, "")
    return stem + suffix
