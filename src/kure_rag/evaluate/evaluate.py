"""Asks an index every query of a retrieval set and scores the answers."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from kure_rag.errors import SearchError
from kure_rag.evaluate.metrics import Scores, score_run
from kure_rag.types import MODES, Hit, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kure_rag.evaluate.sets import RetrievalSet


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
        queries_per_second: Queries divided by ``seconds``.
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
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Search for every query of a set and score what comes back against its judgements.

    The index must hold the set's corpus with each record's ``_id`` as the document's ``source``. Where several chunks
    of one record are found, the best counts and the others are dropped, so that fewer than ``k`` documents may remain.

    Args:
        index: What to search.
        retrieval_set: From :func:`~kure_rag.evaluate.sets.read_set`.
        k: Hits asked for each query. Below 10 the scores at 10 see no more than ``k``.
        mode: ``hybrid``, ``lexical`` or ``dense``.
        batch_size: Queries in one call of the index.
        progress: Called after each batch with the queries done and their total.

    Raises:
        SearchError: A setting makes no sense, or the index answered another number of queries than it was asked.
    """
    for name, value in (("k", k), ("batch_size", batch_size)):
        if value < 1:
            raise SearchError(f"{name} is {value}; it must be 1 or more")
    if mode not in MODES:
        raise SearchError(f"mode is {mode!r}; choose one of {', '.join(MODES)}")
    queries = list(retrieval_set.queries.items())
    run: dict[str, list[tuple[str, float]]] = {}
    seconds = 0.0
    for first in range(0, len(queries), batch_size):
        batch = queries[first : first + batch_size]
        started = time.perf_counter()
        answers = index.search_batch([text for _, text in batch], k=k, mode=mode)
        seconds += time.perf_counter() - started
        if len(answers) != len(batch):
            raise SearchError(
                f"the index answered {len(answers)} of {len(batch)} queries; search_batch must give one list for each"
            )
        for (query, _), hits in zip(batch, answers, strict=True):
            run[query] = list(islice(_documents(hits), k))
        if progress is not None:
            progress(first + len(batch), len(queries))
    ranking = {query: [document for document, _ in results] for query, results in run.items()}
    return Evaluation(
        scores=score_run(ranking, retrieval_set.qrels),
        run=run,
        seconds=seconds,
        queries_per_second=len(queries) / seconds if seconds else 0.0,
        mode=mode,
    )


def _documents(hits: Iterable[Hit]) -> Iterable[tuple[str, float]]:
    """(Document id, score) of each document's best hit, best first."""
    best: dict[str, float] = {}
    for hit in sorted(hits, key=lambda hit: hit.rank):
        best.setdefault(unicodedata.normalize("NFC", hit.source), hit.score)
    return best.items()
