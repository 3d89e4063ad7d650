"""Passages that came into an index by :func:`kure_rag.autorag.corpus.add_autorag`, and what they are called outside.

An index names its chunks itself, but a ``qa.parquet`` made for the corpus that was imported knows them by their
``doc_id``. What leaves the index again is therefore called as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kure_rag.read import Record
from kure_rag.read.corpus import record_id
from kure_rag.types import Chunk, Document

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex


@dataclass(frozen=True, slots=True)
class Imported:
    """The imported passages of an index.

    Attributes:
        ids: Chunk id → the ``doc_id`` to write: the imported one, or the chunk's id where another passage of the index
            has that ``doc_id`` too.
        renamed: How many could not keep their ``doc_id``.
    """

    ids: Mapping[str, str]
    renamed: int

    def id_of(self, chunk: Chunk) -> str:
        """The ``doc_id`` of any passage of the index."""
        return self.ids.get(chunk.id, chunk.id)


def find_imported(index: KureIndex) -> Imported:
    """Looks through an index for imported passages."""
    names: dict[str, str] = {}
    own: set[str] = set()
    for row in index.documents():
        chunks = index.chunks(row.id)
        document = index.document(row.id) if not row.pages and len(chunks) == 1 else None
        if document is not None and (name := _name(document)):
            names[chunks[0].id] = name
        else:
            own.update(chunk.id for chunk in chunks)
    uses = Counter(names.values())
    ids = {id_: name if uses[name] == 1 and name not in own else id_ for id_, name in names.items()}
    return Imported(ids, sum(id_ == written for id_, written in ids.items()))


def link(chunk: Chunk, side: str, here: Mapping[str, str], everywhere: frozenset[str]) -> str | None:
    """The ``doc_id`` to write as the ``prev`` or ``next`` of an imported passage, if that passage is in the index.

    Args:
        chunk: The passage.
        side: ``prev`` or ``next``.
        here: Imported ``doc_id`` → the written one, for passages of the same file.
        everywhere: All written ones.
    """
    name = chunk.metadata.get(f"{side}_doc_id")
    if not isinstance(name, str):
        return None
    return here.get(name) or (name if name in everywhere else None)


def names_here(passages: Sequence[tuple[Document, Chunk]], ids: Mapping[str, str]) -> dict[str, str]:
    """Imported ``doc_id`` → the written one, for those that name one passage only."""
    uses = Counter(chunk.metadata["doc_id"] for _, chunk in passages)
    return {
        name: ids[chunk.id] for _, chunk in passages if uses[name := chunk.metadata["doc_id"]] == 1 and chunk.id in ids
    }


def in_order(passages: Sequence[tuple[Document, Chunk]]) -> list[tuple[Document, Chunk]]:
    """Passages of one file, by page and along their links; the index itself knows no order of documents."""
    by_page = sorted(passages, key=lambda item: page_of(item[1]))
    by_name = {item[1].metadata["doc_id"]: item for item in by_page}
    followed = {item[1].metadata.get("next_doc_id") for item in by_page}
    starts = [item for item in by_page if item[1].metadata["doc_id"] not in followed]
    ordered: dict[str, tuple[Document, Chunk]] = {}
    for start in [*starts, *by_page]:  # links may form a ring, which has no start
        at: tuple[Document, Chunk] | None = start
        while at is not None and at[1].id not in ordered:
            ordered[at[1].id] = at
            at = by_name.get(at[1].metadata.get("next_doc_id"))
    return list(ordered.values())


def page_of(chunk: Chunk, *, unknown: int = -1) -> int:
    """The page AutoRAG knows an imported passage by."""
    page: Any = chunk.pages[0] if chunk.pages else chunk.metadata.get("page")
    return page if isinstance(page, int) and not isinstance(page, bool) else unknown


def _name(document: Document) -> str:
    """The imported ``doc_id`` of a document; empty for one that came in another way.

    Other records may have a ``doc_id`` among their metadata: only an imported one has its document's id made of it.
    """
    name = document.metadata.get("doc_id")
    if not isinstance(name, str) or record_id(Record(name, document.title, document.text)) != document.id:
        return ""
    return name
