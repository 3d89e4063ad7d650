"""Where a pipeline keeps the index of an mteb task: a folder that is one process's, and outlives a kill."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError, IndexPathError

if TYPE_CHECKING:
    from mteb.models import ModelMeta

_LOCK: Final = "in-use.lock"  # also says that a folder was made here
_TRIES: Final = 10


class WorkFolder:
    """The folder of one task's index, held until :meth:`close`.

    Args:
        work: Where it is made: there a killed run of the same is gone on with, and what killed runs of other settings
            have left is removed. ``None`` for the system's temporary folder.
        name: Of the task and its part.
        meta: Of the model or pipeline; each has folders of its own, since two may run beside each other.

    Attributes:
        path: The folder.

    Raises:
        IndexPathError: It cannot be made.
        ConfigError: Another process is using it.
    """

    def __init__(self, work: Path | None, name: str, meta: ModelMeta) -> None:
        self._lock: FileLock | None = None
        if work is None:
            self.path = Path(tempfile.mkdtemp(prefix="kure-rag-mteb-"))
            return
        key = f"{meta.name}\n{meta.revision}\n{meta.experiment_name}"
        whose = hashlib.sha256(key.encode()).hexdigest()[:12]
        self.path = work / "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{name}-{whose}")
        try:
            self._lock = _held(self.path)
        except Timeout as error:
            raise ConfigError(
                f"{self.path}: another process is running this task with the same settings; wait for it, or choose "
                "another --out"
            ) from error
        except OSError as error:
            raise IndexPathError(f"{self.path}: cannot be made ({error.strerror}); choose another --out") from error
        _sweep(work, whose)

    def close(self, *, remove: bool) -> None:
        """Lets go of the folder.

        Args:
            remove: Also removes it.
        """
        if self._lock is None:
            if remove:
                shutil.rmtree(self.path, ignore_errors=True)
            return
        _let_go(self._lock, self.path, remove=remove)


def _held(folder: Path) -> FileLock:
    """The lock of a folder, which is made; another process that sweeps may remove it before it is locked.

    Raises:
        Timeout: Another process holds it.
        OSError: The folder cannot be made.
    """
    for _ in range(_TRIES):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        with suppress(FileNotFoundError):
            lock.acquire(timeout=0)
            if Path(lock.lock_file).exists():
                return lock
            lock.release()
    raise FileNotFoundError(2, "it is removed again and again", str(folder))


def _let_go(lock: FileLock, folder: Path, *, remove: bool) -> None:
    if remove:  # the lock's own file last: what a kill leaves is known for ours
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):  # Windows removes no open file
            Path(lock.lock_file).unlink()
    lock.release()
    if remove:
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
            folder.rmdir()


def _sweep(work: Path, whose: str) -> None:
    """Removes what killed runs of other settings have left; what is in use, or was not made here, stays."""
    for folder in work.iterdir():
        if folder.name.endswith(f"-{whose}") or not (folder / _LOCK).is_file():
            continue
        lock = FileLock(folder / _LOCK)
        with suppress(Timeout, FileNotFoundError):
            lock.acquire(timeout=0)
            _let_go(lock, folder, remove=True)
