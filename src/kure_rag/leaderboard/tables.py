"""The tables: what stands in which column, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kure_rag.leaderboard.entry import AVERAGE, TASKS, Entry, Score

Cell = str | float | int | None
Kind = Literal["text", "score", "number"]
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column.

    Attributes:
        name: A task, or a word of :mod:`kure_rag.leaderboard.words`.
        kind: ``score`` is from 0 to 1 and shown with five decimals; ``number`` is any other.
        scope: Of a score: the task, or :data:`~kure_rag.leaderboard.entry.AVERAGE`.
    """

    name: str
    kind: Kind = "text"
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        name: ``main``, or the set's name.
        columns: From left to right.
        rows: One cell a column; ``None`` where nothing is known.
        entries: The entry of each row.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    entries: tuple[Entry, ...]


_MAIN: Final = (
    Column(name="rank", kind="number"),
    Column(name="model"),
    Column(name="origin"),
    Column(name="average", kind="score", scope=AVERAGE),
    *(Column(name=task, kind="score", scope=task) for task in TASKS),
    Column(name="parameters", kind="number"),
)


def main_table(entries: Iterable[Entry], metric: str, k: int) -> Table:
    """All rows with a score on one of the eight tasks, the best average first, those without one last.

    Args:
        entries: Published and own ones.
        metric: One of :data:`kure_rag.leaderboard.entry.METRICS`.
        k: One of :data:`kure_rag.leaderboard.entry.KS`.
    """
    there = [entry for entry in entries if entry.tasks.intersection(TASKS)]
    ordered = _best_first(there, AVERAGE, metric, k)
    rows: list[tuple[Cell, ...]] = []
    for entry in ordered:
        scores = [entry.value(scope, metric, k) for scope in (AVERAGE, *TASKS)]
        rank = len(rows) + 1 if scores[0] is not None else None
        rows.append((rank, entry.label, entry.origin, *scores, _millions(entry.parameters)))
    return Table(name="main", columns=_MAIN, rows=tuple(rows), entries=tuple(ordered))


def other_tasks(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The sets beside the eight tasks that some row has scores on."""
    return tuple(sorted({task for entry in entries for task in entry.tasks}.difference(TASKS)))


def other_table(entries: Iterable[Entry], task: str, metric: str, k: int) -> Table:
    """All rows with a score on one set, the best first, with their intervals and how fast they were."""
    columns = (
        Column(name="model"),
        Column(name="run"),
        Column(name="value", kind="score", scope=task),
        Column(name="low", kind="score"),
        Column(name="high", kind="score"),
        Column(name="queries", kind="number"),
        Column(name="queries_per_second", kind="number"),
        Column(name="latency_ms", kind="number"),
        Column(name="parameters", kind="number"),
        Column(name="hardware"),
    )
    there = [entry for entry in entries if task in entry.tasks]
    ordered = _best_first(there, task, metric, k)
    rows: list[tuple[Cell, ...]] = []
    for entry in ordered:
        score, speed = entry.scores.get((task, metric, k)), entry.speeds.get(task)
        rows.append(
            (
                entry.label,
                entry.runs.get(task),
                *_with_interval(score),
                entry.queries.get(task),
                None if speed is None else speed.queries_per_second,
                None if speed is None else speed.latency_ms,
                _millions(entry.parameters),
                None if speed is None else speed.hardware,
            )
        )
    return Table(name=task, columns=columns, rows=tuple(rows), entries=tuple(ordered))


def sts_sets(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The sets of sentence pairs that some row has scores on."""
    return tuple(sorted({name for entry in entries for name in entry.sts}))


def sts_table(entries: Iterable[Entry], name: str) -> Table:
    """All rows with scores on one set of sentence pairs; the scores are in hundredths, as such tables print them."""
    there = sorted((entry for entry in entries if name in entry.sts), key=lambda entry: entry.label)
    measures = tuple(dict.fromkeys(measure for entry in there for measure in entry.sts[name]))
    columns = (Column(name="model"), Column(name="run"), *(Column(name=one, kind="number") for one in measures))
    rows = tuple(
        (entry.label, entry.runs.get(name), *(_value(entry.sts[name].get(measure)) for measure in measures))
        for entry in there
    )
    return Table(name=name, columns=columns, rows=rows, entries=tuple(there))


def to_csv(table: Table) -> str:
    """A table with its whole numbers, as CSV that spreadsheets open: a heading line, then its rows."""
    return _csv([column.name for column in table.columns], table.rows)


def values_csv(entries: Iterable[Entry]) -> str:
    """Every value of every row: label, model, pipeline, origin, task, metric, k, value, and its interval."""
    headings = ("label", "model", "pipeline", "origin", "task", "metric", "k", "value", "low", "high")
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        head = (entry.label, entry.model, entry.pipeline, entry.origin)
        rows += [(*head, *key, *_with_interval(score)) for key, score in entry.scores.items()]
        for name, measures in entry.sts.items():
            rows += [(*head, name, measure, None, *_with_interval(score)) for measure, score in measures.items()]
    return _csv(headings, rows)


def _best_first(entries: Iterable[Entry], scope: str, metric: str, k: int) -> list[Entry]:
    def place(entry: Entry) -> tuple[bool, float, str]:
        value = entry.value(scope, metric, k)
        return value is None, -(value or 0.0), entry.label

    return sorted(entries, key=place)


def _csv(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _harmless(cell: Cell) -> Cell:
    """A name that a spreadsheet would take for a formula, as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _millions(parameters: int | None) -> float | None:
    return None if parameters is None else round(parameters / MILLION, 1)


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value


def _with_interval(score: Score | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if score is None else (score.value, score.low, score.high)
