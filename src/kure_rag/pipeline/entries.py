"""Entries: passages that an application keeps in an index by ids of its own, as vector stores do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.citation import place_metadata
from kure_rag.errors import EntryError, IndexLockedError, ReadError
from kure_rag.index.catalog import NewDocument, StoredChunk
from kure_rag.index.said import GROUP_FIELD
from kure_rag.index.where import parse_where
from kure_rag.ingest.entries import ALL_ENTRIES, Entry, checked, document_id_of, said_alike, to_document
from kure_rag.ingest.pool import TermsJob
from kure_rag.ingest.target import Target
from kure_rag.pipeline.adding import Adding
from kure_rag.pipeline.given import refuse_text
from kure_rag.pipeline.parts import Progress
from kure_rag.types import ENTRY_KIND, Chunk, Hit

__all__ = ["ALL_ENTRIES", "GROUP_FIELD", "Entries", "Entry", "entry_of"]

_HERE: Final = 1_000  # texts that are analysed in this process: others take seconds to begin
_STEP: Final = 256  # texts that are analysed or embedded together
_WAIT: Final = 0.5  # seconds

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Held:
    """What the index holds under an entry's id; ``source`` of a file's passage."""

    row: int
    entry: Entry
    source: str | None


@dataclass(slots=True)
class _Made:
    """What was made of texts, by text."""

    vectors: dict[str, Vector] = field(default_factory=dict)
    terms: dict[str, Sequence[str]] = field(default_factory=dict)
    embedded: int = 0

    def lacks(self, entries: Iterable[Entry]) -> bool:
        """Whether something of these entries is still to be made."""
        return any(
            entry.text not in self.terms or (entry.vector is None and entry.text not in self.vectors)
            for entry in entries
        )


class Entries(Adding):
    """What keeps entries. Each is a document with one chunk, whose id is the entry's; searches find it as any other."""

    _unwritten: _Made | None = None  # what was made for a put that could not have the lock

    def put(self, entries: Iterable[Entry], *, wait: float = _WAIT, progress: Progress | None = None) -> list[str]:
        """Adds entries, or replaces those of the same ids: all of them or none, and searches see them all at once.

        One that is equal to what the index holds is left alone. Where only metadata or group changed, nothing is
        analysed or embedded again. All entries and their vectors are held in memory: give millions in several calls.

        All texts are analysed and embedded before others are kept from writing. Then everything is stored in one
        transaction, also over what others put under the same ids meanwhile. Where nothing can be stored in the end,
        because another process is writing, vectors and terms are kept for the next call, which does not make those of
        the same texts again.

        Args:
            entries: Of one id the last counts. Two ids may have the same text.
            wait: Seconds to wait for another process that is writing.
            progress: Called with texts embedded, texts to embed, and the id of the last.

        Returns:
            The ids in the order given.

        Raises:
            EntryError: One cannot be stored: an empty text, metadata that are no JSON values, a vector of another
                dimension, the id of a file's passage. Names it. It is a ``ValueError`` too.
            MetadataError: Metadata with the name ``entry_group``, which is the group's own in filters.
            IndexLockedError: Another process was writing all the while; says which.
            TypeError: What is no entry.
            ModelNotAvailableError: The model's weights cannot be reached.
        """
        ids, wanted = checked(_only_entries(entries), self._store.catalog.get("dimension"))
        changed, held = self._changes(wanted)
        if not changed:
            return ids
        with self._putting, self._store.writing(wait):  # whoever cannot write is told so before a model is loaded
            self._check_made_alike()
            made, self._unwritten = self._unwritten or _Made(), None
            made.embedded = 0
        try:
            while not self._written(wanted, made, wait):
                changed, held = self._changes(wanted)
                self._make(changed, held, made, progress)
        except IndexLockedError:
            self._unwritten = made
            raise
        return ids

    def _written(self, wanted: Mapping[str, Entry], made: _Made, wait: float) -> bool:
        """Stores what is not there yet, if all that takes is made: others may have written meanwhile."""
        if made.lacks(self._fresh(*self._changes(wanted))):
            return False
        # Another thread waits here for as long as it takes, which is not long: nothing is embedded meanwhile.
        with self._putting, Target(self._store, self.embedder, self._claim) as target, self._store.writing(wait):
            self._check_made_alike()
            changed, held = self._changes(wanted)
            if made.lacks(self._fresh(changed, held)):
                return False
            if changed:
                self._check_first(changed)
                kept = self._take_over(changed, held, made)
                target.put([_ready(entry, made, kept) for entry in changed], together=True)
        return True

    def entries(self, ids: Sequence[str], *, vectors: bool = False) -> list[Entry]:
        """Entries by their ids, in the order asked; those that are not there are left out.

        The id of a file's or a record's passage gives that passage: its metadata is its place, see
        :func:`kure_rag.citation.chunk_metadata`, and its group the document's id.

        Args:
            ids: Which.
            vectors: Whether they come with their vectors.

        Raises:
            TypeError: One id instead of a list.
        """
        refuse_text("ids", ids)
        with self._store.catalog.snapshot():
            held = self._held(list(dict.fromkeys(ids)))
            found: dict[int, Vector] = self._vectors_of([one.row for one in held.values()]) if vectors else {}
        return [replace(held[id_].entry, vector=found.get(held[id_].row)) for id_ in ids if id_ in held]

    def entry_ids(self, *, where: Mapping[str, Any] | None = None) -> list[str]:
        """The ids of all entries, or of those for which a filter holds, in the order in which they were put.

        Args:
            where: A filter, see :mod:`kure_rag.index.where`; ``{"entry_group": "…"}`` for a group.

        Raises:
            FilterError: ``where`` breaks its grammar.
        """
        both = {"$and": [dict(ALL_ENTRIES), dict(where)]} if where else dict(ALL_ENTRIES)
        catalog = self._store.catalog
        with catalog.snapshot():
            rows = catalog.matching(parse_where(both), catalog.state().generation)
            ids = catalog.ids(rows)
        return [ids[row] for row in rows.tolist() if row in ids]

    def delete_entries(
        self, ids: Iterable[str] | None = None, *, where: Mapping[str, Any] | None = None, wait: float = _WAIT
    ) -> int:
        """Removes entries, all at once. Passages of files and records stay, whatever is given.

        Args:
            ids: Which; unknown ones are passed over. ``None`` for all for which ``where`` holds.
            where: A filter; beside ``ids`` both must hold.
            wait: Seconds to wait for another process that is writing.

        Returns:
            How many were removed.

        Raises:
            ValueError: Neither was given, which would remove everything: say ``where=ALL_ENTRIES`` for that.
            FilterError: ``where`` breaks its grammar.
            IndexLockedError: Another process was writing all the while; says which.
            TypeError: One id instead of a list.
        """
        refuse_text("ids", ids)
        if ids is None and not where:
            raise ValueError("say which entries: by ids, or by a filter; kure_rag.pipeline.entries.ALL_ENTRIES is all")
        wanted = None if ids is None else list(dict.fromkeys(ids))
        with self._putting, self._store.writing(wait):
            if where:
                of_filter = self.entry_ids(where=where)
                wanted = of_filter if wanted is None else sorted(set(wanted).intersection(of_filter))
            there = self._store.catalog.metadata_of([document_id_of(id_) for id_ in wanted or ()])
            if there:
                self._store.catalog.delete(list(there))
        return len(there)

    # What is there

    def _held(self, ids: Sequence[str]) -> dict[str, _Held]:
        """By id. The caller reads within one snapshot."""
        catalog = self._store.catalog
        stored = catalog.fetch(list(catalog.rows_of(ids).values()), catalog.state().generation)
        owners = [one.chunk.document_id for one in stored.values() if one.chunk.kind == ENTRY_KIND]
        said = catalog.metadata_of(owners)
        return {
            one.chunk.id: _Held(one.row, _entry(one, said), None if one.chunk.kind == ENTRY_KIND else one.source)
            for one in stored.values()
        }

    def _vectors_of(self, rows: Sequence[int]) -> dict[int, Vector]:
        found, matrix = self._store.catalog.vectors(rows)
        return dict(zip(found, matrix, strict=True))

    def _changes(self, wanted: Mapping[str, Entry]) -> tuple[list[Entry], dict[str, _Held]]:
        """Entries that are not there as they are wanted, and what is there in the place of all.

        Raises:
            EntryError: An id is that of a file's passage.
        """
        with self._store.catalog.snapshot():
            held = self._held(list(wanted))
            for id_, one in held.items():
                if one.source is not None:
                    what = f"is the id of a passage of {one.source!r}, which delete() removes with its document"
                    raise EntryError(id_, f"{what}; give the entry another id")
            compared = [one.row for id_, one in held.items() if wanted[id_].vector is not None]
            vectors = self._vectors_of(compared)
        return [entry for id_, entry in wanted.items() if not _is_held(entry, held.get(id_), vectors)], held

    def _check_first(self, changed: Sequence[Entry]) -> None:
        """The first vectors of an index settle its dimension: they must be the model's."""
        given = [entry for entry in changed if entry.vector is not None]
        if given and self._store.catalog.get("dimension") is None:
            lengths = [len(entry.vector) for entry in given if entry.vector is not None]
            checked(given, getattr(self.embedder, "dimension", None) or lengths[0])

    def _check_made_alike(self) -> None:
        """Another process may have made it its own since we opened it."""
        if self._store.catalog.get("fingerprint") is not None:
            self._claim()

    # What is made

    def _make(
        self, changed: Sequence[Entry], held: Mapping[str, _Held], made: _Made, progress: Progress | None
    ) -> None:
        """Analyses and embeds the texts that are new."""
        self._check_first(changed)
        fresh = self._fresh(changed, held)
        self._analyse(fresh, made)
        self._embed(fresh, made, progress)

    @staticmethod
    def _fresh(changed: Sequence[Entry], held: Mapping[str, _Held]) -> list[Entry]:
        """Entries whose text the index does not hold already under their id."""
        same = _same(changed, held)
        return [entry for entry in changed if entry.id not in same]

    def _take_over(self, changed: Sequence[Entry], held: Mapping[str, _Held], made: _Made) -> dict[str, Vector]:
        """Terms of the texts that the entries' older versions have too, by text, and their vectors, by id.

        Entries of one text have the same terms. Their vectors may differ: whoever put them may have given them.
        """
        same = _same(changed, held)
        rows = list(same.values())
        words, vectors = self._store.catalog.keywords(rows), self._vectors_of(rows)
        made.terms.update({held[id_].entry.text: words[row].terms.split() for id_, row in same.items()})
        return {id_: vectors[row] for id_, row in same.items()}

    def _analyse(self, changed: Sequence[Entry], made: _Made) -> None:
        texts = {entry.text: entry.id for entry in changed if entry.text not in made.terms}
        if len(texts) <= _HERE:
            made.terms.update(zip(texts, self._tokenizer.terms_batch(list(texts)), strict=True))
            return
        with self._pool(workers=None) as pool:
            for part, (_, terms) in zip(_parts(list(texts)), pool.terms(_jobs(texts)), strict=True):
                if isinstance(terms, ReadError):
                    ids = f"one of {len(part)} entries from {texts[part[0]]!r}"
                    raise EntryError(texts[part[0]], f"{ids} cannot be analysed: {terms.reason}")
                made.terms.update(zip(part, terms, strict=True))

    def _embed(self, changed: Sequence[Entry], made: _Made, progress: Progress | None) -> None:
        texts = {entry.text: entry.id for entry in changed if entry.vector is None and entry.text not in made.vectors}
        wanted = made.embedded + len(texts)
        for part in _parts(list(texts)):
            made.vectors.update(zip(part, self.embedder.embed_passages(part), strict=True))
            made.embedded += len(part)
            if progress is not None:
                progress(made.embedded, wanted, texts[part[-1]])


