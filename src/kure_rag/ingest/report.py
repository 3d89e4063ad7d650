"""What became of each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

Status = Literal["added", "updated", "unchanged", "removed", "rejected"]
STATUSES: Final = get_args(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRow:
    """One file, or one rejected record of a corpus.

    Attributes:
        source: The file's name.
        status: ``added``; ``updated`` when it took the place of an older version; ``unchanged`` when a document of the
            same bytes was there; ``removed`` when its file has left the folder; ``rejected``.
        reason: Why it was rejected, and what to do; empty otherwise.
        document_id: Empty for a rejected file.
        pages: Number of pages read.
        chunks: Number of chunks added.
        warnings: Pages that may be incomplete, such as ``p.3: no text layer``.
    """

    source: str
    status: Status
    reason: str = ""
    document_id: str = ""
    pages: int = 0
    chunks: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """All rows of one run, in the order of the files.

    Attributes:
        rows: One for each file, or for each record of a corpus.
        seconds: Wall-clock time.
    """

    rows: tuple[IngestRow, ...]
    seconds: float

    def counts(self) -> Mapping[str, int]:
        """How many rows have each status."""
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in STATUSES}

    @property
    def ok(self) -> bool:
        """Whether anything was done or already there."""
        return any(row.status != "rejected" for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rows": [asdict(row) for row in self.rows],
            **self.counts(),
            "pages": sum(row.pages for row in self.rows),
            "chunks": sum(row.chunks for row in self.rows),
            "seconds": round(self.seconds, 3),
        }
