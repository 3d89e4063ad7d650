"""What an unfinished search has tried so far: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError, IndexPathError
from kure_rag.evaluate.journal import parsed_line, refuse_other

NAME: Final = "progress.jsonl"


class Progress:
    """The values of all settings that were tried; a context manager that lets go of the file.

    Args:
        folder: Where the file lies; made if need be.
        identity: All that the values depend on, as JSON values.

    Raises:
        ConfigError: The folder holds an unfinished search of something else, which is left as it is; or another process
            is at work on it.
        IndexPathError: The folder cannot be made.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexPathError(
                f"{folder}: cannot be made ({error.strerror or error}); write to another place with --out"
            ) from error
        self._known: dict[str, Any] = {}
        self._path = folder / NAME
        self._lock = FileLock(folder / f"{NAME}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"{folder}: another process is tuning here; wait for it, or give another --out"
            ) from error
        try:
            whole = self._read(identity)
            self._file: IO[bytes] = self._path.open("r+b" if whole else "wb")
        except BaseException:
            self._lock.release()
            raise
        self._file.truncate(whole)
        self._file.seek(whole)
        if not whole:
            self._append({"identity": identity})

    def get(self, key: str) -> Any:
        """What was kept under a name; ``None`` where nothing was."""
        return self._known.get(key)

    def keep(self, key: str, value: Any) -> None:
        """Keeps a value, for good when this returns."""
        self._known[key] = value
        self._append({"key": key, "value": value})

    def close(self, *, remove: bool = False) -> None:
        """Lets go of the file; ``remove`` it when all is done."""
        self._file.close()
        if remove:
            self._path.unlink(missing_ok=True)
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(remove=kind is None)

    def _append(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, identity: Mapping[str, Any]) -> int:
        """Takes over what is there; how many bytes of it are whole lines."""
        whole = 0
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file):
                row = parsed_line(line)
                if row is None:
                    break
                if number == 0:
                    self._check(row.get("identity") or {}, identity)
                else:
                    self._known[str(row["key"])] = row["value"]
                whole += len(line)
        return whole

    def _check(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        refuse_other(
            self._path.parent,
            old,
            new,
            "an unfinished search",
            instead="Finish it with what it was begun with, give another --out, or remove that folder",
        )
