"""What every recipe can be told; each recipe's own settings add to these, with its paper's values as defaults."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Schedule = Literal["linear", "cosine", "constant", "one-cycle"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

SCHEDULES: Final = ("linear", "cosine", "constant", "one-cycle")
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")
_MOST_SEED: Final = 2**32 - 1  # NumPy's


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a model is trained.

    Attributes:
        epochs: Times that all data are seen.
        batch_size: Rows in a step; in-batch negatives come from these. With several GPUs, on each of them.
        accumulate: Batches whose gradients make one step. In-batch negatives do not grow with it.
        learning_rate: The highest.
        warmup: Share of the steps over which the learning rate rises; of `one-cycle` .3 where this is 0.
        schedule: How it falls after that.
        weight_decay: Of AdamW.
        max_length: Tokens after which texts are cut; the base's own limit where there is none.
        max_steps: Steps of a stage after which it ends, whatever `epochs` says.
        checkpoints: How often in a stage a checkpoint is written and the development data are scored; 0 never.
        precision: `auto` is bf16 on GPUs that have it, else fp16 on GPUs, fp32 on processors.
        seed: Of all that is random; from 0 to 4294967295.
        query_prefix: Put before queries, instead of what the recipe or the base puts there; '' for nothing.
        passage_prefix: Likewise before passages.
    """

    epochs: float = 1.0
    batch_size: int = 32
    accumulate: int = 1
    learning_rate: float = 2e-5
    warmup: float = 0.1
    schedule: Schedule = "linear"
    weight_decay: float = 0.0
    max_length: int | None = None
    max_steps: int | None = None
    checkpoints: int = 10
    precision: Precision = "auto"
    seed: int = 42
    query_prefix: str | None = None
    passage_prefix: str | None = None

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        for name in ("epochs", "batch_size", "accumulate", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is {self.warmup}; it is a share of the steps, from 0 up to 1")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be 0 or more")
        for name in ("max_length", "max_steps"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be 1 or more")
        if self.checkpoints < 0:
            raise ValueError(f"checkpoints is {self.checkpoints}; it must be 0 or more")
        if not 0 <= self.seed <= _MOST_SEED:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to {_MOST_SEED}")
        for name in ("query_prefix", "passage_prefix"):  # as texts are: another form would be another prefix
            if (prefix := getattr(self, name)) is not None:
                object.__setattr__(self, name, unicodedata.normalize("NFC", prefix))
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule={self.schedule!r}: choose one of {', '.join(SCHEDULES)}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision!r}: choose one of {', '.join(PRECISIONS)}")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
