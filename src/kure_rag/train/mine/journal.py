"""What an unfinished run has mined so far: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError
from kure_rag.evaluate.journal import parsed_line, refuse_other

if TYPE_CHECKING:
    from types import TracebackType

_INSTEAD = "Give the same command again, choose another --out, or remove that file"


def journal_path(out: Path) -> Path:
    """Where the journal of these triplets lies."""
    return out.with_name(f"{out.name}.progress")


class MineJournal:
    """The journal of one file of triplets, which no other process can write to meanwhile; a context manager.

    Its first line says what is mined. Each later one holds the rows and sums of a batch. A last line that a kill has
    cut off is dropped, and its batch is mined again.

    Args:
        out: The triplets.
        identity: All that they depend on, as JSON values.

    Attributes:
        batches: Numbers of the batches that are there.

    Raises:
        ConfigError: It holds the rows of something else, and is left as it is; or another process is at work on it.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any]) -> None:
        self.batches: set[int] = set()
        self._path = journal_path(out)
        self._lock = FileLock(f"{self._path}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(f"{out}: another process is mining it; wait for it, or choose another --out") from error
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

    def add(self, number: int, rows: Sequence[Mapping[str, Any]], sums: Mapping[str, Any]) -> None:
        """Keeps a batch, for good when this returns."""
        self._append({"batch": number, "sums": sums, "rows": list(rows)})
        self.batches.add(number)

    def read(self) -> Iterator[dict[str, Any]]:
        """The batches, one in memory at a time."""
        with self._path.open("rb") as file:
            next(file)
            for line in file:
                row = parsed_line(line)
                if row is not None:
                    yield row

    def close(self, *, remove: bool = False) -> None:
        """Lets go of the file; ``remove`` it when the triplets are written."""
        self._file.close()
        if remove:
            self._path.unlink(missing_ok=True)
        with suppress(OSError):  # Windows removes no open file
            Path(self._lock.lock_file).unlink()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
                    there = row.get("identity", {})
                    refuse_other(self._path, there, identity, "unfinished triplets", instead=_INSTEAD)
                else:
                    self.batches.add(int(row["batch"]))
                whole += len(line)
        return whole
