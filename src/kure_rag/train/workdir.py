"""The folder of an unfinished training: it says what is trained, and only the same training goes on in it.

::

    my-model.training/
        training.json      recipe, settings, base and data, by their hashes
        before.json        scores of the base
        base/              a base from scratch
        data/              what a recipe made of the data
        1-nli/             of each stage: checkpoints, losses.json, and model/ when it is done
        finished/          what the model's folder will be, until it is whole
        replaced/          the model that was there, while the new one takes its place

``training.json`` is written first and removed last: a folder without it that holds anything is not ours, nor is one in
which a file of that name says something else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from filelock import FileLock, Timeout

from kure_rag.errors import ConfigError, TrainingError
from kure_rag.train.place import holds_model, restore

COMPLETE: Final = "complete"
"""Written into a checkpoint when all its other files are there."""

_IDENTITY: Final = "training.json"
_BEFORE: Final = "before.json"
_DONE: Final = "done.json"
_ENDING: Final = ".training"
_LOCK: Final = ".lock"
_REPLACED: Final = "replaced"
_WORTH: Final = (f"*/checkpoint-*/{COMPLETE}", f"*/{_DONE}")
_ENDED: Final = {"ended": True}
"""In the place of the identity: the training is over, and what still lies in the folder is to be removed."""
_IDENTIFIES: Final = frozenset(("recipe", "data", "dev"))
"""Keys that every identity has, and no other ``training.json``, such as a finished model's."""
_ORDERED: Final = ("data", "dev")  # of an identity, whose order counts: rows are read in it
_PATIENCE: Final = 600  # seconds for the first process of several to say what is trained
_LOOK: Final = 0.1  # seconds between two looks
_SHOWN: Final = 80  # characters of a value in a message


class WorkFolder:
    """A context manager that holds the folder against other processes.

    A model that a kill left in it, between the two renames of :func:`kure_rag.train.place.put_in_place`, gets its name
    back first.

    Args:
        out: The model's folder; this one lies beside it.
        identity: All that the result depends on, as JSON values, with `recipe`, `data` and `dev` among its keys. Of the
            last two the order counts, too.
        main: Whether this process is the one that writes; others of a distributed training wait until it has said what
            is trained.
        worth: Patterns of files that took long to make: without any, another training takes the folder over.

    Attributes:
        path: The folder.
        aside: Where the model that was there lies while another takes its place.
        resumed: Whether an interrupted training was found in it.

    Raises:
        ConfigError: The folder holds an unfinished training of something else, which is left as it is; or another
            process is at work in it.
        TrainingError: It cannot be made, or holds something that no training put there, which is left as it is.
    """

    def __init__(
        self, out: Path, identity: Mapping[str, Any], *, main: bool = True, worth: Sequence[str] = _WORTH
    ) -> None:
        self.path = beside(out)
        self.aside = self.path / _REPLACED
        self._main, self._worth = main, worth
        self._lock = FileLock(self.path / _LOCK)
        if not main:
            self._wait(identity)
            self.resumed = self._trained
            return
        try:
            self._require_ours()
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{self.path}: cannot be made ({error.strerror or error}); give another --out"
            ) from error
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"{self.path}: another process is training here; wait for it, or give another --out"
            ) from error
        try:
            self._require_ours()
            for name in (_REPLACED, "before"):  # the second is train_static's
                restore(out, self.path / name)
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
        """Removes the folder: the training is done.

        A kill in the midst of it, or a file that cannot be removed, leaves a folder that says so: nothing in it is gone
        on from.
        """
        write_json(self.path / _IDENTITY, _ENDED)
        if self._clear():
            self._lock.release()
            return
        (self.path / _IDENTITY).unlink(missing_ok=True)
        with suppress(OSError):  # Windows keeps a file that is open
            (self.path / _LOCK).unlink(missing_ok=True)
        self._lock.release()
        with suppress(OSError):  # another process may have begun here
            (self.path / _LOCK).unlink(missing_ok=True)
            self.path.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _require_ours(self) -> None:
        """Raises for a folder with anything that no training put there: all in it is removed at the end."""
        if not self.path.exists():
            return
        if _is_identity(self._stored()) and not holds_model(self.path):
            return
        # A kill before its first file was whole, or after its last was removed, leaves these.
        left = {_LOCK, f".{_IDENTITY}"}
        if found := sorted(path.name for path in self.path.iterdir() if path.name not in left):
            raise TrainingError(
                f"{self.path}: is there already, with {found[0]}, and is no unfinished training; a training would take "
                "this folder and remove it at its end. Give another --out, or move that folder away"
            )

    def _stored(self) -> dict[str, Any] | None:
        try:
            return _json(self.path / _IDENTITY)
        except ValueError:  # ours is always whole
            return None

    def _clear(self) -> list[Path]:
        """Removes all but the identity and the lock; gives what cannot be removed."""
        keep = (_IDENTITY, _LOCK)
        for left in self.path.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            elif left.name not in keep:
                with suppress(OSError):
                    left.unlink()
        return [path for path in self.path.iterdir() if path.name not in keep]

    def _check(self, identity: Mapping[str, Any]) -> bool:
        stored = self._stored()
        if stored is not None and not _same(stored, identity) and (stored == _ENDED or not self._trained):
            # Ended, or most often the same command with the mistake put right that it was told.
            if kept := self._clear():
                raise TrainingError(f"{kept[0]}: is left of a training that is over, and cannot be removed; remove it")
            stored = None
        if stored is None:
            write_json(self.path / _IDENTITY, identity)
            return False
        if not _same(stored, identity):
            raise ConfigError(f"{self.path}: {_difference(stored, identity)}")
        return True

    def _wait(self, identity: Mapping[str, Any]) -> None:
        """Until the first process has said that this is what is trained."""
        end = time.monotonic() + _PATIENCE
        while (stored := self._stored()) is None or not _same(stored, identity):
            if time.monotonic() > end:
                if stored is None or stored == _ENDED:
                    raise TrainingError(
                        f"{self.path}: the first process has not begun to train there; all processes need one folder "
                        "on a disk that they share"
                    )
                raise ConfigError(f"{self.path}: {_difference(stored, identity)}")
            time.sleep(_LOOK)


