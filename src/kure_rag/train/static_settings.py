"""What decides how the bundled model comes out, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from kure_rag.train.report import TrainReport
from kure_rag.train.static_tune import TuneSettings
from kure_rag.train.static_vectors import VectorSettings
from kure_rag.train.static_vocab import VocabularySettings

_MOST_SEED: Final = 2**32 - 1  # NumPy's


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticSettings:
    """Everything that decides what comes out. The defaults are the bundled model's.

    Attributes:
        seed: Of all that is random; from 0 to 4294967295.
        dim: How long an embedding is.
        levels: A stored number is a whole number from ``-levels`` to ``levels``; at most 127.
        analysed: How many characters of an article Kiwi cuts for the vocabulary; vectors are made from all of them.
        vocabulary: Which pieces there are.
        vectors: Where their vectors start.
        tuning: How they are tuned.
    """

    seed: int = 20_240_611
    dim: int = 368
    levels: int = 15
    analysed: int = 1_000
    vocabulary: VocabularySettings = field(default_factory=VocabularySettings)
    vectors: VectorSettings = field(default_factory=VectorSettings)
    tuning: TuneSettings = field(default_factory=TuneSettings)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for settings that no model can be made with."""
        if not 0 <= self.seed <= _MOST_SEED:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to {_MOST_SEED}")
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}; it must be 1 or more")
        if not 1 <= self.levels <= 127:
            raise ValueError(f"levels is {self.levels}; it must be from 1 to 127 to fit into a byte")

    def smallest(self) -> StaticSettings:
        """The same with few pieces, short vectors and few steps: to see that it works, not for use."""
        return replace(
            self,
            dim=64,
            analysed=200,
            vocabulary=replace(
                self.vocabulary, nouns=3_000, names=2_000, verbs=500, adverbs=300, tails=500, pairs=2_000
            ),
            tuning=replace(self.tuning, steps=200, learning_rate=0.003),
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticReport:
    """What was trained.

    Attributes:
        rows: Vectors in the model.
        vocabulary: Pieces that its tokenizer knows; one vector each.
        seconds: How long it took.
        size: Bytes of the folder, unpacked.
        scores: Of the model on the sets that it was scored on, such as ``KorSTS-dev_spearman``.
        training: Scores before and after tuning, losses, what was trained on: as of every recipe.
    """

    rows: int
    vocabulary: int
    seconds: float
    size: int
    scores: Mapping[str, float]
    training: TrainReport

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("rows", "vocabulary", "seconds", "size")}
        return {**told, "scores": dict(self.scores), "training": self.training.to_dict()}
