"""A reranker: query and passage read together, trained on passages that a search took for the answer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, get_args

from kure_rag.errors import ConfigError
from kure_rag.train.development import Development
from kure_rag.train.development_sets import RerankDev
from kure_rag.train.readers import Kind, LabelledPair, Triplet, check_batch, check_scores, find_training_files
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.triplet_data import (
    DATA,
    Split,
    laid_out,
    named,
    split_rows,
)
from kure_rag.train.recipes.triplet_dev import Known, answer_of, candidates_to_score, digest, shared_answers
from kure_rag.train.settings import TrainSettings

if TYPE_CHECKING:
    import torch

Loss = Literal["bce", "listwise", "lambda"]
LOSSES: Final[tuple[Loss, ...]] = get_args(Loss)

_log = logging.getLogger(__name__)
_KINDS: Final[tuple[Kind, ...]] = ("triplets", "pairs")

# ListNet's target is the softmax of the labels: of one 1 and five 0 it gives the positive a third. Of 10 and 0 all.
_CERTAIN: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankerSettings(TrainSettings):
    """How a reranker is trained.

    Attributes:
        batch_size: Rows in a step: pairs of a query and a passage for ``bce``, otherwise queries with all their
            candidates.
        learning_rate: The highest.
        epochs: Times that all data are seen.
        max_length: Tokens of query and passage together after which they are cut.
        loss: ``bce`` judges each passage by itself and so takes labelled pairs too, ``listwise`` (ListNet) and
            ``lambda`` (LambdaLoss on nDCG) the candidates of a query against each other.
        negatives: Negatives of each triplet's query at most, the hardest first.
        positive_weight: What a positive counts in ``bce``, in negatives; as many as it has by default.
        mini_batch_size: Pairs in memory at a time, of listwise losses.
        held_back: Queries kept for scoring where no development files are given; at most a tenth of all.
    """

    epochs: float = 1.0
    batch_size: int = 64
    learning_rate: float = 2e-5
    max_length: int | None = 512
    loss: Loss = "bce"
    negatives: int = 5
    positive_weight: float | None = None
    mini_batch_size: int = 32
    held_back: int = 500

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        if self.loss not in LOSSES:
            raise ValueError(f"loss={self.loss!r}: choose one of {', '.join(LOSSES)}")
        for name in ("negatives", "mini_batch_size", "held_back"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.positive_weight is not None and not self.positive_weight > 0:
            raise ValueError(f"positive_weight is {self.positive_weight}; it must be above 0")


class RerankerRecipe(Recipe[RerankerSettings]):
    """A cross-encoder on mined negatives (Nogueira and Cho 2019, arXiv 1901.04085).

    It is scored on what it is for: the order of the candidates that a search gave. A candidate list here is a held-back
    query's positive among its mined negatives, so that a score of 1 means that it tells all of them apart. Of labelled
    pairs it is all passages of a query; those with a label of .5 or more are its positives.

    The library's ListNet (Cao et al. 2007) takes the softmax of the labels as its target. Of labels of 0 and 1 that
    leaves the positive among five negatives 35 % of the probability, and asks the model to put 65 % on wrong passages:
    labels are 10 and 0 here.
    """

    name: ClassVar[str] = "reranker"
    summary: ClassVar[str] = "a cross-encoder on mined negatives, by binary cross-entropy or listwise"
    source: ClassVar[str] = "arXiv 1901.04085; ListNet: Cao et al. 2007; LambdaLoss: Wang et al. 2018"
    kind: ClassVar[Any] = "reranker"
    base: ClassVar[str] = "klue/roberta-base"
    pooling: ClassVar[Any] = None
    data: ClassVar[str] = f'{DATA}; for bce also labelled pairs, {{"query": …, "passage": …, "label": from 0 to 1}}'
    dev: ClassVar[str] = (
        "triplets with negatives, or labelled pairs; without any, queries of the training data are held back"
    )
    limits: ClassVar[tuple[str, ...]] = (
        "The values are those that work for BERT-sized cross-encoders, not of one paper.",
        "KURE-Reranker was distilled from another reranker's scores, which this recipe does not do.",
    )

    @property
    def settings(self) -> RerankerSettings:
        """Values for a BERT-sized cross-encoder."""
        return RerankerSettings()

    def smallest(self, settings: RerankerSettings) -> RerankerSettings:
        """See the base class."""
        return replace(
            settings,
            epochs=4.0,
            batch_size=16,
            learning_rate=1e-3,
            negatives=min(settings.negatives, 3),
            max_length=64,
            checkpoints=2,
            max_steps=300,
            held_back=40,
        )

    def plan(self, sources: Sources, settings: RerankerSettings, say: Say) -> Plan:
        """See the base class."""
        say("reading triplets and labelled pairs")
        triplets, labelled = _files(sources.train)
        pairwise = settings.loss == "bce"
        if labelled and not pairwise:
            raise ConfigError(
                f"{named(labelled)}: labelled pairs, and loss {settings.loss} judges the candidates of a query against "
                "each other; give triplets, or choose loss bce"
            )
        scratch = sources.work / "texts"
        given = candidates_to_score(sources.dev, scratch)
        known = Known.of(row for _, rows in given for row in rows)
        split = split_rows(triplets, scratch, known=known, held_back=settings.held_back, labelled=labelled)
        if split.held:
            given = [("held-back", split.held)]
        development = [candidate_development(name, rows) for name, rows in given]
        columns: dict[str, Any] = (
            {"query": "text", "passage": "text", "label": "float"}
            if pairwise
            else {"query": "text", "passages": "texts", "labels": "floats"}
        )
        rows = _pairs(split, settings.negatives) if pairwise else _lists(split, settings.negatives)
        dataset = laid_out(split, rows, columns, sources, 1)
        check_batch(settings.batch_size, len(dataset), named(sources.train))
        weight = settings.positive_weight
        if pairwise:
            check_scores(dataset["label"], named(sources.train))
        if pairwise and weight is None:
            positives = float(sum(dataset["label"]))
            weight = (len(dataset) - positives) / positives
        stage = Stage(
            name="candidates",
            datasets={"candidates": dataset},
            losses=lambda model: {"candidates": rerank_loss(model, settings, positive_weight=weight)},
            settings=settings,
        )
        return Plan(
            stages=[stage],
            development=development,
            texts=lambda: _as_read(dataset),
            rows={"candidates": len(dataset)},
            notes=split.notes(1),
        )


def rerank_loss(model: Any, settings: RerankerSettings, *, positive_weight: float | None) -> torch.nn.Module:
    """The loss that the settings ask for.

    Args:
        model: A ``CrossEncoder`` with one score.
        settings: Which.
        positive_weight: What a positive counts in ``bce``, in negatives.
    """
    import torch
    from sentence_transformers.cross_encoder import losses

    if settings.loss == "bce":
        weight = None if positive_weight is None else torch.tensor(positive_weight)
        return losses.BinaryCrossEntropyLoss(model, pos_weight=weight)
    if settings.loss == "listwise":
        return losses.ListNetLoss(model, mini_batch_size=settings.mini_batch_size)
    return losses.LambdaLoss(model, mini_batch_size=settings.mini_batch_size)


def candidate_development(name: str, rows: Sequence[Triplet | LabelledPair]) -> Development:
    """Each query's positives among its negatives, in an order that says nothing.

    Of labelled pairs the label is what a positive gains.

    Raises:
        ConfigError: Not one query has a positive and a negative.
    """
    queries: dict[str, str] = {}
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        key = str(digest(row.query))
        queries[key] = row.query
        gains = found.setdefault(key, {})
        if isinstance(row, Triplet):
            gains[row.positive] = 1.0
            for text in row.negatives:
                gains.setdefault(text, 0.0)
        else:
            gain = 0.0 if answer_of(row) is None else row.label
            gains[row.passage] = max(gain, gains.get(row.passage, 0.0))
    scored = {key: gains for key, gains in found.items() if any(gains.values()) and not all(gains.values())}
    if not scored:
        raise ConfigError(f"{name}: no query has negatives to put in order; mine them with `kure-rag mine`")
    listed = {key: sorted(gains.items(), key=lambda item: _shuffled(key, item[0])) for key, gains in scored.items()}
    answers = {
        key: {str(digest(text)): gain for text, gain in gains.items() if gain > 0} for key, gains in scored.items()
    }
    return RerankDev(name, queries, listed, groups=shared_answers(answers))


def _shuffled(query: str, text: str) -> bytes:
    return hashlib.blake2b(f"{query} {text}".encode("utf-8", "surrogatepass")).digest()


def _files(places: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files and folders of triplets, and files of labelled pairs."""
    found: dict[Path, Kind] = {}
    for place in places:
        held = find_training_files(place, _KINDS)
        found.update(held.files)
        for name, reason in held.left_out.items():
            _log.warning("%s: %s is not read: %s", place.name or place, name, reason)
    triplets = [path for path, kind in found.items() if kind == "triplets"]
    return triplets, [path for path in found if path not in triplets]


def _as_read(dataset: Any) -> Iterator[str]:
    """Each query with a passage of it in one text, as a cross-encoder reads them."""
    for row in dataset:
        for passage in row["passages"] if "passages" in row else [row["passage"]]:
            yield f"{row['query']} {passage}"


def _pairs(split: Split, most: int) -> Iterator[Mapping[str, object]]:
    for row in split.training(1, most=most):
        yield {"query": row.query, "passage": row.positive, "label": 1.0}
        for text in row.negatives:
            yield {"query": row.query, "passage": text, "label": 0.0}
    for pair in split.training_pairs():
        yield {"query": pair.query, "passage": pair.passage, "label": pair.label}


def _lists(split: Split, most: int) -> Iterator[Mapping[str, object]]:
    for row in split.training(1, most=most):
        yield {
            "query": row.query,
            "passages": [row.positive, *row.negatives],
            "labels": [_CERTAIN, *(0.0 for _ in row.negatives)],
        }
