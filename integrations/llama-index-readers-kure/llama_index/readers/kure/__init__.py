"""A LlamaIndex reader for Korean PDFs; see kure-rag."""

from kure_rag.llama_index import KurePDFReader

__all__ = ["KurePDFReader"]
