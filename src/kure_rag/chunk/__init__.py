"""Document → chunks: passages worth quoting, with exact offsets."""

from kure_rag.chunk.assemble import chunk_document, chunker_fingerprint
from kure_rag.chunk.base import AnalysedChunk, ChunkSettings, Passage, Profile, Section
from kure_rag.chunk.profiles import PROFILES, find_profile
from kure_rag.chunk.record import chunk_record
from kure_rag.chunk.sentences import Sentences

__all__ = [
    "PROFILES",
    "AnalysedChunk",
    "ChunkSettings",
    "Passage",
    "Profile",
    "Section",
    "Sentences",
    "chunk_document",
    "chunk_record",
    "chunker_fingerprint",
    "find_profile",
]
