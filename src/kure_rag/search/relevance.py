"""A relevance from 0 to 1 that means the same in every search, so that a threshold can be set on it.

Scores of a search only order its own hits: a keyword score grows with the length of the query and the size of the
index, and each model's cosines have a range of their own. A relevance is the estimated probability that a passage
answers the query, a logistic function of what can be compared between searches:

- the share of the query's morphemes that are in the passage, and the share of its letter pairs; a word counts where
  the passage has a synonym of it, if the caller gave synonyms;
- how far the cosine lies above those of unrelated passages, in their standard deviations: 256 passages from all over
  the index stand for them, so that one formula serves models whose cosines lie between .7 and .9 and others.

``lexical`` searches know only the first, ``dense`` ones only the second, ``hybrid`` ones both. The coefficients were
fitted on half of the queries of two public sets with the bundled model and tested on the others, each query also asked
of an index without its answers (``benchmarks/relevance.py``, tables in ``benchmarks/results/relevance.md``).

What it is worth: for questions in sentences it is right to about a factor of two from .2 on in ``hybrid`` searches;
hits of .8 to .9 were relevant in two thirds of the cases on one set and in nine tenths on the other. For a few
keywords that many passages share, as the name of a law and a heading, it only orders: of hits of .9 and more a sixth
was the article meant. ``dense`` ones of the bundled model are worth less. A threshold of .1 drops about four fifths or
more of what is irrelevant to questions in sentences, and with it answers in other words than the question's: look at
what it drops before you set one. A model that tells passages apart better than the bundled one deserves coefficients
of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kure_rag.index.lexical import Question
from kure_rag.index.rows import Keywords
from kure_rag.search.helpers import SpacedQuestion
from kure_rag.tokenize import letter_pairs
from kure_rag.tokenize.synonyms import Meaning
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


def said_otherwise(meanings: Sequence[Meaning], there: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Terms and letter pairs of the question's words that a passage has a synonym of.

    Args:
        meanings: What the question says, with what else it may be called.
        there: The passage's terms.
    """
    held = [
        member
        for meaning in meanings
        if any(other.is_in(there) for other in meaning.others)
        for member in meaning.named
    ]
    terms = frozenset(term for member in held for term in member.terms)
    return terms, frozenset(pair for member in held for pair in member.pairs)


def features_of(
    question: Question | None,
    words: Keywords | None,
    background: Background | None,
    cosine: float | None,
    meanings: Sequence[Meaning] = (),
) -> tuple[float | None, float | None, float | None]:
    """What is known of a passage: shares of morphemes and of letter pairs, and the cosine in standard deviations.

    Args:
        question: ``None`` where the keyword leg was not asked.
        words: What the keyword view indexes of the passage.
        background: Cosines with unrelated passages; ``None`` where the dense leg was not asked, or they are too few.
        cosine: Of the passage.
        meanings: What the question says that has synonyms.
    """
    terms = pairs = above = None
    if question is not None and words is not None:
        there = frozenset(words.terms.split())
        more_terms, more_pairs = said_otherwise(meanings, there)
        terms = coverage(question.terms, there | more_terms)
        if isinstance(question, SpacedQuestion) and question.respaced:
            terms = max(terms, coverage(question.respaced, there | more_terms))
        pairs = coverage(question.pairs, more_pairs.union(letter_pairs(words.text)))
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
