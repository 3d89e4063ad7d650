"""What a reader and a splitter over ours have to give, whatever their framework: the core's documents and chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from kure_rag.chunk import ChunkSettings
from kure_rag.citation import chunk_metadata
from kure_rag.errors import ReadError
from kure_rag.pipeline.passages import CutSettings, cut_files, cut_text
from kure_rag.samples import sample_paths
from kure_rag.testing.material import LAW, NOTES, Piece, holds, same
from kure_rag.testing.needs_pytest import pytest
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Chunk, Document, cite

_OF_A_FILE: Final = ("source", "title", "domain", "total_pages")
_OF_A_PAGE: Final = (*_OF_A_FILE, "page", "citation", "ocr")
_BROKEN: Final = "망가진.pdf"


class ReaderContract:
    """Texts, their order and the names of their metadata are the core's, for each unit that the framework has.

    Inherit it under a name that begins with ``Test``, and write :meth:`load`.

    Attributes:
        units: Of ``chunk``, ``page`` and ``file``, those that the adapter knows.
    """

    units: ClassVar[Sequence[str]] = ("page", "file")

    def load(self, paths: Sequence[Path], unit: str, *, skip_errors: bool = False) -> Sequence[Piece]:
        """Reads files with the adapter, in one further process (``workers=1``)."""
        raise NotImplementedError(f"{type(self).__name__}: write `load(self, paths, unit, *, skip_errors=False)`")

    @pytest.fixture(scope="class")
    @classmethod
    def read(cls) -> list[tuple[Document, list[Chunk]]]:
        """What the core makes of the files."""
        return list(cut_files(sample_paths()[:2], CutSettings(workers=1)))

    def test_files_are_whole_and_in_order(self, read: list[tuple[Document, list[Chunk]]]) -> None:
        """One document a file, with the core's id and text."""
        if "file" in self.units:
            given = self.load(sample_paths()[:2], "file")
            same("ids of files", [one.id for one in given], [document.id for document, _ in read])
            same("texts of files", [one.text for one in given], [document.text for document, _ in read])
            for one, (document, _) in zip(given, read, strict=True):
                _same_values(one, _about(document), _OF_A_FILE)

    def test_pages_are_the_core_s(self, read: list[tuple[Document, list[Chunk]]]) -> None:
        """One document a page that holds anything, with its number and citation."""
        if "page" in self.units:
            core = [(document, page) for document, _ in read for page in document.pages]
            texts = [document.text[page.start : page.end].strip("\n") for document, page in core]
            given = self.load(sample_paths()[:2], "page")
            same("texts of pages", [one.text for one in given], [text for text in texts if text.strip()])
            filled = [whole for whole, text in zip(core, texts, strict=True) if text.strip()]
            for one, (document, page) in zip(given, filled, strict=True):
                place = {"page": page.number, "citation": cite(document.source, (page.number,), ()), "ocr": page.ocr}
                _same_values(one, _about(document) | place, _OF_A_PAGE)

    def test_chunks_are_the_core_s(self, read: list[tuple[Document, list[Chunk]]]) -> None:
        """One document a chunk, with its id and everything that a hit says of its place."""
        if "chunk" in self.units:
            core = [(document, chunk) for document, chunks in read for chunk in chunks]
            given = self.load(sample_paths()[:2], "chunk")
            same("ids of chunks", [one.id for one in given], [chunk.id for _, chunk in core])
            same("texts of chunks", [one.text for one in given], [chunk.text for _, chunk in core])
            for one, (document, chunk) in zip(given, core, strict=True):
                wanted = chunk_metadata(document, chunk)
                _same_values(one, wanted, tuple(wanted))

    def test_a_file_that_cannot_be_read_is_named_or_left_out(self, tmp_path: Path) -> None:
        """It is the core's error, and those beside it are not lost where errors are skipped."""
        broken = tmp_path / _BROKEN
        broken.write_bytes(b"%PDF-1.7 nothing else")
        unit = self.units[0]
        with pytest.raises(ReadError, match=_BROKEN):
            self.load([broken], unit)
        kept = self.load([broken, sample_paths()[0]], unit, skip_errors=True)
        sources = {one.metadata["source"] for one in kept}
        same("sources", sorted(sources), [sample_paths()[0].name])


