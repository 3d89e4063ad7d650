"""Asks an index every query of a retrieval set and scores the answers."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from kure_rag.errors import SearchError
from kure_rag.evaluate.metrics import Scores, score_run
from kure_rag.types import MODES, Hit, Mode

if TYPE_CHECKING:
    from kure_rag.evaluate.sets import RetrievalSet

Ranked: TypeAlias = list[tuple[str, float]]
OnBatch: TypeAlias = Callable[[Mapping[str, Ranked], float], None]


class Searcher(Protocol):
    """What can be evaluated: anything that answers many queries at once, such as an index."""

    def search_batch(
        self, queries: Sequence[str], *, k: int, mode: Mode, where: Mapping[str, Any] | None = None
    ) -> list[list[Hit]]:
        """For each query, at its place, up to ``k`` hits."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How an index did on a retrieval set.

    Attributes:
        scores: The run's scores.
        run: Query id → (document id, score), best first; :func:`~kure_rag.evaluate.runs.write_run` takes it as it is.
        seconds: Wall time spent searching, without reading and scoring.
        queries_per_second: Queries that were asked, in batches, divided by ``seconds``.
        mode: The mode that was searched in.
    """

    scores: Scores
    run: dict[str, list[tuple[str, float]]]
    seconds: float
    queries_per_second: float
    mode: Mode


def evaluate(
    index: Searcher,
    retrieval_set: RetrievalSet,
    *,
    k: int = 10,
    mode: Mode = "hybrid",
    search: Mapping[str, Any] | None = None,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
    answered: Mapping[str, Ranked] | None = None,
    on_batch: OnBatch | None = None,
) -> Evaluation:
    """Search for every query of a set and score what comes back against its judgements.

    The index must hold the set's corpus with each record's ``_id`` as the document's ``source``. Where several chunks
    of one record are found, the best counts and the others are dropped, so that fewer than ``k`` documents may remain.

    Args:
        index: What to search.
        retrieval_set: From :func:`~kure_rag.evaluate.sets.read_set`.
        k: Hits asked for each query. Below 10 the scores at 10 see no more than ``k``.
        mode: ``hybrid``, ``lexical`` or ``dense``.
        search: Further keywords of the search, such as ``fusion`` or ``rerank``.
        batch_size: Queries in one call of the index.
        progress: Called after each batch with the queries done and their total.
        answered: What an earlier run of the same evaluation found for some queries, batch by batch; they are not asked
            again. Batches are made as if all were asked, so that each query has the company it had.
        on_batch: Called with what each batch found, and the seconds it took.

    Raises:
        SearchError: A setting makes no sense, or the index answered another number of queries than it was asked.
    """
    for name, value in (("k", k), ("batch_size", batch_size)):
        if value < 1:
            raise SearchError(f"{name} is {value}; it must be 1 or more")
    if mode not in MODES:
        raise SearchError(f"mode is {mode!r}; choose one of {', '.join(MODES)}")
    queries = list(retrieval_set.queries.items())
    run: dict[str, Ranked] = {}
    known = answered or {}
    seconds, asked = 0.0, 0
    keywords = {**(search or {}), "k": k, "mode": mode}
    for first in range(0, len(queries), batch_size):
        batch = dict(queries[first : first + batch_size])
        if all(query in known for query in batch):
            run.update({query: known[query] for query in batch})
        else:
            started = time.perf_counter()
            answers = cast("Any", index).search_batch(list(batch.values()), **keywords)
            took = time.perf_counter() - started
            found = _found(batch, answers, k, retrieval_set.id_key)
            run.update(found)
            seconds, asked = seconds + took, asked + len(batch)
            if on_batch is not None:
                on_batch(found, took)
        if progress is not None:
            progress(first + len(batch), len(queries))
    return Evaluation(
        scores=score_run({query: ids_of(ranked) for query, ranked in run.items()}, retrieval_set.qrels),
        run=run,
        seconds=seconds,
        queries_per_second=asked / seconds if seconds else 0.0,
        mode=mode,
    )


def ids_of(ranked: Ranked) -> list[str]:
    """The documents of a ranking, without their scores."""
    return [document for document, _ in ranked]


def _found(batch: Mapping[str, str], answers: Sequence[list[Hit]], k: int, id_key: str | None) -> dict[str, Ranked]:
    if len(answers) != len(batch):
        raise SearchError(
            f"the index answered {len(answers)} of {len(batch)} queries; search_batch must give one list for each"
        )
    return {query: list(islice(_documents(hits, id_key), k)) for query, hits in zip(batch, answers, strict=True)}


def _documents(hits: Iterable[Hit], id_key: str | None) -> Iterable[tuple[str, float]]:
    """(Document id, score) of each document's best hit, best first."""
    best: dict[str, float] = {}
    for hit in sorted(hits, key=lambda hit: hit.rank):
        named = hit.source if id_key is None else str(hit.chunk.metadata.get(id_key, hit.source))
        best.setdefault(unicodedata.normalize("NFC", named), float(hit.score))
    return best.items()
