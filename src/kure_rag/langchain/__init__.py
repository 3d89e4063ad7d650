"""LangChain: embeddings, retriever, reranker, loader, splitter and agent tool, with the same results as the core."""

from kure_rag.langchain.convert import to_document
from kure_rag.langchain.embeddings import KureEmbeddings
from kure_rag.langchain.loader import KurePDFLoader, KurePDFParser
from kure_rag.langchain.reranker import KureReranker
from kure_rag.langchain.retriever import KureRetriever
from kure_rag.langchain.splitter import KureTextSplitter
from kure_rag.langchain.tool import create_kure_tool

__all__ = [
    "KureEmbeddings",
    "KurePDFLoader",
    "KurePDFParser",
    "KureReranker",
    "KureRetriever",
    "KureTextSplitter",
    "create_kure_tool",
    "to_document",
]
