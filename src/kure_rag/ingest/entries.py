"""Entries: passages that an application keeps by ids of its own, as vector stores do.

An entry is a document of one chunk. The chunk's id is the entry's, so that a hit, a filter by ``chunk_id`` and a
framework's document all name it alike; the document's id is a digest of it, so that what is put again under an id takes
the place of what was there. Text and metadata are kept as they were given, and come back so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.errors import EntryError, MetadataError
from kure_rag.index.said import GROUP_FIELD, Said
from kure_rag.types import DOMAINS, ENTRY_KIND, Chunk, Document

ALL_ENTRIES: Final[Mapping[str, Any]] = {"kind": ENTRY_KIND}
"""Holds for entries and for nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A passage with an id of the caller's own.

    Attributes:
        id: Any text but an empty one.
        text: What is searched and embedded, and nothing else is.
        metadata: JSON values by name; each can be filtered by under its own name, see :mod:`kure_rag.index.where`. A
            text under ``source`` or ``title`` is what a hit says of itself, ``pages`` a list of page numbers that its
            citation shows, and a ``domain`` of ours is its domain. ``entry_group`` is the group's, and refused here.
        group: What it was cut from, such as the id of a document; empty for none. Filters know it as ``entry_group``.
        vector: Its embedding, shape (dimension,), if it was made already; otherwise the index's model makes it.
    """

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    vector: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


def document_id_of(entry_id: str) -> str:
    """The id of an entry's document."""
    return hashlib.sha256(f"entry\x1f{entry_id}".encode("utf-8", "surrogatepass")).hexdigest()


def checked(entries: Iterable[Entry], dimension: int | None) -> tuple[list[str], dict[str, Entry]]:
    """Ids in the order given, and the last entry of each.

    Args:
        entries: As they were given.
        dimension: Of the index's vectors, where that is known.

    Raises:
        EntryError: One that cannot be stored; names it. It is a ``ValueError`` too.
        MetadataError: Metadata with the name that filters know the group by.
    """
    ids, found = [], dict[str, Entry]()
    for entry in entries:
        ready = _checked(entry, dimension)
        ids.append(entry.id)
        found[entry.id] = ready
    return ids, found


def said_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two metadata are the same, also in the types of their values: 1 is not True."""
    return _json(one) == _json(other)


def to_document(entry: Entry) -> tuple[Document, Chunk]:
    """An entry as the catalog keeps it."""
    said = entry.metadata
    source, title, domain, pages = (said.get(name) for name in ("source", "title", "domain", "pages"))
    document = Document(
        id=document_id_of(entry.id),
        source=source if isinstance(source, str) and source else entry.id,
        title=title if isinstance(title, str) else "",
        domain=domain if domain in DOMAINS else "general",
        text=entry.text,
        metadata={GROUP_FIELD: entry.group} if entry.group else {},
    )
    chunk = Chunk(
        id=entry.id,
        document_id=document.id,
        text=entry.text,
        start=0,
        end=len(entry.text),
        pages=_pages(pages),
        kind=ENTRY_KIND,
        metadata=said,
    )
    return document, chunk


def _checked(entry: Entry, dimension: int | None) -> Entry:
    if not isinstance(entry.id, str) or not entry.id:
        raise EntryError(entry.id, f"an id is a text that is not empty, not {entry.id!r:.60}")
    for name, text in (("id", entry.id), ("text", entry.text), ("group", entry.group)):
        _check_text(entry, name, text)
    if not entry.text.strip():
        raise EntryError(entry.id, "its text is empty; leave it out, or give it the words it is to be found by")
    try:
        Said(metadata=entry.metadata, replace=True).check()
        plain = json.loads(json.dumps(dict(entry.metadata)))
    except MetadataError as error:
        raise EntryError(entry.id, str(error).partition(";")[0]) from error
    if GROUP_FIELD in entry.metadata:  # else who deletes or filters by a group takes this entry with it
        what = f"of entry {entry.id!r:.200} is the index's own name; give group=..., or take another name"
        raise MetadataError(GROUP_FIELD, what)
    vector = None if entry.vector is None else _vector(entry, dimension)
    return replace(entry, metadata=plain, vector=vector)


def _check_text(entry: Entry, name: str, text: object) -> None:
    if not isinstance(text, str):
        raise EntryError(entry.id, f"its {name} is {type(text).__name__}; give text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"its {name} holds half a character (a lone surrogate) at {error.start}; decode its source as UTF-8"
        raise EntryError(entry.id, what) from error


def _vector(entry: Entry, dimension: int | None) -> npt.NDArray[np.float32]:
    try:
        vector = np.asarray(entry.vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EntryError(entry.id, f"its vector holds what is no number ({error})") from error
    if vector.ndim != 1 or not len(vector):
        raise EntryError(entry.id, f"its vector has the shape {vector.shape}; give one of shape (dimension,)")
    if not np.isfinite(vector).all():
        raise EntryError(entry.id, "its vector holds NaN or an infinite number; embed its text again")
    if dimension is not None and len(vector) != dimension:
        what = f"its vector has {len(vector)} dimensions, and those of the index have {dimension}"
        raise EntryError(entry.id, f"{what}; give one of the index's own model, or none")
    return vector


def _pages(said: object) -> tuple[int, ...]:
    """Page numbers, if that is what they are."""
    are = isinstance(said, list) and all(type(page) is int and 0 < page < 2**31 for page in said)
    return tuple(said) if are and isinstance(said, list) else ()


def _json(metadata: Mapping[str, Any]) -> str:
    return json.dumps(dict(metadata), sort_keys=True)
