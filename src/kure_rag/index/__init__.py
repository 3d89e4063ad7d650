"""Chunks → disk: a catalog that is the truth, and two views of it that can always be rebuilt."""

from kure_rag.index.catalog import Catalog, DocumentRow, StoredChunk
from kure_rag.index.store import IndexStore
from kure_rag.index.verify import Verification

__all__ = ["Catalog", "DocumentRow", "IndexStore", "StoredChunk", "Verification"]
