"""An existing Chroma collection, made by LangChain, by LlamaIndex or by hand → documents for a catalog.

Vectors are taken as they are stored. Rows are read in pages: first the metadata of all, which says what belongs
together, into a temporary file; then document by document.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import EmbedderLike
from kure_rag.errors import FingerprintMismatchError, KureIndexError
from kure_rag.index.rows import NewDocument
from kure_rag.index.take_over_rows import (
    Place,
    breadcrumb,
    embedded_texts,
    file_name,
    own_metadata,
    page_numbers,
    place,
)
from kure_rag.tokenize import KiwiTokenizer, Tokenizer
from kure_rag.types import DOMAINS, Chunk, Document, Domain, Page, chunk_id

_FINGERPRINT: Final = "chroma-1"
_PAGE: Final = 1_000  # rows read at once
_MOST: Final = 5_000  # chunks of one document: a source with more, such as a table of rows, becomes several
_CHECKED: Final = 8  # texts embedded again
_ALIKE: Final = 0.99
_BETWEEN: Final = "\n\n"
_TRIES: Final = 3
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that cannot be taken over.

    Attributes:
        id: Its id in the collection.
        reason: One clause.
    """

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    text: str
    metadata: Mapping[str, Any]
    vector: npt.NDArray[np.float32]


def take_over(
    collection: Any,
    *,
    embeddings: EmbedderLike | None = None,
    verify_embeddings: bool = True,
    tokenizer: Tokenizer | None = None,
    domain: Domain | None = None,
    progress: Progress | None = None,
) -> Iterator[NewDocument | RejectedRow]:
    """Reads a Chroma collection as documents with chunks, terms and the vectors that are stored there.

    One document for each source: its texts joined by blank lines, ordered by page and offset where they are known, and
    as they were added otherwise. Each chunk keeps its metadata, and its id as ``chroma_id``.

    Args:
        collection: A Chroma collection, a client that has just one, or a LangChain or LlamaIndex store around one.
        embeddings: What made the vectors, and what will embed the questions.
        verify_embeddings: Embed a few texts again and compare.
        tokenizer: Makes the index terms; Kiwi by default.
        domain: What the documents are; by default what their metadata says, or ``general``.
        progress: Called with rows done, rows in all, and the source of the last.

    Returns:
        Documents, and rows that have no text or no usable vector, as they are read: at most some thousand rows are in
        memory.

    Raises:
        FingerprintMismatchError: The vectors were not made by ``embeddings``; says how far off they are.
        KureIndexError: This is no collection, or it kept changing while it was read.
        ValueError: ``verify_embeddings`` without ``embeddings``.
    """
    if verify_embeddings and embeddings is None:
        raise ValueError("give the embeddings that made the collection's vectors, or verify_embeddings=False")
    return _documents(
        find_collection(collection),
        embeddings if verify_embeddings else None,
        tokenizer or KiwiTokenizer(),
        domain,
        progress or (lambda done, total, name: None),
    )


def _documents(
    collection: Any, embeddings: EmbedderLike | None, tokenizer: Tokenizer, domain: Domain | None, progress: Progress
) -> Iterator[NewDocument | RejectedRow]:
    with (
        tempfile.TemporaryDirectory(prefix="kure-rag-") as folder,
        contextlib.closing(sqlite3.connect(Path(folder) / "rows.sqlite3", check_same_thread=False)) as db,
    ):
        total = _list_rows(collection, db)
        if embeddings is not None:
            _verify(collection, db, embeddings)
        done = 0
        for group, number, ids, from_zero in _groups(db):
            rows, rejected = _read(collection, ids)
            yield from rejected
            if rows:
                yield _document(group, number, rows, from_zero, tokenizer, domain)
            done += len(ids)
            progress(done, total, file_name(group) or ids[-1])


def find_collection(given: Any) -> Any:
    """The collection in what was given.

    Raises:
        KureIndexError: There is none, or a client has several.
    """
    for found in (given, getattr(given, "_collection", None), getattr(given, "client", None)):
        if all(hasattr(found, name) for name in ("get", "count", "name", "query")):
            return found
    if hasattr(given, "list_collections") and hasattr(given, "get_collection"):
        names = [str(getattr(found, "name", found)) for found in given.list_collections()]
        if len(names) == 1:
            return given.get_collection(names[0], embedding_function=None)
        raise KureIndexError(
            f"the Chroma client has {len(names)} collections ({', '.join(names) or 'none'}); "
            "give one of them: client.get_collection(name)"
        )
    raise KureIndexError(
        f"{type(given).__name__} is no Chroma collection; give one, or a LangChain or LlamaIndex store around one"
    )


