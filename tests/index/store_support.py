"""Documents for stores without models: what a chunk says is what it is found by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from support import HashEmbedder

from kure_rag.index.catalog import NewDocument
from kure_rag.index.lexical import Question
from kure_rag.index.store import IndexStore
from kure_rag.index.views import Views
from kure_rag.types import Chunk, Document

_EMBEDDER = HashEmbedder()


def document(key: str, texts: Sequence[str]) -> NewDocument:
    """A document with a chunk for each text; a later one with the same key replaces it."""
    whole = "\n".join(texts)
    name = hashlib.sha256(f"{key}\n{whole}".encode()).hexdigest()
    ids = [None, *(f"{name[:40]}-{i}" for i in range(len(texts))), None]
    chunks, at = [], 0
    for i, text in enumerate(texts):
        id_ = ids[i + 1]
        assert id_ is not None
        chunks.append(
            Chunk(
                id=id_,
                document_id=name,
                text=text,
                start=at,
                end=at + len(text),
                pages=(),
                breadcrumb=(),
                kind="text",
                ordinal=i,
                prev_id=ids[i],
                next_id=ids[i + 2],
            )
        )
        at += len(text) + 1
    terms = [text.split() for text in texts]
    made = Document(name, f"{key}.txt", key, "general", whole)
    return NewDocument(made, chunks, terms, _EMBEDDER.embed_passages(texts), key=key)


def add(store: IndexStore, *documents: NewDocument) -> None:
    with store.writing():
        store.catalog.add_many(documents)


def delete(store: IndexStore, key: str) -> None:
    with store.writing():
        store.catalog.delete(store.catalog.by_key(key))


def found(store: IndexStore, query: str, limit: int = 1_000) -> tuple[set[str], set[str]]:
    """Texts found by words and texts found by vectors, of one generation."""

    def search(views: Views) -> tuple[set[str], set[str]]:
        words = [row for row, _ in views.lexical.search(Question(query.split()), limit)]
        assert views.matrix is not None
        near = views.matrix.search(_EMBEDDER.embed_queries([query]), limit)[0][0].tolist()
        said = []
        for rows in (words, near):
            fetched = store.catalog.fetch(rows, views.visible)
            said.append({item.chunk.text for item in fetched.values()})
        return said[0], said[1]

    return store.reading(search)
