"""A LlamaIndex vector store with a Korean keyword leg; see kure-rag."""

from kure_rag.llama_index import KureVectorStore

__all__ = ["KureVectorStore"]
