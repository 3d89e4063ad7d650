"""Texts of a file, one a line, for commands that need no index."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from kure_rag.errors import IndexPathError, NoTextError


def read_texts(path: Path) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file, plain or gzip, with their numbers from 1; empty ones are left out.

    Texts come out in NFC, without white space around them.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does.
        CorpusFormatError: A line is not UTF-8, or the gzip file is torn.
        NoTextError: Every line is empty.
    """
    from kure_rag.read.corpus import read_lines

    texts = [(number, unicodedata.normalize("NFC", line).strip()) for number, line in read_lines(path)]
    if not texts:
        raise NoTextError(path.name, "holds no text; write one text a line")
    return texts


def check_writable(option: str, path: Path | None) -> None:
    """Raises before any work, where a file cannot be written at ``path``.

    Raises:
        IndexPathError: It is a folder, or lies in none that is there.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise IndexPathError(f"{path}: cannot be written; give {option} a file in a folder that is there")
