"""Token ids of one pass as two rectangles: ids and attention mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


def padded(batch: Sequence[Sequence[int]], pad_id: int) -> tuple[Ids, Ids]:
    """Rows padded on their right.

    Args:
        batch: Token ids, at least one row.
        pad_id: The tokenizer's padding token.

    Returns:
        Ids and attention mask, each of shape (rows, length).
    """
    longest = max(1, *map(len, batch))
    ids = np.full((len(batch), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=np.int64)
    for i, row in enumerate(batch):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