class SplitterContract:
    """Pieces, their offsets and headings are those of the core's profiles.

    Inherit it under a name that begins with ``Test``, and write :meth:`split`.
    """

    def split(self, text: str, metadata: Mapping[str, Any], **settings: Any) -> Sequence[Piece]:
        """Cuts a text with the adapter.

        Args:
            text: As a document of the framework holds it.
            metadata: Of that document.
            **settings: ``profile``, ``domain``, ``target`` and ``markdown``.
        """
        raise NotImplementedError(f"{type(self).__name__}: write `split(self, text, metadata, **settings)`")

    @pytest.mark.parametrize(
        ("text", "settings"),
        [
            (LAW, {"profile": "legal", "domain": "legal"}),
            (LAW, {"profile": "general", "domain": "general", "target": 60}),
            (LAW, {}),
            (NOTES, {"profile": "general", "domain": "general", "markdown": True}),
        ],
        ids=["legal", "general", "auto", "markdown"],
    )
    def test_pieces_are_the_core_s(self, text: str, settings: dict[str, Any]) -> None:
        """Texts, offsets, headings, kinds and leads."""
        core, given = self._core(text, **settings), self.split(text, {}, **settings)
        same("texts of pieces", [one.text for one in given], [chunk.text for chunk in core])
        for one, chunk in zip(given, core, strict=True):
            if text[chunk.start : chunk.end] == chunk.text:  # Markdown's marks are not in the text that the core cuts
                same(f"offset of {chunk.text!r}", [one.start], [chunk.start])
        for one, chunk in zip(given, core, strict=True):
            about = {**chunk.metadata, "breadcrumb": list(chunk.breadcrumb), "kind": chunk.kind}
            _same_values(one, about, tuple(about))
            same(f"lead of {one.text!r}", [one.metadata.get("lead") or ""], [chunk.lead])

    def test_offsets_are_exact_where_sentences_repeat(self) -> None:
        """The second of two equal articles does not stand where the first does."""
        given = self.split(LAW, {}, profile="legal", domain="legal")
        starts = [one.start for one in given]
        same("offsets", starts, sorted({start for start in starts if start is not None}))
        for one in given:
            start = one.start or 0
            same("text at its offset", [LAW[start : start + len(one.text)]], [one.text])

    def test_metadata_of_the_document_stays(self) -> None:
        """Every piece has it."""
        given = self.split(LAW, {"source": "규정.pdf", "year": 2026}, profile="legal", domain="legal")
        holds("there are pieces", bool(given))
        for one in given:
            _same_values(one, {"source": "규정.pdf", "year": 2026}, ("source", "year"))

    def test_a_text_without_anything_visible_has_no_pieces(self) -> None:
        """It is no error: a document of a blank page must not stop the others."""
        same("pieces", list(self.split(" \n\t", {})), [])

    def _core(self, text: str, *, markdown: bool = False, domain: Any = None, **chunks: Any) -> list[Chunk]:
        target = chunks.pop("target", 400)
        lengths = ChunkSettings(target=target, longest=2 * target, **chunks)
        settings = CutSettings(domain=domain, chunks=lengths)
        return cut_text(text, KiwiTokenizer(), settings, source="text.md" if markdown else "text.txt")[1]


def _about(document: Document) -> dict[str, Any]:
    return {
        "source": document.source,
        "title": document.title,
        "domain": document.domain,
        "total_pages": len(document.pages),
    }


def _same_values(one: Piece, core: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        holds(f"{name!r} is missing in the metadata of {one.text[:40]!r}", name in one.metadata)
        same(f"{name!r} of {one.text[:40]!r}", [one.metadata[name]], [core[name]])
