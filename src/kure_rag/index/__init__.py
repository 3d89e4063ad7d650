"""Chunks → disk: a catalog that is the truth, and three views of it that can always be rebuilt."""

from kure_rag.index.catalog import Catalog, DocumentRow, StoredChunk
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.store import IndexStore
from kure_rag.index.verify import Verification

__all__ = ["Catalog", "DenseSettings", "DocumentRow", "IndexStore", "StoredChunk", "Verification"]
