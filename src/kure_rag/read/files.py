"""Paths the user gave → the files to read, and the reader for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kure_rag.errors import ReadError, SourceNotFoundError, UnsupportedFileError
from kure_rag.read.file_types import FILE_TYPES, PDF_ONLY, TEXT_TYPES, FileType, file_type
from kure_rag.read.pdf import Share, read_pdf
from kure_rag.read.settings import ReadLimits, ReadSettings
from kure_rag.read.spacing import Spacer
from kure_rag.read.text_file import read_text
from kure_rag.types import Document, Domain


@dataclass(frozen=True, slots=True)
class Found:
    """One path to read, or why there is nothing to read there.

    Attributes:
        path: The file, or the path as given when it has an error.
        error: Set instead of a readable file.
        folder: The folder given, for a file that was found in it.
    """

    path: Path
    error: ReadError | None = None
    folder: Path | None = None


def find_files(paths: Iterable[str | Path], file_types: Collection[FileType] = PDF_ONLY) -> Iterator[Found]:
    """Files of the paths given, each once: files as they are, folders searched to the bottom in name order.

    Hidden files and folders inside a folder are passed over, and so are links to folders (they may turn in circles).
    A file given by name is read whatever its type is.

    Args:
        paths: Files and folders.
        file_types: What is taken from folders.

    Raises:
        ValueError: There is no such file type.
    """
    for kind in file_types:
        if kind not in FILE_TYPES:
            raise ValueError(f"no file type named {kind!r}; choose one of {', '.join(FILE_TYPES)}")
    return _find(paths, file_types)


def find_pdfs(paths: Iterable[str | Path]) -> Iterator[Found]:
    """:func:`find_files` that takes PDF files from folders."""
    return find_files(paths)


def read_file(
    data: bytes,
    name: str,
    *,
    domain: Domain | None = None,
    settings: ReadSettings | None = None,
    limits: ReadLimits | None = None,
    space_at: Spacer | None = None,
    on_page: Callable[[int], None] | None = None,
    share: Share | None = None,
) -> Document:
    """Reads a file by the reader of its type, see :func:`~kure_rag.read.file_types.file_type`.

    Arguments and errors are those of :func:`~kure_rag.read.pdf.read_pdf` and, for text files, those of
    :func:`~kure_rag.read.text_file.read_text`; ``limits`` are narrowed to the type's own.
    """
    kind = file_type(name, data[:8])
    limits = (limits or ReadLimits()).of(kind)
    if kind in TEXT_TYPES:
        return read_text(data, name, domain=domain, limits=limits)
    return read_pdf(
        data,
        name,
        domain=domain,
        settings=settings,
        limits=limits,
        space_at=space_at,
        on_page=on_page,
        share=share,
    )


def _find(paths: Iterable[str | Path], file_types: Collection[FileType]) -> Iterator[Found]:
    seen: set[str] = set()
    for given in paths:
        path = Path(given)
        try:
            found = list(_below(path, file_types))
        except OSError as error:
            yield Found(path, ReadError(path.name, f"cannot be listed ({error.strerror or error}); check its rights"))
            continue
        for item in found:
            if item.error is not None:
                yield item
            elif (real := os.path.realpath(item.path)) not in seen:  # Path.resolve raises for a link to itself
                seen.add(real)
                yield item


def _below(path: Path, file_types: Collection[FileType]) -> Iterator[Found]:
    name = path.name or str(path)
    if not path.exists():
        yield Found(path, SourceNotFoundError(name, f"no file or folder at {path}; check the path"))
    elif path.is_dir():
        yield from _inside(path, name, file_types)
    elif path.is_file():
        yield Found(path)
    else:
        yield Found(path, UnsupportedFileError(name, "not a regular file; give a PDF or text file, or a folder"))


def _inside(path: Path, name: str, file_types: Collection[FileType]) -> Iterator[Found]:
    empty = True
    texts = False
    closed: list[OSError] = []
    for folder, folders, files in os.walk(path, onerror=closed.append):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            kind = _ending(file)
            if kind in file_types:
                empty = False
                yield Found(Path(folder, file), folder=path)
            texts = texts or kind in TEXT_TYPES
    for error in closed:
        empty = False
        at = Path(error.filename)
        yield Found(at, ReadError(at.name, f"cannot be listed ({error.strerror or error}); check its rights"), path)
    if empty:
        yield Found(path, SourceNotFoundError(name, _nothing(file_types, texts=texts)))


def _ending(file: str) -> FileType | None:
    if file.startswith("."):
        return None
    return next((kind for kind in FILE_TYPES if file.lower().endswith(f".{kind}")), None)


def _nothing(file_types: Collection[FileType], *, texts: bool) -> str:
    asked = [kind for kind in FILE_TYPES if kind in file_types]
    what = " or ".join("PDF" if kind == "pdf" else kind for kind in asked) or "such"
    if texts:
        advice = "its txt and md files are read by name, or with a module for them in ingest.yaml"
    else:
        advice = "give another folder or file"
    return f"the folder holds no {what} files; {advice}"
