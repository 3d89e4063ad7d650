"""PDF and text files as LangChain documents: one a chunk, one a page, or one a file."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any, Final, Literal, get_args

from langchain_core.document_loaders import BaseBlobParser, BaseLoader, Blob
from langchain_core.documents import Document
from pydantic import PrivateAttr

from kure_rag.chunk import ChunkSettings
from kure_rag.citation import chunk_metadata
from kure_rag.errors import ReadError
from kure_rag.langchain.written import WrittenObject, written
from kure_rag.pipeline.given import dictionary_as_json
from kure_rag.pipeline.passages import CutSettings, OnError, cut_files, cut_settings
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.types import Chunk, cite
from kure_rag.types import Document as Read

Unit = Literal["chunk", "page", "file"]

_KINDS: Final[Mapping[str, type[Any]]] = {"chunks": ChunkSettings, "read": ReadSettings, "limits": ReadLimits}
_log = logging.getLogger(__name__)


class KurePDFLoader(WrittenObject, BaseLoader):
    """Reads PDF and text files, each in a child process that a broken file cannot take along.

    Documents come one by one as their files are read; ``alazy_load`` does not block the loop.

    Example:
        >>> from kure_rag.langchain import KurePDFLoader
        >>> for document in KurePDFLoader("규정.pdf", domain="legal").lazy_load():  # doctest: +SKIP
        ...     print(document.metadata["citation"])
        규정.pdf p.2 제3장 휴가 > 제15조(연차휴가)

    Args:
        paths: Files and folders.
        unit: What becomes one document: a ``chunk``, with the metadata of a hit's place; a ``page`` with ``page``; or
            the whole ``file``.
        skip_errors: Leave out files that cannot be read, with a warning each; otherwise the first is raised.
        **settings: As :class:`kure_rag.pipeline.passages.CutSettings` takes them: ``domain``, ``chunks``, ``read``,
            ``limits``, ``workers``, ``file_types``, ``user_dictionary``.

    Raises:
        ValueError: An unknown unit or domain.
        TypeError: A setting that there is none of.
    """

    _paths: list[str | Path] = PrivateAttr()
    _unit: Unit = PrivateAttr()
    _on_error: OnError | None = PrivateAttr()
    _settings: CutSettings = PrivateAttr()

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        unit: Unit = "chunk",
        skip_errors: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        self._paths = [paths] if isinstance(paths, str | Path) else list(paths)
        self._unit = _checked(unit)
        self._on_error = _warn if skip_errors else None
        self._settings = cut_settings(type(self).__name__, _revived(settings))

    def _keywords(self) -> dict[str, Any]:
        paths = [str(path) for path in self._paths]
        return {
            "paths": paths,
            "unit": self._unit,
            "skip_errors": self._on_error is not None,
            **_plain(self._settings),
        }

    def lazy_load(self) -> Iterator[Document]:
        """Documents in the order of the files and of their text.

        Raises:
            SourceNotFoundError: There is no such file or folder.
            ReadError: A file cannot be read, and ``skip_errors`` is false.
        """
        return _documents(self._paths, self._unit, self._settings, self._on_error)


class KurePDFParser(WrittenObject, BaseBlobParser):
    """The same for blobs, to go with LangChain's blob loaders.

    Args:
        unit: See :class:`KurePDFLoader`.
        **settings: See :class:`KurePDFLoader`.
    """

    _unit: Unit = PrivateAttr()
    _settings: CutSettings = PrivateAttr()

    def __init__(self, *, unit: Unit = "chunk", **settings: Any) -> None:
        super().__init__()
        self._unit = _checked(unit)
        self._settings = cut_settings(type(self).__name__, _revived(settings))

    def _keywords(self) -> dict[str, Any]:
        return {"unit": self._unit, **_plain(self._settings)}

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """The documents of a blob. One without a path is written to a private temporary file meanwhile.

        Raises:
            ReadError: It cannot be read.
        """
        if blob.data is None and blob.path is not None:
            yield from _documents([blob.path], self._unit, self._settings, None)
            return
        with tempfile.TemporaryDirectory(prefix="kure-rag-") as folder:
            path = Path(folder) / _name(blob)
            path.write_bytes(blob.as_bytes())
            yield from _documents([path], self._unit, self._settings, None)


def _documents(
    paths: Iterable[str | PurePath], unit: Unit, settings: CutSettings, on_error: OnError | None
) -> Iterator[Document]:
    for read, chunks in cut_files([Path(path) for path in paths], settings, on_error=on_error):
        match unit:
            case "chunk":
                yield from (_chunk(read, chunk) for chunk in chunks)
            case "page":
                yield from _pages(read)
            case "file":
                yield Document(id=read.id, page_content=read.text, metadata=_about(read))


def _chunk(read: Read, chunk: Chunk) -> Document:
    return Document(id=chunk.id, page_content=chunk.text, metadata=chunk_metadata(read, chunk))


def _pages(read: Read) -> Iterator[Document]:
    for page in read.pages:
        text = read.text[page.start : page.end].strip("\n")
        if text.strip():
            place = {
                "page": page.number,
                "pages": [page.number],
                "start": page.start,
                "end": page.end,
                "citation": cite(read.source, (page.number,), ()),
                "ocr": page.ocr,
                "warnings": list(page.warnings),
            }
            yield Document(id=f"{read.id}-{page.number}", page_content=text, metadata=_about(read) | place)


def _about(read: Read) -> dict[str, Any]:
    ours = {"source": read.source, "title": read.title, "domain": read.domain, "document_id": read.id}
    return {**read.metadata, **ours, "total_pages": len(read.pages)}


def _plain(settings: CutSettings) -> dict[str, Any]:
    """Settings as JSON, without those that are as they are by default."""
    ours, usual = (written(asdict(one)) for one in (settings, CutSettings()))
    return {name: value for name, value in ours.items() if value != usual[name]}


def _revived(given: dict[str, Any]) -> dict[str, Any]:
    """Settings as they were before they were written."""
    if "user_dictionary" in given:
        given = {**given, "user_dictionary": dictionary_as_json(given["user_dictionary"])}
    return {
        name: _KINDS[name](**value) if name in _KINDS and isinstance(value, Mapping) else value
        for name, value in given.items()
    }


def _checked(unit: Unit) -> Unit:
    if unit not in get_args(Unit):
        raise ValueError(f"no unit {unit!r}; choose one of {', '.join(get_args(Unit))}")
    return unit


def _name(blob: Blob) -> str:
    """A file name that ends as the content does, and that leads nowhere else."""
    name = PurePath(str(blob.source or "")).name or "blob"
    if PurePath(name).suffix.lower() in (".pdf", ".txt", ".md"):
        return name
    return name + {"text/plain": ".txt", "text/markdown": ".md"}.get(blob.mimetype or "", ".pdf")


def _warn(error: ReadError) -> None:
    _log.warning("left out: %s", error)
