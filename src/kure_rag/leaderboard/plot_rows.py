"""What the plots draw, as plain rows: points of quality against size and speed, and the radar's corners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log10
from typing import Any, Final

from kure_rag.leaderboard.entry import AVERAGE, TASKS, Entry
from kure_rag.leaderboard.tables import MILLION, other_tasks

Row = dict[str, Any]
AXES: Final = ("size", "speed")
"""Millions of parameters, and milliseconds that a question takes: of both the fewer the better."""
_NAME_WIDTH: Final = 0.4  # decades of a plot's logarithmic axis
_NAME_HEIGHT: Final = 0.05  # of what the values span
_SHOWN: Final = 3  # published rows in the radar at first, the best


def scopes(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What a plot's quality can be: the average, one of the eight tasks, or another set that some row has."""
    return (AVERAGE, *TASKS, *other_tasks(entries))


def scopes_with(axis: str, entries: Iterable[Entry]) -> tuple[str, ...]:
    """The scopes of which a plot over ``size`` or ``speed`` has anything to show."""
    there = tuple(entries)
    return tuple(
        scope
        for scope in scopes(there)
        if any(_where(entry, axis, scope) and entry.value(scope, "ndcg", 10) is not None for entry in there)
    )


def _where(entry: Entry, axis: str, scope: str) -> float | None:
    """Its place on an axis: millions of parameters, or milliseconds."""
    if axis == "speed":
        return entry.latency_ms(scope)
    return None if entry.parameters is None else entry.parameters / MILLION


def points(entries: Sequence[Entry], scope: str, metric: str, k: int) -> list[Row]:
    """A row for each entry with a score: its quality, size, speed, and which of them to name in a plot.

    Args:
        entries: The board's.
        scope: One of :func:`scopes`.
        metric: Of the quality.
        k: Of the metric.
    """
    rows = []
    for entry in entries:
        value = entry.value(scope, metric, k)
        if value is not None:
            rows.append(
                {
                    "model": entry.label,
                    "origin": entry.origin,
                    "value": round(value, 5),
                    **{axis: _where(entry, axis, scope) for axis in AXES},
                    "hardware": entry.hardware,
                }
            )
    for axis in AXES:
        _mark_front(rows, axis)
    return rows


def _mark_front(rows: Sequence[Row], axis: str) -> None:
    """Says of each point whether it is better than all that are no larger, or no slower, and names some."""
    for row in rows:
        row[f"{axis}_front"], row[f"{axis}_label"] = False, ""
    known = sorted((row for row in rows if row[axis]), key=lambda row: (row[axis], -row["value"]))
    best = -1.0
    for row in known:
        row[f"{axis}_front"] = row["value"] > best
        best = max(best, row["value"])
    _name_some(known, axis)


def _name_some(rows: Sequence[Row], axis: str) -> None:
    """Gives names to one's own points and to those of the front, where there is room beside them."""
    height = max((row["value"] for row in rows), default=0) - min((row["value"] for row in rows), default=0)
    named: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["origin"] != "own", -row["value"])):
        free = not any(
            abs(log10(row[axis] / other[axis])) < _NAME_WIDTH
            and abs(row["value"] - other["value"]) < _NAME_HEIGHT * height
            for other in named
        )
        wanted = (row["origin"] == "own" or row[f"{axis}_front"]) and free
        row[f"{axis}_label"] = short(row["model"]) if wanted else ""
        if wanted:
            named.append(row)


def short(label: str) -> str:
    """A label without its model's owner."""
    head, _, rest = label.partition(" ")
    name = head.rpartition("/")[2]
    return f"{name} {rest}" if rest else name


def corners(entries: Iterable[Entry], metric: str, k: int) -> list[Row]:
    """The radar's points: each entry's score on each of the eight tasks it has, with the task's number."""
    return [
        {"model": entry.label, "task": task, "number": number, "value": round(value, 5), "whole": entry.whole}
        for entry in entries
        for number, task in enumerate(TASKS)
        if (value := entry.value(task, metric, k)) is not None
    ]


def shown_first(entries: Iterable[Entry], metric: str, k: int) -> list[str]:
    """Labels that the radar draws before anything is chosen: the best published ones, and one's own best."""
    there = sorted(
        (entry for entry in entries if entry.value(AVERAGE, metric, k) is not None),
        key=lambda entry: -(entry.value(AVERAGE, metric, k) or 0.0),
    )
    chosen = [entry.label for entry in there if entry.origin == "published"][:_SHOWN]
    return chosen + [entry.label for entry in there if entry.origin == "own"][:_SHOWN]


def of_unknown_size(entries: Iterable[Entry]) -> list[str]:
    """Labels of rows with a model whose number of parameters is not known."""
    return [entry.label for entry in entries if entry.parameters is None and not entry.without_model]
