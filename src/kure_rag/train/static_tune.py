"""Contrastive tuning: what belongs together moves together, in-batch strangers move apart.

Four kinds of batches. Three have their own strangers: a statute's name, heading or a few words of an article against
the article; a sentence of a news report against the report; two sentences that say the same. In the fourth, sentence
pairs that people scored, the pair with the higher score is to have the higher cosine (Su 2022, CoSENT). The outcome
lies between the start and where tuning led (Wortsman et al. 2022): that keeps most of what statutes gain, and undoes
what general text, of which there is little to learn from, would lose.

A batch touches a few thousand of the vectors. Only these are gathered, and only they are moved, by Adam with moments
that stand still while a vector is not seen (as PyTorch's ``SparseAdam``): a step costs what its texts cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.train.static_batches import TuneText, paraphrases, reports, scored, statutes
from kure_rag.train.static_vectors import count_matrix

if TYPE_CHECKING:
    from kure_rag.train.static_batches import Batch
    from kure_rag.train.static_vectors import Ids, Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """How the vectors are tuned.

    Attributes:
        steps: How many batches; 0 leaves the vectors as they are.
        batch: Pairs in a batch.
        learning_rate: Of Adam, at its highest; it rises over the first steps and falls to 0 at the last.
        temperature: What cosines are divided by in the contrastive loss.
        sharpness: What differences of cosines are multiplied by in the loss of scored pairs.
        way: How far to go from the start to where tuning leads: 0 not at all, 1 all of the way.
        statutes: Share of batches from statutes.
        reports: Share from consecutive sentences.
        paraphrases: Share from sentence pairs.
        scored: Share from sentence pairs with scores.
    """

    steps: int = 1_000
    batch: int = 256
    learning_rate: float = 0.001
    temperature: float = 0.07
    sharpness: float = 20.0
    way: float = 0.5
    statutes: float = 0.5
    reports: float = 0.3
    paraphrases: float = 0.2
    scored: float = 0.3

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for shares that say nothing."""
        shares = (self.statutes, self.reports, self.paraphrases, self.scored)
        if min(shares) < 0 or not sum(shares):
            raise ValueError(f"the shares of batches are {shares}; none may be below 0, and one must be above")


_WARM_UP: Final = 50
_BETAS: Final = (0.9, 0.99)
_EPSILON: Final = 1e-8


class Tuner:
    """Vectors on their way, and all that the next step depends on.

    Args:
        vectors: Where they start.
        text: What is tuned on.
        seed: Of the batches.
        settings: How.

    Attributes:
        step: Batches seen so far.
    """

    def __init__(self, vectors: Matrix, text: TuneText, *, seed: int, settings: TuneSettings) -> None:
        self.step = 0
        self._text = text
        self._settings = settings
        self._start = vectors
        self._rows = vectors.copy()
        self._first = np.zeros_like(vectors)
        self._second = np.zeros_like(vectors)
        self._rng = np.random.default_rng(seed)

    def advance(self) -> tuple[str, float, float]:
        """One batch: its kind, its loss and the learning rate. A batch that nothing can be learnt from has loss 0."""
        settings = self._settings
        kinds: Mapping[str, tuple[float, Callable[..., Batch]]] = {
            "statutes": (settings.statutes, statutes),
            "reports": (settings.reports, reports),
            "paraphrases": (settings.paraphrases, paraphrases),
            "scored": (settings.scored, scored),
        }
        shares = np.array([share for share, _ in kinds.values()])
        kind = list(kinds)[int(self._rng.choice(len(kinds), p=shares / shares.sum()))]
        rate = settings.learning_rate * (1 - self.step / settings.steps) * min(1.0, (self.step + 1) / _WARM_UP)
        batch = _filled(kinds[kind][1](self._text, settings.batch, self._rng))
        self.step += 1
        loss = self._learn(batch, rate) if len(batch[0]) > 1 else 0.0
        return kind, loss, rate

    def result(self) -> Matrix:
        """The vectors, on the settings' way from their start."""
        moved = self._rows - self._start
        return np.ascontiguousarray(self._start + self._settings.way * moved, dtype=np.float32)

    def state(self) -> tuple[dict[str, Matrix], dict[str, Any]]:
        """Arrays and JSON values from which :meth:`restore` goes on as if nothing had happened."""
        arrays = {"rows": self._rows, "first": self._first, "second": self._second}
        return arrays, {"step": self.step, "random": self._rng.bit_generator.state}

    def restore(self, arrays: Mapping[str, Matrix], values: Mapping[str, Any]) -> None:
        """Takes on a state."""
        self._rows, self._first, self._second = (np.array(arrays[name]) for name in ("rows", "first", "second"))
        self._rng.bit_generator.state = values["random"]
        self.step = int(values["step"])

    def _learn(self, batch: Batch, rate: float) -> float:
        left, right, scores = batch
        used, places = np.unique(np.concatenate([*left, *right]), return_inverse=True)
        lengths = [len(text) for text in (*left, *right)]
        counts = count_matrix(np.split(places, np.cumsum(lengths)[:-1]), len(used))
        loss, gradient = loss_and_gradient(counts @ self._rows[used], len(left), scores, self._settings)
        self._adam(used, np.asarray(counts.T @ gradient, dtype=np.float32), rate)
        return loss

    def _adam(self, used: Ids, gradient: Matrix, rate: float) -> None:
        first = self._first[used]
        first += (gradient - first) * np.float32(1 - _BETAS[0])
        second = self._second[used]
        second += (gradient * gradient - second) * np.float32(1 - _BETAS[1])
        self._first[used], self._second[used] = first, second
        size = rate * (1 - _BETAS[1] ** self.step) ** 0.5 / (1 - _BETAS[0] ** self.step)
        self._rows[used] -= np.float32(size) * first / (np.sqrt(second) + np.float32(_EPSILON))


def loss_and_gradient(
    sums: Matrix, pairs: int, scores: Sequence[float] | None, settings: TuneSettings
) -> tuple[float, Matrix]:
    """A batch's loss, and its gradient by the sums of the texts' vectors.

    Args:
        sums: One row a text: the left sides of all pairs, then the right ones.
        pairs: How many pairs.
        scores: Of each pair; absent for pairs of which each is the others' stranger.
        settings: Temperature and sharpness.

    Returns:
        Of strangers the mean of the cross-entropies from left to right and from right to left; of scored pairs
        ``log(1 + sum of exp(sharpness * (cosine of the lower - cosine of the higher)))`` over all two pairs of
        different scores.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    texts = torch.from_numpy(np.asarray(sums, dtype=np.float32)).requires_grad_()
    both = normalize(texts, dim=1)
    left, right = both[:pairs], both[pairs:]
    if scores is None:
        cosines = left @ right.T / settings.temperature
        own = torch.arange(pairs)
        loss = (cross_entropy(cosines, own) + cross_entropy(cosines.T, own)) / 2
    else:
        cosines = (left * right).sum(dim=1) * settings.sharpness
        truth = torch.tensor(scores)
        wrong = (cosines[:, None] - cosines[None, :])[truth[:, None] < truth[None, :]]
        loss = torch.logsumexp(torch.cat([torch.zeros(1), wrong]), dim=0)
    (gradient,) = torch.autograd.grad(loss, texts)
    return float(loss.detach()), np.asarray(gradient.numpy(), dtype=np.float32)


def _filled(batch: Batch) -> Batch:
    left, right, scores = batch
    kept = [i for i, (first, second) in enumerate(zip(left, right, strict=True)) if len(first) and len(second)]
    return [left[i] for i in kept], [right[i] for i in kept], None if scores is None else [scores[i] for i in kept]
