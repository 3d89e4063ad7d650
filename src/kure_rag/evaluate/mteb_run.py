"""Runs tasks of mteb one after the other and keeps their results in mteb's own files, whole or not at all."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast

from filelock import FileLock

from kure_rag.errors import (
    CorpusFormatError,
    IndexPathError,
    KureError,
    MissingExtraError,
    ModelNotAvailableError,
    ReadError,
    UnknownModelError,
)
from kure_rag.evaluate.mteb_results import task_values
from kure_rag.evaluate.mteb_tasks import load_task

if TYPE_CHECKING:
    from mteb import ResultCache, TaskResult
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.models import ModelMeta

_log = logging.getLogger(__name__)

_TEXTS: Final = 512  # in a batch of mteb's loader; models make their own
_LOCK: Final = ".saving.lock"
_OF_THE_MODEL: Final = (ModelNotAvailableError, UnknownModelError, MissingExtraError)  # no other task would fare better

Status = Literal["done", "kept", "failed"]


class Model(Protocol):
    """What is evaluated: :class:`~kure_rag.evaluate.mteb_encoder.KureEncoder`, or any other model that mteb takes."""

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """Name, revision and settings, under which mteb keeps the results."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: Its name.
        status: ``done`` now, ``kept`` from an earlier run, or ``failed``.
        seconds: That it took now.
        values: (metric, cut) → value, see :func:`~kure_rag.evaluate.mteb_results.task_values`.
        reason: Why it failed.
    """

    task: str
    status: Status
    seconds: float = 0.0
    values: Mapping[tuple[str, int | None], float] = field(default_factory=dict)
    reason: str = ""


def run_tasks(
    model: Model,
    tasks: Iterable[AbsTaskRetrieval],
    out: Path,
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Evaluates a model or a pipeline on tasks.

    A finished task is not run again, and of one with several splits only what is missing, as long as model, revision,
    settings and the data set's revision are the same. One that fails is told, and those after it are run. Interrupting
    keeps all that was finished.

    Args:
        model: What is evaluated.
        tasks: From :func:`~kure_rag.evaluate.mteb_tasks.find_tasks`.
        out: Results go into ``results/<model>/<revision>/<task>.json`` in it.
        on_outcome: Called after each task.

    Raises:
        ModelNotAvailableError: The model's weights cannot be reached.
        MissingExtraError: What runs the model is not installed.
        IndexPathError: ``out`` cannot be written.
    """
    cache = open_cache(out)
    meta = model.mteb_model_meta
    outcomes = []
    for task in tasks:
        outcomes.append(_outcome(model, meta, task, cache))
        if on_outcome is not None:
            on_outcome(outcomes[-1])
    return outcomes


def open_cache(out: Path) -> ResultCache:
    """Mteb's folder of results, in which a file is replaced at once, also when several processes write.

    Raises:
        IndexPathError: It cannot be made or written.
    """
    from mteb import ResultCache

    class WholeCache(ResultCache):
        def save_to_cache(
            self,
            task_result: TaskResult,
            model_name: str | ModelMeta,
            model_revision: str | None = None,
            *,
            encode_kwargs: Mapping[str, Any] | None = None,
        ) -> None:
            names = (task_result.task_name, model_name, model_revision)
            place = self.get_task_result_path(*names)
            with (
                FileLock(self.cache_path / _LOCK),
                tempfile.TemporaryDirectory(prefix=".saving-", dir=self.cache_path) as scratch,
            ):
                copy = ResultCache(scratch)
                made = copy.get_task_result_path(*names)
                made.parent.mkdir(parents=True)
                with suppress(FileNotFoundError):  # mteb merges what it says of runs into what is there
                    shutil.copy(place.with_name("run_settings.jsonl"), made.parent)
                copy.save_to_cache(task_result, model_name, model_revision, encode_kwargs=encode_kwargs)
                place.parent.mkdir(parents=True, exist_ok=True)
                for file in sorted(made.parent.iterdir(), key=lambda file: file == made):  # the result itself last
                    file.replace(place.with_name(file.name))

    try:
        cache = WholeCache(out)
        with tempfile.TemporaryFile(dir=out):
            return cache
    except OSError as error:
        raise IndexPathError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def _outcome(model: Model, meta: ModelMeta, task: AbsTaskRetrieval, cache: ResultCache) -> Outcome:
    name = task.metadata.name
    began = time.monotonic()
    try:
        if (kept := kept_outcome(cache, task, meta)) is not None:
            return kept
        load_task(task)
        result = _evaluated(model, task, cache)
        return Outcome(task=name, status="done", seconds=time.monotonic() - began, values=_values(result))
    except _OF_THE_MODEL:
        raise
    except KureError as error:
        reason = error.reason if isinstance(error, ReadError) and error.source == name else str(error)
        return Outcome(task=name, status="failed", seconds=time.monotonic() - began, reason=reason)
    except Exception as error:  # noqa: BLE001 - such as a graphics card without memory for the longest texts
        _log.warning("%s failed", name, exc_info=True)
        reason = f"{type(error).__name__}: {error}"
        return Outcome(task=name, status="failed", seconds=time.monotonic() - began, reason=reason)
    finally:
        if task.data_loaded:
            task.unload_data()  # gigabytes, of some


def kept_outcome(cache: ResultCache, task: AbsTaskRetrieval, meta: ModelMeta) -> Outcome | None:
    """What is known of a task that was finished before; ``None`` where something of it is missing.

    Raises:
        CorpusFormatError: The file of its result is none.
    """
    before = _known(cache, task, meta)
    if before is None or before.get_missing_evaluations(task):
        return None
    return Outcome(task=task.metadata.name, status="kept", values=_values(before))


def _known(cache: ResultCache, task: AbsTaskRetrieval, meta: ModelMeta) -> TaskResult | None:
    """What an earlier run found on this version of the data set."""
    place = cache.get_task_result_path(task.metadata.name, meta)
    try:
        found = cache.load_task_result(task.metadata.name, meta)
    except (ValueError, KeyError, OSError) as error:  # also pydantic's
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise CorpusFormatError(
            str(place), f"no result of mteb's ({first}); remove it, and run the task again"
        ) from error
    return found if found is not None and found.dataset_revision == task.metadata.revision else None


def _evaluated(model: Model, task: AbsTaskRetrieval, cache: ResultCache) -> TaskResult:
    import mteb

    again = "only-missing" if _known(cache, task, model.mteb_model_meta) is not None else "always"
    results = mteb.evaluate(
        cast("Any", model),  # mteb's protocols name the arrays of two libraries; ours may be others
        task,
        cache=cache,
        overwrite_strategy=again,
        encode_kwargs={"batch_size": _TEXTS, "show_progress_bar": False},
        show_progress_bar=False,
        co2_tracker=False,
    )
    return results.task_results[0]


def _values(result: TaskResult) -> dict[tuple[str, int | None], float]:
    return task_values(result.model_dump()["scores"])
