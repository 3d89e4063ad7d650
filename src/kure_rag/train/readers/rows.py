"""What the readers of training data give: one small frozen object for each kind of row. All texts are in NFC.

Rows of STS sets are :class:`kure_rag.evaluate.sts_sets.StsPair`, as evaluation reads them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from kure_rag.evaluate.sts_sets import StsPair
from kure_rag.types import contextualized

NliLabel = Literal["entailment", "neutral", "contradiction"]
NLI_LABELS: Final[tuple[NliLabel, ...]] = get_args(NliLabel)


@dataclass(frozen=True, slots=True, kw_only=True)
class NliRow:
    """A premise, a hypothesis, and what the one says about the other (natural language inference).

    Attributes:
        premise: What is taken to be true.
        hypothesis: What follows from it, may be, or cannot be.
        label: Which of the three.
    """

    premise: str
    hypothesis: str
    label: NliLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """A query, a passage that answers it, and passages that do not.

    Attributes:
        query: The question or sentence.
        positive: What answers it, or says the same.
        negatives: Passages that look alike and do not answer it, hardest first; may be empty.
    """

    query: str
    positive: str
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPair:
    """A query and a passage with how relevant it is: what a reranker learns from.

    Attributes:
        query: The question.
        passage: The text that may answer it.
        label: From 0, does not answer, to 1, answers.
    """

    query: str
    passage: str
    label: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """A sentence in Korean and in English.

    Attributes:
        korean: The Korean sentence.
        english: The same in English.
        id: The file's name without its endings and the number of the line: ``ntrex128_ko_en:2``.
    """

    korean: str
    english: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article of a statute.

    Attributes:
        law: The statute's name.
        title: The article's heading.
        text: Its wording, without the heading.
        article: Its number, such as ``제3조의2``; empty where the file does not say it.
        domain: ``finance``, ``legal``, ``medical``, or empty.
    """

    law: str
    title: str
    text: str
    article: str = ""
    domain: str = ""

    def passage(self) -> str:
        """The text below its headings, as an index embeds it: ``은행법 > 제1조(목적)``, a line break, the wording."""
        heading = f"{self.article}({self.title})" if self.article and self.title else self.article or self.title
        return contextualized(tuple(part for part in (self.law, heading) if part), self.text)


Row: TypeAlias = NliRow | StsPair | Triplet | LabelledPair | Parallel | Article


def texts_of(row: Row) -> tuple[str, ...]:
    """All texts of a row, to count their tokens or to make a vocabulary of them."""
    match row:
        case NliRow():
            return row.premise, row.hypothesis
        case StsPair():
            return row.first, row.second
        case Triplet():
            return row.query, row.positive, *row.negatives
        case LabelledPair():
            return row.query, row.passage
        case Parallel():
            return row.korean, row.english
        case Article():
            return (row.passage(),)


__all__ = [
    "NLI_LABELS",
    "Article",
    "LabelledPair",
    "NliLabel",
    "NliRow",
    "Parallel",
    "Row",
    "StsPair",
    "Triplet",
    "texts_of",
]
