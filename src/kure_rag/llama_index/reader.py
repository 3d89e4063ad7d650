"""PDF and text files as LlamaIndex documents."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from kure_rag.errors import ReadError
from kure_rag.pipeline.passages import CutSettings, cut_files
from kure_rag.types import Document as Read
from kure_rag.types import cite

Unit = Literal["page", "file"]

_SHOWN = ("source", "title", "page")
_log = logging.getLogger(__name__)


class KurePDFReader(BaseReader):
    """Reads PDF and text files, each in a child process that a broken file cannot take along.

    It goes into ``SimpleDirectoryReader(file_extractor={".pdf": KurePDFReader()})`` too.

    Example:
        >>> from kure_rag.llama_index import KurePDFReader
        >>> KurePDFReader(domain="legal").load_data("규정.pdf")  # doctest: +SKIP

    Args:
        unit: What becomes one document: a ``page`` or the whole ``file``.
        skip_errors: Leave out files that cannot be read, with a warning each; otherwise the first is raised.
        **settings: As :class:`kure_rag.pipeline.passages.CutSettings` takes them.

    Raises:
        ValueError: An unknown unit or domain.
    """

    def __init__(self, *, unit: Unit = "file", skip_errors: bool = False, **settings: Any) -> None:
        if unit not in get_args(Unit):
            raise ValueError(f"no unit {unit!r}; choose one of {', '.join(get_args(Unit))}")
        self._unit = unit
        self._on_error = _warn if skip_errors else None
        self._settings = CutSettings(**settings)

    def lazy_load_data(
        self, file: str | Path | Iterable[str | Path], extra_info: dict[str, Any] | None = None, **_: Any
    ) -> Iterator[Document]:
        """Documents in the order of the files and pages.

        Args:
            file: Files and folders.
            extra_info: Further metadata, as ``SimpleDirectoryReader`` gives it; what the file says of itself wins.

        Raises:
            SourceNotFoundError: There is no such file or folder.
            ReadError: A file cannot be read, and ``skip_errors`` is false.
        """
        for read, _chunks in cut_files(file, self._settings, on_error=self._on_error):
            yield from _documents(read, self._unit, extra_info or {})


def _documents(read: Read, unit: Unit, more: dict[str, Any]) -> Iterator[Document]:
    about = {
        **more,
        **read.metadata,
        "source": read.source,
        "title": read.title,
        "domain": read.domain,
        "total_pages": len(read.pages),
    }
    if unit == "file":
        yield _document(read.id, read.text, about)
        return
    for page in read.pages:
        text = read.text[page.start : page.end].strip("\n")
        if text.strip():
            place = {"page": page.number, "citation": cite(read.source, (page.number,), ()), "ocr": page.ocr}
            yield _document(f"{read.id}-{page.number}", text, about | place)


def _document(id_: str, text: str, about: dict[str, Any]) -> Document:
    hidden = [name for name in about if name not in _SHOWN]
    return Document(
        id_=id_,
        text=text,
        metadata=about,
        excluded_embed_metadata_keys=list(about),
        excluded_llm_metadata_keys=hidden,
    )


def _warn(error: ReadError) -> None:
    _log.warning("left out: %s", error)
