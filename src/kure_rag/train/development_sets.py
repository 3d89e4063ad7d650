"""The sets that recipes score models on: finding passages, the similarity of sentences, the order of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import CorpusFormatError
from kure_rag.evaluate.metrics import mean_scores, score_queries
from kure_rag.evaluate.pairs import pair_similarities, unit
from kure_rag.train.development import Development, Measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kure_rag.evaluate.sts_sets import StsPair

_DEPTH: Final = 10
_ROWS: Final = 512  # queries at a time
_BATCH: Final = 64  # texts at a time


class RetrievalDev(Development):
    """Finding the relevant passages among all by exact cosine search; nDCG@10 is what should rise.

    Args:
        name: In tables.
        queries: Id → text.
        passages: Id → text.
        relevant: Query's id → passage's id → gain above 0.
        query_prefix: Put before queries.
        passage_prefix: Put before passages.
        groups: Query's id → its document, statute or passage: questions about one are alike, and count as one draw in
            intervals and tests.

    Raises:
        CorpusFormatError: No query, or a relevant passage is not among the passages.
    """

    main = "ndcg@10"

    def __init__(
        self,
        name: str,
        queries: Mapping[str, str],
        passages: Mapping[str, str],
        relevant: Mapping[str, Mapping[str, float]],
        query_prefix: str = "",
        passage_prefix: str = "",
        groups: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._groups = groups
        asked = [query for query in queries if relevant.get(query)]
        if not asked:
            raise CorpusFormatError(name, "no query with a relevant passage to score the model on")
        for query in asked:
            if missing := [passage for passage in relevant[query] if passage not in passages]:
                raise CorpusFormatError(name, f"query {query!r}: its passage {missing[0]!r} is not among the passages")
        self.relevant = {query: dict(relevant[query]) for query in asked}
        self._ids = list(passages)
        self._queries = [query_prefix + queries[query] for query in asked]
        self._passages = [passage_prefix + text for text in passages.values()]

    def score(self, model: Any) -> Measured:
        """See the base class; ``accuracy@1``, ``mrr@10`` and ``recall@10`` stand beside ``ndcg@10``."""
        asked, found = embed(model, self._queries), embed(model, self._passages)
        run: dict[str, list[str]] = {}
        names = list(self.relevant)
        for start in range(0, len(names), _ROWS):
            cosines = asked[start : start + _ROWS] @ found.T
            # Stable, so that equal cosines keep the passages' order on every machine.
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :_DEPTH]
            for name, row in zip(names[start : start + _ROWS], best, strict=True):
                run[name] = [self._ids[i] for i in row]
        return _ranked(run, self.relevant, self.main, self._groups)


class StsDev(Development):
    """How well cosines follow what people said: Spearman's correlation over all pairs at once, times 100.

    Some published tables average the correlations of batches instead, which gives other numbers.
    """

    main = "spearman"

    def __init__(self, name: str, pairs: Sequence[StsPair]) -> None:
        if len({pair.score for pair in pairs}) < 2:
            raise CorpusFormatError(name, "fewer than two different scores, with which nothing correlates")
        self.name = name
        self._first = [pair.first for pair in pairs]
        self._second = [pair.second for pair in pairs]
        self._gold = tuple(pair.score for pair in pairs)

    def score(self, model: Any) -> Measured:
        """See the base class; ``pearson`` stands beside ``spearman``."""
        from scipy.stats import pearsonr, spearmanr

        cosines = pair_similarities(embed(model, self._first), embed(model, self._second))
        constant = np.ptp(cosines) == 0  # as of a model that gives every text one vector
        values = {
            "spearman": 0.0 if constant else 100 * float(spearmanr(cosines, self._gold)[0]),
            "pearson": 0.0 if constant else 100 * float(pearsonr(cosines, self._gold)[0]),
        }
        return Measured(values=values, each={}, pairs=(self._gold, tuple(float(c) for c in cosines)))


class RerankDev(Development):
    """The order in which a cross-encoder puts each query's candidates; MRR@10 is what should rise.

    Args:
        name: In tables.
        queries: Id → text.
        candidates: Query's id → its candidates with their gains, 0 for those that are not relevant.
        groups: Query's id → what it is about, as in :class:`RetrievalDev`.

    Raises:
        CorpusFormatError: A query has no relevant candidate, or there is none.
    """

    main = "mrr@10"

    def __init__(
        self,
        name: str,
        queries: Mapping[str, str],
        candidates: Mapping[str, Sequence[tuple[str, float]]],
        groups: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._groups = groups
        self.relevant: dict[str, dict[str, float]] = {}
        self._pairs: list[tuple[str, str]] = []
        self._places: list[tuple[str, str]] = []
        for query, listed in candidates.items():
            self.relevant[query] = {str(i): gain for i, (_, gain) in enumerate(listed) if gain > 0}
            if not self.relevant[query]:
                raise CorpusFormatError(name, f"query {query!r} has no relevant candidate")
            for i, (text, _) in enumerate(listed):
                self._pairs.append((queries[query], text))
                self._places.append((query, str(i)))
        if not self._pairs:
            raise CorpusFormatError(name, "no query to score the model on")

    def score(self, model: Any) -> Measured:
        """See the base class; ``ndcg@10`` and ``accuracy@1`` stand beside ``mrr@10``."""
        scores = np.asarray(model.predict(self._pairs, batch_size=_BATCH, show_progress_bar=False), dtype=np.float64)
        listed: dict[str, list[tuple[float, int, str]]] = {}
        for i, ((query, place), score) in enumerate(zip(self._places, scores.reshape(-1), strict=True)):
            # Equal scores stand in the reverse of the given order, so that a relevant one listed first gains nothing.
            listed.setdefault(query, []).append((-float(score), -i, place))
        run = {query: [place for _, _, place in sorted(rows)] for query, rows in listed.items()}
        return _ranked(run, self.relevant, self.main, self._groups)


def embed(model: Any, texts: Sequence[str]) -> NDArray[np.float64]:
    """Unit vectors of texts as they are, shape (n, dimension): no prompt is put before them."""
    vectors = model.encode(list(texts), batch_size=_BATCH, show_progress_bar=False, prompt="", convert_to_numpy=True)
    return unit(vectors)


def _ranked(
    run: Mapping[str, Sequence[str]],
    relevant: Mapping[str, Mapping[str, float]],
    main: str,
    groups: Mapping[str, str] | None = None,
) -> Measured:
    scores = score_queries(run, relevant, ks=(1, _DEPTH))
    means = mean_scores(scores)
    values = {"ndcg@10": means["ndcg@10"], "mrr@10": means["mrr@10"], "accuracy@1": means["mrr@1"]}
    return Measured(values={**values, "recall@10": means["recall@10"]}, each=dict(scores[main]), groups=groups)
