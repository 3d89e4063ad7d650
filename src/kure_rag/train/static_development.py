"""What the bundled model is scored on, before its tuning, during it and after: sets that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, SourceNotFoundError
from kure_rag.evaluate.sts_sets import read_sts
from kure_rag.train.data import TrainingText, training_files
from kure_rag.train.development import Development, distinct
from kure_rag.train.readers import detect_kind
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.triplet_dev import development_of, digest
from kure_rag.train.workdir import hashes

BESIDE: Final = ("sts/kornlu/KorSTS/sts-dev.tsv", "sets/ko_strategyqa_facts_dev")
"""Below the data; those of them that are there are scored where no others are named."""

_MOST_MET: Final = 0.5  # share of a set's pairs from which on it is no test; of KorSTS-dev's 1,495 three are trained on


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
    files = training_files(data)
    places = {path.resolve() for path in files}
    trained = {hashed: name for name, hashed in hashes(files).items()}
    for path in dev:
        if path.resolve() in places:
            raise ConfigError(f"{path}: is trained on; give sets to score on that are not")
        if path.is_file() and (name := trained.get(hashes([path])[path.name])) is not None:
            raise ConfigError(f"{path}: is a copy of {name}, which is trained on; give sets to score on that are not")
    return tuple(dev)


def read_development(paths: Sequence[Path], text: TrainingText, work: Path) -> tuple[list[Development], list[str]]:
    """The sets, and a sentence where what answers their questions, or a pair of theirs, is among what is trained on.

    Args:
        paths: STS sets, triplets, or folders in BEIR's layout.
        text: What is trained on.
        work: A folder for what is made of them.

    Raises:
        CorpusFormatError: A file breaks its format.
        ConfigError: At least half of the pairs of an STS set are trained on, whatever its file is called.
    """
    notes = _pairs_met(paths, text)
    development, known = development_of(Sources(train=(), dev=tuple(paths), work=work))
    development = list(distinct(development))
    seen = {digest(one) for one in _texts(text)} if known else set()
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


def _pairs_met(paths: Sequence[Path], text: TrainingText) -> list[str]:
    """Sentences of pairs in STS sets that are trained on, which as single sentences any set's may be."""
    trained = {_pair(*both) for both in text.paraphrases} | {_pair(first, second) for first, second, _ in text.scored}
    notes = []
    for path in paths:
        if path.is_dir() or detect_kind(path) != "sts":
            continue
        pairs = read_sts(path).pairs
        met = sum(_pair(pair.first, pair.second) in trained for pair in pairs)
        if met >= _MOST_MET * len(pairs):
            raise ConfigError(
                f"{path}: {met:,} of its {len(pairs):,} pairs are trained on; give sets to score on that are not"
            )
        if met:
            notes.append(f"{met:,} of {len(pairs):,} pairs of {path.name} were trained on")
    return notes


def _pair(first: str, second: str) -> frozenset[int]:
    """By which equal pairs are known, whatever their order and spaces."""
    return frozenset((digest(first), digest(second)))


def _texts(text: TrainingText) -> Iterator[str]:
    for article in text.articles:
        yield article.text
        yield article.passage()
    yield from text.general()
