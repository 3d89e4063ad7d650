"""LangChain: embeddings, retriever, vector store, reranker, loader, splitter and agent tool, over the same core."""

from kure_rag.langchain.convert import to_document
from kure_rag.langchain.document_index import KureDocumentIndex
from kure_rag.langchain.embeddings import KureEmbeddings
from kure_rag.langchain.loader import KurePDFLoader, KurePDFParser
from kure_rag.langchain.reranker import KureReranker
from kure_rag.langchain.retriever import KureRetriever
from kure_rag.langchain.splitter import KureTextSplitter
from kure_rag.langchain.tool import create_kure_tool
from kure_rag.langchain.vector_store import KureVectorStore

__all__ = [
    "KureDocumentIndex",
    "KureEmbeddings",
    "KurePDFLoader",
    "KurePDFParser",
    "KureReranker",
    "KureRetriever",
    "KureTextSplitter",
    "KureVectorStore",
    "create_kure_tool",
    "to_document",
]
