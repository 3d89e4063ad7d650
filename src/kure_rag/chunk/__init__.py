"""Document → chunks: passages worth quoting, with exact offsets."""

from kure_rag.chunk.base import AnalysedChunk, ChunkSettings, Section
from kure_rag.chunk.general import chunk_document, chunker_fingerprint
from kure_rag.chunk.record import chunk_record

__all__ = ["AnalysedChunk", "ChunkSettings", "Section", "chunk_document", "chunk_record", "chunker_fingerprint"]
