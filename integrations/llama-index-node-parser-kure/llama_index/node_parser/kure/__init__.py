"""A LlamaIndex node parser for Korean law, finance and medicine; see kure-rag."""

from kure_rag.llama_index import KureNodeParser

__all__ = ["KureNodeParser"]
