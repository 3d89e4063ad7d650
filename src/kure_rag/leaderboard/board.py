"""The board: published rows, one's own rows, and what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kure_rag.leaderboard.entry import Entry, Key, Score
from kure_rag.leaderboard.found import find_results
from kure_rag.leaderboard.published import parameters_of, published_entries
from kure_rag.leaderboard.result import Result

_PLAIN: Final = ("dense", "lexical")  # where the model's name says it all


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All rows.

    Attributes:
        entries: Published ones first. Labels are unique.
        problems: A sentence for each file or folder that could not be read, and for names that mean two things.
    """

    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[Entry, ...]:
        """The user's own rows."""
        return tuple(entry for entry in self.entries if entry.origin == "own")


def make_board(folders: Sequence[Path] = ()) -> Board:
    """The published rows, and one's own from some folders.

    Runs of one model in one pipeline with the same settings on several sets share a row, where their indexes have the
    same fingerprint too. A set is one of the eight tasks by its name, as mteb has it: a set of your own should not be
    called so. Where saved runs have one set's name and different data, each has a name of its own, and
    :attr:`Board.problems` says which.

    Args:
        folders: Of saved runs, or of mteb's results. One that cannot be read is named in
            :attr:`Board.problems`, and the others are there all the same.
    """
    results, problems = find_results(folders)
    groups = _groups(results)
    labels = _labels(groups, {entry.label for entry in published_entries()})
    own = [_entry(label, group) for label, group in zip(labels, groups, strict=True)]
    own.sort(key=lambda entry: entry.label)
    return Board(entries=(*published_entries(), *own), problems=tuple(problems))


def _groups(results: Iterable[Result]) -> list[list[Result]]:
    """Results that share a row; a second one on the same set begins another."""
    groups: dict[tuple[str, int], list[Result]] = {}
    for result in results:
        turn = 0
        while any(other.task == result.task for other in groups.get((result.identity, turn), ())):
            turn += 1
        groups.setdefault((result.identity, turn), []).append(result)
    return list(groups.values())


def _labels(groups: Sequence[Sequence[Result]], taken: Iterable[str]) -> list[str]:
    """The shortest of three names for each that no other has."""
    names = [_names(group) for group in groups]
    chosen = [0] * len(groups)
    for level in (0, 1):
        counts = Counter([*taken, *(name[at] for name, at in zip(names, chosen, strict=True))])
        chosen = [
            level + 1 if at == level and counts[name[at]] > 1 else at for name, at in zip(names, chosen, strict=True)
        ]
    labels: list[str] = []
    used = Counter(taken)
    for name, at in zip(names, chosen, strict=True):
        used[name[at]] += 1
        labels.append(name[at] if used[name[at]] == 1 else f"{name[at]} #{used[name[at]]}")
    return labels


def _names(group: Sequence[Result]) -> tuple[str, str, str]:
    one = group[0]
    label = one.model if one.pipeline in _PLAIN else f"{one.model} ({one.pipeline})"
    runs = ", ".join(dict.fromkeys(result.name for result in group if result.name)) or one.place.name
    places = ", ".join(dict.fromkeys(str(result.place) for result in group))
    return label, f"{label} · {runs}", f"{label} · {runs} · {places}"


def _entry(label: str, group: Sequence[Result]) -> Entry:
    one = group[0]
    scores: dict[Key, Score] = {
        (result.task, *cut): score for result in group for cut, score in result.scores.items() if result.scores
    }
    return Entry(
        label=label,
        model=one.model,
        origin="own",
        pipeline=one.pipeline,
        parameters=_parameters(one),
        scores=scores,
        sts={result.task: result.sts for result in group if result.sts},
        speeds={result.task: result.speed for result in group if result.speed is not None},
        runs={result.task: result.name for result in group if result.name},
        queries={result.task: result.queries for result in group if result.queries is not None},
    )


def _parameters(result: Result) -> int | None:
    """Of the embedding model, where one had a say, and of the reranker; ``None`` where one of them is not known."""
    parts = [] if result.pipeline.startswith("lexical") else [parameters_of(result.model)]
    if "rerank" in result.pipeline:
        parts.append(parameters_of(result.reranker or ""))
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None
