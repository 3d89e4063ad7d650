"""Evaluations on sentence pairs that are kept, in the folders of :mod:`kure_rag.evaluate.saved`.

``run.json`` holds the eight correlations times 100, as they are printed, and those of a sweep under ``sweep``;
``pairs.tsv`` each pair's id, score and four similarities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.evaluate.journal_file import refuse_other
from kure_rag.evaluate.measure import hardware, peak_memory, versions
from kure_rag.evaluate.pairs import SIMILARITIES
from kure_rag.evaluate.saved import FORMAT, MEASURED, RUN, SavedRun, read_saved_run, write_json
from kure_rag.evaluate.sts import StsEvaluation, StsScores

if TYPE_CHECKING:
    from kure_rag.evaluate.sts_sets import StsSet

PAIRS: Final = "pairs.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class StsTimes:
    """What two evaluations of the same differ in.

    Attributes:
        started: When the first sentence was embedded, in ISO 8601.
        seconds: From there until all vectors were there and scored.
    """

    started: str
    seconds: float


def sts_identity(
    sts_set: StsSet, *, model: str, settings: Mapping[str, Any], fingerprint: Mapping[str, Any]
) -> dict[str, Any]:
    """All that the result depends on, as JSON values: what ``run.json`` begins with.

    Args:
        sts_set: What was evaluated.
        model: The embedding model's name.
        settings: How: role, resamples, seed and what else was chosen.
        fingerprint: The embedder's.
    """
    return {
        "format": FORMAT,
        "kind": "sts",
        "task": sts_set.name,
        "task_sha256": sts_set.sha256,
        "model": model,
        "pipeline": "dense",
        "settings": dict(settings),
        "fingerprint": dict(fingerprint),
        "versions": versions(),
    }


def check_sts_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raises before the work where a folder holds a run of something else.

    Raises:
        ConfigError: It does; the message names where they differ.
        CorpusFormatError: Its ``run.json`` is no run.
    """
    if (folder / RUN).is_file():
        data = read_saved_run(folder).data
        refuse_other(folder, {key: data.get(key) for key in identity}, identity, "a finished run")


def save_sts_run(
    folder: Path, identity: Mapping[str, Any], sts_set: StsSet, found: StsEvaluation, times: StsTimes
) -> SavedRun:
    """Writes a run's files; ``run.json`` comes last, so that a folder with one is whole.

    Args:
        folder: The run's; it is made.
        identity: From :func:`sts_identity`.
        sts_set: What was evaluated.
        found: The scores.
        times: How long it took.

    Raises:
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{PAIRS}.part"
    try:
        part.write_text("".join(_rows(sts_set, found)), encoding="utf-8", newline="\n")
        part.replace(folder / PAIRS)
    finally:
        part.unlink(missing_ok=True)
    measured = {
        "started": times.started,
        "finished": now(),
        "seconds": round(times.seconds, 3),
        "peak_memory_bytes": peak_memory(),
    }
    write_json(folder / MEASURED, measured)
    data = {
        **identity,
        "hardware": hardware(),
        "queries": len(sts_set.pairs),
        "metrics": as_metrics(found.scores),
        "sweep": {str(scores.dimension): as_metrics(scores) for scores in found.sweep},
    }
    write_json(folder / RUN, data)
    return read_saved_run(folder)


def as_metrics(scores: StsScores) -> dict[str, dict[str, float]]:
    """The correlations times 100 for JSON; ``mean`` is what saved runs call the value that an interval belongs to."""
    return {name: {"mean": one.value, "low": one.low, "high": one.high} for name, one in scores.correlations.items()}


def now() -> str:
    """The time in UTC to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _rows(sts_set: StsSet, found: StsEvaluation) -> Iterator[str]:
    yield "\t".join(("id", "score", *SIMILARITIES)) + "\n"
    columns = [found.similarities[name].tolist() for name in SIMILARITIES]
    for pair, *values in zip(sts_set.pairs, *columns, strict=True):
        identifier = " ".join(pair.id.split())  # a tab or a line break would add a column or a line
        yield "\t".join((identifier, repr(pair.score), *map(repr, values))) + "\n"
