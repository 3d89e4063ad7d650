"""Where a document comes from, so that a changed file replaces what the index holds of it.

Two folders may hold files of the same name, so a file is known by its whole path. A catalog is handed from one machine
to another and shows nobody's folders: it keeps digests of the paths. A folder that is given a name of its own is known
by that name wherever it lies.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kure_rag.index import Catalog
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


def bytes_id(found: Found) -> str:
    """The id of a file's document: a digest of its bytes. Empty where it cannot be read."""
    if found.error is not None:
        return ""
    try:
        with found.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def file_name(path: Path) -> str:
    """A file's name as it is shown and stored: no folder, NFC, and no half characters."""
    name = (path.name or str(path)).encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", name)


def follow(catalog: Catalog, found: Sequence[Found], ids: Sequence[str], name: str | None) -> None:
    """Lets documents follow their files: one whose path holds other bytes now, and whose own bytes lie elsewhere.

    Done before anything is stored: a new version takes the place of what has its key, and a file that was only renamed
    must not go with it.

    Args:
        catalog: The catalog; the caller holds the writer's lock.
        found: The files.
        ids: Of each file's bytes, see :func:`bytes_id`.
        name: What the folder is known by in place of its path.
    """
    places = [place_of(item, name) for item in found]
    here = {place.key for place in places}
    lying: dict[str, list[int]] = {}
    for i, id_ in enumerate(ids):
        if id_:
            lying.setdefault(id_, []).append(i)
    for key, id_ in catalog.keys().items():
        at = lying.get(id_)
        if at and key in here and all(places[i].key != key for i in at):
            new = places[at[0]]
            catalog.set_place(id_, key=new.key, root=new.root, source=file_name(found[at[0]].path))


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
