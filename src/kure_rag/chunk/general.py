"""The general profile: sentences packed to a target length, under the headings they stand below.

One analysis gives the sentences and the terms of the keyword index; nothing is analysed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby, pairwise
from typing import Final

from kure_rag.chunk.base import AnalysedChunk, ChunkSettings, Section
from kure_rag.chunk.headings import find_sections
from kure_rag.tokenize.base import Sentence, Term, Tokenizer
from kure_rag.types import Chunk, Document, Page, chunk_id

_VERSION: Final = "general-2"


def chunker_fingerprint(settings: ChunkSettings) -> str:
    """Changes when the same document may be cut in another way."""
    return _VERSION + "".join(f"/{key}={value}" for key, value in sorted(asdict(settings).items()))


def chunk_document(
    document: Document, tokenizer: Tokenizer, settings: ChunkSettings | None = None
) -> list[AnalysedChunk]:
    """Cuts a document into chunks.

    Every character that is not white space is in exactly one chunk, chunks are in order, none begins or ends with white
    space, and ``document.text[chunk.start:chunk.end] == chunk.text``.

    Args:
        document: Its text decides; a document without visible text has no chunks.
        tokenizer: Finds sentences and terms.
        settings: Lengths.
    """
    settings = settings or ChunkSettings()
    fingerprint = chunker_fingerprint(settings)
    sections = _with_lone_headings(list(find_sections(document.text)))
    sentences = _sentences(document.text, sections, tokenizer)
    breadcrumb_terms = _breadcrumb_terms(document.title, sections, tokenizer)
    out: list[AnalysedChunk] = []
    for section, inside in zip(sections, sentences, strict=True):
        breadcrumb = (document.title, *section.headings)
        for run in _pack([piece for s in inside for piece in _cut(document.text, s, settings)], settings.target):
            start, end = run[0].start, run[-1].end
            text = document.text[start:end]
            chunk = Chunk(
                id=chunk_id(document.id, start, end, text, fingerprint),
                document_id=document.id,
                text=text,
                start=start,
                end=end,
                pages=_pages(document.pages, start, end),
                breadcrumb=breadcrumb,
                ordinal=len(out),
            )
            own = tuple(term.form for sentence in run for term in sentence.terms)
            out.append(AnalysedChunk(chunk, (*breadcrumb_terms[breadcrumb], *own)))
    return _linked(out)


def _with_lone_headings(sections: Sequence[Section]) -> list[Section]:
    """Puts a heading with nothing under it at the head of the section that follows: alone it answers nothing."""
    out: list[Section] = []
    lone: int | None = None
    for section in sections:
        start = section.start if lone is None else lone
        alone = section.body >= section.end and bool(section.headings)
        deeper = section is not sections[-1]
        if alone and deeper:
            lone = start
            continue
        out.append(replace(section, start=start))
        lone = None
    return out


def _sentences(text: str, sections: Sequence[Section], tokenizer: Tokenizer) -> list[list[Sentence]]:
    """Sentences of each section, at their places in the document; no sentence crosses a line of the text."""
    lines: list[tuple[int, int]] = []  # (section, offset)
    texts: list[str] = []
    for i, section in enumerate(sections):
        at = section.start
        for line in text[section.start : section.end].split("\n"):
            if line.strip():
                lines.append((i, at))
                texts.append(line)
            at += len(line) + 1
    out: list[list[Sentence]] = [[] for _ in sections]
    for (i, at), line, found in zip(lines, texts, tokenizer.sentences(texts), strict=True):
        out[i].extend(_shift(s, at) for s in _covering(line, found))
    return out


def _covering(line: str, found: Sequence[Sentence]) -> list[Sentence]:
    """The same sentences, widened so that no visible character of the line is left between two of them."""
    if not found:
        return [Sentence(*_visible(line, 0, len(line)), ())]
    starts = [0, *(s.start for s in found[1:]), len(line)]
    spans = [_visible(line, a, b) for a, b in pairwise(starts)]
    return [Sentence(a, b, s.terms) for (a, b), s in zip(spans, found, strict=True) if a < b]


def _visible(line: str, start: int, end: int) -> tuple[int, int]:
    while start < end and line[start].isspace():
        start += 1
    while end > start and line[end - 1].isspace():
        end -= 1
    return start, end


def _shift(sentence: Sentence, by: int) -> Sentence:
    terms = tuple(Term(term.form, term.start + by, term.end + by) for term in sentence.terms)
    return Sentence(sentence.start + by, sentence.end + by, terms)


def _cut(text: str, sentence: Sentence, settings: ChunkSettings) -> Iterator[Sentence]:
    """A sentence over the limit in pieces of about the target length, at white space where there is any."""
    start = sentence.start
    while sentence.end - start > settings.longest:
        stop = start + settings.target
        space = text.rfind(" ", start + 1, stop + 1)
        stop = space if space > start + settings.target // 2 else stop
        a, b = _visible(text, start, stop)
        if a < b:
            yield Sentence(a, b, _within(sentence.terms, start, stop))
        start = stop
    a, b = _visible(text, start, sentence.end)
    if a < b:
        yield Sentence(a, b, _within(sentence.terms, start, sentence.end))


def _within(terms: Sequence[Term], start: int, end: int) -> tuple[Term, ...]:
    return tuple(term for term in terms if start <= term.start < end)


def _pack(sentences: Sequence[Sentence], target: int) -> Iterator[list[Sentence]]:
    run: list[Sentence] = []
    for sentence in sentences:
        if run and sentence.end - run[0].start > target:
            yield run
            run = []
        run.append(sentence)
    if run:
        yield run


def _pages(pages: Sequence[Page], start: int, end: int) -> tuple[int, ...]:
    return tuple(page.number for page in pages if max(page.start, start) < min(page.end, end))


def _breadcrumb_terms(
    title: str, sections: Sequence[Section], tokenizer: Tokenizer
) -> dict[tuple[str, ...], tuple[str, ...]]:
    breadcrumbs = [(title, *key) for key, _ in groupby(section.headings for section in sections)]
    headings = sorted({heading for breadcrumb in breadcrumbs for heading in breadcrumb})
    terms = dict(zip(headings, tokenizer.terms_batch(headings), strict=True))
    return {crumb: tuple(term for heading in crumb for term in terms[heading]) for crumb in breadcrumbs}


def _linked(chunks: Sequence[AnalysedChunk]) -> list[AnalysedChunk]:
    ids = [None, *(item.chunk.id for item in chunks), None]
    return [
        replace(item, chunk=replace(item.chunk, prev_id=ids[i], next_id=ids[i + 2])) for i, item in enumerate(chunks)
    ]
