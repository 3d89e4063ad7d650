"""Terms made anew for all chunks, when the analyser or its dictionary is another one. Nothing is embedded.

The new terms are first put down in a file beside the catalog, document by document, so that what was interrupted goes
on where it was. Then one catalog transaction takes them over, with the fingerprint and with a keyword view that was
filled from them: whoever searches sees all old terms or all new ones.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import IndexCorruptError, IndexPathError, KureIndexError
from kure_rag.index.catalog import Catalog
from kure_rag.index.catalog_file import FILE
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.failpoints import failpoint
from kure_rag.index.filling import Progress, fill
from kure_rag.index.rows import checksum
from kure_rag.types import Chunk, Document

TermsOf = Callable[[Document, Sequence[Chunk]], Sequence[Sequence[str]]]
DRAFT: Final = "terms.part"
_TOGETHER: Final = 500  # chunks put down in one transaction
_TABLES: Final = """
CREATE TABLE made_for (of TEXT);
CREATE TABLE terms (row INTEGER PRIMARY KEY, terms TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE done (document_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


def reanalyse(
    catalog: Catalog,
    fresh: Path,
    terms_of: TermsOf,
    progress: Progress | None,
    settings: Mapping[str, Any],
) -> None:
    """Replaces all terms and the keyword view. The caller holds the writer's lock, and the views are caught up.

    Args:
        catalog: Whose texts are analysed.
        fresh: An empty or missing folder for the new keyword view.
        terms_of: A document and its chunks → terms of each chunk.
        progress: Called with a label, chunks done and chunks in all.
        settings: Stored in the same transaction: the fingerprint, the view's folder.

    Raises:
        IndexPathError: The disk is full, or cannot be written.
    """
    identity = json.dumps([catalog.state().generation, settings.get("fingerprint")], sort_keys=True)
    with _draft(catalog.folder / DRAFT, identity) as draft:
        _analyse(catalog, draft, terms_of, progress)
        failpoint("terms-analysed")
        drafted = draft.execute("SELECT terms, crc, row FROM terms ORDER BY row")
        try:
            with catalog._transaction() as db:
                db.executemany("UPDATE chunks SET terms = ?, terms_crc = ? WHERE row = ?", drafted)
                fill("lexical", fresh, catalog, DenseSettings(), progress)  # which compares them with their checksums
                failpoint("terms-written")
                catalog._made_anew(db, "lexical", settings)
        except IndexCorruptError:  # the terms that were put down have rotted, if not the catalog
            discard(catalog.folder)
            raise
        failpoint("terms-exchanged")
    discard(catalog.folder)


def discard(folder: Path) -> None:
    """Removes what an interrupted analysis left in an index folder."""
    for name in (DRAFT, f"{DRAFT}-journal"):
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)


@contextmanager
def _draft(file: Path, identity: str) -> Iterator[sqlite3.Connection]:
    """The file of terms that are made; begun anew where it was made for another state of the index, or is torn."""
    try:
        draft = _opened(file, identity)
        try:
            yield draft
        finally:
            draft.close()
    except sqlite3.Error as error:
        raise IndexPathError(
            f"{file}: cannot be written ({error}); make room and begin again. The index is as it was"
        ) from error


def _opened(file: Path, identity: str) -> sqlite3.Connection:
    draft = sqlite3.connect(file, isolation_level=None)
    with suppress(sqlite3.DatabaseError):
        if draft.execute("SELECT of FROM made_for").fetchall() == [(identity,)]:
            return draft
    draft.close()
    discard(file.parent)
    draft = sqlite3.connect(file, isolation_level=None)
    draft.executescript(_TABLES)
    draft.execute("INSERT INTO made_for VALUES (?)", (identity,))
    return draft


def _analyse(catalog: Catalog, draft: sqlite3.Connection, terms_of: TermsOf, progress: Progress | None) -> None:
    done = {id_ for (id_,) in draft.execute("SELECT document_id FROM done")}
    (made,) = draft.execute("SELECT count(*) FROM terms").fetchone()
    total = catalog.counts()[1]
    for documents, rows in _batches(catalog, terms_of, done):
        draft.execute("BEGIN")
        draft.executemany("INSERT OR REPLACE INTO terms VALUES (?, ?, ?)", rows)
        draft.executemany("INSERT INTO done VALUES (?)", documents)
        draft.execute("COMMIT")
        failpoint("terms-drafted")
        made += len(rows)
        if progress is not None:
            progress("analysing", made, total)
    if made != total:
        raise KureIndexError(
            f"{catalog.folder / FILE}: {made} of {total} chunks could be analysed again; look for damage with "
            "`kure-rag verify`. The index is as it was"
        )


def _batches(
    catalog: Catalog, terms_of: TermsOf, done: set[str]
) -> Iterator[tuple[list[tuple[str]], list[tuple[int, str, int]]]]:
    """Ids of documents, and row, terms and checksum of each of their chunks."""
    documents: list[tuple[str]] = []
    rows: list[tuple[int, str, int]] = []
    for listed in catalog.documents():
        document = None if listed.id in done else catalog.document(listed.id)
        if document is None:
            continue
        chunks = catalog.chunks_of(document.id)
        # What was cut was the document as its file says it; the user's title or domain came over it later.
        made = terms_of(catalog._as_read(document), [item.chunk for item in chunks])
        rows += _rows([item.row for item in chunks], made)
        documents.append((document.id,))
        if len(rows) >= _TOGETHER:
            yield documents, rows
            documents, rows = [], []
    if documents:
        yield documents, rows


def _rows(rows: Sequence[int], made: Sequence[Sequence[str]]) -> Iterable[tuple[int, str, int]]:
    for row, terms in zip(rows, made, strict=True):
        joined = " ".join(terms)
        yield row, joined, checksum(row, joined)
