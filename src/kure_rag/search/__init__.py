"""Query → hits: legs, filters and fusion."""

from kure_rag.search.fusion import ConvexFusion, Fusion, RrfFusion
from kure_rag.search.searcher import Searcher

__all__ = ["ConvexFusion", "Fusion", "RrfFusion", "Searcher"]
