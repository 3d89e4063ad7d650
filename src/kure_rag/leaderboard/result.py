"""A result of one's own, and how it is taken from a saved run: a file that anybody may have edited."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kure_rag.leaderboard.entry import AVERAGE, KS, METRICS, Score, Speed

if TYPE_CHECKING:
    from kure_rag.evaluate import SavedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One model on one task.

    Attributes:
        model: The embedding model's name.
        pipeline: ``dense``, ``hybrid`` …
        reranker: The cross-encoder's name, where there is one and it is known.
        identity: What two results have in common that belong in one row: model, pipeline, settings, and what the
            vectors and the words were made with.
        task: The set's name.
        digest: Of the set's files; empty where unknown.
        name: The run's: of a saved run its folder's name, of mteb's results the model's revision.
        place: Where it was read.
        scores: (metric, k) → score.
        sts: Measure of sentence pairs → score.
        speed: ``None`` where it was not measured.
        queries: How many; ``None`` where unknown.
        saved: Whether it is a saved run, whose name its folder has.
    """

    model: str
    pipeline: str
    reranker: str | None = None
    identity: str
    task: str
    digest: str = ""
    name: str
    place: Path
    scores: Mapping[tuple[str, int], Score] = field(default_factory=dict)
    sts: Mapping[str, Score] = field(default_factory=dict)
    speed: Speed | None = None
    queries: int | None = None
    saved: bool = False


def result_of(run: SavedRun) -> Result:
    """What a saved run found.

    Raises:
        KeyError: A value is missing.
        TypeError: One is of another type than ``kure-rag eval`` writes.
        ValueError: A score of retrieval is not from 0 to 1, any other number is not finite, or a name is no text.
    """
    data = run.data
    sts = _text(data, "kind") == "sts"
    metrics = {_known(name): _score(value, bounded=not sts) for name, value in _object(data, "metrics").items()}
    settings, fingerprint = _object(data, "settings"), _object(data, "fingerprint")
    pipeline = "dense" if sts else _text(data, "pipeline")
    model, task = _whole_name(_text(data, "model")), _text(data, "task")
    if task == AVERAGE:
        raise ValueError(f"no set is called {task}")
    return Result(
        model=model,
        pipeline=pipeline,
        reranker=None if settings.get("reranker") is None else _text(settings, "reranker"),
        identity=json.dumps([model, pipeline, settings, fingerprint], sort_keys=True, ensure_ascii=False),
        task=task,
        digest=_text(data, "task_sha256"),
        name=run.name,
        place=run.folder,
        scores={} if sts else {cut: score for name, score in metrics.items() if (cut := _cut(name))},
        sts=metrics if sts else {},
        speed=_speed(run),
        queries=_count(data["queries"]) if data.get("queries") else None,
        saved=True,
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} is {reprlib.repr(value)}, no text")
    return _known(value)


def _known(text: str) -> str:
    """A text that can be written; half a character, which JSON can hold, cannot."""
    text.encode("utf-8")
    return text


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise TypeError(f"{name} is {reprlib.repr(value)}, no object")
    return value


def _score(value: Mapping[str, Any], *, bounded: bool) -> Score:
    """A mean and its interval; of retrieval from 0 to 1."""
    numbers = [_number(value[end]) for end in ("mean", "low", "high")]
    if bounded and not all(0 <= number <= 1 for number in numbers):
        raise ValueError(f"a score of {value['mean']}, {value['low']} to {value['high']}, is not from 0 to 1")
    return Score(*numbers)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{reprlib.repr(value)} is no number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is no score and no time")
    return number


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{reprlib.repr(value)} is no number of queries")
    return value


def _whole_name(model: str) -> str:
    """A model's name by which its published row goes too, not one of its aliases."""
    from kure_rag.embed.cards import find_card

    card = find_card(model)
    return model if card is None else card.name


def _cut(name: str) -> tuple[str, int] | None:
    """``ndcg@10`` in two; ``None`` for what the board does not show."""
    metric, _, k = name.partition("@")
    return (metric, int(k)) if metric in METRICS and k in {str(k) for k in KS} else None


def _speed(run: SavedRun) -> Speed | None:
    if not run.measured:
        return None
    machine = _object(run.data, "hardware")
    parts = (machine.get("gpu"), machine.get("cpu"), f"{machine['cores']} cores" if machine.get("cores") else None)
    return Speed(
        queries_per_second=_positive(run.measured.get("queries_per_second")),
        latency_ms=_positive((run.measured.get("latency_ms") or {}).get("p50")),
        hardware=_known(", ".join(str(part) for part in parts if part)),
    )


def _positive(value: Any) -> float | None:
    """A speed; ``None`` where it was not measured."""
    if not value:
        return None
    number = _number(value)
    if number < 0:
        raise ValueError(f"{number} is no speed")
    return number
