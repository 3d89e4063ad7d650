"""Both legs of a search over one state of the index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, wait
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
    asked: tuple[Callable[[], Sequence[Question]] | None, Vectors | None],
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
        asked: What makes the keyword leg's questions, and vectors for the other; ``None`` for a leg that is not wanted.
        options: Which engine.
        limit: Of each leg.
        allowed: Only these rows, if given.
        executor: Runs the other leg meanwhile.
    """
    questions, vectors = asked

    def by_words() -> list[Ranking]:
        return lexical_rankings(keywords, () if questions is None else questions(), limit, allowed)

    def by_vectors(given: Vectors) -> list[Ranking]:
        return dense_rankings(catalog, views, source, given, limit, allowed, options)

    if vectors is None:
        return LegRankings(None if questions is None else by_words(), None)
    if questions is None:
        return LegRankings(None, by_vectors(vectors))
    if options.dense == "chroma" or views.matrix is None:
        words = executor.submit(by_words)
        try:
            dense = by_vectors(vectors)
        finally:
            wait([words])  # also when the dense leg failed: the view may not be closed under the other
        return LegRankings(words.result(), dense)
    # The matrix needs neither the catalog nor, for most of its time, the interpreter: Kiwi, which lets go of that as
    # little as the keyword view does, works beside it.
    nearest = executor.submit(by_vectors, vectors)
    try:
        lexical = by_words()
    finally:
        wait([nearest])
    return LegRankings(lexical, nearest.result())


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
