"""Where a document comes from, so that a changed file replaces what the index holds of it.

Two folders may hold files of the same name, so a file is known by its whole path. Copies in two folders are one
document with two places, and it goes when the last of them does, see :mod:`kure_rag.index.catalog_places`.

A catalog is handed from one machine to another and shows nobody's folders: it keeps digests of the paths. A folder that
is given a name of its own is known by that name wherever it lies.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kure_rag.index import Catalog
from kure_rag.index.rows import Standing
from kure_rag.read import Found

_LENGTH = 32  # hexadecimal digits


@dataclass(frozen=True, slots=True)
class Place:
    """What a later version of a document is recognised by.

    Attributes:
        key: Of the file or the record; a document of the same key and other bytes is its next version.
        root: Of the folder that it was found in; empty for a file that was given itself.
        path: Of the file, by whatever name its folder is known; empty for a record.
    """

    key: str = ""
    root: str = ""
    path: str = ""


def place_of(found: Found, name: str | None = None) -> Place:
    """The place of a file.

    Args:
        found: The file, and the folder that was searched.
        name: The name that the folder is known by, in place of its path.
    """
    path = _digest(_path(found.path))
    if found.folder is None:
        return Place(path, "", path)
    if name is None:
        return Place(path, root_of(found.folder), path)
    below = Path(os.path.relpath(_path(found.path), _path(found.folder))).as_posix()
    return Place(_digest(name, unicodedata.normalize("NFC", below)), root_of(found.folder, name), path)


def root_of(folder: Path, name: str | None = None) -> str:
    """What a folder's documents are known by."""
    return _digest("folder", name) if name is not None else lies_at(folder)


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


def standing(place: Place, document_id: str, source: str) -> Standing:
    """A document at a place."""
    return Standing(place.key, place.root, document_id, source, place.path)


def follow(catalog: Catalog, found: Sequence[Found], ids: Sequence[str], name: str | None) -> None:
    """Lets the documents that the index holds follow their files, however those were renamed, copied or exchanged.

    Done for all files at once and before anything is stored: a new version takes the place of what stands at its key,
    and what stands elsewhere too must not go with it.

    Args:
        catalog: The catalog; the caller holds the writer's lock.
        found: The files.
        ids: Of each file's bytes, see :func:`bytes_id`.
        name: What the folder is known by in place of its path.
    """
    places = [place_of(item, name) for item in found]
    known = [
        standing(place, id_, file_name(item.path))
        for item, place, id_ in zip(found, places, ids, strict=True)
        if id_ and catalog.has_document(id_)
    ]
    if known:
        catalog.settle_places(known)


def lies_at(folder: Path) -> str:
    """Where a folder lies, by whatever name it is known."""
    return _digest("folder", _path(folder))


def files_below(folder: Path) -> set[str]:
    """The ``path`` of every file below a folder, whatever its type."""
    return {_digest(_path(Path(top) / file)) for top, _, files in os.walk(folder) for file in files}


def record_key(corpus: str, record_id: str) -> str:
    """The key of one record of a corpus; no key for a corpus without a name."""
    return _digest("record", corpus, record_id) if corpus else ""


def collection_key(collection: str, group: str) -> str:
    """The key of a document that was taken over from a Chroma collection; its group may be a path."""
    return _digest("chroma", collection, group)


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
