"""What a search found."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kure_rag.config import Config, config_text
from kure_rag.errors import IndexPathError
from kure_rag.evaluate import Interval
from kure_rag.tune.confirm import Confirmation
from kure_rag.tune.grid import Setting, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A setting on the tuning half.

    Attributes:
        stage: Where it was tried.
        setting: The setting.
        label: What of it is not as before its stage.
        score: Its mean.
        difference: Against the present settings, question by question, with a 95 % interval.
        characters: How much text its first passages hold, where that was measured.
    """

    stage: Stage
    setting: Setting
    label: str
    score: float
    difference: Interval
    characters: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "stage": self.stage,
            "label": self.label,
            "score": self.score,
            "difference": self.difference.to_dict(),
            "characters": self.characters,
            "setting": self.setting.to_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a stage ended.

    Attributes:
        stage: Which.
        tried: Settings beside the one before it.
        best: The best of them on the tuning half, if any was better than the one before it.
        gain: By how much, there.
        confirmation: What the held-out half said of it.
        note: Why nothing was tried, or why it was stopped.
    """

    stage: Stage
    tried: int = 0
    best: Trial | None = None
    gain: float = 0.0
    confirmation: Confirmation | None = None
    note: str = ""

    @property
    def is_preferred(self) -> bool:
        """Whether the setting takes the place of the one before it."""
        return self.confirmation is not None and self.confirmation.is_better

    def verdict(self) -> str:
        """In a sentence."""
        if self.best is None or self.confirmation is None:
            return self.note or f"none of {self.tried} settings was better on the tuning half: kept as it is"
        told, test = self.confirmation, self.confirmation.test
        gains = f"{self.gain:+.4f} on the tuning half, {test.difference:+.4f} on the held-out half"
        level = f"p = {test.p_value:.2g}, needed < {told.alpha:.2g}"
        if self.is_preferred:
            return f"{self.best.label}: preferred ({gains}, {level})"
        if told.needed is None:
            return f"{self.best.label}: no better on the held-out half ({gains}): kept as it is"
        return (
            f"{self.best.label}: inside the noise ({gains}, {level}): kept as it is. To tell such a difference, about "
            f"{told.needed:,} held-out questions are needed, and there are {test.queries}"
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "stage": self.stage,
            "tried": self.tried,
            "best": None if self.best is None else self.best.label,
            "gain": self.gain,
            "confirmation": None if self.confirmation is None else self.confirmation.to_dict(),
            "verdict": self.verdict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One setting on both halves, each mean with its 95 % interval."""

    tuning: Interval
    held_out: Interval

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"tuning": self.tuning.to_dict(), "held_out": self.held_out.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """What a search found.

    Attributes:
        metric: Such as ``ndcg@10``.
        seed: Of the split.
        tuning: Questions that settings were chosen on.
        held_out: Questions that they were confirmed on.
        present: The settings before.
        chosen: The settings now; the same where nothing was preferred.
        scores_present: Of the settings before.
        scores_chosen: Of the settings now.
        outcomes: Of each stage.
        trials: All that was tried, in order.
        note: What has to be said of the whole.
    """

    metric: str
    seed: int
    tuning: int
    held_out: int
    present: Setting
    chosen: Setting
    scores_present: Half
    scores_chosen: Half
    outcomes: Sequence[Outcome] = ()
    trials: Sequence[Trial] = field(default_factory=tuple)
    note: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether anything was preferred to the present settings."""
        return self.chosen != self.present

    @property
    def needs_new_index(self) -> bool:
        """Whether documents have to be ingested anew to be cut as was chosen."""
        return self.chosen.chunks != self.present.chunks

    @property
    def config(self) -> Config:
        """The chosen settings."""
        return Config(chunks=self.chosen.chunks, search=self.chosen.options)

    def write_config(self, path: Path) -> None:
        """Writes the chosen settings as a ``kure-rag.yaml``; the file appears whole or not at all.

        Raises:
            IndexPathError: It cannot be written.
        """
        same = "nothing could be told from the settings as they were, which are kept"
        found = self.chosen.differs(self.present) if self.is_changed else same
        scores = (
            f"{self.metric} {self.scores_chosen.held_out.mean:.4f} on {self.held_out} held-out questions, "
            f"{self.scores_present.held_out.mean:.4f} before; chosen on {self.tuning} others (seed {self.seed})"
        )
        write_text(path, config_text(self.config, (found, scores)))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "metric": self.metric,
            "seed": self.seed,
            "questions": {"tuning": self.tuning, "held_out": self.held_out},
            "changed": self.is_changed,
            "needs_new_index": self.needs_new_index,
            "present": {"setting": self.present.to_dict(), **self.scores_present.to_dict()},
            "chosen": {"setting": self.chosen.to_dict(), **self.scores_chosen.to_dict()},
            "stages": [outcome.to_dict() for outcome in self.outcomes],
            "trials": [trial.to_dict() for trial in self.trials],
            "note": self.note,
        }


def write_text(path: Path, text: str) -> None:
    """A file that appears whole or not at all.

    Raises:
        IndexPathError: It cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)  # noqa: PTH105 - Path.replace does the same; this one says "atomic" to readers
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise IndexPathError(
            f"{path}: cannot be written ({error.strerror or error}); give a file in a folder that is there"
        ) from error
