"""ko-sentence-transformers: contrast of inferences, cosines of similarity, or both in turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal, get_args

from kure_rag.train.readers import Kind
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.nli_sts import read_sentences
from kure_rag.train.recipes.nli_sts_stages import (
    contrast,
    cosine,
    make_triplets,
    nested,
    score_dataset,
    triplet_dataset,
)
from kure_rag.train.settings import TrainSettings
from kure_rag.train.trainer import left_out

Task = Literal["nli", "sts", "multitask"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)

_NEEDS: Final[Mapping[Task, tuple[Kind, ...]]] = {"nli": ("nli",), "sts": ("sts",), "multitask": ("nli", "sts")}


@dataclass(frozen=True, slots=True, kw_only=True)
class KoSentenceTransformersSettings(TrainSettings):
    """The values of ko-sentence-transformers.

    Attributes:
        task: `nli`, `sts`, or `multitask` for both in turns.
        epochs: Times that the triplets are seen, of `nli`.
        sts_epochs: Times that the STS pairs are seen, of `sts` and `multitask`.
        batch_size: Triplets in a step.
        sts_batch_size: STS pairs in a step.
        learning_rate: The highest.
        warmup: Share of the steps over which the learning rate rises.
        weight_decay: Of AdamW.
        max_length: Tokens after which texts are cut.
        temperature: What cosines are divided by in the contrast.
        matryoshka: Lengths to which vectors can be cut later, such as 512 256 128 64 32; none by default. The whole
            length is always trained as well.
        skip_faults: Leave rows that break their format out and count them, instead of ending at the first.
    """

    task: Task = "multitask"
    epochs: float = 1.0
    sts_epochs: float = 5.0
    batch_size: int = 64
    sts_batch_size: int = 8
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_length: int | None = 128
    temperature: float = 0.05
    matryoshka: tuple[int, ...] = ()
    skip_faults: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r}: choose one of {', '.join(TASKS)}")
        for name in ("sts_epochs", "sts_batch_size", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if any(length < 1 for length in self.matryoshka):
            raise ValueError(f"matryoshka is {self.matryoshka}; lengths must be 1 or more")


class KoSentenceTransformersRecipe(Recipe[KoSentenceTransformersSettings]):
    """Three ways to train Sentence-BERT on KorNLI and KorSTS.

    ``nli``: each entailment in both directions, with a contradiction of its premise as a hard negative; all other
    positives and negatives of the batch are negatives too, and no text is twice in a batch
    (MultipleNegativesRankingLoss; Henderson et al. 2017, arXiv 1705.00652). ``sts``: the squared difference of the
    cosine and the score over 5. ``multitask``: a batch of each in turns, until one kind is used up.

    Done otherwise than in the original: the negative always contradicts the premise of its own pair (the original
    groups reversed pairs too, so that a common hypothesis gathers contradictions of other scenes, and leaves the choice
    to chance); all entailments of a premise are used, not one of them; pairs that the model is scored on are taken out
    of the training data. ``matryoshka`` adds the same loss on the first numbers of the vectors (Kusupati et al. 2022).
    """

    name: ClassVar[str] = "ko-sbert"
    summary: ClassVar[str] = "ko-sentence-transformers: NLI by contrast, STS by cosines, or both in turns"
    source: ClassVar[str] = "https://github.com/jhgan00/ko-sentence-transformers"
    base: ClassVar[str] = "klue/roberta-base"
    pooling: ClassVar[Any] = "mean"
    query_prefix: ClassVar[str | None] = ""
    passage_prefix: ClassVar[str | None] = ""
    data: ClassVar[str] = "NLI files (KorNLI, KLUE-NLI) for nli, STS files (KorSTS, KLUE-STS) for sts, else both"
    dev: ClassVar[str] = "STS files, such as KorSTS's sts-dev.tsv, or NLI files"
    limits: ClassVar[tuple[str, ...]] = (
        "The original keeps the best of its checkpoints by the development set; here the last weights are kept.",
    )

    @property
    def settings(self) -> KoSentenceTransformersSettings:
        """The repository's values."""
        return KoSentenceTransformersSettings()

    def smallest(self, settings: KoSentenceTransformersSettings) -> KoSentenceTransformersSettings:
        """See the base class."""
        return replace(
            settings,
            epochs=2.0,
            sts_epochs=2.0,
            batch_size=16,
            sts_batch_size=16,
            learning_rate=1e-3,
            max_length=32,
            max_steps=100,
            checkpoints=2,
        )

    def plan(self, sources: Sources, settings: KoSentenceTransformersSettings, say: Say) -> Plan:
        """See the base class."""
        task = settings.task
        data = read_sentences(sources, _NEEDS[task], skip_faults=settings.skip_faults, seed=settings.seed, say=say)
        told = settings if task == "nli" else replace(settings, epochs=settings.sts_epochs)
        if task == "sts":
            told = replace(told, batch_size=settings.sts_batch_size)
        datasets: dict[str, Any] = {}
        notes = list(data.notes)
        if task != "sts":
            triplets = make_triplets(data.nli, mirrored=True)
            notes += triplets.notes
            datasets["nli"] = triplet_dataset(triplets, sources.work / "nli", batch_size=settings.batch_size)
        if task != "nli":
            datasets["sts"] = score_dataset(data.sts, sources.work / "sts", batch_size=settings.sts_batch_size)
        if settings.matryoshka:
            lengths = ", ".join(map(str, sorted(settings.matryoshka, reverse=True)))
            notes.append(f"vectors can be cut to {lengths} numbers: KureEmbeddings(..., dimension=...)")

        def losses(model: Any) -> Mapping[str, Any]:
            plain = {"nli": contrast(model, settings.temperature), "sts": cosine(model)}
            return {name: nested(model, plain[name], settings.matryoshka) for name in datasets}

        names = {"nli": "triplets", "sts": "STS pairs"}
        stage = Stage(
            name=task,
            datasets=datasets,
            losses=losses,
            settings=told,
            batch_sizes={"sts": settings.sts_batch_size} if task == "multitask" else {},
            no_duplicates=task != "sts",
            mix="round-robin",
        )
        return Plan(
            stages=(stage,),
            development=data.development,
            texts=data.texts,
            rows={names[name]: len(dataset) for name, dataset in datasets.items()},
            notes=(*notes, *left_out(stage)),
        )
