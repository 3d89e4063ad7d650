"""An index that mirrors a folder: what left the folder leaves the index too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kure_rag.errors import SourceNotFoundError
from kure_rag.index.catalog import Catalog
from kure_rag.index.rows import Standing
from kure_rag.ingest.places import Place, bytes_id, file_name, files_below, lies_at, place_of, root_of
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
    seen: set[str] = set()  # files of the same bytes become one document
    after = _Plan(catalog.places())
    for item, id_ in zip(found, ids, strict=True):
        known = bool(id_) and (id_ in seen or catalog.has_document(id_))
        yield _planned_row(catalog, item, id_ if known else "", name)
        seen.add(id_)
        if id_:
            after.stand(place_of(item, name), id_)
    went = after.leave(*_leaving(catalog, folder, found, name))
    yield from (_removed(row.source, row.id) for row in catalog.documents() if row.id in went)


def settle(catalog: Catalog, folder: Path, found: Sequence[Found], name: str | None) -> Iterator[IngestRow]:
    """After all files are in: removes what has left the folder, as far as no other folder holds it too.

    Args:
        catalog: The catalog; the caller holds the writer's lock.
        folder: The folder.
        found: Its files.
        name: What the folder is known by in place of its path.

    Yields:
        A row for each document removed. All are removed in one generation.
    """
    if not _is_whole(found):
        return
    left, gone = _leaving(catalog, folder, found, name)
    went = catalog.settle_places(_moved_along(catalog, folder, found, name), left=left, gone=gone)
    yield from (_removed(source, id_) for id_, source in sorted(went.items(), key=lambda item: (item[1], item[0])))
    if name is not None and not _lies_where_it_did(catalog, folder, name):
        catalog.set(**{f"at.{root_of(folder, name)}": lies_at(folder)})


def _is_whole(found: Sequence[Found]) -> bool:
    """Whether every part of a folder could be listed."""
    return all(item.error is None or isinstance(item.error, SourceNotFoundError) for item in found)


def _lies_where_it_did(catalog: Catalog, folder: Path, name: str | None) -> bool:
    """Whether the paths that the index knows of a folder's files are those of now."""
    return name is None or catalog.get(f"at.{root_of(folder, name)}") == lies_at(folder)


def _moved_along(catalog: Catalog, folder: Path, found: Sequence[Found], name: str | None) -> list[Standing]:
    """Of a named folder that lies elsewhere than it did: files that could not be read are known by their old paths."""
    if _lies_where_it_did(catalog, folder, name):
        return []
    now = {place.key: place.path for place in (place_of(item, name) for item in found)}
    return [
        replace(old, path=now[old.key])
        for old in catalog.places(root_of(folder, name))
        if old.path != now.get(old.key, old.path)
    ]


def _leaving(
    catalog: Catalog, folder: Path, found: Sequence[Found], name: str | None
) -> tuple[list[Standing], list[Standing]]:
    """Places of the folder without a file: those whose file is still there, of another type; and those where none is.

    There are none where a part of the folder could not be listed. Of a folder that lies elsewhere than it did, known
    paths say nothing of what is there now.
    """
    if not _is_whole(found):
        return [], []
    keys = {place_of(item, name).key for item in found}
    leaving = [place for place in catalog.places(root_of(folder, name)) if place.key not in keys]
    if not _lies_where_it_did(catalog, folder, name):
        return leaving, []
    if name is None:
        leaving = [replace(place, path=place.key) for place in leaving]
    there = files_below(folder) if leaving else set()
    return [place for place in leaving if place.path in there], [place for place in leaving if place.path not in there]


class _Plan:
    """Which document would stand where, as :meth:`kure_rag.index.catalog.Catalog.settle_places` does it."""

    def __init__(self, places: Iterable[Standing]) -> None:
        self._at: dict[tuple[str, str], str] = {}
        self._same: dict[str, set[tuple[str, str]]] = defaultdict(set)  # places by key, and by path
        for place in places:
            self._enter(place, place.document_id)

    def _enter(self, place: Place | Standing, document_id: str) -> None:
        self._at[place.key, place.root] = document_id
        for known in filter(None, (place.key, place.path)):
            self._same[known].add((place.key, place.root))

    def stand(self, place: Place, document_id: str) -> None:
        """Puts a document at all places of a file."""
        self._enter(place, document_id)
        for at in self._same[place.key] | self._same[place.path]:
            self._at[at] = document_id

    def leave(self, left: Iterable[Standing], gone: Iterable[Standing]) -> set[str]:
        """Takes places away; ids of the documents that stand nowhere then."""
        leaving = {(place.key, place.root) for place in left}
        for place in gone:
            leaving |= self._same[place.key] | (self._same[place.path] if place.path else set())
        went = {self._at.pop(at) for at in leaving if at in self._at}
        return went - set(self._at.values())


def _planned_row(catalog: Catalog, item: Found, known: str, name: str | None) -> IngestRow:
    source = file_name(item.path)
    if item.error is not None:
        return IngestRow(source=source, status="rejected", reason=item.error.reason)
    if known:
        return IngestRow(source=source, status="unchanged", document_id=known)
    place = place_of(item, name)
    return IngestRow(source=source, status="updated" if catalog.by_key(place.key, place.path) else "added")


def _removed(source: str, document_id: str) -> IngestRow:
    return IngestRow(source=source, status="removed", document_id=document_id)
