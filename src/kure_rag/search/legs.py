"""Both legs of a search over one state of the index."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from kure_rag.index.catalog import Catalog
from kure_rag.index.lexical import Question
from kure_rag.index.views import Views
from kure_rag.search.candidates import Rows, Scores
from kure_rag.search.options import SearchOptions
from kure_rag.search.vectors import VectorSource

Vectors = npt.NDArray[np.float32]
Ranking = tuple[Rows, Scores]
SMALL: Final = 8_000_000
"""Numbers in all vectors together up to which ``dense="auto"`` scores every one: 8,000 vectors of 1,000 dimensions,
31,000 of 256. That takes a few milliseconds. Beyond, the one-bit codes find the same in less time than Chroma's graph,
which takes a second to import besides."""


class KeywordView(Protocol):
    """What the keyword leg asks: tantivy's view, or rank-bm25's."""

    def search(self, question: Question, limit: int, allowed: Rows | None = None) -> Sequence[tuple[int, float]]:
        """Rows with any of the question's terms, best score first."""
        ...


@dataclass(frozen=True, slots=True)
class LegRankings:
    """What both legs found for each text; ``None`` for a leg that was not asked."""

    lexical: list[Ranking] | None
    dense: list[Ranking] | None

    def of(self, i: int) -> dict[str, Ranking]:
        """Of one text, by leg."""
        legs = (("lexical", self.lexical), ("dense", self.dense))
        return {name: found[i] for name, found in legs if found is not None}


def run_legs(
    catalog: Catalog,
    views: Views,
    keywords: KeywordView,
    source: VectorSource,
    asked: tuple[Sequence[Question] | None, Vectors | None],
    options: SearchOptions,
    limit: int,
    allowed: Rows | None,
    executor: Executor,
) -> LegRankings:
    """Rankings of both legs for each text, at the same time where both are asked.

    Args:
        catalog: The index's; asked by the calling thread only.
        views: What is searched.
        keywords: The keyword leg's engine.
        source: Exact cosines.
        asked: Questions for the keyword leg and vectors for the other; ``None`` for a leg that is not wanted.
        options: Which engine.
        limit: Of each leg.
        allowed: Only these rows, if given.
        executor: Runs the keyword leg meanwhile.
    """
    questions, vectors = asked
    waiting: Future[list[Ranking]] | None = None
    lexical = dense = None
    if questions is not None:
        if vectors is None:
            lexical = lexical_rankings(keywords, questions, limit, allowed)
        else:
            waiting = executor.submit(lexical_rankings, keywords, questions, limit, allowed)
    try:
        if vectors is not None:
            dense = dense_rankings(catalog, views, source, vectors, limit, allowed, options)
    finally:
        if waiting is not None:
            lexical = waiting.result()  # also when the dense leg failed: the view may not be closed under the other
    return LegRankings(lexical, dense)


def lexical_rankings(
    view: KeywordView, questions: Sequence[Question], limit: int, allowed: Rows | None
) -> list[Ranking]:
    """The keyword leg, for each question."""
    return [_arrays(view.search(question, limit, allowed)) for question in questions]


def _arrays(found: Sequence[tuple[int, float]]) -> Ranking:
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    rows, scores = zip(*found, strict=True)
    return np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float64)


def dense_rankings(
    catalog: Catalog,
    views: Views,
    source: VectorSource,
    vectors: Vectors,
    limit: int,
    allowed: Rows | None,
    options: SearchOptions,
) -> list[Ranking]:
    """The dense leg, for each vector: candidates by the engine that was asked for, scored exactly."""
    graph = views.dense if options.dense == "chroma" and allowed is None else None
    if graph is None:
        small = len(source) * vectors.shape[1] <= SMALL
        exact = options.dense == "exact" or (options.dense == "auto" and small)
        engine: Literal["exact", "quantized"] = "exact" if exact else "quantized"
        found = source.search(vectors, limit, allowed=allowed, engine=engine, device=options.device)
        return list(found)
    named = graph.search_many(vectors, min(limit, len(source)))
    by_id = catalog.rows_of(list(dict.fromkeys(id_ for ids in named for id_ in ids)), views.visible)
    return [
        _ranked(source, vector, np.array([by_id[id_] for id_ in ids if id_ in by_id], dtype=np.int64))
        for vector, ids in zip(vectors, named, strict=True)
    ]


def _ranked(source: VectorSource, vector: Vectors, rows: Rows) -> Ranking:
    rows, scores = source.score(vector, rows)
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]
