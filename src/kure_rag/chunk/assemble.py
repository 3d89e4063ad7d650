"""Document → chunks: one analysis for all profiles, and everything about a chunk that no profile has to know.

One analysis gives the sentences and the terms of the keyword index; nothing is analysed twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Final

from kure_rag.chunk.base import AnalysedChunk, ChunkSettings, Passage
from kure_rag.chunk.pack import pack, visible
from kure_rag.chunk.profiles import PROFILES, find_profile
from kure_rag.chunk.sentences import Sentences
from kure_rag.tokenize.base import Tokenizer
from kure_rag.types import Chunk, Document, Page, chunk_id

_SPECK: Final = 20  # characters


def chunker_fingerprint(settings: ChunkSettings) -> str:
    """Changes when the same document may be cut in another way.

    Raises:
        ValueError: The profile is unknown.
    """
    names = sorted(PROFILES) if settings.profile == "auto" else [settings.profile]
    versions = "+".join(f"{name}-{find_profile(name, 'general').version}" for name in names)
    values = {key: value for key, value in asdict(settings).items() if key != "profile"}
    return versions + "".join(f"/{key}={value}" for key, value in sorted(values.items()))


def chunk_document(
    document: Document, tokenizer: Tokenizer, settings: ChunkSettings | None = None, *, terms: bool = True
) -> list[AnalysedChunk]:
    """Cuts a document into chunks.

    Every character that is not white space is in exactly one chunk, chunks are in order, none begins or ends with white
    space, and ``document.text[chunk.start:chunk.end] == chunk.text``.

    Args:
        document: Its text and domain decide; a document without visible text has no chunks.
        tokenizer: Finds sentences and terms.
        settings: Lengths and profile.
        terms: Give each chunk the terms of its contextualized text. Without them only those lines are analysed that a
            profile has to cut, and the chunks are the same.

    Raises:
        ValueError: The profile is unknown, or gave passages that overlap.
    """
    settings = settings or ChunkSettings()
    profile = find_profile(settings.profile, document.domain)
    sentences = Sentences(document.text, tokenizer, terms=terms)
    cut = profile.passages(document, sentences, settings)
    passages = _with_specks(document, _covering(document, cut, sentences, settings, profile.name), settings)
    fingerprint = chunker_fingerprint(settings)
    around = {part for passage in passages for part in (*passage.breadcrumb, passage.lead) if part} if terms else set()
    context = _terms(around, tokenizer)
    pages = _PageIndex(document.pages)
    out: list[AnalysedChunk] = []
    for passage in passages:
        text = document.text[passage.start : passage.end]
        chunk = Chunk(
            id=chunk_id(document.id, passage.start, passage.end, text, fingerprint),
            document_id=document.id,
            text=text,
            start=passage.start,
            end=passage.end,
            pages=pages.touched(passage.start, passage.end),
            breadcrumb=passage.breadcrumb,
            kind=passage.kind,
            ordinal=len(out),
            lead=passage.lead,
            metadata=passage.metadata,
        )
        above = [term for part in (*passage.breadcrumb, passage.lead) for term in context.get(part, ())]
        out.append(AnalysedChunk(chunk, (*above, *sentences.terms(passage.start, passage.end))))
    return _linked(out)


def _covering(
    document: Document, passages: Sequence[Passage], sentences: Sentences, settings: ChunkSettings, name: str
) -> Iterator[Passage]:
    """The passages without white space at their ends, and what they left out between them."""
    at = 0
    for passage in passages:
        if passage.start < at or passage.end < passage.start or passage.end > len(document.text):
            raise ValueError(f"chunk profile {name}: a passage at {passage.start}-{passage.end} overlaps or is outside")
        yield from _left_out(document, at, passage.start, sentences, settings)
        start, end = visible(document.text, passage.start, passage.end)
        if start < end:
            yield replace(passage, start=start, end=end)
        at = passage.end
    yield from _left_out(document, at, len(document.text), sentences, settings)


def _with_specks(document: Document, passages: Iterable[Passage], settings: ChunkSettings) -> list[Passage]:
    """Puts a few marks without a letter or digit, such as what is left of a drawing, to the passage before them."""
    out: list[Passage] = []
    for passage in passages:
        own = document.text[passage.start : passage.end]
        speck = len(own) <= _SPECK and not any(map(str.isalnum, own))
        if speck and out and (out[-1].kind != "text" or passage.end - out[-1].start <= settings.longest):
            out[-1] = replace(out[-1], end=passage.end)
        else:
            out.append(passage)
    return out


def _left_out(
    document: Document, start: int, end: int, sentences: Sentences, settings: ChunkSettings
) -> Iterator[Passage]:
    for a, b in pack(document.text, sentences.within(start, end), settings):
        yield Passage(a, b, (document.title,))


def _terms(texts: set[str], tokenizer: Tokenizer) -> dict[str, list[str]]:
    ordered = sorted(texts)
    return dict(zip(ordered, tokenizer.terms_batch(ordered), strict=True))


class _PageIndex:
    """Which pages a span touches."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = [page for page in pages if page.start < page.end]
        self._starts = [page.start for page in self._pages]

    def touched(self, start: int, end: int) -> tuple[int, ...]:
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_left(self._starts, end)
        return tuple(page.number for page in self._pages[first:last] if page.end > start)


def _linked(chunks: Sequence[AnalysedChunk]) -> list[AnalysedChunk]:
    ids = [None, *(item.chunk.id for item in chunks), None]
    return [
        replace(item, chunk=replace(item.chunk, prev_id=ids[i], next_id=ids[i + 2])) for i, item in enumerate(chunks)
    ]
