"""Which texts go through a model together: of nearly one length, and as many as a token budget allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def batches(lengths: Sequence[int], budget: int, *, pass_tokens: int | None = None) -> Iterator[list[int]]:
    """Positions of texts, longest first, grouped so that a padded group stays within a token budget.

    Sorting by tokens rather than by characters is what keeps padding near zero: characters a token vary widely in
    Korean. The longest come first, so that memory runs out at once or not at all.

    Args:
        lengths: Tokens of each text.
        budget: Most tokens of one group, ``rows * longest`` with padding; a single longer text is a group of its own.
        pass_tokens: What one more pass costs beside its tokens, in tokens: a group ends before its texts are padded
            with more than that. ``None`` where texts are not padded, or passes must be large.

    Yields:
        Every position once.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    at = 0
    while at < len(order):
        longest = max(1, lengths[order[at]])
        end = min(len(order), at + max(1, budget // longest))
        if pass_tokens is not None:
            end = _before_padding(lengths, order, at, end, pass_tokens)
        yield order[at:end]
        at = end


def _before_padding(lengths: Sequence[int], order: Sequence[int], at: int, end: int, most: int) -> int:
    """Where the group that begins at ``at`` ends, so that its texts are padded with no more than ``most`` tokens."""
    longest, padding = lengths[order[at]], 0
    for i in range(at + 1, end):
        padding += longest - lengths[order[i]]
        if padding > most:
            return i
    return end


def padding_waste(lengths: Sequence[int], groups: Sequence[Sequence[int]]) -> float:
    """Tokens computed for each token of text, 1 at best: what padding to the longest of each group costs."""
    real = sum(lengths)
    padded = sum(max(lengths[i] for i in group) * len(group) for group in groups if group)
    return padded / real if real else 1.0
