"""Tables as KURE publishes them, out of rows of results: recall, precision, nDCG and F1 at 1, 3, 5 and 10.

A model's average is the plain mean of its tasks, and there only is one where it has all tasks that any model of the
table has: means of different tasks would look comparable and not be.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from kure_rag.evaluate.mteb_results import F1_KS, MtebRow

METRICS: Final[Mapping[str, str]] = {"recall": "Recall", "precision": "Precision", "ndcg": "NDCG", "f1": "F1"}
"""A metric's name in rows → in tables, in the order of columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """What a run is worth over all tasks, at one cut.

    Attributes:
        label: Model, and pipeline where it is not its vectors alone.
        k: The cut.
        values: Metric → mean of the tasks; empty where tasks are missing.
        missing: Tasks that others have and this run has not.
    """

    label: str
    k: int
    values: Mapping[str, float]
    missing: tuple[str, ...]


def averages(rows: Iterable[MtebRow], *, ks: Sequence[int] = F1_KS) -> list[Average]:
    """The mean over tasks of each run, best nDCG first, those with missing tasks last; cut by cut."""
    table = _by_run(rows)
    tasks = sorted({task for values in table.values() for task, _, _ in values})
    out: list[Average] = []
    for k in ks:
        some = []
        for label, values in table.items():
            missing = tuple(task for task in tasks if any((task, metric, k) not in values for metric in METRICS))
            means = {} if missing else {m: fmean(values[task, m, k] for task in tasks) for m in METRICS}
            some.append(Average(label=label, k=k, values=means, missing=missing))
        out += sorted(some, key=lambda one: (len(one.missing), -one.values.get("ndcg", 0.0), one.label))
    return out


def markdown(rows: Sequence[MtebRow], *, ks: Sequence[int] = F1_KS) -> str:
    """One table of averages for each cut, then one for each task and cut."""
    tasks = sorted({row.task for row in rows})
    parts = [f"Averages of {len(tasks)} task{'s' if len(tasks) != 1 else ''}: {', '.join(tasks)}\n"]
    found = averages(rows, ks=ks)
    for k in ks:
        heads = [f"Average {name}_top{k}" for name in METRICS.values()]
        lines = [(one.label, one.values, one.missing) for one in found if one.k == k]
        parts.append(f"## Top-k {k}\n\n{_table(heads, lines)}")
    runs = _by_run(rows)
    for task in tasks:
        for k in ks:
            lines = [
                (run, {metric: values[task, metric, k] for metric in METRICS if (task, metric, k) in values}, ())
                for run, values in runs.items()
                if (task, "ndcg", k) in values
            ]
            lines.sort(key=lambda line: (-line[1].get("ndcg", 0.0), line[0]))
            parts.append(f"## {task}, top-k {k}\n\n{_table([f'{name}_top{k}' for name in METRICS.values()], lines)}")
    lacking = {one.label: one.missing for one in found if one.missing}
    if lacking:
        notes = [f"- {label}: no average, without {', '.join(missing)}" for label, missing in lacking.items()]
        parts.append("\n".join(notes) + "\n")
    return "\n".join(parts)


def csv_text(rows: Iterable[MtebRow], *, ks: Sequence[int] = F1_KS) -> str:
    """The values and averages of :func:`markdown` as CSV: model, revision, pipeline, task, metric, k, value.

    Averages are rows of the task ``average``; a run with missing tasks has none.
    """
    rows = [row for row in rows if row.metric in METRICS and row.k in ks]
    names = labels(rows)
    whose = {names[_run(row)]: row for row in rows}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("model", "revision", "pipeline", "task", "metric", "k", "value"))
    for row in rows:
        writer.writerow((row.model, row.revision, row.pipeline, row.task, row.metric, row.k, f"{row.value:.6f}"))
    for one in averages(rows, ks=ks):
        run = whose[one.label]
        for metric, value in one.values.items():
            writer.writerow((run.model, run.revision, run.pipeline, "average", metric, one.k, f"{value:.6f}"))
    return out.getvalue()


def labels(rows: Iterable[MtebRow]) -> dict[tuple[str, str, str], str]:
    """(Model, pipeline, revision) → the name of the run, with the revision where the model has several."""
    runs = sorted({_run(row): row for row in rows}.items())
    several = Counter(row.label for _, row in runs)
    return {run: f"{row.label} @ {row.revision}" if several[row.label] > 1 else row.label for run, row in runs}


def _run(row: MtebRow) -> tuple[str, str, str]:
    return row.model, row.pipeline, row.revision


def _by_run(rows: Iterable[MtebRow]) -> dict[str, dict[tuple[str, str, int], float]]:
    """Name of a run → (task, metric, cut) → value."""
    rows = list(rows)
    names = labels(rows)
    table: dict[str, dict[tuple[str, str, int], float]] = {}
    for row in rows:
        if row.k is not None:
            table.setdefault(names[_run(row)], {})[row.task, row.metric, row.k] = row.value
    return table


def _table(heads: Sequence[str], lines: Iterable[tuple[str, Mapping[str, float], Sequence[str]]]) -> str:
    out = ["| Model | " + " | ".join(heads) + " |", "|:---|" + "---:|" * len(heads)]
    for label, values, _ in lines:
        cells = [f"{values[metric]:.5f}" if metric in values else "–" for metric in METRICS]
        out.append(f"| {_cell(label)} | {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
