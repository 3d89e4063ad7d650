"""What a catalog answers. Each answer is checked against the checksums of the rows that it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.index.catalog_state import CatalogState
from kure_rag.index.rows import (
    BODY_COLUMNS,
    CHUNK_COLUMNS,
    CHUNK_WIDTH,
    HEAD_COLUMNS,
    HEAD_WIDTH,
    DocumentRow,
    Keywords,
    Pending,
    StoredChunk,
    Vectors,
    checksum,
    checksum_gone,
    checksum_vector,
    to_chunks,
    to_document,
    to_matrix,
)
from kure_rag.index.where import Where
from kure_rag.types import Document, contextualized

Rows = Sequence[int] | npt.NDArray[np.int64]
NEWEST: Final = 2**62  # a generation later than all
_MANY: Final = 900  # bound parameters in one statement; SQLite builds allow 999 at the least


def seen(table: str) -> str:
    """The condition that a row is seen at a generation; takes that generation twice."""
    return f"({table}.generation <= ? AND ({table}.gone IS NULL OR {table}.gone > ?))"


def _columns(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


_DOCUMENT: Final = (
    f"SELECT {_columns('d', HEAD_COLUMNS)}, d.gone, d.crc, {_columns('d', BODY_COLUMNS)}, d.text_crc "
    f"FROM documents d WHERE d.id = ? AND {seen('d')}"
)
_LISTING: Final = (
    f"SELECT {_columns('d', HEAD_COLUMNS)}, d.gone, d.crc, json_array_length(d.pages), (SELECT count(*) "
    "FROM chunks c WHERE c.document_id = d.id AND c.generation = d.generation) "
    f"FROM documents d WHERE {seen('d')} ORDER BY d.source, d.id"
)
_CHUNKS: Final = f"SELECT {_columns('c', CHUNK_COLUMNS)}, c.gone, c.crc"
_FETCH: Final = (
    f"{_CHUNKS}, {_columns('d', HEAD_COLUMNS)}, d.gone, d.crc FROM chunks c "
    f"LEFT JOIN documents d ON d.id = c.document_id AND d.generation = c.generation WHERE {seen('c')} AND c.row IN "
)
_HEAD_AT: Final = CHUNK_WIDTH + 2


class CatalogReader(CatalogState):
    """Reading methods. ``visible`` is the generation to read at; where it may be left out, the newest."""

    # Documents

    def has_document(self, document_id: str, visible: int = NEWEST) -> bool:
        """Whether a document with this id is there."""
        sql = f"SELECT 1 FROM documents d WHERE d.id = ? AND {seen('d')}"
        return bool(self._rows(sql, (document_id, visible, visible)))

    def document(self, document_id: str, visible: int = NEWEST) -> Document | None:
        """A document with its text, or ``None``."""
        rows = self._rows(_DOCUMENT, (document_id, visible, visible))
        if not rows:
            return None
        head, body = rows[0][: HEAD_WIDTH + 2], rows[0][HEAD_WIDTH + 2 : -1]
        self._check_head(head)
        if checksum(*body) != rows[0][-1]:
            raise self._damaged(f"the text of document {document_id} ({head[2]!r}) does not have its checksum")
        return to_document(head[:HEAD_WIDTH], body)

    def text(self, document_id: str, start: int, end: int, visible: int = NEWEST) -> str:
        """What ``document.text[start:end]`` is, without the rest of a document being read into memory.

        The checksum of a text is over all of it, so that a part is not checked by itself: compare it with a chunk that
        lies within it, whose own text is checked whenever it is fetched.

        Args:
            document_id: Which.
            start: Offset in code points, as chunks have it.
            end: Offset behind the last one; behind the text's end stands for it.
            visible: The generation to read at.

        Raises:
            KeyError: There is no such document.
            ValueError: ``start`` is below 0.
            IndexCorruptError: The text is none.
        """
        if start < 0:
            raise ValueError(f"a part of a text begins at 0 or later, not at {start}")
        sql = f"SELECT substr(d.text, ?, ?) FROM documents d WHERE d.id = ? AND {seen('d')}"
        rows = self._rows(sql, (start + 1, max(end - start, 0), document_id, visible, visible))
        if not rows:
            raise KeyError(document_id)
        [(part,)] = rows
        if not isinstance(part, str):
            raise self._damaged(f"the text of document {document_id} is no text")
        if len(part) < end - start:  # the text ends before, or SQLite took a character NUL for its end
            document = self.document(document_id, visible)
            part = document.text[start:end] if document else part
        return part

    def documents(self, visible: int = NEWEST) -> Iterator[DocumentRow]:
        """Every document, by source and id."""
        for row in self._rows(_LISTING, (visible, visible)):
            self._check_head(row[: HEAD_WIDTH + 2])
            id_, _, source, title, domain = row[:5]
            yield DocumentRow(id_, source, title, domain, *row[-2:])

    def metadata_of(self, document_ids: Sequence[str], visible: int = NEWEST) -> dict[str, dict[str, Any]]:
        """What is said of documents, by id; their texts are not read."""
        found = {}
        for part, marks in _parts(document_ids):
            sql = f"SELECT {_columns('d', HEAD_COLUMNS)}, d.gone, d.crc FROM documents d WHERE {seen('d')} AND d.id IN "
            for row in self._rows(f"{sql}({marks})", (visible, visible, *part)):
                self._check_head(row)
                found[row[0]] = json.loads(row[HEAD_WIDTH - 1])
        return found

    def find_documents(self, name: str, visible: int = NEWEST) -> list[str]:
        """Ids of the documents with this id or source."""
        sql = f"SELECT d.id FROM documents d WHERE (d.id = ? OR d.source = ?) AND {seen('d')} ORDER BY d.id"
        return [row[0] for row in self._rows(sql, (name, name, visible, visible))]

    def documents_of(self, rows: Rows) -> set[str]:
        """Ids of the documents that some chunk rows belong to."""
        sql = "SELECT DISTINCT document_id FROM chunks WHERE row IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._rows(sql, (_row_list(rows),))}

    def counts(self) -> tuple[int, int]:
        """Numbers of documents and chunks. Kept with each write: this counts nothing."""
        found = {
            row[0]: self._setting(row)
            for row in self._rows(
                "SELECT key, value, crc FROM settings WHERE key IN ('count.documents', 'count.chunks')"
            )
        }
        if len(found) < 2:
            raise self._damaged("the numbers of documents and chunks are missing")
        return found["count.documents"], found["count.chunks"]

    # Chunks

    def fetch(self, rows: Rows, visible: int) -> dict[int, StoredChunk]:
        """Chunks by row number, without those that are not seen at a generation.

        Raises:
            IndexCorruptError: A chunk is not what was stored; names it and its document.
        """
        found = []
        for part, marks in _parts(rows):
            found += self._rows(f"{_FETCH}({marks})", (visible, visible, *part))
        named = set()
        for row in found:
            self._check_chunk(row)
            if row[2] not in named:
                self._check_head(row[_HEAD_AT:], of=row[2])
                named.add(row[2])
        chunks = to_chunks(found)
        return {
            row[0]: StoredChunk(row[0], chunk, *row[_HEAD_AT + 2 : _HEAD_AT + 5])
            for row, chunk in zip(found, chunks, strict=True)
        }

    def chunks_of(self, document_id: str, visible: int = NEWEST) -> list[StoredChunk]:
        """All chunks of a document, in order."""
        sql = f"SELECT c.row FROM chunks c WHERE c.document_id = ? AND {seen('c')} ORDER BY c.ordinal"
        with self.snapshot():
            rows = [row[0] for row in self._rows(sql, (document_id, visible, visible))]
            found = self.fetch(rows, visible)
        return [found[row] for row in rows]

    def ids(self, rows: Rows, visible: int = NEWEST) -> dict[int, str]:
        """Chunk ids by row number."""
        return dict(
            pair
            for part, marks in _parts(rows)
            for pair in self._rows(
                f"SELECT c.row, c.id FROM chunks c WHERE {seen('c')} AND c.row IN ({marks})", (visible, visible, *part)
            )
        )

    def rows_of(self, chunk_ids: Sequence[str], visible: int = NEWEST) -> dict[str, int]:
        """Row numbers by chunk id."""
        return dict(
            pair
            for part, marks in _parts(chunk_ids)
            for pair in self._rows(
                f"SELECT c.id, c.row FROM chunks c WHERE {seen('c')} AND c.id IN ({marks})", (visible, visible, *part)
            )
        )

    def all_rows(self, visible: int = NEWEST) -> list[tuple[int, str]]:
        """Row number and id of every chunk, ascending."""
        return self._rows(f"SELECT c.row, c.id FROM chunks c WHERE {seen('c')} ORDER BY c.row", (visible, visible))

    def deleted(self, generation: int) -> list[int]:
        """Rows that went in a generation or before it and are still stored, ascending."""
        return [row[0] for row in self._rows("SELECT row FROM chunks WHERE gone <= ? ORDER BY row", (generation,))]

    def matching(self, where: Where, visible: int) -> npt.NDArray[np.int64]:
        """Rows for which a filter holds (:func:`kure_rag.index.where.parse_where`) at a generation, ascending.

        Raises:
            IndexCorruptError: The filters' tables are not what was stored.
        """
        with self.snapshot(), self._explained("read"):
            try:
                return where.rows(self._db, visible)
            except (TypeError, ValueError) as error:  # the tables hold what nothing writes
                raise self._damaged(f"filters cannot be read: {error}") from error

    # What the views are made of: rows that are gone are still given, until they are purged

    def vectors(self, rows: Rows) -> tuple[list[int], Vectors]:
        """Row numbers that have a vector, ascending, and the vectors in that order.

        Raises:
            IndexCorruptError: A vector is not what was stored.
        """
        found = []
        for part, marks in _parts(rows):
            found += self._rows(f"SELECT row, vector, crc FROM vectors WHERE row IN ({marks})", part)
        found.sort()
        for row, blob, crc in found:
            if checksum_vector(row, blob) != crc:
                raise self._damaged(f"the vector of chunk row {row} does not have its checksum")
        if len({len(blob) for _, blob, _ in found}) > 1:
            raise self._damaged("vectors of different lengths")
        return [row for row, _, _ in found], to_matrix([blob for _, blob, _ in found])

    def keywords(self, rows: Rows) -> dict[int, Keywords]:
        """What the keyword view indexes, by row number.

        Raises:
            IndexCorruptError: A chunk is not what was stored; names it and its document.
        """
        out = {}
        for part, marks in _parts(rows):
            for row in self._rows(f"{_CHUNKS}, c.terms, c.terms_crc FROM chunks c WHERE c.row IN ({marks})", part):
                self._check_chunk(row)
                crumb, _, lead, text = row[11:CHUNK_WIDTH]
                terms, crc = row[-2:]
                if checksum(row[0], terms) != crc:
                    raise self._damaged(f"the terms of chunk {row[1]} (row {row[0]}) do not have their checksum")
                out[row[0]] = Keywords(terms, contextualized(json.loads(crumb), text, lead))
        return out

    # What the views have to do

    def pending(self, view: str, limit: int) -> list[Pending]:
        """The oldest operations a view has still to do."""
        sql = "SELECT seq, op, row, chunk_id, generation, crc FROM pending WHERE view = ? ORDER BY seq LIMIT ?"
        found = self._rows(sql, (view, limit))
        for row in found:
            if checksum(view, *row[1:5]) != row[5]:
                raise self._damaged(f"operation {row[0]} of the {view} view does not have its checksum")
        return [Pending(*row[:5]) for row in found]

    def pending_count(self, view: str) -> int:
        """How many operations a view has still to do."""
        return int(self._rows("SELECT count(*) FROM pending WHERE view = ?", (view,))[0][0])

    # Checks

    def _check_chunk(self, row: Sequence[Any]) -> None:
        """Of a row that begins with ``CHUNK_COLUMNS``, ``gone`` and ``crc``."""
        if checksum_gone(checksum(*row[:CHUNK_WIDTH]), row[CHUNK_WIDTH]) != row[CHUNK_WIDTH + 1]:
            raise self._damaged(f"chunk {row[1]} (row {row[0]}) of document {row[2]} does not have its checksum")

    def _check_head(self, row: Sequence[Any], of: str | None = None) -> None:
        """Of a row of ``HEAD_COLUMNS``, ``gone`` and ``crc``."""
        if row[0] is None:
            raise self._damaged(f"document {of} is missing, and its chunks are there")
        if checksum_gone(checksum(*row[:HEAD_WIDTH]), row[HEAD_WIDTH]) != row[HEAD_WIDTH + 1]:
            raise self._damaged(f"document {row[0]} ({row[2]!r}) does not have its checksum")


def _parts(keys: Sequence[Any] | npt.NDArray[np.int64]) -> Iterator[tuple[Sequence[Any], str]]:
    """Keys in parts of a size that one statement takes, and the placeholders for them."""
    for i in range(0, len(keys), _MANY):
        part = keys[i : i + _MANY]
        part = part.tolist() if isinstance(part, np.ndarray) else part
        yield part, ",".join("?" * len(part))


def _row_list(rows: Rows) -> str:
    return json.dumps(rows.tolist() if isinstance(rows, np.ndarray) else [int(row) for row in rows])