def beside(out: Path) -> Path:
    """The folder of an unfinished training of a model."""
    return out.with_name(f"{out.name}{_ENDING}")


def require_same(work: Path, role: str, name: str, revision: str) -> None:
    """Raises where an interrupted training that is to go on had a helping model of other weights under that name.

    Such a model, a guide or a generator, is loaded again each time and no part of what a checkpoint holds.

    Args:
        work: Folder of what is kept until the training has ended.
        role: What the model is there for, such as ``guide``; the file that remembers it is called so.
        name: The model's name or folder.
        revision: Of its files.

    Raises:
        ConfigError: It had.
    """
    work.mkdir(parents=True, exist_ok=True)
    note = work / f"{role}.txt"
    if not note.is_file():
        note.write_text(revision, encoding="utf-8")
    elif (kept := note.read_text(encoding="utf-8")) != revision:
        raise ConfigError(
            f"{role} {name}: its weights are others ({revision}) than when this training was begun ({kept}); put those "
            "back, or begin anew with another --out"
        )


def place_among() -> tuple[int, int]:
    """This process's place in a distributed training, and how many there are, as torchrun and accelerate say it.

    Both set ``LOCAL_RANK`` too. Without it ``RANK`` is a cluster's number of a machine, and this a training of its own.
    """
    if "LOCAL_RANK" not in os.environ:
        return 0, 1
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def write_json(path: Path, value: Any) -> None:
    """Writes a file that is either whole or not there."""
    whole = path.with_name(f".{path.name}")
    with whole.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    whole.replace(path)


def hashes(paths: Iterable[Path], *, without: Path | None = None) -> dict[str, str]:
    """SHA-256 of each file, by its name; of a folder that of its files' names and hashes, of an index of what it holds.

    Models and unfinished trainings that lie in a folder are no part of it: they come and go beside the data.

    Args:
        paths: Files and folders.
        without: A folder that is no part of one that it lies in either, such as the model's that is to be made.

    Raises:
        TrainingError: One cannot be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        name, number = path.name, 2
        while name in found:  # two files of one name in two folders
            name, number = f"{path.name} ({number})", number + 1
        try:
            found[name] = _hash(path, without)
        except OSError as error:
            raise TrainingError(f"{path}: cannot be read ({error.strerror or error})") from error
    return found


def _hash(path: Path, without: Path | None) -> str:
    if (path / "catalog.sqlite3").is_file():
        from kure_rag.pipeline import KureIndex

        # Its files differ from one opening to the next, though it holds the same.
        with KureIndex.maintain(path) as index:
            told = json.dumps(index.info()["fingerprint"], sort_keys=True)
            held = "\n".join(sorted(row.id for row in index.documents()))
        return hashlib.sha256(f"{told}\n{held}".encode()).hexdigest()
    if path.is_dir():
        inside = sorted(files_inside(path, without))
        lines = [f"{file.relative_to(path).as_posix()} {_hash(file, without)}\n" for file in inside]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def files_inside(folder: Path, without: Path | None = None) -> Iterator[Path]:
    """The files of a folder that can be data: the same ones for its hash and for who reads it to the bottom.

    Models and unfinished trainings in it are passed over, and so are links to folders.

    Args:
        folder: Looked through, whatever it is itself.
        without: See :func:`hashes`.
    """
    for top, folders, files in os.walk(folder):
        here = Path(top)
        folders[:] = [name for name in folders if not _is_no_data(here / name, without)]
        yield from (file for name in files if (file := here / name).is_file())


def _is_no_data(folder: Path, without: Path | None) -> bool:
    unfinished = folder.name.endswith(_ENDING) and (folder / _IDENTITY).is_file()
    if unfinished or holds_model(folder):
        return True
    return without is not None and folder.resolve() in (without, beside(without))


def _json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else None


def _is_identity(stored: Mapping[str, Any] | None) -> bool:
    """Whether a training wrote this; ``training.json`` is a name that others give their settings, too."""
    return stored is not None and (stored == _ENDED or stored.keys() >= _IDENTIFIES)


def _same(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    """Whether two identities are of one training."""
    old, new = (_filled(json.loads(json.dumps(one))) for one in (stored, identity))
    return bool(old == new) and all(_order(old.get(key)) == _order(new.get(key)) for key in _ORDERED)


def _filled(value: Any) -> Any:
    """Without what is ``None``: a setting that a later version has, and that is not used, is no difference."""
    if isinstance(value, dict):
        return {key: _filled(inner) for key, inner in value.items() if inner is not None}
    return value


def _order(value: Any) -> Any:
    return list(value) if isinstance(value, dict) else value


def _difference(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """The first thing that differs between two trainings, and what to do about it."""
    old, new = (_filled(json.loads(json.dumps(one))) for one in (stored, identity))
    key = next((key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)), None)
    if key is None:
        key = next(key for key in _ORDERED if _order(old.get(key)) != _order(new.get(key)))
        what, one, other = f"{key} in the order", list(old[key]), list(new[key])
    else:
        what, one, other = _differing(key, old.get(key), new.get(key))
    return (
        f"holds an unfinished training with {what} {_short(one)}, and this one has {_short(other)}; give the same "
        "again to go on with it, another --out, or remove that folder"
    )


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
