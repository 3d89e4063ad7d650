"""The published rows, from the data that comes with the package; see ``data/README.md`` for source and licence."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator
from importlib.resources import files

from kure_rag.leaderboard.entry import Entry, Key, Score


@functools.cache
def published_entries() -> tuple[Entry, ...]:
    """KURE's 18 models on its 8 tasks (December 2024), by their names."""
    scores: dict[str, dict[Key, Score]] = {}
    for row in _rows("kure_results.csv"):
        if row["k"]:  # main_score has none, and is nDCG@10 of each of these tasks
            key = (row["task"], row["metric"], int(row["k"]))
            scores.setdefault(row["model"], {})[key] = Score(float(row["value"]))
    return tuple(
        Entry(label=model, model=model, origin="published", parameters=parameters_of(model), scores=found)
        for model, found in sorted(scores.items())
    )


def parameters_of(model: str) -> int | None:
    """How many parameters a model has, ``None`` where that is not known.

    Args:
        model: Its name, an alias that kure-rag knows, or the folder of a local copy of a known one.
    """
    from kure_rag.embed.cards import find_card

    card = find_card(model)
    return _parameters().get(model if card is None else card.name)


@functools.cache
def _parameters() -> dict[str, int]:
    return {row["model"]: int(row["parameters"]) for row in _rows("parameters.csv")}


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("kure_rag.leaderboard").joinpath("data", name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
