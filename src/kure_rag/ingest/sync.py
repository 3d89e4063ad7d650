"""An index that mirrors a folder: what left the folder leaves the index too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kure_rag.errors import SourceNotFoundError
from kure_rag.index.catalog import Catalog
from kure_rag.ingest.places import bytes_id, file_name, place_of, root_of
from kure_rag.ingest.report import IngestRow
from kure_rag.read import Found


def check_folder(catalog: Catalog, folder: Path, found: Sequence[Found], name: str | None, *, empty_ok: bool) -> None:
    """Refuses what looks like a disk that is not there, before everything is taken out of the index.

    Raises:
        SourceNotFoundError: There is no such folder, or it holds no files and the index does.
    """
    if not folder.is_dir():
        raise SourceNotFoundError(folder.name or str(folder), f"no folder at {folder}; nothing was changed")
    held = len(catalog.keys(root_of(folder, name)))
    if held and not empty_ok and not any(item.error is None for item in found):
        raise SourceNotFoundError(
            folder.name,
            f"the folder holds no files to read, and the index has {held} documents of it; nothing was changed. "
            "If they are to be removed, say so with --allow-empty (allow_empty=True)",
        )


def planned(catalog: Catalog, folder: Path, found: Sequence[Found], name: str | None) -> Iterator[IngestRow]:
    """What a run would do, without doing it. Whether a new file can be read is not known before it is read."""
    ids = [bytes_id(item) for item in found]
    here = set(ids)
    seen: set[str] = set()  # files of the same bytes become one document
    rows = []
    for item, id_ in zip(found, ids, strict=True):
        known = bool(id_) and (id_ in seen or catalog.has_document(id_))
        rows.append(_planned_row(catalog, item, id_ if known else "", here, name))
        seen.add(id_)
    yield from rows
    yield from (_removed(source, id_) for source, id_ in _leaving(catalog, folder, found, rows, name))


def settle(
    catalog: Catalog, folder: Path, found: Sequence[Found], rows: Sequence[IngestRow], name: str | None
) -> Iterator[IngestRow]:
    """After all files are in: puts down which folder they are of, and removes what has left it.

    Args:
        catalog: The catalog; the caller holds the writer's lock.
        folder: The folder.
        found: Its files.
        rows: What became of each.
        name: What the folder is known by in place of its path.

    Yields:
        A row for each document removed. All are removed in one generation.
    """
    leaving = _leaving(catalog, folder, found, rows, name)
    root = root_of(folder, name)
    held, every = catalog.keys(root), catalog.keys()
    here = {place_of(item, name).key for item in found}
    moved = {id_ for key, id_ in held.items() if key not in here}  # within the folder
    for item, row in zip(found, rows, strict=True):
        key, id_ = place_of(item, name).key, row.document_id
        if not id_ or held.get(key) == id_ or not catalog.has_document(id_):
            continue
        # The same file, found before by another way; or one that was moved. What another folder holds too stays its.
        if every.get(key) == id_ or id_ in moved:
            catalog.set_place(id_, key=key, root=root, source=file_name(item.path))
            moved.discard(id_)
    if leaving:
        catalog.delete([id_ for _, id_ in leaving])
    yield from (_removed(source, id_) for source, id_ in leaving)


def _leaving(
    catalog: Catalog, folder: Path, found: Sequence[Found], rows: Sequence[IngestRow], name: str | None
) -> list[tuple[str, str]]:
    """(Source, id) of documents whose files are gone. None are, where a part of the folder could not be listed."""
    if any(item.error is not None and not isinstance(item.error, SourceNotFoundError) for item in found):
        return []
    keys = {place_of(item, name).key for item in found}
    ids = {row.document_id for row in rows}
    gone = {id_ for key, id_ in catalog.keys(root_of(folder, name)).items() if key not in keys and id_ not in ids}
    return [(row.source, row.id) for row in catalog.documents() if row.id in gone] if gone else []


def _planned_row(catalog: Catalog, item: Found, known: str, here: set[str], name: str | None) -> IngestRow:
    source = file_name(item.path)
    if item.error is not None:
        return IngestRow(source=source, status="rejected", reason=item.error.reason)
    if known:
        return IngestRow(source=source, status="unchanged", document_id=known)
    older = set(catalog.by_key(place_of(item, name).key)) - here  # a document whose bytes lie elsewhere follows them
    return IngestRow(source=source, status="updated" if older else "added")


def _removed(source: str, document_id: str) -> IngestRow:
    return IngestRow(source=source, status="removed", document_id=document_id)
