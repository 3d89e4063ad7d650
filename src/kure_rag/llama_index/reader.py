"""PDF and text files as LlamaIndex documents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args

from llama_index.core.bridge.pydantic import Field, PrivateAttr, field_validator
from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document

from kure_rag.chunk import ChunkSettings
from kure_rag.errors import ReadError
from kure_rag.llama_index.keywords import refuse_unknown
from kure_rag.pipeline.given import dictionary_as_json
from kure_rag.pipeline.passages import CutSettings, cut_files
from kure_rag.read import FileType, ReadLimits, ReadSettings
from kure_rag.read.file_types import PDF_ONLY
from kure_rag.types import Document as Read
from kure_rag.types import Domain, cite

Unit = Literal["page", "file"]

_SHOWN = ("source", "title", "page")
_log = logging.getLogger(__name__)


class KurePDFReader(BasePydanticReader):
    """Reads PDF and text files, each in a child process that a broken file cannot take along.

    It goes into ``SimpleDirectoryReader(file_extractor={".pdf": KurePDFReader()})`` too, and its ``to_dict()`` says all
    that ``from_dict()`` needs.

    Example:
        >>> from kure_rag.llama_index import KurePDFReader
        >>> KurePDFReader(domain="legal").load_data("규정.pdf")  # doctest: +SKIP

    Attributes:
        unit: What becomes one document: a ``page`` or the whole ``file``.
        skip_errors: Leave out files that cannot be read, with a warning each; otherwise the first is raised.
        domain: See :class:`kure_rag.pipeline.passages.CutSettings`, as all below.
        chunks: Lengths and profile.
        read: How files are read: tables, OCR.
        limits: What a file may cost.
        workers: Processes that read.
        file_types: What is taken from folders.
        user_dictionary: Terms for the analyser to keep whole: a file or a list.

    Raises:
        ValueError: An unknown unit or domain.
        TypeError: A setting that there is none of.
    """

    unit: Unit = "file"
    skip_errors: bool = False
    domain: Domain | None = None
    chunks: ChunkSettings = Field(default_factory=ChunkSettings)
    read: ReadSettings = Field(default_factory=ReadSettings)
    limits: ReadLimits = Field(default_factory=ReadLimits)
    workers: int | None = None
    file_types: list[FileType] = Field(default_factory=lambda: list(PDF_ONLY))
    user_dictionary: str | list[Any] = Field(default_factory=list)

    _settings: CutSettings = PrivateAttr()

    def __init__(self, **settings: Any) -> None:
        refuse_unknown(type(self), settings)
        super().__init__(**settings)

    @field_validator("unit", mode="before")
    @classmethod
    def _known_unit(cls, unit: Any) -> Any:
        if unit not in get_args(Unit):
            raise ValueError(f"no unit {unit!r}; choose one of {', '.join(get_args(Unit))}")
        return unit

    @field_validator("user_dictionary", mode="before")
    @classmethod
    def _dictionary_as_json(cls, given: Any) -> Any:
        return dictionary_as_json(given)

    @field_validator("file_types", mode="before")
    @classmethod
    def _types_as_list(cls, given: Any) -> Any:
        return given if isinstance(given, str) else list(given)

    def model_post_init(self, context: Any, /) -> None:
        """Checks the settings."""
        super().model_post_init(context)
        self._settings = CutSettings(**{field.name: getattr(self, field.name) for field in fields(CutSettings)})

    @classmethod
    def class_name(cls) -> str:
        """The name it is stored under."""
        return "KurePDFReader"

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
        for read, _chunks in cut_files(file, self._settings, on_error=_warn if self.skip_errors else None):
            yield from _documents(read, self.unit, extra_info or {})

    async def alazy_load_data(self, *args: Any, **load_kwargs: Any) -> list[Document]:
        """All documents, read in a thread: LlamaIndex's own would read them on the event loop, when it is asked for."""
        return await asyncio.to_thread(self.load_data, *args, **load_kwargs)


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
