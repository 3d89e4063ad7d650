"""Indexes that many tests need, made once a run and copied: the three sample PDFs, and anything else as costly.

Reading files starts a process that loads the morphological analyser, which takes seconds; a copy takes none.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kure_rag import KureIndex
from kure_rag.samples import sample_paths


def samples_in(folder: Path, factory: pytest.TempPathFactory) -> Path:
    """An index of the three sample PDFs, a test's own.

    Args:
        folder: Where it is to be; it must not be there yet.
        factory: Whose base folder holds the one that is copied.
    """
    return copied("samples", folder, factory, _make_samples)


def copied(name: str, folder: Path, factory: pytest.TempPathFactory, make: Callable[[Path], object]) -> Path:
    """A copy of an index that is made when it is first asked for.

    Args:
        name: Of the index among those of the run.
        folder: Where the copy is to be.
        factory: Whose base folder holds the one that is copied.
        make: Makes it in a folder, and closes it.
    """
    made = factory.getbasetemp() / f"made-{name}"
    if not made.exists():
        making = made.with_name(f"making-{name}")
        make(making)
        making.rename(made)
    shutil.copytree(made, folder)
    return folder


def _make_samples(folder: Path) -> None:
    with KureIndex.open(folder, embeddings="static-ko") as index:
        assert index.add_paths(sample_paths(), workers=1).ok