def _list_rows(collection: Any, db: sqlite3.Connection) -> int:
    """Which rows there are and where they belong. Chroma has no snapshot: the number must be right at the end."""
    for _ in range(_TRIES):
        db.executescript(
            "DROP TABLE IF EXISTS rows; CREATE TABLE rows (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, grp TEXT, "
            "page INTEGER, zero INTEGER, start INTEGER)"
        )
        at = 0
        while ids := (page := collection.get(include=["metadatas"], limit=_PAGE, offset=at))["ids"]:
            metadatas = page["metadatas"] or [None] * len(ids)
            pairs = [(id_, place(metadata or {})) for id_, metadata in zip(ids, metadatas, strict=True)]
            db.executemany(
                "INSERT OR IGNORE INTO rows VALUES (NULL, ?, ?, ?, ?, ?)",
                [(i, p.group, p.label if p.page is None else p.page, p.counts_from_zero, p.start) for i, p in pairs],
            )
            at += len(ids)
        total = int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
        if total == at == collection.count():
            db.execute("CREATE INDEX by_group ON rows (grp, page, start, seq)")
            return total
    raise KureIndexError(f"the collection {collection.name!r} keeps changing; take it over when nobody writes to it")


def _groups(db: sqlite3.Connection) -> Iterator[tuple[str, int, list[str], bool]]:
    """Group, number of its part, ids in order, and whether its pages count from zero."""
    for group, zero in db.execute("SELECT grp, max(zero) FROM rows WHERE grp <> '' GROUP BY grp ORDER BY min(seq)"):
        ordered = db.execute("SELECT id FROM rows WHERE grp = ? ORDER BY page, start, seq", (group,))
        number = 0
        while part := [row[0] for row in ordered.fetchmany(_MOST)]:
            number += 1
            yield group, number, part, bool(zero)
    for (alone,) in db.execute("SELECT id FROM rows WHERE grp = '' ORDER BY seq"):
        yield "", 1, [alone], False


def _read(collection: Any, ids: Sequence[str]) -> tuple[list[_Row], list[RejectedRow]]:
    rows: list[_Row] = []
    rejected: list[RejectedRow] = []
    for i in range(0, len(ids), _PAGE):
        part = list(ids[i : i + _PAGE])
        found = collection.get(ids=part, include=["documents", "metadatas", "embeddings"])
        columns = (found["documents"], found["metadatas"], found["embeddings"])
        none = [None] * len(found["ids"])
        at = {row[0]: row[1:] for row in zip(found["ids"], *(none if c is None else c for c in columns), strict=True)}
        for id_ in part:
            row, reason = _usable(id_, *at.get(id_, (None, None, None)))
            rows += [row] if row else []
            rejected += [RejectedRow(id_, reason)] if reason else []
    return rows, rejected


def _usable(id_: str, text: str | None, metadata: Mapping[str, Any] | None, vector: Any) -> tuple[_Row | None, str]:
    if text is None or not text.strip():
        return None, "it has no text, so there is nothing to search by words or to quote"
    if vector is None or not len(vector):
        return None, "it has no vector"
    made = np.asarray(vector, np.float32)
    if not np.isfinite(made).all() or not made.any():
        return None, "its vector is zero or holds values that are no numbers"
    return _Row(id_, text, metadata or {}, made), ""


