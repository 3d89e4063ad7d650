"""Paths the user gave → the PDF files to read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kure_rag.errors import ReadError, SourceNotFoundError, UnsupportedFileError


@dataclass(frozen=True, slots=True)
class Found:
    """One path to read, or why there is nothing to read there.

    Attributes:
        path: The file, or the path as given when it has an error.
        error: Set instead of a readable file.
    """

    path: Path
    error: ReadError | None = None


def find_pdfs(paths: Iterable[str | Path]) -> Iterator[Found]:
    """PDF files of the paths given, each once: files as they are, folders searched to the bottom in name order.

    Hidden files and folders inside a folder are passed over, and so are links to folders (they may turn in circles).
    A file given by name is read whatever its ending is; what it holds decides.
    """
    seen: set[str] = set()
    for given in paths:
        path = Path(given)
        try:
            found = list(_below(path))
        except OSError as error:
            yield Found(path, ReadError(path.name, f"cannot be listed ({error.strerror or error}); check its rights"))
            continue
        for item in found:
            if item.error is not None:
                yield item
            elif (real := os.path.realpath(item.path)) not in seen:  # Path.resolve raises for a link to itself
                seen.add(real)
                yield item


def _below(path: Path) -> Iterator[Found]:
    name = path.name or str(path)
    if not path.exists():
        yield Found(path, SourceNotFoundError(name, f"no file or folder at {path}; check the path"))
    elif path.is_dir():
        empty = True
        closed: list[OSError] = []
        for folder, folders, files in os.walk(path, onerror=closed.append):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for file in sorted(files):
                if file.lower().endswith(".pdf") and not file.startswith("."):
                    empty = False
                    yield Found(Path(folder, file))
        for error in closed:
            empty = False
            at = Path(error.filename)
            yield Found(at, ReadError(at.name, f"cannot be listed ({error.strerror or error}); check its rights"))
        if empty:
            yield Found(path, SourceNotFoundError(name, "the folder holds no PDF files; give another folder or file"))
    elif path.is_file():
        yield Found(path)
    else:
        yield Found(path, UnsupportedFileError(name, "not a regular file; give a PDF file or a folder"))
