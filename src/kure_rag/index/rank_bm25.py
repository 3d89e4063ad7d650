"""The keyword leg by rank-bm25, in memory: for small indexes, and as the oracle of the tests.

The only module that imports rank_bm25. Plain Okapi BM25 over the morphemes of the catalog; k1 and b are free here. A
search takes time in proportion to all passages, and everything is made anew when the index changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import Question, Ranking, Rows

_FEW: Final = 1e-9  # a score below is no score


@dataclass(frozen=True, slots=True, kw_only=True)
class Bm25Settings:
    """Okapi BM25's two parameters (Robertson and Zaragoza 2009).

    Attributes:
        k1: How slowly repetition stops counting; 0 counts only whether a term is there.
        b: How much long passages are held back, from 0 to 1.
    """

    k1: float = 1.2
    b: float = 0.75

    def __post_init__(self) -> None:
        if not (math.isfinite(self.k1) and self.k1 >= 0 and 0 <= self.b <= 1):
            raise ValueError(f"BM25's k1 is not negative and its b lies between 0 and 1: got {self.k1}, {self.b}")


class RankBm25View:
    """Searches like :class:`~kure_rag.index.lexical.LexicalView`.

    The library gives a term that more than half of the passages hold a negative weight, or a small one in its place;
    here a term's IDF is that of the keyword view, ln(1 + (n - df + .5) / (df + .5)), so that no term counts against
    a passage. Letter pairs are not used; optional terms are, by their weight.

    Args:
        rows: Terms by row number; nothing else is read of them.
        settings: k1 and b.
    """

    def __init__(self, rows: Mapping[int, Keywords], settings: Bm25Settings | None = None) -> None:
        from rank_bm25 import BM25Okapi

        settings = settings or Bm25Settings()

        self._numbers = np.array(sorted(rows), dtype=np.int64)
        terms = [rows[int(row)].terms.split() for row in self._numbers]
        # The library cannot count an empty corpus, nor passages without a term.
        self._bm25 = BM25Okapi(terms, k1=settings.k1, b=settings.b) if any(terms) else None
        if self._bm25 is not None:
            holding: dict[str, int] = {}
            for counts in self._bm25.doc_freqs:
                for term in counts:
                    holding[term] = holding.get(term, 0) + 1
            count = len(terms)
            self._bm25.idf = {term: math.log(1 + (count - held + 0.5) / (held + 0.5)) for term, held in holding.items()}

    def search(self, question: Question, limit: int, allowed: Rows | None = None) -> Ranking:
        """Rows with any of the question's terms, best score first; equal ones in the order of their rows.

        Args:
            question: Its pairs are not used.
            limit: At most so many rows.
            allowed: Only these rows, if given.

        Returns:
            Pairs of row and score; every score is positive.
        """
        if limit < 1:
            return []
        scores = self._scores(question)
        keep = scores > _FEW
        if allowed is not None:
            keep &= np.isin(self._numbers, np.asarray(allowed))
        (places,) = np.nonzero(keep)
        best = places[np.argsort(-scores[places], kind="stable")[:limit]]
        return [(int(self._numbers[i]), float(scores[i])) for i in best]

    def _scores(self, question: Question) -> npt.NDArray[np.float64]:
        if self._bm25 is None:
            return np.zeros(len(self._numbers))
        scores = np.asarray(self._bm25.get_scores(list(dict.fromkeys(question.terms))), dtype=np.float64)
        for term, weight in question.optional.items():
            if term not in question.terms and weight > 0:
                scores = scores + weight * np.asarray(self._bm25.get_scores([term]))
        return np.round(scores, 4)

    def rows(self) -> Sequence[int]:
        """Every row in the view, ascending."""
        return [int(row) for row in self._numbers]

    def __len__(self) -> int:
        return len(self._numbers)

    def close(self) -> None:
        """Nothing to let go of."""
