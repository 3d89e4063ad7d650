"""The batches that the bundled model is tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Ids

    Batch = tuple[list[Ids], list[Ids], list[float] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneText:
    """Piece ids of what is tuned on.

    Attributes:
        titles: The statute's name and the article's heading, one each article.
        headings: The headings alone.
        bodies: The articles.
        runs: Lists of consecutive sentences.
        paraphrases: Pairs of sentences.
        scored: Pairs of sentences with how alike people found them.
    """

    titles: Sequence[Ids]
    headings: Sequence[Ids]
    bodies: Sequence[Ids]
    runs: Sequence[Sequence[Ids]]
    paraphrases: Sequence[tuple[Ids, Ids]]
    scored: Sequence[tuple[Ids, Ids, float]]


_PASSAGE: Final = 260  # pieces; a chunk as it is searched


def statutes(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
    """Names, headings or a few words of articles, and the articles."""
    queries: list[Ids] = []
    passages: list[Ids] = []
    for i in rng.choice(len(text.bodies), min(size, len(text.bodies)), replace=False):
        body = text.bodies[i]
        if len(body) > _PASSAGE:
            start = rng.integers(0, len(body) - _PASSAGE + 60) if rng.random() < 0.65 else 0
            body = body[start : start + _PASSAGE]
        asked = rng.random()
        if asked < 0.25:
            queries.append(text.titles[i])
        elif asked < 0.35:
            queries.append(text.headings[i])
        else:
            length = min(int(rng.integers(8, 30)), max(len(body) // 2, 1))
            start = int(rng.integers(0, max(len(body) - length, 1)))
            queries.append(_some(body[start : start + length], rng))
            rest = np.concatenate([body[:start], body[start + length :]])
            if rng.random() < 0.5 and len(rest):
                body = rest
        passages.append(body)
    return queries, passages, None


def reports(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
    """Part of a sentence, and the sentences around it."""
    queries: list[Ids] = []
    passages: list[Ids] = []
    for _ in range(size):
        run = text.runs[int(rng.integers(0, len(text.runs)))]
        length = min(int(rng.integers(3, 9)), len(run))
        start = int(rng.integers(0, len(run) - length + 1))
        asked = int(rng.integers(start, start + length))
        whole = rng.random() < 0.7
        queries.append(_some(run[asked], rng))
        kept = [run[i] for i in range(start, start + length) if whole or i != asked]
        passages.append(np.concatenate(kept) if kept else run[asked])
    return queries, passages, None


def paraphrases(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
    """Two sentences that say the same."""
    queries: list[Ids] = []
    passages: list[Ids] = []
    for i in rng.choice(len(text.paraphrases), min(size, len(text.paraphrases)), replace=False):
        first, second = text.paraphrases[i]
        swap = rng.random() < 0.5
        queries.append(second if swap else first)
        passages.append(first if swap else second)
    return queries, passages, None


def scored(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
    """Two sentences, and how alike they are."""
    chosen = [text.scored[i] for i in rng.choice(len(text.scored), min(size, len(text.scored)), replace=False)]
    return [first for first, _, _ in chosen], [second for _, second, _ in chosen], [score for _, _, score in chosen]


def _some(ids: Ids, rng: np.random.Generator) -> Ids:
    """Part of a text's pieces, as a question has them."""
    kept = ids[rng.random(len(ids)) < rng.uniform(0.3, 0.9)]
    return kept if len(kept) >= 2 else ids
