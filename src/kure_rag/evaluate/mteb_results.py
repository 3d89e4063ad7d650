"""Results that mteb wrote, read as rows: which model, which task, which metric, which value.

mteb keeps one file a task, ``results/<model>/<revision>/<task>.json``, and below ``experiments/`` those of a model run
in another way than its own; ``model_meta.json`` beside them says whose they are. A clone of mteb's repository of
results has the same layout. Nothing here imports mteb.

Two things are as in KURE's published tables, found out from their values. A task that mteb runs in several languages
counts with its Korean queries on Korean documents, and one with several splits with their plain mean. F1@k is the
harmonic mean of the task's own precision@k and recall@k, not the mean of each query's F1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, NoReturn

from kure_rag.errors import CorpusFormatError, SourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

META_NAME: Final = "model_meta.json"
F1_KS: Final = (1, 3, 5, 10)
"""Where KURE's tables have F1."""

_MEASURES: Final = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")
_KS: Final = (1, 3, 5, 10, 20, 100, 1000)
_EXPERIMENTS: Final = "experiments"
_NO_REVISION: Final = "no_revision_available"  # what mteb calls the folder of a model without one
_LARGEST: Final = 64 * 1024 * 1024  # bytes; a result is some kilobytes
_KOREAN: Final = "kor"


@dataclass(frozen=True, slots=True, kw_only=True)
class MtebRow:
    """One value of one run.

    Attributes:
        model: Its name, such as ``nlpai-lab/KURE-v1``.
        revision: Of the model; empty where none is known.
        pipeline: ``dense`` for the model's vectors alone, ``lexical``, ``hybrid``, ``hybrid+rerank`` …, and after a
            comma what else was set otherwise than the model's card says, as ``dense, precision=bf16``.
        task: Its name in mteb.
        metric: ``ndcg``, ``recall``, ``precision``, ``f1``, ``map``, ``mrr``, ``hit_rate`` or ``main_score``.
        k: The cut; ``None`` for ``main_score``.
        value: From 0 to 1.
    """

    model: str
    revision: str
    pipeline: str
    task: str
    metric: str
    k: int | None
    value: float

    @property
    def label(self) -> str:
        """The model, with its pipeline where that is not its vectors alone."""
        return self.model if self.pipeline == "dense" else f"{self.model} ({self.pipeline})"


def read_mteb_results(folder: Path, *, on_problem: Callable[[str], None] | None = None) -> list[MtebRow]:
    """Every value below a folder, ordered by model, pipeline, revision, task, metric and cut.

    Args:
        folder: What ``kure-rag eval mteb --out`` wrote, or any folder that holds results in mteb's layout.
        on_problem: Called with a sentence for each file that cannot be read, which is then left out; without it the
            first one is raised.

    Raises:
        SourceNotFoundError: There is no such folder, or no result in it.
        CorpusFormatError: A file is no result of mteb's, or two are of one run, and there is no ``on_problem``.
    """
    if not folder.is_dir():
        raise SourceNotFoundError(str(folder), "no such folder; give the one that `kure-rag eval mteb --out` wrote to")
    rows: dict[tuple[str, str, str, str], tuple[Path, list[MtebRow]]] = {}
    found = False
    for file in _result_files(folder):
        found = True
        try:
            values = _read(file, folder)
            key = (values[0].model, values[0].pipeline, values[0].revision, values[0].task)
            if key in rows:
                first = rows[key][0].relative_to(folder)
                _refuse(file, folder, f"the same run of the same task as {first}; remove one of the two")
        except CorpusFormatError as error:
            if on_problem is None:
                raise
            on_problem(str(error))
            continue
        rows[key] = (file, values)
    if not found:
        raise SourceNotFoundError(str(folder), "no results of mteb in this folder, such as results/MODEL/REV/TASK.json")
    return [row for key in sorted(rows) for row in rows[key][1]]


def task_values(scores: Mapping[str, Any]) -> dict[tuple[str, int | None], float]:
    """(metric, cut) → value of one task, from the ``scores`` of its result.

    Raises:
        ValueError: They are no scores of retrieval; says what is wrong.
    """
    if not isinstance(scores, dict) or not scores:
        raise ValueError('"scores" is no object with a list for each split')
    splits = [_split(name, subsets) for name, subsets in sorted(scores.items())]
    names = [name for name in splits[0] if all(name in split for split in splits)]
    values = {name: fmean(split[name] for split in splits) for name in names}
    for k in F1_KS:
        if ("precision", k) in values and ("recall", k) in values:
            values["f1", k] = harmonic(values["precision", k], values["recall", k])
    return dict(sorted(values.items(), key=lambda item: (item[0][0], item[0][1] or 0)))


