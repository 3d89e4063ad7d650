"""What an unfinished run has mined so far: a file that is only added to, and survives a kill at any byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kure_rag.evaluate.journal_file import JournalFile

# Also read by somebody who trains on a domain, where the file lies in the training's folder and --out is the model's,
# most often because a library was upgraded: then the same command alone is no help.
ANEW: Final = "Choose another --out, or remove that file, so that all of it is mined again"
INSTEAD: Final = f"Give the same command again with the same versions, {ANEW[0].lower()}{ANEW[1:]}"


def journal_path(out: Path) -> Path:
    """Where the journal of these triplets lies."""
    return out.with_name(f"{out.name}.progress")


class MineJournal(JournalFile):
    """The journal of one file of triplets: each line but the first holds the rows and sums of a batch.

    A batch whose line a kill has cut off is mined again.

    Args:
        out: The triplets.
        identity: All that they depend on, as JSON values.

    Attributes:
        batches: Numbers of the batches that are there.

    Raises:
        ConfigError: It holds the rows of something else, and is left as it is; or another process is at work on it.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any]) -> None:
        self.batches: set[int] = set()
        path = journal_path(out)
        super().__init__(
            path,
            identity,
            busy=f"{out}: another process is mining it; wait for it, or choose another --out",
            place=path,
            what="unfinished triplets",
            instead=INSTEAD,
            tidy=True,
        )

    def add(self, number: int, rows: Sequence[Mapping[str, Any]], sums: Mapping[str, Any]) -> None:
        """Keeps a batch, for good when this returns."""
        self._append({"batch": number, "sums": sums, "rows": list(rows)})
        self.batches.add(number)

    def read(self) -> Iterator[dict[str, Any]]:
        """The batches, one in memory at a time."""
        for _, row in islice(self._lines(), 1, None):
            yield row

    def _take(self, row: Mapping[str, Any]) -> None:
        self.batches.add(int(row["batch"]))
