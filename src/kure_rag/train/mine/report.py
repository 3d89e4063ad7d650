"""What was mined, in numbers: the same for the same questions, settings and index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FILTERS: Final = {
    "judged": "judged relevant",
    "equal": "the same text as a positive",
    "near": "a near-duplicate of a positive",
    "skipped": "among the first ranks, which are passed over",
    "repeated": "the text of a candidate before it, or nearly",
    "margin": "cosine too near to the positive's",
    "most": "cosine too high",
    "least": "cosine too low",
    "rerank_margin": "reranker's score too near to the positive's",
    "rerank_most": "reranker's score too high",
    "rerank_least": "reranker's score too low",
    "unused": "enough were found without it",
}
"""Why a candidate is not taken, in the order in which it is found out."""

BINS: Final = 30
WIDTH: Final = 0.05
"""Of a bin: shares from 0 to 1.5, those below and above in the first and the last."""


@dataclass(slots=True)
class Ratios:
    """How near candidates come to the positive: cosine over the positive's cosine, in bins of :data:`WIDTH`.

    Attributes:
        kept: Those that the bounds leave, by bin.
        refused: Those that they do not.
        unsaid: Candidates beside a positive whose cosine is not above zero, which have no such share.
    """

    kept: list[int] = field(default_factory=lambda: [0] * BINS)
    refused: list[int] = field(default_factory=lambda: [0] * BINS)
    unsaid: int = 0

    def add(self, cosine: float, positive: float, *, kept: bool) -> None:
        """Counts one candidate."""
        if positive <= 0:
            self.unsaid += 1
            return
        place = min(BINS - 1, max(0, int(cosine / positive / WIDTH)))
        (self.kept if kept else self.refused)[place] += 1

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"width": WIDTH, "kept": list(self.kept), "refused": list(self.refused), "unsaid": self.unsaid}


@dataclass(slots=True)
class Tally:
    """Sums over questions.

    Attributes:
        questions: Asked.
        pairs: Of a question and one of its positives.
        rows: Pairs that are written.
        short: Pairs with some negatives, but fewer than wanted.
        without: Pairs with none, which are never written.
        negatives: In the rows written.
        candidates: That were looked at, over all pairs.
        taken: Of those, also for pairs that are not written.
        dropped: Why the others were not, by the names of :data:`FILTERS`.
        ratios: See :class:`Ratios`.
    """

    questions: int = 0
    pairs: int = 0
    rows: int = 0
    short: int = 0
    without: int = 0
    negatives: int = 0
    candidates: int = 0
    taken: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    ratios: Ratios = field(default_factory=Ratios)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        dropped = {name: self.dropped[name] for name in FILTERS}
        return {**counts, "dropped": dropped, "ratios": self.ratios.to_dict()}

    def add(self, other: Mapping[str, Any]) -> None:
        """Adds sums as :meth:`to_dict` gives them."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + int(other[name]))
        self.dropped.update(other["dropped"])
        ratios = other["ratios"]
        self.ratios.kept = [a + b for a, b in zip(self.ratios.kept, ratios["kept"], strict=True)]
        self.ratios.refused = [a + b for a, b in zip(self.ratios.refused, ratios["refused"], strict=True)]
        self.ratios.unsaid += ratios["unsaid"]


_COUNTS: Final = ("questions", "pairs", "rows", "short", "without", "negatives", "candidates", "taken")


@dataclass(frozen=True, slots=True)
class MineReport:
    """What a run of :func:`~kure_rag.train.mine.mine` wrote.

    Attributes:
        out: The triplets.
        data: The report file beside them, as it is: ``identity`` (all that they depend on), ``sha256`` of the triplets,
            and the sums of :class:`Tally`.
        resumed: Questions that an earlier, interrupted run had answered.
        finished_before: Whether all was there already, and nothing was done.
        seconds: Wall time of this run, without making the index.
    """

    out: Path
    data: Mapping[str, Any]
    resumed: int = 0
    finished_before: bool = False
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Triplets written."""
        return int(self.data["rows"])

    @property
    def dropped(self) -> dict[str, int]:
        """Candidates that were not taken, by the names of :data:`FILTERS`."""
        return dict(self.data["dropped"])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "out": str(self.out),
            **self.data,
            "resumed": self.resumed,
            "finished_before": self.finished_before,
            "seconds": round(self.seconds, 3),
        }