def harmonic(precision: float, recall: float) -> float:
    """F1 of a precision and a recall; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _split(name: str, subsets: object) -> dict[tuple[str, int | None], float]:
    if not isinstance(subsets, list) or not subsets or not all(isinstance(one, dict) for one in subsets):
        raise ValueError(f"split {name!r} is no list of subsets")
    wanted = [one for one in subsets if _is_korean(one.get("languages"))] or subsets
    columns: list[tuple[str, int | None, str]] = [("main_score", None, "main_score")]
    columns += [(measure, k, f"{measure}_at_{k}") for measure in _MEASURES for k in _KS]
    values = {
        (measure, k): fmean(_number(name, column, one[column]) for one in wanted)
        for measure, k, column in columns
        if all(column in one for one in wanted)
    }
    if ("ndcg", 10) not in values:
        raise ValueError(f"split {name!r} has no ndcg_at_10: these are no scores of a retrieval task")
    return values


def _is_korean(languages: object) -> bool:
    """Whether queries and documents are Korean: ``["kor-Hang", "kor-Hang"]``, not ``["kor-Hang", "eng-Latn"]``."""
    return isinstance(languages, list) and bool(languages) and all(str(one).startswith(_KOREAN) for one in languages)


def _number(split: str, column: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"split {split!r}: {column} is {value!r}, not a number from 0 to 1")
    return float(value)


def _result_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*.json")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.name != META_NAME and not hidden and file.is_file():
            yield file


def _read(file: Path, folder: Path) -> list[MtebRow]:
    result = _object(file, folder)
    task = result.get("task_name")
    if not isinstance(task, str) or not task or "scores" not in result:
        _refuse(file, folder, 'no "task_name" and "scores": no result of mteb\'s')
    try:
        values = task_values(result["scores"])
    except ValueError as error:
        _refuse(file, folder, str(error), error)
    model, revision, pipeline = _whose(file, folder)
    return [
        MtebRow(model=model, revision=revision, pipeline=pipeline, task=task, metric=metric, k=k, value=value)
        for (metric, k), value in values.items()
    ]


def _whose(file: Path, folder: Path) -> tuple[str, str, str]:
    """Model, revision and pipeline: as ``model_meta.json`` beside the result has them, otherwise as the path does."""
    meta_file = file.with_name(META_NAME)
    if meta_file.is_file():
        meta = _object(meta_file, folder)
        name, revision, settings = meta.get("name"), meta.get("revision"), meta.get("experiment_kwargs")
        if not isinstance(name, str) or not name:
            _refuse(meta_file, folder, 'no "name" of a model')
        return name, str(revision or ""), pipeline_of(settings if isinstance(settings, dict) else {})
    parts = list(file.parent.parts)
    experiment = ""
    if len(parts) > 3 and parts[-2] == _EXPERIMENTS:
        experiment = parts[-1]
        parts = parts[:-2]
    revision = parts[-1] if len(parts) > 1 and parts[-1] != _NO_REVISION else ""
    name = parts[-2] if len(parts) > 1 else file.parent.name
    return name.replace("__", "/", 1), revision, f"dense, {experiment}" if experiment else "dense"


def pipeline_of(settings: Mapping[str, Any]) -> str:
    """What a run's settings, mteb's ``experiment_kwargs``, make of a model: ``hybrid, weight=0.3``."""
    others: Sequence[str] = [f"{key}={value}" for key, value in sorted(settings.items()) if key != "pipeline"]
    return ", ".join([str(settings.get("pipeline", "dense")), *others])


def _object(file: Path, folder: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _LARGEST:
            _refuse(file, folder, f"{file.stat().st_size / 1e6:,.0f} MB: too large for a result of mteb's")
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:  # also bytes that are no UTF-8
        _refuse(file, folder, f"cannot be read as JSON ({error}); remove it, and run the task again", error)
    if not isinstance(value, dict):
        _refuse(file, folder, "no JSON object: no result of mteb's")
    return value


def _refuse(file: Path, folder: Path, reason: str, cause: Exception | None = None) -> NoReturn:
    name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name
    raise CorpusFormatError(name, reason) from cause
