"""Rows of the catalog ↔ documents and chunks, and the checksums by which a rotten row is told from a sound one.

A checksum is a CRC32 over all columns of a row but ``gone``; when a row is deleted its checksum is carried on over the
generation of that, without reading the row again. What is long and seldom read has one of its own: a document's text
(``text_crc``), a chunk's terms (``terms_crc``).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.codec import to_page, to_table
from kure_rag.types import Chunk, Document, Domain

Vectors = npt.NDArray[np.float32]

CHUNK_COLUMNS: Final = (
    'row, id, document_id, ordinal, start, "end", kind, generation, prev_id, next_id, '
    "pages, breadcrumb, metadata, lead, text"
)
CHUNK_WIDTH: Final = 15
HEAD_COLUMNS: Final = "id, generation, source, title, domain, metadata"
HEAD_WIDTH: Final = 6
PLACE_COLUMNS: Final = "key, root, document_id, source, path"
PLACE_WIDTH: Final = 5
BODY_COLUMNS: Final = "pages, tables, text"
_PAGES, _BREADCRUMB, _METADATA = 10, 11, 12


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document with all that the catalog keeps of it.

    Attributes:
        document: With its text.
        chunks: In order.
        terms: Index terms of each chunk; none may hold white space.
        vectors: Shape (len(chunks), dimension).
        key: What a later version of it replaces it by; none replaces it where this is empty.
        root: Identity of the folder that it was found in, or empty.
        path: Identity of its file, by whatever name the folder is known; empty for what is no file.
    """

    document: Document
    chunks: Sequence[Chunk]
    terms: Sequence[Sequence[str]]
    vectors: Vectors
    key: str = ""
    root: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A place, and the document that stands there.

    Attributes:
        key: Of the file or record, never empty; one key is one document's, in whatever folder it was found.
        root: Identity of the folder that it was found in, or empty.
        document_id: Which.
        source: The name of the file there.
        path: See :class:`NewDocument`.
    """

    key: str
    root: str
    document_id: str
    source: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as a listing shows it."""

    id: str
    source: str
    title: str
    domain: Domain
    pages: int
    chunks: int


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk with its row number and its document's name."""

    row: int
    chunk: Chunk
    source: str
    title: str
    domain: Domain


@dataclass(frozen=True, slots=True)
class Pending:
    """One operation that a view has still to do."""

    seq: int
    op: str
    row: int
    chunk_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Keywords:
    """What the keyword view indexes of a chunk.

    Attributes:
        terms: Morphemes, made when the chunk was, in one string with spaces.
        text: The contextualized text.
    """

    terms: str
    text: str


# Checksums


def checksum(*values: object) -> int:
    """CRC32 of the columns of a row, in order."""
    return zlib.crc32("\x1f".join(map(str, values)).encode("utf-8", "surrogatepass"))


def checksum_gone(crc: int, gone: int | None) -> int:
    """The checksum of a row that went in a generation, from that of the row alive."""
    return crc if gone is None else zlib.crc32(f"gone {gone}".encode(), crc)


def checksum_vector(row: int, vector: bytes) -> int:
    """CRC32 of a vector and the row that it belongs to."""
    # A rotten header may have made another type of it, which has another checksum.
    return zlib.crc32(vector, row & 0xFFFFFFFF) if isinstance(vector, bytes) else checksum(row, vector)


# Writing


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: Any) -> str:
    """JSON as the catalog keeps it."""
    return _encode(value)


def document_head(d: Document, generation: int) -> tuple[object, ...]:
    """The values of ``HEAD_COLUMNS``."""
    return (d.id, generation, d.source, d.title, d.domain, to_json(dict(d.metadata)))


def document_body(d: Document) -> tuple[object, ...]:
    """The values of ``BODY_COLUMNS``."""
    return (to_json([asdict(p) for p in d.pages]), to_json([asdict(t) for t in d.tables]), d.text)


def chunk_values(c: Chunk, row: int, generation: int) -> tuple[object, ...]:
    """The values of ``CHUNK_COLUMNS``."""
    pages, breadcrumb, metadata = to_json(c.pages), to_json(c.breadcrumb), to_json(dict(c.metadata))
    place = (row, c.id, c.document_id, c.ordinal, c.start, c.end, c.kind, generation, c.prev_id, c.next_id)
    return (*place, pages, breadcrumb, metadata, c.lead, c.text)


# Reading


def to_document(head: Sequence[Any], body: Sequence[Any]) -> Document:
    """A document from the values of ``HEAD_COLUMNS`` and ``BODY_COLUMNS``."""
    id_, _, source, title, domain, metadata = head
    pages, tables, text = body
    return Document(
        id_,
        source,
        title,
        domain,
        text,
        tuple(to_page(page) for page in json.loads(pages)),
        tuple(to_table(table) for table in json.loads(tables)),
        json.loads(metadata),
    )


def to_chunks(rows: Sequence[Sequence[Any]]) -> Iterable[Chunk]:
    """Chunks from the values of ``CHUNK_COLUMNS``."""
    # One call for all: most of what decoding costs is the call.
    values = json.loads(f"[{','.join([f'{r[_PAGES]},{r[_BREADCRUMB]},{r[_METADATA]}' for r in rows])}]")
    for i, row in enumerate(rows):
        yield _chunk(row, *values[3 * i : 3 * i + 3])


def _chunk(row: Sequence[Any], pages: list[int], breadcrumb: list[str], metadata: Mapping[str, Any]) -> Chunk:
    _, id_, document_id, ordinal, start, end, kind, _, prev_id, next_id, _, _, _, lead, text = row[:CHUNK_WIDTH]
    return Chunk(
        id_,
        document_id,
        text,
        start,
        end,
        tuple(pages),
        tuple(breadcrumb),
        kind,
        ordinal,
        prev_id,
        next_id,
        lead,
        metadata,
    )


def to_matrix(blobs: Sequence[bytes]) -> Vectors:
    """Vectors as stored → shape (n, dimension)."""
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), -1).astype(np.float32, copy=False)
