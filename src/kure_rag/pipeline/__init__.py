"""The rooms joined: the object a user holds."""

from kure_rag.pipeline.entries import Entry, entry_of
from kure_rag.pipeline.index import KureIndex
from kure_rag.pipeline.parts import Progress, RowListener

__all__ = ["Entry", "KureIndex", "Progress", "RowListener", "entry_of"]
