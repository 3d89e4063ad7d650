"""The index that a ``kure-rag eval --save`` makes for itself: found again after a kill, and removed when it is done."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError, IndexPathError
from kure_rag.evaluate.saved import RUN

_NAME: Final = ".eval-index"
_LOCK: Final = ".eval-index.lock"
_MARKER: Final = "runs.json"  # which runs the index was made for; a folder without it was not made here
_INDEX: Final = "index"


@contextmanager
def own_index(folders: Sequence[Path], made_with: Mapping[str, Any]) -> Iterator[Path]:
    """A folder for the index of a command, which no other process uses meanwhile.

    It lies in the folder of the first run, and its name says what the index is made with, so that a run with another
    model does not stumble over what a killed one left. It stays after an error and an interruption, for the same
    command to go on with.

    Args:
        folders: Of the command's runs; the first is there.
        made_with: The set and the model, as JSON values.

    Raises:
        ConfigError: Another process is at work there, or the folder holds something else.
    """
    made = json.dumps(made_with, ensure_ascii=False, sort_keys=True)
    place = folders[0] / f"{_NAME}-{hashlib.sha256(made.encode()).hexdigest()[:12]}"
    lock = FileLock(folders[0] / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"{folders[0]}: another process is evaluating with the index of this folder; wait for it, or choose "
            "another --name"
        ) from error
    try:
        _mark(place, folders)
        yield place / _INDEX
        _remove_finished(folders[0])
    finally:
        _let_go(lock, folders[0])


def remove_finished(folder: Path) -> None:
    """Removes indexes whose runs are all finished: a kill came between the last run and the end of its command.

    Those of a process that is at work are left alone, and so is everything that no evaluation has made.

    Args:
        folder: Of the command's first run.
    """
    if not any(folder.glob(f"{_NAME}-*")):
        return
    lock = FileLock(folder / _LOCK)
    with suppress(Timeout):
        lock.acquire(timeout=0)
        try:
            _remove_finished(folder)
        finally:
            _let_go(lock, folder)


def _mark(place: Path, folders: Sequence[Path]) -> None:
    marker = place / _MARKER
    try:
        place.mkdir(exist_ok=True)
        if not marker.is_file() and any(place.iterdir()):
            raise ConfigError(f"{place}: was not made by kure-rag eval; move it elsewhere, or choose another --name")
        named = {folder.name for folder in folders} | set(_runs(place))
        scratch = place / f"{_MARKER}.new"
        scratch.write_text(json.dumps(sorted(named), ensure_ascii=False), encoding="utf-8")
        scratch.replace(marker)
    except OSError as error:
        raise IndexPathError(f"{place}: cannot be made ({error.strerror}); give --save another folder") from error


def _runs(place: Path) -> list[str]:
    """The folders of the runs that an index was made for; none where it was not made here."""
    try:
        named = json.loads((place / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(name) for name in named] if isinstance(named, list) else []


def _remove_finished(folder: Path) -> None:
    """The caller holds the lock."""
    for place in folder.glob(f"{_NAME}-*"):
        runs = _runs(place)
        if runs and all((folder.parent / run / RUN).is_file() for run in runs):
            if (place / _INDEX).is_dir():
                shutil.rmtree(place / _INDEX)
            (place / _MARKER).unlink()  # last: what a kill leaves is known for ours
            with suppress(OSError):  # somebody has put something else there
                place.rmdir()


def _let_go(lock: FileLock, folder: Path) -> None:
    if not any(folder.glob(f"{_NAME}-*")):
        with suppress(OSError):  # Windows removes no open file
            Path(lock.lock_file).unlink()
    lock.release()
