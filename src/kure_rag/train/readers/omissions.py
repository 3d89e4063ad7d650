"""Rows that a reader leaves out, and why: counted, and said."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Omissions:
    """Counts the rows that readers leave out. Pass one to a reader to ask it afterwards; otherwise the reader logs it.

    Attributes:
        counts: (file's name, reason) → rows.
        first: (file's name, reason) → where the first of them stands, such as ``line 24426``.
    """

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    first: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, name: str, place: str, reason: str) -> None:
        """Counts one row."""
        key = (name, reason)
        self.counts[key] = self.counts.get(key, 0) + 1
        self.first.setdefault(key, place)

    @property
    def total(self) -> int:
        """How many rows were left out of all files together."""
        return sum(self.counts.values())

    def lines(self) -> list[str]:
        """A sentence for each file and reason, for a log or a model card."""
        return [
            f"{name}: {count} {'row' if count == 1 else 'rows'} left out, {reason} (the first at {self.first[key]})"
            for key, count in self.counts.items()
            for name, reason in [key]
        ]

    def log(self) -> None:
        """Logs them as warnings."""
        for line in self.lines():
            _log.warning("%s", line)
