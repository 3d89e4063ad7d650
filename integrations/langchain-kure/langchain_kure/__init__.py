"""LangChain for Korean documents: what kure-rag has for LangChain, under the name that LangChain's catalogue uses."""

from kure_rag.langchain import (
    KureDocumentIndex,
    KureEmbeddings,
    KurePDFLoader,
    KurePDFParser,
    KureReranker,
    KureRetriever,
    KureTextSplitter,
    KureVectorStore,
    create_kure_tool,
)

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
]
