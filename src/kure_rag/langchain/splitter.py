"""Our chunk profiles over LangChain documents, with the methods of a ``TextSplitter``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document
from pydantic import PrivateAttr

from kure_rag.chunk import ChunkSettings
from kure_rag.errors import NoTextError
from kure_rag.langchain.convert import only_documents
from kure_rag.langchain.written import WrittenObject
from kure_rag.pipeline.given import dictionary_as_json, refuse_text
from kure_rag.pipeline.passages import CutSettings, cut_text, places_in
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.tokenize.user_dictionary import Dictionary
from kure_rag.types import Domain


class KureTextSplitter(WrittenObject, BaseDocumentTransformer):
    """Cuts texts at articles, headings and sentences, never within a word.

    Each piece says where it stands: ``start_index`` in the text it was cut from, ``breadcrumb`` with the headings above
    it, ``kind``, and ``lead`` where it has one, beside the metadata of its document. Texts are read as files are: a
    piece in which that changed something (marks of Markdown, line ends, a Unicode form other than NFC) stands nowhere
    in the text that was given, and has no ``start_index``.

    It has the methods of LangChain's ``TextSplitter`` and goes where a document transformer does. That class itself is
    in a package of its own (``langchain-text-splitters``), which this one does not need.

    Example:
        >>> from kure_rag.langchain import KureTextSplitter
        >>> KureTextSplitter(profile="legal").split_documents(documents)  # doctest: +SKIP

    Args:
        profile: ``auto`` (by each text's domain), ``general``, ``finance``, ``legal``, ``medical``, or an own one as
            ``package.module:NAME``.
        target: Characters of a piece.
        longest: Characters over which a sentence is cut; twice the target by default.
        domain: What the texts are; found out for each when ``None``.
        markdown: Read headings, code and tables of Markdown.
        user_dictionary: Terms for the analyser to keep whole.

    Raises:
        ValueError: An unknown profile or domain, or lengths that make no sense.
    """

    _settings: CutSettings = PrivateAttr()
    _tokenizer: KiwiTokenizer = PrivateAttr()
    _source: str = PrivateAttr()

    def __init__(
        self,
        *,
        profile: str = "auto",
        target: int = 400,
        longest: int | None = None,
        domain: Domain | None = None,
        markdown: bool = False,
        user_dictionary: Dictionary = (),
    ) -> None:
        super().__init__()
        chunks = ChunkSettings(target=target, longest=longest or 2 * target, profile=profile)
        user_dictionary = dictionary_as_json(user_dictionary)
        self._settings = CutSettings(domain=domain, chunks=chunks, user_dictionary=user_dictionary)
        self._tokenizer = KiwiTokenizer(user_dictionary)
        self._source = "text.md" if markdown else "text.txt"

    def _keywords(self) -> dict[str, Any]:
        chunks = asdict(self._settings.chunks)
        return {
            **chunks,
            "domain": self._settings.domain,
            "markdown": self._source.endswith(".md"),
            "user_dictionary": self._settings.user_dictionary,
        }

    def split_text(self, text: str) -> list[str]:
        """The pieces of one text in order; none for a text without anything visible."""
        return [piece.page_content for piece in self._pieces(text, {})]

    def create_documents(
        self, texts: Sequence[str], metadatas: Sequence[Mapping[str, Any]] | None = None
    ) -> list[Document]:
        """The pieces of several texts, each with its text's metadata.

        Raises:
            ValueError: As many metadatas as texts are needed.
            TypeError: One text instead of a list.
        """
        refuse_text("texts", texts)
        given = [{}] * len(texts) if metadatas is None else metadatas
        return [piece for text, metadata in zip(texts, given, strict=True) for piece in self._pieces(text, metadata)]

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """The pieces of documents, each with its document's metadata."""
        return [piece for one in only_documents(documents) for piece in self._pieces(one.page_content, one.metadata)]

    def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> list[Document]:
        """As :meth:`split_documents`."""
        return self.split_documents(documents)

    async def atransform_documents(self, documents: Sequence[Document], **kwargs: Any) -> list[Document]:
        """As :meth:`split_documents`, in a thread."""
        return await asyncio.to_thread(self.split_documents, documents)

    def _pieces(self, text: str, metadata: Mapping[str, Any]) -> Iterator[Document]:
        try:
            read, chunks = cut_text(text, self._tokenizer, self._settings, source=self._source)
        except NoTextError:
            return
        for chunk, start in zip(chunks, places_in(text, read, chunks), strict=True):
            about: dict[str, Any] = {"breadcrumb": list(chunk.breadcrumb), "kind": chunk.kind}
            if start is not None:
                about["start_index"] = start
            if chunk.lead:
                about["lead"] = chunk.lead
            given = {name: value for name, value in metadata.items() if name != "start_index"}  # that of another text
            yield Document(page_content=chunk.text, metadata={**chunk.metadata, **given, **about})
