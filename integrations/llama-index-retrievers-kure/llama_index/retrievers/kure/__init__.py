"""A LlamaIndex retriever for Korean documents; see kure-rag."""

from kure_rag.llama_index import KureRetriever

__all__ = ["KureRetriever"]
