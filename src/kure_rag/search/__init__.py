"""Query → hits: legs, filters, fusion, and the stages after it."""

from kure_rag.index.rank_bm25 import Bm25Settings
from kure_rag.search.duplicates import FoldSettings
from kure_rag.search.fusion import ConvexFusion, Fusion, RrfFusion, convex, rrf
from kure_rag.search.group import GroupSettings
from kure_rag.search.mmr import MmrSettings
from kure_rag.search.neighbours import ExpandSettings
from kure_rag.search.options import SearchKeywords, SearchOptions
from kure_rag.search.pools import Pool, limited, rank_pool
from kure_rag.search.relevance import RelevanceSettings
from kure_rag.search.rerank import Reranker, RerankSettings
from kure_rag.search.searcher import Searcher

__all__ = [
    "Bm25Settings",
    "ConvexFusion",
    "ExpandSettings",
    "FoldSettings",
    "Fusion",
    "GroupSettings",
    "MmrSettings",
    "Pool",
    "RelevanceSettings",
    "RerankSettings",
    "Reranker",
    "RrfFusion",
    "SearchKeywords",
    "SearchOptions",
    "Searcher",
    "convex",
    "limited",
    "rank_pool",
    "rrf",
]
