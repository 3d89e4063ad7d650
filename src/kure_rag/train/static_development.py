"""What the bundled model is scored on, before its tuning, during it and after: sets that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, SourceNotFoundError
from kure_rag.train.data import TrainingText, training_files
from kure_rag.train.development import Development, distinct
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.triplet_dev import development_of, digest

BESIDE: Final = ("sts/kornlu/KorSTS/sts-dev.tsv", "sets/ko_strategyqa_facts_dev")
"""Below the data; those of them that are there are scored where no others are named."""


def sets_to_score(data: Path, dev: Sequence[Path]) -> tuple[Path, ...]:
    """The files and folders: those that were named, or those that lie with the data.

    Raises:
        SourceNotFoundError: One that was named is missing.
        ConfigError: One of them is trained on.
    """
    if not dev:
        return tuple(path for name in BESIDE if (path := data / name).exists())
    for path in dev:
        if not path.exists():
            raise SourceNotFoundError(str(path), "no such file or folder; it was given with --dev")
    trained = {path.resolve() for path in training_files(data)}
    for path in dev:
        if path.resolve() in trained:
            raise ConfigError(f"{path}: is trained on; give sets to score on that are not")
    return tuple(dev)


def read_development(paths: Sequence[Path], text: TrainingText, work: Path) -> tuple[list[Development], list[str]]:
    """The sets, and a sentence where passages that answer their questions are among what is trained on.

    Args:
        paths: STS sets, triplets, or folders in BEIR's layout.
        text: What is trained on.
        work: A folder for what is made of them.
    """
    development, known = development_of(Sources(train=(), dev=tuple(paths), work=work))
    development = list(distinct(development))
    seen = {digest(one) for one in _texts(text)} if known else set()
    notes = []
    if met := len(seen & known.positives):
        notes.append(
            f"{met:,} of {len(known.positives):,} passages that answer a question of the scored sets were trained on: "
            "their questions are unseen, and they are not"
        )
    if met := len(seen & known.queries):
        notes.append(f"{met:,} of {len(known.queries):,} questions of the scored sets stand in what was trained on")
    return development, notes


def values_of(development: Sequence[Development], model: Any) -> dict[str, float]:
    """``set_measure`` of each set's main measure → value."""
    return {f"{one.name}_{one.main}": one.score(model).values[one.main] for one in development}


def flat(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Set → measure → value as ``set_measure`` → value."""
    return {f"{name}_{measure}": value for name, own in values.items() for measure, value in own.items()}


def _texts(text: TrainingText) -> Iterator[str]:
    for article in text.articles:
        yield article.text
        yield article.passage()
    yield from text.general()
