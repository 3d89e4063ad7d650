"""LangChain: embeddings and a retriever over the same index and with the same results as the core."""

from kure_rag.langchain.convert import to_document
from kure_rag.langchain.embeddings import KureEmbeddings
from kure_rag.langchain.retriever import KureRetriever

__all__ = ["KureEmbeddings", "KureRetriever", "to_document"]
