"""Putting a finished model where it belongs, all of it at once."""

from __future__ import annotations

import shutil
from pathlib import Path

from kure_rag.errors import TrainingError

_MODEL_FILES = ("modules.json", "config.json")


def require_free(out: Path) -> None:
    """Raises for a place that holds anything but a model, which nothing may replace.

    Raises:
        TrainingError: Says what to do.
    """
    if not out.exists():
        return
    if out.is_dir() and (not any(out.iterdir()) or any((out / name).is_file() for name in _MODEL_FILES)):
        return
    raise TrainingError(f"{out}: is there already and is not a model; name a new folder with --out")


def put_in_place(made: Path, out: Path, *, aside: Path) -> None:
    """Gives a finished folder its name; a model that was there goes aside first, and comes back if that fails.

    Args:
        made: The finished folder, on the same disk.
        out: Its name.
        aside: A name that is free, for the model that was there.
    """
    if out.exists():
        out.rename(aside)
    try:
        made.rename(out)
    except BaseException:
        if aside.exists():
            aside.rename(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
