"""Looking after an index: what it holds, removing, changing what is said, checking, copying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kure_rag.errors import IndexPathError
from kure_rag.index import DocumentRow, Verification
from kure_rag.index.schema import VIEWS
from kure_rag.index.store import Progress
from kure_rag.index.where import parse_where
from kure_rag.pipeline.parts import Parts, check_domain, fingerprint_of
from kure_rag.types import Chunk, Document, Domain


class Keeping(Parts):
    """What looks after an index."""

    def documents(self) -> list[DocumentRow]:
        """Every document, by source."""
        return list(self._store.catalog.documents())

    def document(self, document_id: str) -> Document | None:
        """A document with its whole text, by id."""
        return self._store.catalog.document(document_id)

    def chunks(self, document_id: str) -> list[Chunk]:
        """The chunks of a document in order; none for an unknown id."""
        return [stored.chunk for stored in self._store.catalog.chunks_of(document_id)]

    def find(self, document: str | None = None, *, where: Mapping[str, Any] | None = None) -> list[DocumentRow]:
        """The documents that :meth:`delete` would remove, by source.

        Args:
            document: A document id, or a file name.
            where: A filter.

        Raises:
            ValueError: Neither was given.
            FilterError: ``where`` breaks its grammar.
        """
        if document is None and not where:
            raise ValueError("say which documents: by id, by file name, or by a filter")
        catalog = self._store.catalog
        ids = None if document is None else set(catalog.find_documents(document))
        if where:
            of_filter = catalog.documents_of(catalog.matching(parse_where(where), catalog.state().generation))
            ids = of_filter if ids is None else ids & of_filter
        return [row for row in catalog.documents() if ids and row.id in ids]

    def delete(self, document: str | None = None, *, where: Mapping[str, Any] | None = None) -> int:
        """Removes documents by id, by source or by filter, whole and all in one generation.

        Args:
            document: A document id, or a file name (all documents of that name go).
            where: Documents with a passage for which this holds, see :mod:`kure_rag.index.where`. Beside ``document``
                both must hold.

        Returns:
            How many documents were removed.

        Raises:
            ValueError: Neither was given, which would remove everything.
            FilterError: ``where`` breaks its grammar.
        """
        with self._store.writing():
            return self._delete([row.id for row in self.find(document, where=where)])

    def delete_all(self, document_ids: Iterable[str]) -> int:
        """Removes several documents by their ids, in one generation; unknown ids are passed over.

        Returns:
            How many documents were removed.
        """
        with self._store.writing():
            return self._delete([id_ for id_ in dict.fromkeys(document_ids) if self._store.catalog.has_document(id_)])

    def _delete(self, ids: Sequence[str]) -> int:
        if ids:
            self._store.catalog.delete(ids)
        return len(ids)

    def set_metadata(
        self,
        document_id: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        title: str | None = None,
        domain: Domain | None = None,
        replace: bool = False,
    ) -> None:
        """Changes what is said about a document. Nothing is read, analysed or embedded again.

        It stays when the file changes: the next version is read from the file, and what was said here is laid over it.
        A Chroma collection that holds texts too gets it as well.

        Args:
            document_id: Which.
            metadata: Keys to set, with JSON-compatible values; a key set to ``None`` is removed.
            title: A new title, to show and to filter by. The words of a title that searches find, and the headings of a
                citation, stay the file's.
            domain: A new domain. The chunks stay as they are; the next version of the file is cut by it.
            replace: Drop all keys that are not in ``metadata``.

        Raises:
            KeyError: There is no such document.
            MetadataError: A value cannot be stored, such as NaN or a date; names it. It is a ``ValueError`` too.
            IndexLockedError: Another process is writing.
        """
        check_domain(domain)
        with self._store.writing():
            self._store.catalog.set_metadata(
                document_id, title=title, domain=domain, metadata=metadata, replace=replace
            )

    def info(self) -> dict[str, Any]:
        """Numbers and settings of the index, as JSON values."""
        documents, chunks = self._store.catalog.counts()
        state = self._store.catalog.state()
        return {
            "path": str(self.path),
            "documents": documents,
            "chunks": chunks,
            "generation": state.generation,
            "visible_generation": state.visible,
            "dimension": self._store.catalog.get("dimension"),
            "fingerprint": self._store.catalog.get("fingerprint")
            or fingerprint_of(self.embedder.fingerprint, self._chunks, self._tokenizer),
            "engine": self._store.catalog.get("engine"),
            "user_words": len(self._tokenizer.user_words),
            "bytes": self._bytes(),
        }

    def _bytes(self) -> dict[str, int]:
        """On disk, by part."""
        patterns = {
            "catalog": "catalog.sqlite3*",
            "lexical": "lexical*/**/*",
            "dense": "dense*/**/*",
            "matrix": "matrix*/**/*",
        }
        return {
            part: sum(file.stat().st_size for file in self.path.glob(pattern) if file.is_file())
            for part, pattern in patterns.items()
        }

    def verify(self) -> Verification:
        """Compares catalog and views, without changing anything; the vector view is looked into by a child process."""
        return self._store.verify()

    def rebuild(self, view: str | None = None, *, progress: Progress | None = None) -> None:
        """Makes a view anew from the catalog, without analysing or embedding anything again.

        Args:
            view: ``"lexical"``, ``"dense"`` or ``"matrix"``; all when ``None``.
            progress: Called with a label, chunks done and chunks in all.
        """
        for name in (view,) if view else VIEWS:
            self._store.rebuild(name, progress)

    def compact(self, *, progress: Progress | None = None) -> None:
        """Gives back the space of what was removed, and merges what many small additions left.

        Searches go on meanwhile.

        Args:
            progress: Called with a label, steps done and steps in all.

        Raises:
            IndexLockedError: Another process is writing.
        """
        self._store.compact(progress)

    def backup(self, file: str | Path, *, overwrite: bool = False) -> None:
        """Copies the index into one file, as of one generation, also while another process writes to it.

        The file holds texts, terms and vectors; the views are made anew from those by :meth:`restore`.

        Args:
            file: Appears when it is whole.
            overwrite: Replace the file that is there.

        Raises:
            IndexPathError: It exists, cannot be written, or lies in the index's own folder.
        """
        self._store.catalog.backup(self._target(file), overwrite=overwrite)

    def _target(self, file: str | Path) -> Path:
        target = Path(file).expanduser()
        if target.resolve().is_relative_to(self.path.resolve()):
            raise IndexPathError(f"{target}: lies in the index's own folder; choose a place outside of it")
        return target
