"""What is said of a disk that is full: what is kept, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kure_rag.errors import KureError, TrainingError

_KEPT: Final = "what was reached before is kept"


@contextmanager
def full_disk_told(folder: Path, reached: Callable[[], str] = lambda: _KEPT) -> Iterator[None]:
    """Says of a disk that is full what to do.

    Args:
        folder: What is written, or a folder above it.
        reached: Asked only then: what is there of the training.

    Raises:
        TrainingError: Instead of what the operating system or a library raises.
    """
    try:
        yield
    except KureError:
        raise
    except Exception as error:
        from kure_rag.train.trainer import is_disk_full

        if not is_disk_full(error):
            raise
        raise full_disk(folder, reached()) from error


def full_disk(folder: Path, reached: str) -> TrainingError:
    """The error of a disk that is full.

    Args:
        folder: What was to be written, or a folder above it.
        reached: What is there of the training.
    """
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    return TrainingError(
        f"{folder}: the disk is full ({gigabytes(free)} free); {reached}. Make room and run the same command: it goes "
        "on from there"
    )


def gigabytes(size: float) -> str:
    """Bytes for a reader."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
