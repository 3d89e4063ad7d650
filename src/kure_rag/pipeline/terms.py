"""The index terms that adding a document again would give its chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import Tokenizer
from kure_rag.types import ENTRY_KIND, Chunk, Document

_UNCUT: Final = ("record", ENTRY_KIND)  # the kinds of ready passages, which no profile cut
_FROM_CHROMA: Final = "chroma_id"  # in the metadata of a chunk that another library cut


def terms_by(
    tokenizer: Tokenizer, settings: ChunkSettings
) -> Callable[[Document, Sequence[Chunk]], list[Sequence[str]]]:
    """Terms of a document's chunks, as an index with these settings has them.

    A document is cut again, since its sentences are analysed whole; where that gives other chunks than are stored, as
    with another Kiwi, each chunk's text is analysed by itself. Give the document as its file says it: a title that the
    user set is in no chunk.
    """

    def terms_of(document: Document, chunks: Sequence[Chunk]) -> list[Sequence[str]]:
        if is_cut(chunks):
            cut = chunk_document(document, tokenizer, settings)
            if [_identity(item.chunk) for item in cut] == [_identity(chunk) for chunk in chunks]:
                return [item.terms for item in cut]
        return list(tokenizer.terms_batch([chunk.contextualized() for chunk in chunks]))

    return terms_of


def is_cut(chunks: Sequence[Chunk]) -> bool:
    """Whether a document was cut by a profile of ours; ready passages were not."""
    return not any(chunk.kind in _UNCUT or _FROM_CHROMA in chunk.metadata for chunk in chunks)


def _identity(chunk: Chunk) -> tuple[str, str]:
    return chunk.id, chunk.contextualized()
