"""A row of the leaderboard: one model in one pipeline, with its scores on any number of tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Origin = Literal["published", "own"]
Key = tuple[str, str, int]
"""Task, metric, k."""

METRICS: Final = ("ndcg", "recall", "precision", "f1", "mrr", "map")
KS: Final = (1, 3, 5, 10)
TASKS: Final = (
    "AutoRAGRetrieval",
    "BelebeleRetrieval",
    "Ko-StrategyQA",
    "MIRACLRetrieval",
    "MrTidyRetrieval",
    "MultiLongDocRetrieval",
    "PublicHealthQA",
    "XPQARetrieval",
)
"""The tasks of KURE's table, by the names that mteb has for them."""
AVERAGE: Final = "/average"
"""In place of a task's name: the plain mean over :data:`TASKS`, as KURE's README has it. No set is called so, since no
folder can be."""


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over queries.

    Attributes:
        value: From 0 to 1.
        low: Lower end of its 95 % interval; ``None`` where none is known.
        high: The upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast a run answered, on the machine it ran on.

    Attributes:
        queries_per_second: Of all its queries, as they were asked.
        latency_ms: The median of single queries, in milliseconds.
        hardware: What it ran on.
    """

    queries_per_second: float | None = None
    latency_ms: float | None = None
    hardware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row.

    Attributes:
        label: What it is called; no two rows of a board are called the same.
        model: The embedding model's name.
        origin: Whether its scores were published by KURE's authors or are the user's own.
        pipeline: ``dense``, ``lexical``, ``hybrid``, ``hybrid+rerank`` …
        parameters: Of the model; ``None`` where unknown.
        scores: Task, metric and k → score.
        sts: Set of sentence pairs → measure → score, such as ``cosine_spearman``, in hundredths.
        speeds: Task → speed.
        runs: Task → the saved run's name.
        queries: Task → how many queries its scores are means over.
    """

    label: str
    model: str
    origin: Origin
    pipeline: str = "dense"
    parameters: int | None = None
    scores: Mapping[Key, Score] = field(default_factory=dict)
    sts: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, int] = field(default_factory=dict)

    def value(self, scope: str, metric: str, k: int) -> float | None:
        """Its score on a task, or on :data:`AVERAGE`, which only a row with all eight tasks has."""
        if scope != AVERAGE:
            score = self.scores.get((scope, metric, k))
            return None if score is None else score.value
        values = [score.value for task in TASKS if (score := self.scores.get((task, metric, k))) is not None]
        return math.fsum(values) / len(TASKS) if len(values) == len(TASKS) else None

    def latency_ms(self, scope: str) -> float | None:
        """The median time of a single question on a task; on :data:`AVERAGE` the mean over all eight."""
        wanted = TASKS if scope == AVERAGE else (scope,)
        speeds = [speed.latency_ms for task in wanted if (speed := self.speeds.get(task)) is not None]
        known = [speed for speed in speeds if speed]
        return math.fsum(known) / len(known) if len(known) == len(wanted) else None

    @property
    def without_model(self) -> bool:
        """Whether it ranks by keywords alone."""
        return self.pipeline.partition(",")[0] == "lexical"  # mteb's results say settings after a comma

    @property
    def hardware(self) -> str:
        """What its speeds were measured on; empty where none was."""
        return "; ".join(dict.fromkeys(speed.hardware for speed in self.speeds.values() if speed.hardware))

    @property
    def tasks(self) -> frozenset[str]:
        """The retrieval tasks it has scores on."""
        return frozenset(task for task, _, _ in self.scores)

    @property
    def whole(self) -> bool:
        """Whether it has scores on all eight tasks."""
        return self.tasks.issuperset(TASKS)
