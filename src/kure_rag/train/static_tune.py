"""Contrastive tuning: what belongs together moves together, in-batch strangers move apart.

Three kinds of batches, each with its own strangers: a statute's name, heading or a few words of an article against the
article; a sentence of a news report against the report; two sentences that say the same. The outcome lies half way
between the start and where tuning led (Wortsman et al. 2022): that keeps most of what statutes gain, and undoes what
general text, of which there is little to learn from, would lose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Ids, Matrix

    Batch = tuple[list[Ids], list[Ids]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """How the vectors are tuned.

    Attributes:
        steps: How many batches; 0 leaves the vectors as they are.
        batch: Pairs in a batch.
        learning_rate: Of Adam, at its highest; it rises over the first steps and falls to 0 at the last.
        temperature: What cosines are divided by in the loss.
        way: How far to go from the start to where tuning leads: 0 not at all, 1 all of the way.
        statutes: Share of batches from statutes.
        reports: Share from consecutive sentences.
        paraphrases: Share from sentence pairs.
    """

    steps: int = 1_000
    batch: int = 256
    learning_rate: float = 0.001
    temperature: float = 0.07
    way: float = 0.5
    statutes: float = 0.5
    reports: float = 0.3
    paraphrases: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneText:
    """Piece ids of what is tuned on.

    Attributes:
        titles: The statute's name and the article's heading, one each article.
        headings: The headings alone.
        bodies: The articles.
        runs: Lists of consecutive sentences.
        paraphrases: Pairs of sentences.
    """

    titles: Sequence[Ids]
    headings: Sequence[Ids]
    bodies: Sequence[Ids]
    runs: Sequence[Sequence[Ids]]
    paraphrases: Sequence[tuple[Ids, Ids]]


_PASSAGE: Final = 260  # pieces; a chunk as it is searched
_WARM_UP: Final = 50


def tune(
    vectors: Matrix,
    text: TuneText,
    *,
    seed: int,
    settings: TuneSettings,
    progress: Callable[[str], None] | None = None,
) -> Matrix:
    """Tuned copies of the vectors."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    rng = np.random.default_rng(seed)
    sources: Mapping[str, tuple[float, Callable[[], Batch]]] = {
        "statutes": (settings.statutes, lambda: _statutes(text, settings.batch, rng)),
        "reports": (settings.reports, lambda: _reports(text, settings.batch, rng)),
        "paraphrases": (settings.paraphrases, lambda: _paraphrases(text, settings.batch, rng)),
    }
    names = list(sources)
    shares = np.array([share for share, _ in sources.values()])
    rows = torch.nn.Parameter(torch.from_numpy(vectors.copy()))
    optimiser = torch.optim.SparseAdam([rows], lr=settings.learning_rate, betas=(0.9, 0.99))
    for step in range(settings.steps):
        rate = settings.learning_rate * (1 - step / settings.steps) * min(1.0, (step + 1) / _WARM_UP)
        optimiser.param_groups[0]["lr"] = rate
        queries, passages = _filled(sources[names[rng.choice(len(names), p=shares / shares.sum())]][1]())
        if len(queries) < 2:
            continue  # nothing to tell apart
        left, right = (normalize(_means(rows, side), dim=1) for side in (queries, passages))
        cosines = left @ right.T / settings.temperature
        own = torch.arange(len(queries))
        loss = (cross_entropy(cosines, own) + cross_entropy(cosines.T, own)) / 2
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()  # type: ignore[no-untyped-call]
        if progress and (step + 1) % 100 == 0:
            progress(f"tuning: step {step + 1} of {settings.steps}, loss {loss.item():.3f}")
    moved = rows.detach().numpy() - vectors
    return np.ascontiguousarray(vectors + settings.way * moved, dtype=np.float32)


def _means(rows: Any, texts: Sequence[Ids]) -> Any:
    import torch
    from torch.nn.functional import embedding_bag

    starts = np.cumsum([0, *(len(ids) for ids in texts[:-1])])
    return embedding_bag(
        torch.from_numpy(np.concatenate(texts)), rows, torch.from_numpy(starts), mode="mean", sparse=True
    )


def _statutes(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
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
    return queries, passages


def _reports(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
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
    return queries, passages


def _paraphrases(text: TuneText, size: int, rng: np.random.Generator) -> Batch:
    queries: list[Ids] = []
    passages: list[Ids] = []
    for i in rng.choice(len(text.paraphrases), min(size, len(text.paraphrases)), replace=False):
        first, second = text.paraphrases[i]
        swap = rng.random() < 0.5
        queries.append(second if swap else first)
        passages.append(first if swap else second)
    return queries, passages


def _some(ids: Ids, rng: np.random.Generator) -> Ids:
    """Part of a text's pieces, as a question has them."""
    kept = ids[rng.random(len(ids)) < rng.uniform(0.3, 0.9)]
    return kept if len(kept) >= 2 else ids


def _filled(batch: Batch) -> Batch:
    both = [(query, passage) for query, passage in zip(*batch, strict=True) if len(query) and len(passage)]
    return [query for query, _ in both], [passage for _, passage in both]