def entry_of(hit: Hit) -> Entry:
    """The entry that a hit shows, without its group and its vector.

    A passage of a file or a record is shown as :meth:`Entries.entries` gives it.
    """
    about = place_metadata(hit.chunk, source=hit.source, title=hit.title, domain=hit.domain)
    return _shown(hit.chunk, about)


def _entry(stored: StoredChunk, said: Mapping[str, Mapping[str, Any]]) -> Entry:
    chunk = stored.chunk
    entry = _shown(chunk, place_metadata(chunk, source=stored.source, title=stored.title, domain=stored.domain))
    own = chunk.kind == ENTRY_KIND
    return replace(entry, group=str(said[chunk.document_id].get(GROUP_FIELD, "")) if own else chunk.document_id)


def _shown(chunk: Chunk, place: dict[str, Any]) -> Entry:
    metadata = dict(chunk.metadata) if chunk.kind == ENTRY_KIND else place
    return Entry(id=chunk.id, text=chunk.text, metadata=metadata)


def _is_held(entry: Entry, held: _Held | None, vectors: Mapping[int, Vector]) -> bool:
    if held is None:
        return False
    there = held.entry
    return (
        there.text == entry.text
        and there.group == entry.group
        and said_alike(there.metadata, entry.metadata)
        and (entry.vector is None or np.array_equal(vectors[held.row], entry.vector))
    )


