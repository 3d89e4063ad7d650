"""One's own results, as they lie in folders: saved runs of ``kure-rag eval --save``, and result folders of mteb."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kure_rag.errors import KureError
from kure_rag.leaderboard.entry import KS, METRICS, TASKS, Score
from kure_rag.leaderboard.result import Result, result_of

if TYPE_CHECKING:
    from kure_rag.evaluate.mteb_results import MtebRow

RUN_FILE: Final = "run.json"
_UNFINISHED: Final = "progress.jsonl"
_DIGITS: Final = 8  # of a digest, in a name


def find_results(folders: Sequence[Path]) -> tuple[list[Result], list[str]]:
    """All that can be read below some folders.

    Args:
        folders: Each a folder of saved runs, one saved run, or results of mteb; both kinds may lie side by side.

    Returns:
        The results, and a sentence for each thing that could not be read; what is well beside it is there. A set whose
        name another one has too, with other data, is called ``name @`` and the beginning of its digest.
    """
    results: list[Result] = []
    problems: list[str] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            what = "is no folder" if folder.exists() else "no such folder"
            problems.append(f"{folder}: {what}; give --runs the one that `kure-rag eval --save` wrote to")
            continue
        known = len(seen) + len(problems)
        found = list(_results_in(folder, seen, problems))
        if not found and known == len(seen) + len(problems) and folder.resolve() not in seen:
            problems.append(f"{folder}: neither saved runs nor results of mteb in it")
        seen.add(folder.resolve())
        results += found
    problems += _same_names(results)
    return _told_apart(results, problems), problems


def _results_in(folder: Path, seen: set[Path], problems: list[str]) -> Iterator[Result]:
    own = [folder] if (folder / RUN_FILE).is_file() else []
    runs = own or sorted(path.parent for path in folder.rglob(RUN_FILE))
    for run in runs:
        if run.resolve() not in seen:  # the same folder given twice is one
            seen.add(run.resolve())
            yield from _saved(run, problems)
    unfinished = [path.parent for path in sorted(folder.rglob(_UNFINISHED)) if path.parent not in runs]
    problems += [f"{run}: not finished yet; give the same `kure-rag eval` command to go on" for run in unfinished]
    if own:
        return
    # mteb's own layout begins with a folder `results`, and may lie beside saved runs.
    apart = {folder / run.relative_to(folder).parts[0] for run in (*runs, *unfinished) if run != folder}
    places = sorted(path for path in folder.iterdir() if path.is_dir() and path not in apart) if apart else [folder]
    for place in places:
        if place.resolve() not in seen and any(place.rglob("*.json")):
            seen.add(place.resolve())
            yield from _mteb(place, problems)


def _saved(folder: Path, problems: list[str]) -> Iterator[Result]:
    from kure_rag.evaluate import read_saved_run

    try:
        yield result_of(read_saved_run(folder))
    except (KureError, OSError) as error:
        problems.append(f"{folder}: {error}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:  # JSON of another shape
        reason = f"no {error}" if isinstance(error, KeyError) else error
        problems.append(f"{folder}: not as `kure-rag eval` writes it ({reason}); evaluate again")


def _mteb(folder: Path, problems: list[str]) -> Iterator[Result]:
    from kure_rag.evaluate.mteb_results import read_mteb_results

    def refused(problem: str) -> None:
        problems.append(f"{folder}: {problem}")

    try:
        rows = read_mteb_results(folder, on_problem=refused)
    except (KureError, OSError) as error:
        problems.append(str(error))
        return
    tasks: dict[tuple[str, str, str, str], list[MtebRow]] = {}
    for row in rows:
        tasks.setdefault((row.model, row.pipeline, row.revision, row.task), []).append(row)
    for (model, pipeline, revision, task), values in tasks.items():
        yield Result(
            model=model,
            pipeline=pipeline,
            identity=json.dumps([model, pipeline, revision, str(folder.resolve())]),
            task=task,
            name=revision[:12],
            place=folder,
            scores={(row.metric, row.k): Score(row.value) for row in values if row.metric in METRICS and row.k in KS},
        )


def _told_apart(results: Sequence[Result], problems: list[str]) -> list[Result]:
    """Scores on different data under one name are not to be ranked together, nor to make up one average."""
    runs: defaultdict[tuple[bool, str], defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.digest:
            runs[bool(result.sts), result.task][result.digest].append(result.name)
    several = {key: digests for key, digests in runs.items() if len(digests) > 1}
    for (_, task), digests in several.items():
        named = "; ".join(f"{_with_digest(task, one)}: {', '.join(names)}" for one, names in sorted(digests.items()))
        average = " and none of them counts as the task of that name" if task in TASKS else ""
        problems.append(
            f"{len(digests)} sets are called {task!r} and hold different data ({named}); their scores do not compare, "
            f"so each has a table of its own{average}. To have one table, evaluate all on the same files"
        )
    return [
        replace(result, task=_with_digest(result.task, result.digest))
        if result.digest and (bool(result.sts), result.task) in several
        else result
        for result in results
    ]


def _with_digest(task: str, digest: str) -> str:
    return f"{task} @{digest[:_DIGITS]}"


def _same_names(results: Sequence[Result]) -> Iterator[str]:
    first: dict[str, Path] = {}
    for result in results:
        if result.saved and first.setdefault(result.name, result.place) != result.place:
            yield (
                f"two runs are called {result.name!r}: {first[result.name]} and {result.place}; both are shown, the "
                "folder beside the name tells them apart. To rename one, rename its folder"
            )
