"""What all journals of unfinished work share: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError
from kure_rag.evaluate.measure import differing

if TYPE_CHECKING:
    from types import TracebackType

INSTEAD: Final = "Ask for the same again, choose another --name, or remove that folder"
_SHOWN: Final = 60  # characters of a setting in a message


class JournalFile(ABC):
    """A journal that no other process can write to meanwhile; a context manager that lets go of it.

    Its first line says what is worked at. A last line that a kill has cut off is dropped, and nothing after a broken
    line counts. A kind of journal says in :meth:`_take` what its other lines hold; what that fills has to be there
    before this constructor is called.

    Args:
        path: The file. Its lock lies beside it.
        identity: All that the work depends on, as JSON values.
        busy: The message where another process is at work on it, with what to do.
        place: What the message names where the journal is of something else.
        what: What it is, for that message.
        instead: What to do, for that message.
        first: What the first line holds besides, where the journal is begun now.
        tidy: Whether the lock goes even while work is unfinished: it lies among somebody's files.

    Raises:
        ConfigError: The journal is of something else, and is left as it is; or another process is at work on it.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, Any],
        *,
        busy: str,
        place: Path,
        what: str,
        instead: str = INSTEAD,
        first: Mapping[str, Any] | None = None,
        tidy: bool = False,
    ) -> None:
        self._path, self._tidy = path, tidy
        self._first: dict[str, Any] = {"identity": identity, **(first or {})}
        self._lock = FileLock(f"{path}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(busy) from error
        with ExitStack() as opened:
            opened.callback(self._lock.release)
            whole = 0
            for line, row in self._lines():
                if whole:
                    self._take(row)
                else:
                    refuse_other(place, row.get("identity") or {}, identity, what, instead=instead)
                    self._first = row
                whole += len(line)
            self._file: IO[bytes] = opened.enter_context(path.open("r+b" if whole else "wb"))
            self._file.truncate(whole)
            self._file.seek(whole)
            if not whole:
                self._append(self._first)
            opened.pop_all()

    def close(self, *, remove: bool = False) -> None:
        """Lets go of the file; ``remove`` it when what it was kept for is saved. A second time does nothing."""
        if self._file.closed:  # the lock may be another's by now
            return
        self._file.close()
        if remove:
            self._path.unlink(missing_ok=True)
        if remove or self._tidy:
            with suppress(OSError):  # Windows removes no open file
                Path(self._lock.lock_file).unlink()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _take(self, row: Mapping[str, Any]) -> None:
        """Takes over a line that an earlier process has written, other than the first."""

    def _append(self, row: Mapping[str, Any]) -> None:
        """Writes a line, for good when this returns."""
        self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lines(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """The whole lines, and what they say, up to one that is broken."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                if (row := _parsed(line)) is None:
                    return
                yield line, row


def refuse_other(
    place: Path, old: Mapping[str, Any], new: Mapping[str, Any], what: str, *, instead: str = INSTEAD
) -> None:
    """Refuses to go on with what something else has begun, or to take its place.

    Args:
        place: Where that lies, for the message.
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
        raise ConfigError(f"{place}: holds {what} of something else ({told}). {instead}")


def _parsed(line: bytes) -> dict[str, Any] | None:
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
