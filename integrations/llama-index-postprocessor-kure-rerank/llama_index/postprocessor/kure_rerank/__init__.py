"""A LlamaIndex node postprocessor; see kure-rag."""

from kure_rag.llama_index import KureRerank

__all__ = ["KureRerank"]