def _only_entries(given: Iterable[Entry]) -> Iterator[Entry]:
    refuse_text("entries", given)
    for entry in given:
        if not isinstance(entry, Entry):
            raise TypeError(
                f"put takes entries, not {type(entry).__name__} ({entry!r:.60}); give Entry(id=..., text=...)"
            )
        yield entry


def _same(changed: Sequence[Entry], held: Mapping[str, _Held]) -> dict[str, int]:
    """Id → row of the entries whose text is what it was."""
    return {
        entry.id: held[entry.id].row
        for entry in changed
        if entry.id in held and held[entry.id].entry.text == entry.text
    }


def _ready(entry: Entry, made: _Made, kept: Mapping[str, Vector]) -> NewDocument:
    document, chunk = to_document(entry)
    vector = entry.vector
    if vector is None:
        vector = kept[entry.id] if entry.id in kept else made.vectors[entry.text]
    return NewDocument(document, [chunk], [made.terms[entry.text]], np.asarray(vector, np.float32)[None])


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    for i in range(0, len(texts), _STEP):
        yield list(texts[i : i + _STEP])


def _jobs(texts: Mapping[str, str]) -> Iterator[TermsJob]:
    for part in _parts(list(texts)):
        yield TermsJob(part, f"{len(part)} entries from {texts[part[0]]}")
