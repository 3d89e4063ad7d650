"""What a model is scored on before, during and after training: data that it does not learn from.

Each kind gives one main measure, and its value for each query or pair where it has one, so that before and after can
be compared with an interval and a test (:mod:`kure_rag.evaluate.statistics`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a model scores on one set.

    Attributes:
        values: Measure → value, the main one among them.
        each: The main measure's value for each query, by its id; empty where it has none for a single one, such as a
            correlation.
        groups: Query's id → what it belongs to, such as a document, where queries of one are alike: they are then drawn
            and swapped together.
        pairs: Of correlations: what people said and what the model says of each pair, in the set's order.
    """

    values: Mapping[str, float]
    each: Mapping[str, float]
    groups: Mapping[str, str] | None = None
    pairs: tuple[tuple[float, ...], tuple[float, ...]] | None = None


class Development(ABC):
    """A set to score models on.

    Attributes:
        name: Short, such as ``KorSTS-dev``.
        main: The measure that should rise, one of ``Measured.values``.
    """

    name: str
    main: str

    @abstractmethod
    def score(self, model: Any) -> Measured:
        """Scores a ``SentenceTransformer`` (or a ``CrossEncoder``, for a reranker's set), in evaluation mode."""


def distinct(sets: Sequence[Development]) -> Sequence[Development]:
    """The same sets, of which no two have one name: another file ``dev.jsonl`` becomes ``dev (2)``, as on the card."""
    taken: set[str] = set()
    for one in sets:
        name, number = one.name, 2
        while name in taken:
            name, number = f"{one.name} ({number})", number + 1
        taken.add(name)
        one.name = name
    return sets
