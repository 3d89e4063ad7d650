"""Files and texts → documents and chunks without an index, for whoever keeps them elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from kure_rag.chunk import ChunkSettings, chunk_document, find_profile
from kure_rag.errors import ReadError
from kure_rag.ingest import WorkerPool
from kure_rag.ingest.messages import Prepared
from kure_rag.ingest.places import file_name
from kure_rag.ingest.pool import PdfJob
from kure_rag.pipeline.parts import check_domain
from kure_rag.read import FileType, ReadLimits, ReadSettings, find_files, read_text
from kure_rag.read.file_types import PDF_ONLY
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.tokenize.user_dictionary import Dictionary, read_dictionary
from kure_rag.types import Chunk, Document, Domain

OnError = Callable[[ReadError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSettings:
    """How files and texts become chunks.

    Attributes:
        domain: What they are; found out for each when ``None``.
        chunks: Lengths and profile.
        read: How files are read: tables, OCR.
        limits: What a file may cost.
        workers: Processes that read; by default one for each core, four at most.
        file_types: What is taken from folders: ``pdf``, ``txt``, ``md``.
        user_dictionary: Terms for the analyser to keep whole, see :mod:`kure_rag.tokenize.user_dictionary`.
    """

    domain: Domain | None = None
    chunks: ChunkSettings = field(default_factory=ChunkSettings)
    read: ReadSettings = field(default_factory=ReadSettings)
    limits: ReadLimits = field(default_factory=ReadLimits)
    workers: int | None = None
    file_types: Sequence[FileType] = PDF_ONLY
    user_dictionary: Dictionary = ()

    def __post_init__(self) -> None:
        check_domain(self.domain)
        find_profile(self.chunks.profile, "general")


def cut_settings(owner: str, given: Mapping[str, Any]) -> CutSettings:
    """Settings from the keywords of a class that hands them on.

    Raises:
        TypeError: A keyword that there is none of; names the class.
    """
    known = [one.name for one in fields(CutSettings)]
    if unknown := [name for name in given if name not in known]:
        raise TypeError(f"{owner} takes no keyword {', '.join(map(repr, unknown))}; it takes {', '.join(known)}")
    return CutSettings(**given)


def cut_files(
    paths: str | Path | Iterable[str | Path], settings: CutSettings | None = None, *, on_error: OnError | None = None
) -> Iterator[tuple[Document, list[Chunk]]]:
    """Reads PDF and text files in child processes and cuts them, in order, one document in memory at a time.

    Args:
        paths: Files and folders.
        settings: How.
        on_error: Called for each file that cannot be read, which is then left out; without it the first one is raised.

    Raises:
        SourceNotFoundError: There is no such file or folder.
        ReadError: A file cannot be read, and there is no ``on_error``.
    """
    settings = settings or CutSettings()
    found = list(find_files([paths] if isinstance(paths, str | Path) else paths, settings.file_types))
    words = read_dictionary(settings.user_dictionary)
    with WorkerPool(
        workers=settings.workers or max(1, min(len(found), os.cpu_count() or 1, 4)),
        limits=settings.limits,
        chunks=settings.chunks,
        read=settings.read,
        user_words=words,
    ) as pool:
        for item in found:
            if item.error is not None:
                _refuse(item.error, on_error)
        jobs = (
            PdfJob(item.path, file_name(item.path), settings.domain, terms=False)
            for item in found
            if item.error is None
        )
        for _, answer in pool.prepare(jobs):
            if isinstance(answer, Prepared):
                yield answer.document, [item.chunk for item in answer.chunks]
            else:
                _refuse(answer, on_error)


def _refuse(error: ReadError, on_error: OnError | None) -> None:
    if on_error is None:
        raise error
    on_error(error)


def cut_text(
    text: str, tokenizer: KiwiTokenizer, settings: CutSettings | None = None, *, source: str = ""
) -> tuple[Document, list[Chunk]]:
    """Cuts a text in this process, as a text file of the same words would be.

    Args:
        text: Plain text; Markdown where ``source`` ends in ``.md``.
        tokenizer: Finds sentences.
        settings: Of which ``domain``, ``chunks`` and ``limits`` count.
        source: The name that the document goes by.

    Raises:
        ReadError: Nothing visible is in it, or it passes a limit.
        TypeError: It is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"a text to cut is str, not {type(text).__name__} ({text!r:.60})")
    settings = settings or CutSettings()
    data = text.encode("utf-8", "replace")
    document = read_text(data, source, domain=settings.domain, limits=settings.limits)
    cut = chunk_document(document, tokenizer, settings.chunks, terms=False)
    return document, [item.chunk for item in cut]


def places_in(text: str, document: Document, chunks: Sequence[Chunk]) -> list[int | None]:
    """Where each chunk of a text that :func:`cut_text` cut stands in the text as it was given.

    Reading changes a text: line ends, Unicode form, and of Markdown the marks. A chunk in which something was changed
    stands nowhere in what was given.

    Args:
        text: As it was given.
        document: What was read of it.
        chunks: Of the document.

    Returns:
        For each chunk the offset at which its text stands, or ``None``.
    """
    if text == document.text:
        return [chunk.start for chunk in chunks]
    return [_place_in(text, document.text, chunk) for chunk in chunks]


def _place_in(text: str, read: str, chunk: Chunk) -> int | None:
    """The first, second, ... of equal passages is that one in both, if none was lost or added."""
    before, there = _starts(read, chunk.text, chunk.start), _starts(text, chunk.text)
    all_read = before + _starts(read[chunk.start :], chunk.text)
    return there[len(before)] if len(all_read) == len(there) else None


def _starts(text: str, part: str, end: int | None = None) -> list[int]:
    """Where a part begins, up to an offset, also where it overlaps itself."""
    found, at = [], text.find(part)
    while at >= 0 and (end is None or at < end):
        found.append(at)
        at = text.find(part, at + 1)
    return found
