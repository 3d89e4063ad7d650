"""Training of the small bundled model. Only ``kure-rag train`` and its tests need this room; searching does not."""

from kure_rag.train.static import StaticReport, StaticSettings, train_static

__all__ = ["StaticReport", "StaticSettings", "train_static"]
