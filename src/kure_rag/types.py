"""The objects that flow between the rooms: frozen, comparable, and free of behaviour beyond their own shape.

Offsets are half-open and count Unicode code points of ``Document.text``, which is canonical (NFC, joined lines).
``document.text[chunk.start:chunk.end] == chunk.text`` holds for every chunk, always.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Domain = Literal["general", "finance", "legal", "medical"]
Mode = Literal["hybrid", "lexical", "dense"]

DOMAINS: Final[tuple[Domain, ...]] = ("general", "finance", "legal", "medical")
MODES: Final[tuple[Mode, ...]] = ("hybrid", "lexical", "dense")
ENTRY_KIND: Final = "entry"  # the kind of a chunk that an application keeps by an id and metadata of its own


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where its text stands in the document, and what happened when it was read.

    Attributes:
        number: 1-based.
        start: Offset of the page's first character in ``Document.text``.
        end: Offset after its last character.
        width: In PDF points (1/72 inch).
        height: In PDF points.
        ocr: Whether the text was recognised from an image of the page.
        warnings: Why the text may be incomplete, for example ``"no text layer"``.
    """

    number: int
    start: int
    end: int
    width: float = 0.0
    height: float = 0.0
    ocr: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its place in the text and its cells, merged cells filled.

    Attributes:
        page: 1-based page on which it begins.
        start: Offset of its first character in ``Document.text``.
        end: Offset after its last character.
        caption: The line that names it, or an empty string.
        unit: Its unit note without brackets, such as ``단위: 백만원``, or an empty string.
        header: Column names, one for each column.
        rows: Cells as printed, each row as long as the header.
        pieces: How the text holds it: (start, end, first row, row after the last) of each run of lines that can be read
            by itself, since it begins with the caption, the unit and the header. A long table has several.
    """

    page: int
    start: int
    end: int
    caption: str = ""
    unit: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    pieces: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One source, read.

    Attributes:
        id: SHA-256 of the file's bytes in hexadecimal, so that a file is itself wherever it lies.
        source: The file's name (never its folder), or a corpus record's ``_id``.
        title: From the document where it has one, otherwise from the file's name.
        domain: ``general``, ``finance``, ``legal`` or ``medical``.
        text: Canonical text of the whole document.
        pages: In order; their offsets cover the text without overlapping.
        tables: In reading order; a table in a cell of another comes after it and lies within it.
        metadata: JSON-compatible values.
    """

    id: str
    source: str
    title: str
    domain: Domain
    text: str
    pages: tuple[Page, ...] = ()
    tables: tuple[Table, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage worth quoting, with its place.

    Attributes:
        id: See :func:`chunk_id`.
        document_id: ``Document.id`` of the document it was cut from.
        text: Exactly ``document.text[start:end]``.
        start: Offset of its first character.
        end: Offset after its last character.
        pages: 1-based numbers of the pages it touches, ascending.
        breadcrumb: Headings above it, outermost first.
        kind: ``text``, ``heading``, ``article``, ``table``, ``record``, …
        ordinal: 0-based position in its document.
        prev_id: The chunk before it in the document, if any.
        next_id: The chunk after it in the document, if any.
        lead: What it cannot be understood without and what stands elsewhere, such as the 「다음 각 호의 …」 above an
            item, the product a dose is for, or the rows of a table as sentences. Searched and embedded with the text.
        metadata: JSON-compatible values, such as ``{"part": "본칙", "article": "제7조의13"}``.
    """

    id: str
    document_id: str
    text: str
    start: int
    end: int
    pages: tuple[int, ...]
    breadcrumb: tuple[str, ...] = ()
    kind: str = "text"
    ordinal: int = 0
    prev_id: str | None = None
    next_id: str | None = None
    lead: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def contextualized(self) -> str:
        """The text to embed and to tokenise: breadcrumb and lead, each on lines of their own, then the text."""
        return contextualized(self.breadcrumb, self.text, self.lead)


@dataclass(frozen=True, slots=True)
class Leg:
    """What one leg of a search, or a stage after them, said about a hit.

    Attributes:
        rank: 1-based place in that leg's own ranking, or ``None`` if the leg only scored it for the fusion.
        score: For ``lexical`` a sum of BM25 scores, see :mod:`kure_rag.index.lexical`; for ``dense`` the cosine; for
            ``rerank`` the cross-encoder's score.
    """

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Context:
    """The text around a hit: a span of its document, ``document.text[start:end]``.

    Attributes:
        text: The span.
        start: Offset of its first character in ``Document.text``.
        end: Offset after its last character.
        chunk_ids: Chunks that lie in it whole, in the document's order.
    """

    text: str
    start: int
    end: int
    chunk_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result.

    Attributes:
        chunk: The passage.
        source: Its document's ``source``, so that a hit can be cited by itself.
        title: Its document's title.
        domain: Its document's domain.
        score: What the ranking was made by; comparable within one search only.
        rank: 1-based.
        legs: What each leg said, by name (``lexical``, ``dense``), and the reranker (``rerank``) where there was one.
        parts: What the fused score is the sum of: by leg, or by query (``query 1``, ``query 2``, …) where several were
            fused. Without a reranker they add up to ``score``.
        relevance: From 0 to 1 where it was asked for, comparable between searches; see
            :mod:`kure_rag.search.relevance`.
        duplicates: Passages equal or nearly equal to this one, which stands for them; each with its own citation.
        context: The text around it, where it was asked for.
        highlights: Where words of the query stand in ``chunk.text``: (start, end), ascending, not overlapping; ``None``
            where they were not asked for.
        warnings: What of the search could not be done as asked, such as a reranker that took too long.
    """

    chunk: Chunk
    source: str
    title: str
    domain: Domain
    score: float
    rank: int
    legs: Mapping[str, Leg]
    parts: Mapping[str, float] = field(default_factory=dict)
    relevance: float | None = None
    duplicates: tuple[Hit, ...] = ()
    context: Context | None = None
    highlights: tuple[tuple[int, int], ...] | None = None
    warnings: tuple[str, ...] = ()

    def citation(self) -> str:
        """A one-line citation, for example ``규정.pdf p.3 제2장 휴가 > 제15조(연차휴가)``."""
        return cite(self.source, self.chunk.pages, self.chunk.breadcrumb)


def cite(source: str, pages: Sequence[int], breadcrumb: Sequence[str]) -> str:
    """A place in one line, see :meth:`Hit.citation`."""
    return " ".join(part for part in (source, page_range(pages), " > ".join(breadcrumb)) if part)


def contextualized(breadcrumb: Sequence[str], text: str, lead: str = "") -> str:
    """A text below its headings, see :meth:`Chunk.contextualized`."""
    return "\n".join(part for part in (" > ".join(breadcrumb), lead, text) if part)


def page_range(pages: Sequence[int]) -> str:
    """``(3,)`` → ``p.3``, ``(3, 4, 5)`` → ``p.3-5``, ``()`` → an empty string."""
    if not pages:
        return ""
    return f"p.{pages[0]}" if len(pages) == 1 else f"p.{pages[0]}-{pages[-1]}"


def chunk_id(document_id: str, start: int, end: int, text: str, chunker: str) -> str:
    """The id of a chunk: SHA-256 over its document, place, text and the chunker's fingerprint, in hexadecimal.

    The same file cut the same way gives the same ids, and two identical clauses on two pages stay two chunks.
    """
    digest = hashlib.sha256()
    for part in (document_id, str(start), str(end), text, chunker):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
