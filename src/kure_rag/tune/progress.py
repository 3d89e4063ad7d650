"""What an unfinished search has tried so far: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from kure_rag.errors import IndexPathError
from kure_rag.evaluate.journal_file import JournalFile

NAME: Final = "progress.jsonl"


class Progress(JournalFile):
    """The values of all settings that were tried; a context manager that removes the file where all went well.

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
        super().__init__(
            folder / NAME,
            identity,
            busy=f"{folder}: another process is tuning here; wait for it, or give another --out",
            place=folder,
            what="an unfinished search",
            instead="Finish it with what it was begun with, give another --out, or remove that folder",
        )

    def get(self, key: str) -> Any:
        """What was kept under a name; ``None`` where nothing was."""
        return self._known.get(key)

    def keep(self, key: str, value: Any) -> None:
        """Keeps a value, for good when this returns."""
        self._known[key] = value
        self._append({"key": key, "value": value})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(remove=kind is None)

    def _take(self, row: Mapping[str, Any]) -> None:
        self._known[str(row["key"])] = row["value"]
