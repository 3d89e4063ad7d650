"""LlamaIndex: model, retriever, vector store, reranker, reader and node parser, with the core's own results."""

from kure_rag.errors import MissingExtraError

try:
    import llama_index.core  # noqa: F401  # only asked for here, to say how to install it
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "llama_index":  # it is there, and something it needs is not
        raise
    raise MissingExtraError("kure_rag.llama_index", "llama-index") from error

from kure_rag.llama_index.convert import to_node
from kure_rag.llama_index.embedding import KureEmbedding
from kure_rag.llama_index.node_parser import KureNodeParser
from kure_rag.llama_index.reader import KurePDFReader
from kure_rag.llama_index.reranker import KureRerank
from kure_rag.llama_index.retriever import KureRetriever
from kure_rag.llama_index.vector_store import KureVectorStore

__all__ = [
    "KureEmbedding",
    "KureNodeParser",
    "KurePDFReader",
    "KureRerank",
    "KureRetriever",
    "KureVectorStore",
    "to_node",
]
