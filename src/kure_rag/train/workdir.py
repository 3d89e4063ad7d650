"""The folder of an unfinished training: it says what is trained, and only the same training goes on in it.

::

    my-model.training/
        training.json      recipe, settings, base and data, by their hashes
        before.json        scores of the base
        base/              a base from scratch
        data/              what a recipe made of the data
        1-nli/             of each stage: checkpoints, losses.json, and model/ when it is done
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError, TrainingError

COMPLETE: Final = "complete"
"""Written into a checkpoint when all its other files are there."""

_IDENTITY: Final = "training.json"
_BEFORE: Final = "before.json"
_DONE: Final = "done.json"
_WORTH: Final = (f"*/checkpoint-*/{COMPLETE}", f"*/{_DONE}")
_SHOWN: Final = 80  # characters of a value in a message


class WorkFolder:
    """A context manager that holds the folder against other processes.

    Args:
        out: The model's folder; this one lies beside it.
        identity: All that the result depends on, as JSON values.
        main: Whether this process is the one that writes; others of a distributed training only look.
        worth: Patterns of files that took long to make: without any, another training takes the folder over.

    Attributes:
        path: The folder.
        resumed: Whether an interrupted training was found in it.

    Raises:
        ConfigError: The folder holds an unfinished training of something else, which is left as it is; or another
            process is at work in it.
        TrainingError: It cannot be made.
    """

    def __init__(
        self, out: Path, identity: Mapping[str, Any], *, main: bool = True, worth: Sequence[str] = _WORTH
    ) -> None:
        self.path = out.with_name(f"{out.name}.training")
        self._main, self._worth = main, worth
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{self.path}: cannot be made ({error.strerror or error}); give another --out"
            ) from error
        self._lock = FileLock(self.path / ".lock")
        if main:
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise ConfigError(
                    f"{self.path}: another process is training here; wait for it, or give another --out"
                ) from error
        try:
            self.resumed = self._check(identity)
        except BaseException:
            self._lock.release()
            raise

    def stage(self, number: int, name: str) -> Path:
        """The folder of a stage, counted from 1."""
        return self.path / f"{number}-{name}"

    def checkpoint(self, stage: Path) -> Path | None:
        """The last whole checkpoint of a stage. One that a kill left half written is removed."""
        found: list[tuple[int, Path]] = []
        for folder in stage.glob("checkpoint-*"):
            if (folder / COMPLETE).is_file():
                found.append((int(folder.name.rpartition("-")[2]), folder))
            elif self._main:
                shutil.rmtree(folder, ignore_errors=True)
        return max(found)[1] if found else None

    def finished(self, stage: Path) -> dict[str, Any] | None:
        """What was kept of a stage that is done: its model is in ``model/``."""
        return _json(stage / _DONE)

    def finish(self, stage: Path, record: Mapping[str, Any]) -> None:
        """Marks a stage as done, whose model was saved, and drops its checkpoints."""
        write_json(stage / _DONE, record)
        for folder in stage.glob("checkpoint-*"):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def held(self) -> int:
        """Bytes of what lies in it."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @property
    def _trained(self) -> bool:
        """Whether there is something that took long to make."""
        return any(found for pattern in self._worth for found in self.path.glob(pattern))

    @property
    def before(self) -> dict[str, Any] | None:
        """The base's scores, once they were kept."""
        return _json(self.path / _BEFORE)

    def keep_before(self, scores: Mapping[str, Any]) -> None:
        """Keeps the base's scores."""
        write_json(self.path / _BEFORE, scores)

    def remove(self) -> None:
        """Removes the folder: the training is done."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _check(self, identity: Mapping[str, Any]) -> bool:
        stored = _json(self.path / _IDENTITY)
        if stored is not None and stored != json.loads(json.dumps(identity)) and not self._trained and self._main:
            # Most often the same command with the mistake put right that it was told.
            for left in self.path.iterdir():
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
            (self.path / _BEFORE).unlink(missing_ok=True)
            stored = None
        if stored is None:
            if self._main:
                write_json(self.path / _IDENTITY, identity)
            return False
        for key in sorted(stored.keys() | identity.keys()):
            old, new = stored.get(key), identity.get(key)
            if old != new:
                what, old, new = _differing(key, old, new)
                raise ConfigError(
                    f"{self.path}: holds an unfinished training with {what} {_short(old)}, and this one has "
                    f"{_short(new)}; give the same again to go on with it, another --out, or remove that folder"
                )
        return True


def place_among() -> tuple[int, int]:
    """This process's place in a distributed training, and how many there are, as torchrun and accelerate say it.

    Both set ``LOCAL_RANK`` too. Without it ``RANK`` is a cluster's number of a machine, and this a training of its own.
    """
    if "LOCAL_RANK" not in os.environ:
        return 0, 1
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def write_json(path: Path, value: Any) -> None:
    """Writes a file that is either whole or not there."""
    beside = path.with_name(f".{path.name}")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by its name; of a folder that of its files' names and hashes, of an index of what it holds.

    Raises:
        TrainingError: One cannot be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        name, number = path.name, 2
        while name in found:  # two files of one name in two folders
            name, number = f"{path.name} ({number})", number + 1
        try:
            found[name] = _hash(path)
        except OSError as error:
            raise TrainingError(f"{path}: cannot be read ({error.strerror or error})") from error
    return found


def _hash(path: Path) -> str:
    if (path / "catalog.sqlite3").is_file():
        from kure_rag.pipeline import KureIndex

        # Its files differ from one opening to the next, though it holds the same.
        with KureIndex.maintain(path) as index:
            told = json.dumps(index.info()["fingerprint"], sort_keys=True)
            held = "\n".join(sorted(row.id for row in index.documents()))
        return hashlib.sha256(f"{told}\n{held}".encode()).hexdigest()
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        lines = [f"{file.relative_to(path).as_posix()} {_hash(file)}\n" for file in inside]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else None


def _differing(key: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """The innermost thing that differs, so that a message shows one setting and not all of them."""
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in sorted(old.keys() | new.keys()):
            if old.get(inner) != new.get(inner):
                return f"{key} {inner}", old.get(inner), new.get(inner)
    return key, old, new


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
