"""Text → vectors: model cards with prefixes and pooling, and the loading of models. Stands alone.

Importing this package imports neither torch nor sentence-transformers; a model is loaded at its first use.
"""

from kure_rag.embed.base import EmbedderLike, Fingerprint
from kure_rag.embed.cards import CARDS, ModelCard, find_card
from kure_rag.embed.foreign import as_embedder
from kure_rag.embed.late import LateInteractionEmbedder, maxsim
from kure_rag.embed.model import Embedder
from kure_rag.embed.rerank import KureReranker, Ranked
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.sparse import SparseEmbedder, SparseVectors

__all__ = [
    "CARDS",
    "EmbedSettings",
    "Embedder",
    "EmbedderLike",
    "Fingerprint",
    "KureReranker",
    "LateInteractionEmbedder",
    "ModelCard",
    "Ranked",
    "SparseEmbedder",
    "SparseVectors",
    "as_embedder",
    "find_card",
    "maxsim",
]
