"""One index, asked all questions once, and ranked by any number of settings in memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.evaluate import score_queries
from kure_rag.search import ConvexFusion, Pool, Reranker, RerankSettings, SearchOptions, limited, rank_pool
from kure_rag.search.rerank import loaded
from kure_rag.tune.gold import Question, judgements, relevance_of
from kure_rag.tune.grid import Setting

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex
    from kure_rag.types import Chunk

Vectors = npt.NDArray[np.float32]
Step = Callable[[int, int, str], None]
Scores = dict[str, dict[str, float]]
"""Question → passage → what a reranker says."""
DEPTH: Final = 200
"""Candidates of each leg, of which every setting takes its own."""
_BATCH: Final = 128  # questions in one search
_KEPT: Final = 2  # keyword engines whose candidates are in memory


class Ranker:
    """What one index finds.

    Args:
        index: The index.
        questions: All that are ever asked.
        vectors: Theirs, shape (questions, dimension); ``None`` to search by keywords only.
        metric: Such as ``ndcg@10``.
        step: Called with questions done, questions in all and what is being done.
    """

    def __init__(
        self, index: KureIndex, questions: Sequence[Question], vectors: Vectors | None, metric: str, step: Step
    ) -> None:
        self.index = index
        self._questions = {question.id: question for question in questions}
        self._places = {question.id: i for i, question in enumerate(questions)}
        self._vectors = vectors
        self._metric = metric
        self._cut = int(metric.partition("@")[2])
        self._step = step
        self._pools: dict[tuple[Any, ...], dict[str, Pool]] = {}
        self._limited: tuple[tuple[Any, ...], dict[str, Pool]] | None = None
        self._models: dict[str, Reranker] = {}

    def values(self, setting: Setting, ids: Sequence[str], scores: Scores | None = None) -> dict[str, float]:
        """Question → value of the metric.

        Args:
            setting: How to rank.
            ids: Of the questions.
            scores: What the setting's reranker says of each question's first passages, from :meth:`reranked`.
        """
        found = self._all_found(setting, ids, scores)
        asked = [self._questions[id_] for id_ in ids]
        rankings = {one.id: relevance_of(found[one.id][: self._cut], one.groups) for one in asked}
        return score_queries(rankings, judgements(asked), ks=(self._cut,))[self._metric]

    def characters(self, setting: Setting, ids: Sequence[str]) -> float:
        """How much text the first passages of a question hold, on average."""
        found = self._all_found(setting, ids).values()
        return statistics.fmean(sum(len(chunk.text) for chunk in some[: self._cut]) for some in found)

    def scale(self, fusion: ConvexFusion, old: SearchOptions, new: SearchOptions, ids: Sequence[str]) -> float:
        """What to divide another keyword engine's scores by, so that they weigh as much as the present one's."""
        medians = [
            statistics.median(self._best(self.pools(options, ids)[id_]) for id_ in ids) for options in (old, new)
        ]
        return float(f"{fusion.scale * medians[1] / medians[0]:.3g}") if min(medians) > 0 else fusion.scale

    def reranked(
        self, setting: Setting, rerank: RerankSettings, id_: str, known: Mapping[str, float]
    ) -> dict[str, float]:
        """What a reranker says of the passages of a question that it reads.

        Args:
            setting: With that reranker.
            rerank: The reranker.
            id_: The question's.
            known: Passage → what it said already.
        """
        pool = limited(self.pools(setting.options, (id_,))[id_], setting.options)
        first = rank_pool(pool, setting.options.mode, setting.fusion, max(rerank.candidates, setting.options.k))
        missing = [chunk for chunk in first if chunk.id not in known]
        if not missing:
            return dict(known)
        name = str(rerank.model)
        if name not in self._models:
            self._models[name] = loaded(rerank.model)
        told = self._models[name].scores([(self._questions[id_].text, chunk.contextualized()) for chunk in missing])
        return {**known, **{chunk.id: float(score) for chunk, score in zip(missing, told, strict=True)}}

    def pools(self, options: SearchOptions, ids: Sequence[str]) -> Mapping[str, Pool]:
        """Question → what the legs found, with the keyword engine of these options."""
        key = (options.lexical, options.bm25, options.dense)
        known = self._pools.pop(key, {})
        self._pools[key] = known  # the newest last
        while len(self._pools) > _KEPT:
            del self._pools[next(iter(self._pools))]
        missing = [id_ for id_ in ids if id_ not in known]
        mode: Any = "lexical" if self._vectors is None else "hybrid"
        wanted = replace(_plain(options), mode=mode, candidates=max(DEPTH, options.depth))
        for first in range(0, len(missing), _BATCH):
            batch = missing[first : first + _BATCH]
            vectors = None if self._vectors is None else self._vectors[[self._places[id_] for id_ in batch]]
            texts = [self._questions[id_].text for id_ in batch]
            known.update(zip(batch, self.index.pools(texts, options=wanted, vectors=vectors), strict=True))
            self._step(first + len(batch), len(missing), f"asking {options.lexical}")
        return known

    def _all_found(self, setting: Setting, ids: Sequence[str], scores: Scores | None = None) -> dict[str, list[Chunk]]:
        """Question → its first passages."""
        options, rerank = setting.options, setting.options.rerank
        pools = self._cut_down(options, ids)
        count = self._cut if rerank is None else max(rerank.candidates, options.k)
        found = {id_: rank_pool(pools[id_], options.mode, setting.fusion, count) for id_ in ids}
        if scores is None:
            return found
        # Equal ones stay in the order they had.
        return {id_: sorted(some, key=lambda chunk: -scores[id_][chunk.id]) for id_, some in found.items()}

    def _cut_down(self, options: SearchOptions, ids: Sequence[str]) -> Mapping[str, Pool]:
        """Each question's candidates as the options ask for them; of those of the last call, no second time."""
        key = (options.lexical, options.bm25, options.dense, options.mode, options.depth)
        if self._limited is None or self._limited[0] != key:
            self._limited = (key, {})
        known = self._limited[1]
        if missing := [id_ for id_ in ids if id_ not in known]:
            pools = self.pools(options, ids)
            known.update((id_, limited(pools[id_], options)) for id_ in missing)
        return known

    def _best(self, pool: Pool) -> float:
        leg = pool.candidates.legs.get("lexical")
        return float(leg.scores.max()) if leg is not None and len(leg.scores) else 0.0


def _plain(options: SearchOptions) -> SearchOptions:
    return replace(options, rerank=None)
