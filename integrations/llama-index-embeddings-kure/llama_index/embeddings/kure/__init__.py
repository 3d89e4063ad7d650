"""LlamaIndex embeddings for Korean; see kure-rag."""

from kure_rag.llama_index import KureEmbedding

__all__ = ["KureEmbedding"]
