"""Document → chunks: one analysis for all profiles, and everything about a chunk that no profile has to know.

One analysis gives the sentences and the terms of the keyword index; nothing is analysed twice.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Final

from kure_rag.chunk.base import AnalysedChunk, ChunkSettings, Passage
from kure_rag.chunk.pack import Span, pack, visible, within
from kure_rag.chunk.profiles import PROFILES, find_profile
from kure_rag.tokenize.base import Sentence, Tokenizer
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
    document: Document, tokenizer: Tokenizer, settings: ChunkSettings | None = None
) -> list[AnalysedChunk]:
    """Cuts a document into chunks.

    Every character that is not white space is in exactly one chunk, chunks are in order, none begins or ends with white
    space, and ``document.text[chunk.start:chunk.end] == chunk.text``.

    Args:
        document: Its text and domain decide; a document without visible text has no chunks.
        tokenizer: Finds sentences and terms.
        settings: Lengths and profile.

    Raises:
        ValueError: The profile is unknown, or gave passages that overlap.
    """
    settings = settings or ChunkSettings()
    profile = find_profile(settings.profile, document.domain)
    sentences, places, forms = _analysed(document.text, tokenizer)
    cut = profile.passages(document, sentences, settings)
    passages = _with_specks(document, _covering(document, cut, sentences, settings, profile.name), settings)
    fingerprint = chunker_fingerprint(settings)
    headings = _terms({heading for passage in passages for heading in passage.breadcrumb}, tokenizer)
    leads = _terms({passage.lead for passage in passages if passage.lead}, tokenizer)
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
        above = [term for heading in passage.breadcrumb for term in headings[heading]]
        own = forms[bisect_left(places, passage.start) : bisect_left(places, passage.end)]
        out.append(AnalysedChunk(chunk, (*above, *leads.get(passage.lead, ()), *own)))
    return _linked(out)


def _covering(
    document: Document, passages: Sequence[Passage], sentences: Sequence[Sentence], settings: ChunkSettings, name: str
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
    document: Document, start: int, end: int, sentences: Sequence[Sentence], settings: ChunkSettings
) -> Iterator[Passage]:
    for a, b in pack(document.text, within(sentences, start, end), settings):
        yield Passage(a, b, (document.title,))


def _analysed(text: str, tokenizer: Tokenizer) -> tuple[list[Sentence], list[int], list[str]]:
    """Sentences at their places in the document, and where each term begins with its form.

    No sentence crosses a line of the text. The terms are beside the sentences and not in them: a document has too many
    to make each anew.
    """
    starts: list[int] = []
    lines: list[str] = []
    at = 0
    for line in text.split("\n"):
        if line.strip():
            starts.append(at)
            lines.append(line)
        at += len(line) + 1
    sentences: list[Sentence] = []
    places: list[int] = []
    forms: list[str] = []
    for at, line, found in zip(starts, lines, tokenizer.sentences(lines), strict=True):
        sentences.extend(Sentence(at + start, at + end, ()) for start, end in _whole(line, found))
        for sentence in found:
            places.extend([at + term.start for term in sentence.terms])
            forms.extend([term.form for term in sentence.terms])
    return sentences, places, forms


def _whole(line: str, found: Sequence[Sentence]) -> list[Span]:
    """Where the sentences are, widened so that no visible character of the line is left between two of them."""
    starts = [0, *(s.start for s in found[1:]), len(line)]
    spans = [visible(line, a, b) for a, b in pairwise(starts)]
    return [(a, b) for a, b in spans if a < b]


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
