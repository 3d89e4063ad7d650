"""Searches one index: both legs over the same filter, then fusion, then the chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import EmbedderLike
from kure_rag.errors import SearchError
from kure_rag.index.catalog import Catalog
from kure_rag.index.dense import DenseView
from kure_rag.index.lexical import Question
from kure_rag.index.store import IndexStore
from kure_rag.index.where import compile_where
from kure_rag.search.fusion import ConvexFusion, Fusion
from kure_rag.tokenize import Tokenizer, char_bigrams
from kure_rag.types import MODES, Hit, Leg, Mode

_CANDIDATES: Final = 100  # of each leg, at the least: a chunk that one leg ranks low may win by the other
_MOST: Final = 1_000_000  # of each leg: the keyword view sets memory aside for as many as it is asked for
_BLOCK: Final = 10_000  # vectors scored at once where a filter asks for exact scores
Ranking = list[tuple[int, float]]


class Searcher:
    """Queries → hits.

    Args:
        store: The index.
        tokenizer: The one the index was made with.
        embedder: The one the index was made with.
    """

    def __init__(self, store: IndexStore, tokenizer: Tokenizer, embedder: EmbedderLike) -> None:
        self._store = store
        self._tokenizer = tokenizer
        self._embedder = embedder

    def search_batch(
        self,
        queries: Sequence[str],
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        fusion: Fusion | None = None,
    ) -> list[list[Hit]]:
        """The best chunks for each query.

        A heading that stands alone (``kind`` ``heading``, such as 제1장 총칙) answers nothing: it is found only by a
        filter that names ``kind``.

        Args:
            queries: In any language; Korean is what the keyword leg analyses.
            k: Hits for each query, at most.
            mode: ``hybrid``, ``lexical`` or ``dense``; a leg that is not asked for is not computed.
            where: Only chunks for which this holds, see :mod:`kure_rag.index.where`.
            fusion: For ``hybrid``; by default a convex combination with the model card's weight.

        Returns:
            One list a query, best first. Equal scores are ordered by chunk id, so that results repeat.

        Raises:
            SearchError: An empty query, an unknown mode, or ``k`` below 1.
            FilterError: ``where`` breaks its grammar.
        """
        _check(queries, k, mode)
        catalog = self._store.catalog
        condition = compile_where(where) if where else None
        wanted = min(max(_CANDIDATES, 2 * k), _MOST)
        terms = self._tokenizer.terms_batch(queries) if mode != "dense" else [[] for _ in queries]
        vectors = self._embedder.embed_queries(queries) if mode != "lexical" and catalog.counts()[1] else None
        fusion = fusion or ConvexFusion(weight=self._embedder.dense_weight if mode == "hybrid" else 0.0)
        out = []
        with self._store.views() as (lexical, dense, visible):
            allowed = catalog.matching(*condition) if condition else None
            for i in range(len(queries)):
                legs: dict[str, Ranking] = {}
                if mode != "dense":
                    legs["lexical"] = lexical.search(Question(terms[i], char_bigrams(queries[i])), wanted, allowed)
                if vectors is not None:
                    legs["dense"] = _dense_leg(catalog, dense, vectors[i], wanted, allowed)
                said = _said(legs)
                if mode == "hybrid" and vectors is not None:
                    _score_missing(catalog, vectors[i], said)
                scores = fusion.fuse(said) if mode == "hybrid" else {row: s[mode].score for row, s in said.items()}
                out.append(_hits(catalog, scores, said, k, visible, headings=_names_kind(where)))
        return out


def _names_kind(where: Any) -> bool:
    """Whether a filter says anything of the kind of chunks."""
    if isinstance(where, Mapping):
        return any(key == "kind" or _names_kind(value) for key, value in where.items())
    return isinstance(where, list | tuple) and any(map(_names_kind, where))


def _check(queries: Sequence[str], k: int, mode: str) -> None:
    if mode not in MODES:
        raise SearchError(f"no mode named {mode!r}; choose one of {', '.join(MODES)}")
    if k < 1:
        raise SearchError(f"k is the number of results and must be at least 1, not {k}")
    if isinstance(queries, str):
        raise SearchError("search_batch takes a list of queries; use search for one")
    for i, query in enumerate(queries):
        if not isinstance(query, str) or not query.strip():
            raise SearchError(f"query {i} is empty; ask something")
        if any("\ud800" <= char <= "\udfff" for char in query):
            raise SearchError(f"query {i} holds half a character (a lone surrogate); decode its source as UTF-8 again")


def _dense_leg(
    catalog: Catalog, view: DenseView, vector: npt.NDArray[np.float32], limit: int, allowed: Sequence[int] | None
) -> Ranking:
    """Candidates from the graph, or all that a filter allows, scored exactly."""
    rows = list(catalog.rows_of(view.search(vector, limit)).values()) if allowed is None else allowed
    scored: Ranking = []
    for i in range(0, len(rows), _BLOCK):
        scored.extend(_cosines(catalog, vector, rows[i : i + _BLOCK]))
        scored = sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:limit]
    return scored


def _cosines(catalog: Catalog, vector: npt.NDArray[np.float32], rows: Sequence[int]) -> Ranking:
    found, matrix = catalog.vectors(rows)
    if not found:
        return []
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    # einsum sums each row by itself. A matrix product's last bits hang on where a row stands, and equal passages would
    # be ordered by that; what is left of such noise is rounded away.
    scores = np.einsum("ij,j->i", matrix, vector) / np.where(lengths == 0, 1, lengths)
    return [(row, round(float(score), 6)) for row, score in zip(found, scores, strict=True)]


def _said(legs: Mapping[str, Ranking]) -> dict[int, dict[str, Leg]]:
    said: dict[int, dict[str, Leg]] = {}
    for name, ranking in legs.items():
        for rank, (row, score) in enumerate(ranking, 1):
            said.setdefault(row, {})[name] = Leg(rank, score)
    return said


def _score_missing(catalog: Catalog, vector: npt.NDArray[np.float32], said: dict[int, dict[str, Leg]]) -> None:
    """Gives candidates that only the keyword leg found their cosine too: the vectors are at hand."""
    for row, score in _cosines(catalog, vector, [row for row, legs in said.items() if "dense" not in legs]):
        said[row]["dense"] = Leg(None, score)


def _hits(
    catalog: Catalog,
    scores: Mapping[int, float],
    said: Mapping[int, Mapping[str, Leg]],
    k: int,
    visible: int,
    *,
    headings: bool,
) -> list[Hit]:
    ids = catalog.ids([row for row, score in scores.items() if score > 0])  # a score of zero is no hit
    order = sorted(ids, key=lambda row: (-scores[row], ids[row]))
    hits: list[Hit] = []
    for i in range(0, len(order), 2 * k):  # a few more than asked for: some may be newer than what all views hold
        part = order[i : i + 2 * k]
        found = catalog.fetch(part, visible)
        for row in part:
            if (item := found.get(row)) is None or (item.chunk.kind == "heading" and not headings):
                continue
            if len(hits) < k:
                hits.append(
                    Hit(item.chunk, item.source, item.title, item.domain, scores[row], len(hits) + 1, dict(said[row]))
                )
        if len(hits) == k:
            break
    return hits