def _verify(collection: Any, db: sqlite3.Connection, embeddings: EmbedderLike) -> None:
    total = int(db.execute("SELECT count(*) FROM rows").fetchone()[0])
    step = max(1, total // (2 * _CHECKED))
    ids = [row[0] for row in db.execute("SELECT id FROM rows WHERE (seq - 1) % ? = 0 ORDER BY seq", (step,))]
    rows, _ = _read(collection, ids[: 4 * _CHECKED])
    cosines = []
    for row in rows[:_CHECKED]:
        made = embeddings.embed_passages(embedded_texts(row.text, row.metadata))
        if made.shape[1] != len(row.vector):
            raise FingerprintMismatchError(Path(collection.name), {"dimension": (len(row.vector), int(made.shape[1]))})
        lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(row.vector)
        cosines.append(float((made @ row.vector / np.where(lengths == 0, 1, lengths)).max()))
    if cosines and (figure := float(np.median(cosines))) < _ALIKE:
        what = f"cosine of {len(cosines)} stored vectors with those the embeddings make (median)"
        raise FingerprintMismatchError(Path(collection.name), {what: (f"at least {_ALIKE}", round(figure, 4))})


def _document(
    group: str, number: int, rows: Sequence[_Row], from_zero: bool, tokenizer: Tokenizer, domain: Domain | None
) -> NewDocument:
    rows = [replace(row, text=unicodedata.normalize("NFC", row.text)) for row in rows]
    places = [place(row.metadata) for row in rows]
    metadatas = [own_metadata(row.metadata) for row in rows]
    key = (group if number == 1 else f"{group}#{number}") if group else f"chroma:{rows[0].id}"
    shared = {k: v for k, v in metadatas[0].items() if all(m.get(k) == v for m in metadatas)}
    title = shared.get("title")
    source = places[0].source or rows[0].id
    said = shared.get("domain")
    head = Document(
        id="",
        source=source,
        title=title if isinstance(title, str) and title.strip() else Path(source).stem,
        domain=domain or (said if said in DOMAINS else "general"),
        text=_BETWEEN.join(row.text for row in rows),
        metadata=shared,
    )
    document_id = _id(
        key, head, rows, [(page_numbers(p, m, from_zero=from_zero), m) for p, m in zip(places, metadatas, strict=True)]
    )
    chunks = _chunks(document_id, rows, places, metadatas, from_zero)
    document = replace(head, id=document_id, pages=_pages(chunks))
    terms = tokenizer.terms_batch([chunk.contextualized() for chunk in chunks])
    return NewDocument(document, chunks, terms, np.stack([row.vector for row in rows]), key=key)


def _id(key: str, head: Document, rows: Sequence[_Row], said: Sequence[object]) -> str:
    """The same rows give the same document, so that taking over twice adds nothing; what was changed is another one."""
    digest = hashlib.sha256()
    about = json.dumps([head.source, head.title, head.domain, said], ensure_ascii=False, sort_keys=True)
    for part in ("chroma", key, about, *(part for row in rows for part in (row.id, row.text))):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    for row in rows:
        digest.update(row.vector.astype("<f4").tobytes())
    return digest.hexdigest()


def _chunks(
    document_id: str,
    rows: Sequence[_Row],
    places: Sequence[Place],
    metadatas: Sequence[Mapping[str, Any]],
    from_zero: bool,
) -> list[Chunk]:
    starts = np.cumsum([0, *(len(row.text) + len(_BETWEEN) for row in rows)]).tolist()
    spans = [(start, start + len(row.text)) for start, row in zip(starts, rows, strict=False)]
    ids = [chunk_id(document_id, *span, row.text, _FINGERPRINT) for span, row in zip(spans, rows, strict=True)]
    return [
        Chunk(
            id=ids[i],
            document_id=document_id,
            text=row.text,
            start=spans[i][0],
            end=spans[i][1],
            pages=page_numbers(places[i], metadatas[i], from_zero=from_zero),
            breadcrumb=breadcrumb(metadatas[i]),
            ordinal=i,
            prev_id=ids[i - 1] if i else None,
            next_id=ids[i + 1] if i + 1 < len(ids) else None,
            metadata={**metadatas[i], "chroma_id": row.id},
        )
        for i, row in enumerate(rows)
    ]


def _pages(chunks: Sequence[Chunk]) -> tuple[Page, ...]:
    """Pages, where each chunk stands on one and they ascend."""
    numbers = [chunk.pages[0] if len(chunk.pages) == 1 else 0 for chunk in chunks]
    if 0 in numbers or numbers != sorted(numbers):
        return ()
    firsts = [i for i, number in enumerate(numbers) if i == 0 or number != numbers[i - 1]]
    ends = [*(chunks[i].start for i in firsts[1:]), chunks[-1].end]
    return tuple(Page(numbers[i], chunks[i].start, end) for i, end in zip(firsts, ends, strict=True))
