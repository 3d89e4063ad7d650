"""Evaluations that are kept, and go on after an interruption where they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from kure_rag.evaluate.evaluate import Evaluation, Searcher, evaluate, ids_of
from kure_rag.evaluate.journal import NAME as JOURNAL
from kure_rag.evaluate.journal import Journal
from kure_rag.evaluate.journal_file import refuse_other
from kure_rag.evaluate.measure import LatencySettings, hardware, latency, peak_memory, versions
from kure_rag.evaluate.runs import write_run
from kure_rag.evaluate.saved import FORMAT, MEASURED, RANKING, RUN, SavedRun, read_saved_run, write_json
from kure_rag.evaluate.summary import KEPT, Summary, cuts, summarise

if TYPE_CHECKING:
    from kure_rag.evaluate.sets import RetrievalSet
    from kure_rag.evaluate.settings import EvaluationSettings
    from kure_rag.search import Reranker

NO_MODEL: Final = "BM25 (Kiwi)"
"""What stands for the model where only the keyword leg has searched."""


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """An evaluation with its scores and what it cost.

    Attributes:
        evaluation: The ranking.
        summary: Its scores.
        measured: What two evaluations of the same differ in.
    """

    evaluation: Evaluation
    summary: Summary
    measured: dict[str, Any]


def identity_of(
    retrieval_set: RetrievalSet,
    settings: EvaluationSettings,
    *,
    model: str,
    dense_weight: float,
    fingerprint: Mapping[str, Any],
    engine: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All that the result of an evaluation depends on, as JSON values: what ``run.json`` begins with.

    Args:
        retrieval_set: What is asked; its files are read for their digest.
        settings: How.
        model: The embedding model's name.
        dense_weight: What its card says.
        fingerprint: What the index is made with, ``KureIndex.info()["fingerprint"]``.
        engine: What computes the vectors, where that was chosen.
    """
    if settings.mode == "lexical":  # no vector has a say
        engine = None
        fingerprint = {key: fingerprint[key] for key in ("tokenizer", "chunker", "reranker") if key in fingerprint}
    return {
        "format": FORMAT,
        "kind": "retrieval",
        "task": retrieval_set.name,
        "task_sha256": retrieval_set.digest(),
        "model": model_of(settings, model),
        "pipeline": settings.pipeline,
        "settings": settings.to_dict(dense_weight) | ({"engine": dict(engine)} if engine else {}),
        "fingerprint": dict(fingerprint),
        "versions": versions(),
    }


def model_of(settings: EvaluationSettings, model: str) -> str:
    """What a table calls the model: :data:`NO_MODEL` where no vector has a say."""
    return NO_MODEL if settings.mode == "lexical" else model


def finished_run(folder: Path, identity: Mapping[str, Any]) -> SavedRun | None:
    """The run of a folder, where it is finished and the same.

    Args:
        folder: The run's.
        identity: What was asked for, from :func:`identity_of`.

    Raises:
        ConfigError: A run of something else is in that folder.
    """
    if not (folder / RUN).is_file():
        return None
    run = read_saved_run(folder)
    refuse_other(folder, {key: run.data.get(key) for key in identity}, identity, "a finished run")
    (folder / JOURNAL).unlink(missing_ok=True)  # a kill came between the two
    return run


def measured_run(
    index: Searcher,
    retrieval_set: RetrievalSet,
    settings: EvaluationSettings,
    *,
    dense_weight: float,
    reranker: Reranker | None = None,
    domains: Mapping[str, str] | None = None,
    sample: LatencySettings | None = None,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
    journal: Journal | None = None,
) -> MeasuredRun:
    """Ask all queries, score the answers, and time single queries apart from that.

    Args:
        index: With the set's corpus in it; it answers single queries (``search``) too.
        retrieval_set: The set.
        settings: How it is asked.
        dense_weight: What the model's card says.
        reranker: The settings' reranker, where it is loaded already.
        domains: Query id → domain.
        sample: How single queries are timed.
        batch_size: Queries in one call of the index.
        progress: Called with the queries done and their total.
        journal: Where rankings are kept batch by batch, and were kept by an earlier process.
    """
    search = dict(settings.keywords(dense_weight, reranker))
    ask = cast("Any", index).search
    ask(next(iter(retrieval_set.queries.values())), **search)  # what the first question loads is no part of its time
    done = evaluate(
        index,
        retrieval_set,
        k=settings.k,
        mode=settings.mode,
        search=search,
        batch_size=batch_size,
        progress=progress,
        answered=None if journal is None else journal.answered,
        on_batch=None if journal is None else journal.add,
    )
    rankings = {query: ids_of(ranked) for query, ranked in done.run.items()}
    summary = summarise(rankings, retrieval_set, domains=domains, ks=cuts(settings.k))
    seconds = done.seconds if journal is None else journal.seconds
    measured = {
        "latency_ms": latency(lambda query: ask(query, **search), list(retrieval_set.queries.values()), sample),
        "queries_per_second": round(len(done.run) / seconds, 2) if seconds else None,
        "peak_memory_bytes": peak_memory(),
    }
    return MeasuredRun(done, summary, measured)


def save_run(folder: Path, identity: Mapping[str, Any], run: MeasuredRun, journal: Journal) -> SavedRun:
    """Write a run's files; ``run.json`` comes last, so that a folder with one is whole.

    Args:
        folder: The run's.
        identity: From :func:`identity_of`.
        run: What was found.
        journal: What was noted meanwhile; it is removed.

    Raises:
        OSError: A file cannot be written.
    """
    write_run(folder / RANKING, run.evaluation.run)
    times = {"started": journal.started, "finished": datetime.now(UTC).isoformat(timespec="seconds")}
    write_json(folder / MEASURED, {**times, "index_seconds": None, **journal.noted, **run.measured})
    summary = run.summary
    data = {
        **identity,
        "hardware": hardware(),
        **summary.to_dict(),
        "per_query": {name: summary.per_query[name] for name in KEPT if name in summary.per_query},
    }
    write_json(folder / RUN, data)
    journal.close(remove=True)
    return read_saved_run(folder)
