"""Documents whose pages and passages a test decides."""

import hashlib
from pathlib import Path

from kure_rag import Chunk, Document, KureIndex, Page
from kure_rag.ingest.target import Ready, Target
from kure_rag.types import chunk_id


def add_document(index: KureIndex, source: str, pages: list[str], cuts: list[str], **metadata: object) -> Document:
    """Puts a document of these page texts in an index, cut into these passages."""
    text = "\n".join(pages)
    starts = [sum(len(page) + 1 for page in pages[:i]) for i in range(len(pages))]
    layout = tuple(Page(i + 1, at, at + len(page)) for i, (at, page) in enumerate(zip(starts, pages, strict=True)))
    document = Document(
        hashlib.sha256(f"{source}/{text}".encode()).hexdigest(),
        source,
        Path(source).stem,
        "general",
        text,
        layout,
        (),
        metadata,
    )
    chunks: list[Chunk] = []
    at = 0
    for ordinal, cut in enumerate(cuts):
        start = text.index(cut, at)
        at = start + len(cut)
        on = tuple(page.number for page in layout if page.start < at and start < page.end)
        id_ = chunk_id(document.id, start, at, cut, "test")
        chunks.append(Chunk(id_, document.id, cut, start, at, on, (document.title,), ordinal=ordinal))
    with index._store.writing():
        Target(index._store, index.embedder, index._claim).add([Ready(document, chunks, [["말"] for _ in chunks])])
    return document
