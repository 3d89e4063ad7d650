"""What an unfinished evaluation has found so far: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError
from kure_rag.evaluate.measure import differing

if TYPE_CHECKING:
    from types import TracebackType

    from kure_rag.evaluate.evaluate import Ranked

NAME: Final = "progress.jsonl"
_SHOWN: Final = 60  # characters of a setting in a message


class Journal:
    """The journal of one evaluation, which no other process can write to meanwhile; a context manager that closes it.

    Its first line says what is evaluated. Each later one is a batch of rankings, or numbers to keep. A last line that a
    kill has cut off is dropped, and its batch is asked again.

    Args:
        folder: The run's.
        identity: All that the result depends on, as JSON values.

    Attributes:
        answered: Query id → its ranking, of an earlier process.
        started: When the evaluation was begun, ISO 8601 in UTC.
        seconds: What all its batches took so far.
        noted: Numbers to keep.

    Raises:
        ConfigError: The folder holds an unfinished evaluation of something else, which is left as it is; or another
            process is at work on it.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.answered: dict[str, Ranked] = {}
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.seconds = 0.0
        self.noted: dict[str, Any] = {}
        self._path = folder / NAME
        self._lock = FileLock(folder / f"{NAME}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"{folder}: another process is evaluating into this folder; wait for it, or choose another --name"
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
            self._append({"identity": identity, "started": self.started})

    def add(self, found: Mapping[str, Ranked], seconds: float) -> None:
        """Keeps the rankings of a batch, for good when this returns."""
        self.seconds += seconds
        self._append({"seconds": seconds, "found": {query: list(ranked) for query, ranked in found.items()}})

    def note(self, **numbers: Any) -> None:
        """Keeps numbers, such as what indexing took."""
        self.noted.update(numbers)
        self._append({"noted": numbers})

    def close(self, *, remove: bool = False) -> None:
        """Lets go of the file; ``remove`` it when the run is saved."""
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
                    self._check(row, identity)
                    self.started = row["started"]
                self.noted.update(row.get("noted", {}))
                self.seconds += row.get("seconds", 0.0)
                found = row.get("found", {})
                self.answered.update({q: [(d, s) for d, s in ranked] for q, ranked in found.items()})
                whole += len(line)
        return whole

    def _check(self, row: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        refuse_other(self._path.parent, row.get("identity", {}), identity, "an unfinished evaluation")


def refuse_other(
    folder: Path,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    what: str,
    *,
    instead: str = "Ask for the same again, choose another --name, or remove that folder",
) -> None:
    """Refuses to go on with what something else has begun, or to take its place.

    Args:
        folder: The run's.
        old: What it holds.
        new: What was asked for.
        what: What it is, for the message.
        instead: What to do, for the message.

    Raises:
        ConfigError: They differ; the message names where.
    """
    changed = differing(old, json.loads(json.dumps(new)))
    if changed:
        told = "; ".join(
            f"{name}: {_short(before)} there, {_short(after)} now" for name, (before, after) in changed.items()
        )
        raise ConfigError(f"{folder}: holds {what} of something else ({told}). {instead}")


def parsed_line(line: bytes) -> dict[str, Any] | None:
    """The object of a whole line; ``None`` for what a kill has left of one."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:  # also text that is not UTF-8: a kill of the machine may leave a block of zeros
        return None
    return row if isinstance(row, dict) else None


def _short(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
