"""A relevance from 0 to 1 that means the same in every search, so that a threshold can be set on it.

Scores of a search only order its own hits: a keyword score grows with the length of the query and the size of the
index, and each model's cosines have a range of their own. A relevance is the estimated probability that a passage
answers the query, a logistic function of what can be compared between searches:

- the share of the query's morphemes that are in the passage, and the share of its letter pairs;
- how far the cosine lies above those of unrelated passages, in their standard deviations: 256 passages from all over
  the index stand for them, so that one formula serves models whose cosines lie between .7 and .9 and others.

``lexical`` searches know only the first, ``dense`` ones only the second, ``hybrid`` ones both. The coefficients were
fitted on half of the queries of two public sets with the bundled model and tested on the others, each query also asked
of an index without its answers (``benchmarks/relevance.py``, table in ``benchmarks/results/fusion.md``). It orders and
separates better than it counts: on one set hits of .8 to .9 were relevant in half of the cases, on the other in nine of
ten, and ``dense`` ones of the bundled model are worth less still. A threshold of .1 drops seven tenths or more of what
is irrelevant, and with it answers in other words than the question's: look at what it drops before you set one. A model
that tells passages apart better than the bundled one deserves coefficients of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.index.lexical import Question
from kure_rag.index.rows import Keywords
from kure_rag.tokenize import letter_pairs
from kure_rag.types import Mode

Features = npt.NDArray[np.float64]
_FEWEST: Final = 16  # passages that make a background
_NARROWEST: Final = 1e-3  # standard deviation: below it all passages are alike


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceSettings:
    """Coefficients of the logistic function.

    Attributes:
        constant: Added always.
        terms: Times the share of the query's morphemes in the passage.
        pairs: Times the share of its letter pairs.
        cosine: Times the cosine in standard deviations above unrelated passages.
    """

    constant: float
    terms: float = 0.0
    pairs: float = 0.0
    cosine: float = 0.0


SETTINGS: Final[Mapping[Mode, RelevanceSettings]] = {
    "hybrid": RelevanceSettings(constant=-5.3, terms=2.85, cosine=0.5),
    "lexical": RelevanceSettings(constant=-4.24, terms=4.1, pairs=1.09),
    "dense": RelevanceSettings(constant=-5.83, cosine=0.74),
}


@dataclass(frozen=True, slots=True)
class Background:
    """Cosines of a query with unrelated passages.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, cosines: npt.NDArray[np.float64]) -> Background | None:
        """From cosines with passages from all over; ``None`` where they are too few.

        By median and quartiles: the few related passages among them do not count.
        """
        if len(cosines) < _FEWEST:
            return None
        low, middle, high = np.percentile(cosines, [25, 50, 75])
        deviation = max(float(high - low) / 1.349, _NARROWEST)  # the quartiles of a normal distribution
        return cls(round(float(middle), 6), round(deviation, 6))

    def above(self, cosine: float) -> float:
        """Standard deviations above."""
        return (cosine - self.mean) / self.deviation


def coverage(wanted: Collection[str], there: Collection[str]) -> float:
    """The share of distinct words wanted that are there; 0 when none is wanted."""
    distinct = set(wanted)
    return len(distinct.intersection(there)) / len(distinct) if distinct else 0.0


def features_of(
    question: Question | None, words: Keywords | None, background: Background | None, cosine: float | None
) -> tuple[float | None, float | None, float | None]:
    """What is known of a passage: shares of morphemes and of letter pairs, and the cosine in standard deviations.

    Args:
        question: ``None`` where the keyword leg was not asked.
        words: What the keyword view indexes of the passage.
        background: Cosines with unrelated passages; ``None`` where the dense leg was not asked, or they are too few.
        cosine: Of the passage.
    """
    terms = pairs = above = None
    if question is not None and words is not None:
        terms = coverage(question.terms, words.terms.split())
        pairs = coverage(question.pairs, letter_pairs(words.text))
    if background is not None and cosine is not None:
        above = background.above(cosine)
    return terms, pairs, above


def relevance(features: Sequence[float | None], settings: RelevanceSettings) -> float:
    """The probability, from 0 to 1.

    Args:
        features: Shares of morphemes and of letter pairs, and the cosine in standard deviations; ``None`` for what is
            not known, which counts as nothing.
        settings: The coefficients.
    """
    factors = (settings.terms, settings.pairs, settings.cosine)
    sum_ = settings.constant + sum(f * x for f, x in zip(factors, features, strict=True) if x is not None)
    return round(float(1 / (1 + np.exp(-np.clip(sum_, -50, 50)))), 6)
