"""One writer at a time, across processes. The operating system frees the lock when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from kure_rag.errors import IndexLockedError, IndexPathError

_WAIT: Final = 0.5  # seconds


class WriterLock:
    """The lock of one index folder. The holding thread may take it again; another one waits briefly, then fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "writer.lock", thread_local=False)
        self._holder = folder / "writer.json"
        self._thread = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the lock.

        Raises:
            IndexLockedError: Somebody else holds it; says who.
        """
        if not self._thread.acquire(timeout=_WAIT):
            raise IndexLockedError(self._folder, "another thread of this process")
        try:
            if self._depth == 0:
                self._take()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._lock.release()
        finally:
            self._thread.release()

    def _take(self) -> None:
        try:
            self._lock.acquire(timeout=_WAIT)
        except Timeout:
            raise IndexLockedError(self._folder, self._who()) from None
        except OSError as error:
            raise IndexPathError(f"{self._folder}: the index cannot be written ({error.strerror or error})") from error
        since = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"pid": os.getpid(), "host": platform.node(), "since": since}
        with contextlib.suppress(OSError):  # only a courtesy to the one who waits
            self._holder.write_text(json.dumps(told), encoding="utf-8")

    def _who(self) -> str:
        try:
            told = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"process {told['pid']} on {told['host']}, since {told['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "a process that did not say who it is"
