"""What happens to the hits of one query after the fusion, in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kure_rag.index.catalog import Catalog
from kure_rag.index.lexical import Question
from kure_rag.search.duplicates import FoldSettings, folded
from kure_rag.search.group import grouped
from kure_rag.search.highlight import highlights
from kure_rag.search.mmr import MmrSettings, mmr_order
from kure_rag.search.neighbours import ExpandSettings, context_of, span_around
from kure_rag.search.options import SearchOptions
from kure_rag.search.ranking import Ranking
from kure_rag.search.relevance import SETTINGS, Background, features_of, relevance
from kure_rag.search.rerank import Reranker, RerankSettings, rerank_scores
from kure_rag.search.vectors import Vectors, VectorSource
from kure_rag.tokenize import Tokenizer
from kure_rag.tokenize.synonyms import Meaning
from kure_rag.types import Chunk, Hit, Leg


@dataclass(frozen=True, slots=True)
class Found:
    """A hit and its row."""

    row: int
    hit: Hit


@dataclass(frozen=True, slots=True)
class Query:
    """One query as the stages need it.

    Attributes:
        text: Its words.
        question: Its terms, unless the search is dense.
        background: Its cosines with unrelated passages; ``None`` where they are not known.
        meanings: What it says that has synonyms.
        marked: Terms that a highlight marks: its own, its synonyms', and those of other ways to ask it.
    """

    text: str
    question: Question | None
    background: Background | None
    meanings: Sequence[Meaning] = ()
    marked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one search over one state of the index."""

    catalog: Catalog
    visible: int
    source: VectorSource
    tokenizer: Tokenizer
    options: SearchOptions
    reranker: Reranker | None
    stop: threading.Event | None

    def hits(self, query: Query, ranking: Ranking, *, headings: bool) -> list[Hit]:
        """The hits of one query, at most ``k``."""
        options = self.options
        found = first_hits(self.catalog, ranking, options.pool, self.visible, headings=headings)
        if options.fold is not None:
            found = _folded(found, options.fold)
        if options.rerank is not None and self.reranker is not None:
            found = self._reranked(query, found, options.rerank, self.reranker)
        if options.relevance or options.score_threshold is not None:
            found = self._relevant(query, found)
        if options.mmr is not None:
            found = self._diverse(found, options.mmr)
        if options.group_by is not None:
            found = [found[i] for i in grouped([item.hit.chunk.document_id for item in found], options.group_by)]
        hits = [replace(item.hit, rank=rank) for rank, item in enumerate(found[: options.k], 1)]
        if options.expand is not None:
            hits = self._expanded(hits, options.expand)
        return self._highlighted(query, hits) if options.highlight else hits

    def _reranked(self, query: Query, found: list[Found], settings: RerankSettings, reranker: Reranker) -> list[Found]:
        found = found[: max(settings.candidates, self.options.k)]
        passages = [item.hit.chunk.contextualized() for item in found]
        scores = rerank_scores(reranker, query.text, passages, settings, self.stop)
        if isinstance(scores, str):
            return [Found(item.row, replace(item.hit, warnings=(*item.hit.warnings, scores))) for item in found]
        out = []
        for rank, i in enumerate(np.argsort(-scores, kind="stable").tolist(), 1):
            hit, score = found[i].hit, float(scores[i])
            out.append(Found(found[i].row, replace(hit, score=score, legs={**hit.legs, "rerank": Leg(rank, score)})))
        return out

    def _relevant(self, query: Query, found: list[Found]) -> list[Found]:
        settings = SETTINGS[self.options.mode]
        there = self.catalog.keywords([item.row for item in found]) if query.question is not None else {}
        out = []
        for item in found:
            dense = item.hit.legs.get("dense")
            cosine = None if dense is None else dense.score
            known = features_of(query.question, there.get(item.row), query.background, cosine, query.meanings)
            value = relevance(known, settings)
            if self.options.score_threshold is None or value >= self.options.score_threshold:
                out.append(Found(item.row, replace(item.hit, relevance=value)))
        return out

    def _diverse(self, found: list[Found], settings: MmrSettings) -> list[Found]:
        found = found[: max(settings.candidates, self.options.k)]
        # All of them are wanted where a group takes but a few of each document.
        count = len(found) if self.options.group_by is not None else self.options.k
        order = mmr_order([item.hit.score for item in found], self._vectors(found), count, settings)
        return [found[i] for i in order]

    def _vectors(self, found: Sequence[Found]) -> Vectors:
        rows, vectors = self.source.vectors(np.array([item.row for item in found], dtype=np.int64))
        places = {row: i for i, row in enumerate(rows.tolist())}
        out = np.zeros((len(found), vectors.shape[1] if len(rows) else 1), dtype=np.float32)
        for i, item in enumerate(found):
            if item.row in places:
                out[i] = vectors[places[item.row]]
        return out

    def _expanded(self, hits: list[Hit], settings: ExpandSettings) -> list[Hit]:
        out = []
        for hit in hits:
            span = span_around(hit.chunk, self._by_id, settings)
            try:
                text = self.catalog.text(hit.chunk.document_id, *span[:2], self.visible)
            except KeyError:  # purged meanwhile: the search begins again
                return hits
            out.append(replace(hit, context=context_of(text, span, hit.chunk)))
        return out

    def _by_id(self, ids: Sequence[str]) -> dict[str, Chunk]:
        rows = self.catalog.rows_of(ids, self.visible)
        return {item.chunk.id: item.chunk for item in self.catalog.fetch(list(rows.values()), self.visible).values()}

    def _highlighted(self, query: Query, hits: list[Hit]) -> list[Hit]:
        spans = highlights(self.tokenizer, [query.marked] * len(hits), [hit.chunk.text for hit in hits])
        return [replace(hit, highlights=some) for hit, some in zip(hits, spans, strict=True)]


def _folded(found: list[Found], settings: FoldSettings) -> list[Found]:
    out = []
    for first, *others in folded([item.hit.chunk.text for item in found], settings):
        copies = tuple(found[i].hit for i in others)
        out.append(Found(found[first].row, replace(found[first].hit, duplicates=copies)))
    return out


def first_hits(catalog: Catalog, ranking: Ranking, count: int, visible: int, *, headings: bool) -> list[Found]:
    """The first hits of a ranking; equal scores by chunk id.

    Fewer than asked for are left where rows are newer than what all views hold, or are headings that stand alone.
    """
    out: list[Found] = []
    scores, at = ranking.scores, 0
    while len(out) < count and at < len(scores):
        end = min(at + count - len(out), len(scores))
        while end < len(scores) and scores[end] == scores[end - 1]:  # which of the equal ones stay, their ids decide
            end += 1
        items = catalog.fetch(ranking.rows[at:end].tolist(), visible)
        some = []
        for i in range(at, end):
            item = items.get(int(ranking.rows[i]))
            if item is not None and (headings or item.chunk.kind != "heading"):
                some.append((-float(scores[i]), item.chunk.id, i, item))
        for _, _, i, item in sorted(some, key=lambda found: found[:2]):
            hit = Hit(
                item.chunk,
                item.source,
                item.title,
                item.domain,
                float(scores[i]),
                len(out) + 1,
                ranking.legs_of(i),
                ranking.parts_of(i),
            )
            out.append(Found(item.row, hit))
        at = end
    return out[:count]
