"""Which queries are held back together: those that share answers."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Sequence


def connected(pairs: array[int]) -> tuple[list[int], list[int]]:
    """Digests of queries in their order, and the number of the group of each: those that share answers.

    Args:
        pairs: Digests of a query and its positive by turns.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    both = np.frombuffer(pairs, dtype=np.uint64).reshape(-1, 2)
    queries, first = np.unique(both[:, 0], return_inverse=True)
    positives, second = np.unique(both[:, 1], return_inverse=True)
    size = len(queries) + len(positives)
    edges = coo_array((np.ones(len(both), dtype=np.int32), (first, second + len(queries))), shape=(size, size))
    _, labels = connected_components(edges, directed=False)
    return queries.tolist(), labels[: len(queries)].tolist()


def choose(queries: Sequence[int], groups: Sequence[int], count: int) -> frozenset[int]:
    """About so many queries, in whole groups; just so many where the groups are too large for that."""
    members: dict[int, list[int]] = {}
    for query, group in zip(queries, groups, strict=True):
        members.setdefault(group, []).append(query)
    found: list[int] = []
    for alike in members.values():  # in the order of their smallest digests
        if len(found) + len(alike) / 2 > count:
            continue
        found += alike
        if len(found) >= count:
            break
    return frozenset(found if 2 * len(found) >= count else heapq.nsmallest(count, queries))
