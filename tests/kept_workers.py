"""Reading processes that outlive their pool, for tests in which the process is not the point.

Each ingest starts a process that loads the morphological analyser: a second of processor time. In a test module that
does not say ``OWN_WORKERS = True``, a process that has nothing to do when its pool is closed waits for the next pool of
the same settings, as it would for the next job; one at work is ended as ever. Modules that test how processes start,
die and end say so, and have none but their own.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kure_rag.errors import ReadError
from kure_rag.ingest import child
from kure_rag.ingest.child import Child

_MOST = 2  # processes that wait, of a third of a gigabyte each

Process = subprocess.Popen[bytes]


class KeptWorkers:
    """The processes that wait, the one that waits longest first, and those that may wait once they are free."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, Process]] = []
        self._ready: set[Process] = set()

    def started(self, process: Process) -> None:
        """The process has said that it is ready."""
        with self._lock:
            self._ready.add(process)

    def put(self, key: str, process: Process) -> bool:
        """Whether the process is kept: one that is not ready or is gone is not."""
        with self._lock:
            if process not in self._ready or process.poll() is not None:
                return False
            self._waiting.append((key, process))
            surplus = self._waiting.pop(0) if len(self._waiting) > _MOST else None
        if surplus is not None:
            self._end(surplus[1])
        return True

    def take(self, key: str) -> Process | None:
        """One that was started with the same."""
        with self._lock:
            place = next((i for i, (its, _) in enumerate(self._waiting) if its == key), None)
            return None if place is None else self._waiting.pop(place)[1]

    def close(self) -> None:
        """Ends those that wait."""
        while self._waiting:
            self._end(self._waiting.pop()[1])

    def _end(self, process: Process) -> None:
        self._ready.discard(process)
        process.kill()
        process.communicate()


def keep_workers(kept: KeptWorkers, patch: pytest.MonkeyPatch) -> None:
    """Has every pool take its processes from there and put them back, until the patch is undone."""
    started, stop, answer = Child.started, Child.stop, Child._answer
    busy: set[Child] = set()

    def started_or_kept(self: Child) -> Process:
        if self._process is None:
            self._process = kept.take(_key(self))
        process = started(self)
        kept.started(process)
        return process

    def put_back_or_stopped(self: Child) -> None:
        process = self._process
        own = ":" in self._chunks.profile  # a module that the test may change
        if process is not None and self not in busy and not own and kept.put(_key(self), process):
            self._process = None
        else:
            stop(self)

    def at_work(self: Child, *arguments: Any) -> dict[str, Any]:
        busy.add(self)  # and for ever, if anything but an answer ends this
        try:
            found = answer(self, *arguments)
        except ReadError:
            busy.discard(self)
            raise
        busy.discard(self)
        return found

    patch.setattr(Child, "started", started_or_kept)
    patch.setattr(Child, "stop", put_back_or_stopped)
    patch.setattr(Child, "_answer", at_work)


def _key(of: Child) -> str:
    """All that the process was started with."""
    settings = [asdict(part) for part in (of._limits, of._chunks, of._settings)]
    around = {name: value for name, value in child._environment(of._chunks).items() if not name.startswith("PYTEST_")}
    return repr((settings, of._user_words, sorted(around.items()), sys.executable, Path.cwd()))
