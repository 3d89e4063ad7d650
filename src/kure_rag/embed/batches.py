"""Which texts go through a model together: of nearly one length, and as many as a token budget allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def batches(lengths: Sequence[int], budget: int, *, multiple: int = 1) -> Iterator[list[int]]:
    """Positions of texts, longest first, grouped so that a padded group stays within a token budget.

    Sorting by tokens rather than by characters is what keeps padding near zero: characters a token vary widely in
    Korean. The longest come first, so that memory runs out at once or not at all.

    Args:
        lengths: Tokens of each text.
        budget: Most tokens of one group, ``rows * longest`` with padding; a single longer text is a group of its own.
        multiple: Lengths are rounded up to this when padded.

    Yields:
        Every position once.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    at = 0
    while at < len(order):
        longest = max(1, -(-lengths[order[at]] // multiple) * multiple)
        rows = max(1, budget // longest)
        yield order[at : at + rows]
        at += rows


def padding_waste(lengths: Sequence[int], groups: Sequence[Sequence[int]], *, multiple: int = 1) -> float:
    """Tokens computed for each token of text, 1 at best: what padding to the longest of each group costs."""
    real = sum(lengths)
    padded = sum(-(-max(lengths[i] for i in group) // multiple) * multiple * len(group) for group in groups if group)
    return padded / real if real else 1.0
