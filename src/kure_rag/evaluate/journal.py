"""What an unfinished evaluation has found so far: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.evaluate.journal_file import JournalFile

if TYPE_CHECKING:
    from kure_rag.evaluate.evaluate import Ranked

NAME: Final = "progress.jsonl"


class Journal(JournalFile):
    """The journal of one evaluation: each line but the first is a batch of rankings, or numbers to keep.

    A batch whose line a kill has cut off is asked again.

    Args:
        folder: The run's.
        identity: All that the result depends on, as JSON values.

    Attributes:
        answered: Query id → its ranking, of an earlier process.
        started: When the evaluation was begun, ISO 8601 in UTC.
        seconds: What all its batches took so far.
        noted: Numbers to keep.

    Raises:
        ConfigError: The folder holds an unfinished evaluation of something else, which is left as it is; or another
            process is at work on it.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.answered: dict[str, Ranked] = {}
        self.seconds = 0.0
        self.noted: dict[str, Any] = {}
        super().__init__(
            folder / NAME,
            identity,
            busy=f"{folder}: another process is evaluating into this folder; wait for it, or choose another --name",
            place=folder,
            what="an unfinished evaluation",
            first={"started": datetime.now(UTC).isoformat(timespec="seconds")},
        )
        self.started: str = self._first["started"]

    def add(self, found: Mapping[str, Ranked], seconds: float) -> None:
        """Keeps the rankings of a batch, for good when this returns."""
        self.seconds += seconds
        self._append({"seconds": seconds, "found": {query: list(ranked) for query, ranked in found.items()}})

    def note(self, **numbers: Any) -> None:
        """Keeps numbers, such as what indexing took."""
        self.noted.update(numbers)
        self._append({"noted": numbers})

    def _take(self, row: Mapping[str, Any]) -> None:
        self.noted.update(row.get("noted", {}))
        self.seconds += row.get("seconds", 0.0)
        found = row.get("found", {})
        self.answered.update({query: [(id_, score) for id_, score in ranked] for query, ranked in found.items()})
