"""One writer at a time, across processes. The operating system frees the lock when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from kure_rag.errors import IndexLockedError, IndexPathError

_WAIT: Final = 0.5  # seconds
_POLL: Final = 0.01  # seconds between looks: a writer of many small batches is away for little longer
_WAIT_FOR_MENDING: Final = 600.0  # seconds: a view that is made anew ends by itself, and soon


class WriterLock:
    """The lock of one index folder. The holding thread may take it again; another one waits, then fails.

    Whoever only reads may have to mend a view, and holds the lock meanwhile. A writer waits for that: it must not fail
    because somebody searched. Who comes to mend waits for nobody.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "writer.lock", thread_local=False)
        self._holder = folder / "writer.json"
        self._thread = threading.RLock()
        self._depth = 0
        self._mending = False

    @contextmanager
    def held(self, *, mending: bool = False, wait: float | None = None) -> Iterator[None]:
        """Holds the lock.

        Args:
            mending: The holder only brings views up to the catalog.
            wait: Seconds to wait for another writer, half a second by default.

        Raises:
            IndexLockedError: Somebody else holds it; says who.
            ValueError: ``wait`` is no length of time.
        """
        wait = 0.0 if mending else _seconds(_WAIT if wait is None else wait)
        give_up = time.monotonic() + _WAIT_FOR_MENDING
        while not self._thread.acquire(timeout=wait):
            if mending or not self._mending or time.monotonic() > give_up:
                raise IndexLockedError(self._folder, "another thread of this process")
        try:
            if self._depth == 0:
                self._take(mending=mending, wait=wait)
                self._mending = mending
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._leave()
        finally:
            self._thread.release()

    def _take(self, *, mending: bool, wait: float) -> None:
        give_up = time.monotonic() + _WAIT_FOR_MENDING
        while True:
            try:
                self._lock.acquire(timeout=wait, poll_interval=_POLL)
            except Timeout:
                told = self._told()
                if mending or not told.get("mending") or time.monotonic() > give_up:
                    raise IndexLockedError(self._folder, _who(told)) from None
            except OSError as error:
                raise IndexPathError(
                    f"{self._folder}: the index cannot be written ({error.strerror or error})"
                ) from error
            else:
                break
        since = datetime.now(UTC).isoformat(timespec="seconds")
        tell = {"pid": os.getpid(), "host": platform.node(), "since": since, "mending": mending}
        with contextlib.suppress(OSError):  # only a courtesy to the one who waits
            part = self._holder.with_suffix(".part")
            part.write_text(json.dumps(tell), encoding="utf-8")
            part.replace(self._holder)  # whoever reads it reads the whole of it

    def _leave(self) -> None:
        self._mending = False
        with contextlib.suppress(OSError):
            self._holder.unlink(missing_ok=True)  # the next holder is not taken for this one
        self._lock.release()

    def _told(self) -> dict[str, Any]:
        try:
            told = json.loads(self._holder.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def _seconds(wait: float) -> float:
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not wait >= 0:  # below 0 the lock waits for ever
        raise ValueError(f"wait={wait!r}: give the seconds to wait for another writer, 0 or more")
    return min(wait, threading.TIMEOUT_MAX)


def _who(told: dict[str, Any]) -> str:
    try:
        return f"process {told['pid']} on {told['host']}, since {told['since']}"
    except KeyError:
        return "a process that did not say who it is"
