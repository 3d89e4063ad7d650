"""Grouping: a document's hits stand together, and no document fills the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How hits are grouped by document.

    Attributes:
        limit: Hits of one document, at most.
    """

    limit: int = 3

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"a group holds at least 1 hit, not {self.limit}")


def grouped(keys: Sequence[str], settings: GroupSettings) -> list[int]:
    """Positions of the hits that stay: groups by their best hit, within a group in order.

    Args:
        keys: Which group each hit belongs to, best hit first.
        settings: How many stay.
    """
    groups: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        group = groups.setdefault(key, [])
        if len(group) < settings.limit:
            group.append(i)
    return [i for group in groups.values() for i in group]
