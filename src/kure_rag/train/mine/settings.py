"""How negatives are mined."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from kure_rag.search import FoldSettings
from kure_rag.types import MODES, Mode

Sampling = Literal["top", "random"]
Verdict = Literal["margin", "most", "least"]
SAMPLINGS: Final[tuple[Sampling, ...]] = get_args(Sampling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Which scores a negative may have, beside the positive's; each bound is off where it is ``None``.

    Attributes:
        relative: At most this share of the positive's score, from 0 to 1: .95 is "TopK-PercPos" of NV-Retriever (arXiv
            2407.15831), the best of those it compares. Of a positive below zero, as far below it.
        absolute: At least so far below the positive's score.
        most: At most this score, whatever the positive has.
        least: At least this score: what is further off teaches nothing.
    """

    relative: float | None = None
    absolute: float | None = None
    most: float | None = None
    least: float | None = None

    def __post_init__(self) -> None:
        for name in ("relative", "absolute", "most", "least"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name}={value}: give a number, or None to leave it off")
        if self.relative is not None and not 0 < self.relative <= 1:
            raise ValueError(f"relative={self.relative}: a share of the positive's score is above 0 and at most 1")
        if self.absolute is not None and self.absolute < 0:
            raise ValueError(f"absolute={self.absolute}: a distance below the positive's score is 0 or more")
        if self.most is not None and self.least is not None and self.least > self.most:
            raise ValueError(f"least={self.least} is above most={self.most}: no score is between them")

    @property
    def is_set(self) -> bool:
        """Whether any bound is."""
        return any(value is not None for value in (self.relative, self.absolute, self.most, self.least))

    def limit(self, positive: float) -> float:
        """The highest score that a negative beside this positive may have, ``most`` aside."""
        limits = [math.inf]
        if self.relative is not None:
            limits.append(positive * (self.relative if positive >= 0 else 2 - self.relative))
        if self.absolute is not None:
            limits.append(positive - self.absolute)
        return min(limits)

    def verdict(self, score: float, positive: float) -> Verdict | None:
        """Why a passage of this score is no negative, or ``None`` where it is one."""
        if score > self.limit(positive):
            return "margin"
        if self.most is not None and score > self.most:
            return "most"
        if self.least is not None and score < self.least:
            return "least"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MineSettings:
    """How negatives are looked for and which are kept. The model is that of the index.

    Attributes:
        mode: ``hybrid``, ``lexical`` or ``dense``: who ranks the candidates.
        negatives: Wanted for each pair of a question and a positive.
        depth: Ranks looked at.
        skip: First ranks that are passed over, whatever stands there.
        dense: Bounds of the cosine between question and passage, by the index's model; :class:`Margin` without bounds
            measures none.
        reranker: A cross-encoder that judges what is left, by name or folder.
        rerank: Bounds of its scores, which run from 0 to 1 for those that end in one label.
        sampling: ``top`` takes the highest ranks that are left, ``random`` any of them.
        seed: Of ``random``. Each pair draws by itself, so that others do not change its negatives.
        keep_short: Also write pairs with fewer negatives than wanted. Those with none are never written.
        fold: When a candidate is a near-duplicate of a positive, or of a candidate before it; ``None`` drops equal
            texts only.
        batch: Questions searched at once, and kept together for an interrupted run.
    """

    mode: Mode = "hybrid"
    negatives: int = 5
    depth: int = 50
    skip: int = 0
    dense: Margin = field(default_factory=lambda: Margin(relative=0.95))
    reranker: str | None = None
    rerank: Margin = field(default_factory=lambda: Margin(relative=0.95))
    sampling: Sampling = "top"
    seed: int = 0
    keep_short: bool = False
    fold: FoldSettings | None = field(default_factory=FoldSettings)
    batch: int = 64

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r}: choose one of {', '.join(MODES)}")
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling={self.sampling!r}: choose one of {', '.join(SAMPLINGS)}")
        for name in ("negatives", "depth", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: it is 1 or more")
        for name in ("skip", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: it is 0 or more")
        if self.depth - self.skip < self.negatives:
            raise ValueError(
                f"depth={self.depth} less skip={self.skip} leaves fewer ranks than the {self.negatives} negatives "
                "wanted; look deeper, or want fewer"
            )

    @property
    def measures_cosines(self) -> bool:
        """Whether cosines are known: a keyword search without bounds on them needs no vectors."""
        return self.mode != "lexical" or self.dense.is_set
