"""Sentence pairs with a similarity from 0 to 5: KorSTS's table and KLUE-STS's JSON.

The formats are read in one place, :mod:`kure_rag.evaluate.sts_sets`; training streams them.
"""

from __future__ import annotations

from kure_rag.evaluate.sts_sets import read_sts_pairs as read_sts

__all__ = ["read_sts"]
