"""Where a document comes from, so that a changed file replaces what the index holds of it.

Two folders may hold files of the same name, so a file is known by its whole path. A catalog is handed from one machine
to another and shows nobody's folders: it keeps digests of the paths. A folder that is given a name of its own is known
by that name wherever it lies.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from kure_rag.read import Found

_LENGTH = 32  # hexadecimal digits


@dataclass(frozen=True, slots=True)
class Place:
    """What a later version of a document is recognised by.

    Attributes:
        key: Of the file or the record; a document of the same key and other bytes is its next version.
        root: Of the folder that it was found in; empty for a file that was given itself.
    """

    key: str = ""
    root: str = ""


def place_of(found: Found, name: str | None = None) -> Place:
    """The place of a file.

    Args:
        found: The file, and the folder that was searched.
        name: The name that the folder is known by, in place of its path.
    """
    if found.folder is None:
        return Place(_digest(_path(found.path)))
    if name is None:
        return Place(_digest(_path(found.path)), root_of(found.folder))
    below = Path(os.path.relpath(_path(found.path), _path(found.folder))).as_posix()
    return Place(_digest(name, unicodedata.normalize("NFC", below)), root_of(found.folder, name))


def root_of(folder: Path, name: str | None = None) -> str:
    """What a folder's documents are known by."""
    return _digest("folder", name) if name is not None else _digest("folder", _path(folder))


def record_key(corpus: str, record_id: str) -> str:
    """The key of one record of a corpus; no key for a corpus without a name."""
    return _digest("record", corpus, record_id) if corpus else ""


def corpus_name(path: Path) -> str:
    """What the records of a corpus file are known by."""
    return _digest("corpus", _path(path))


def _path(path: Path) -> str:
    """Absolute, links followed, in Unicode form NFC: macOS gives names decomposed."""
    return unicodedata.normalize("NFC", os.path.realpath(path))


def _digest(*parts: str) -> str:
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.hexdigest()[:_LENGTH]
