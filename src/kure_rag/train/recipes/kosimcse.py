"""KoSimCSE: contrast of inferences, or of a text with itself seen through dropout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal, get_args

from kure_rag.errors import ConfigError
from kure_rag.train.readers import Kind, as_dataset, check_batch
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.nli_sts import read_sentences
from kure_rag.train.recipes.nli_sts_stages import contrast, cosine, make_triplets, score_dataset, triplet_dataset
from kure_rag.train.recipes.plain_text import TEXTS
from kure_rag.train.settings import TrainSettings
from kure_rag.train.trainer import left_out

Task = Literal["supervised", "unsupervised", "multitask"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)

_NEEDS: Final[Mapping[Task, tuple[Kind, ...]]] = {
    "supervised": ("nli",),
    "unsupervised": (),
    "multitask": ("nli", "sts"),
}
_NAMES: Final = {"nli": "triplets", "sts": "STS pairs", "texts": "texts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KoSimCseSettings(TrainSettings):
    """KoSimCSE's values.

    Attributes:
        task: `supervised` on NLI, `unsupervised` on plain text or the texts of any data, or `multitask` on NLI and STS.
        epochs: Times that the triplets or texts are seen.
        sts_passes: Of `multitask`: times that the STS pairs are seen for each time that the triplets are.
        batch_size: Rows in a step; all texts of a step are each other's negatives. Of `unsupervised` 2 or more.
        learning_rate: The highest.
        warmup: Share of the steps over which the learning rate rises; .05 was used for RoBERTa, .1 for BERT.
        weight_decay: Of AdamW.
        max_length: Tokens after which texts are cut.
        temperature: What cosines are divided by.
        skip_faults: Leave rows that break their format out and count them, instead of ending at the first.
    """

    task: Task = "supervised"
    epochs: float = 2.0
    sts_passes: int = 5
    batch_size: int = 256
    learning_rate: float = 1e-4
    warmup: float = 0.05
    weight_decay: float = 0.1
    max_length: int | None = 128
    temperature: float = 0.05
    skip_faults: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r}: choose one of {', '.join(TASKS)}")
        for name in ("sts_passes", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.task == "unsupervised" and self.batch_size < 2:
            raise ValueError(f"batch_size is {self.batch_size}; it must be 2 or more, for texts are told apart")


class KoSimCseRecipe(Recipe[KoSimCseSettings]):
    """SimCSE (Gao et al. 2021, arXiv 2104.08821) on Korean data; the vector is that of ``[CLS]`` in the last layer.

    ``supervised``: a premise, what it entails, and a contradiction of it as a hard negative; InfoNCE over all positives
    and negatives of the batch. ``unsupervised``: each text twice, seen through different dropout; all others of the
    batch are negatives. ``multitask``: the loss of a step is that of a batch of triplets, or the squared difference of
    cosine and score over 5 of a batch of STS pairs, both with weight 1; batches of both are shuffled into one another,
    in proportion to their numbers, with the STS pairs ``sts_passes`` times in an epoch.

    Done otherwise than in the original: its README says ``[CLS]`` while its training code takes the pooler's output, a
    layer behind that; its scores are means of the correlations of batches, the best of four similarities, where here
    they are cosines over all pairs at once; there a text that is in a batch twice is its own negative.
    """

    name: ClassVar[str] = "kosimcse"
    summary: ClassVar[str] = "KoSimCSE: contrast of inferences, of dropout views, or with STS"
    source: ClassVar[str] = (
        "https://github.com/BM-K/Sentence-Embedding-Is-All-You-Need (KoSimCSE) and Gao et al. 2021, arXiv 2104.08821"
    )
    base: ClassVar[str] = "klue/roberta-base"
    pooling: ClassVar[Any] = "cls"
    query_prefix: ClassVar[str | None] = ""
    passage_prefix: ClassVar[str | None] = ""
    data: ClassVar[str] = f"NLI files (KorNLI, KLUE-NLI), with STS files for multitask; for unsupervised {TEXTS}"
    dev: ClassVar[str] = "STS files, such as KorSTS's sts-dev.tsv, or NLI files"
    limits: ClassVar[tuple[str, ...]] = (
        "It needs a base that knows the language: thousands of rows teach a random encoder's [CLS] little.",
        "How the original's multitask models combine the losses was not published; what is done here is its own.",
        "The original keeps the best of its checkpoints by the development set; here the last weights are kept.",
    )

    @property
    def settings(self) -> KoSimCseSettings:
        """KoSimCSE's values."""
        return KoSimCseSettings()

    def smallest(self, settings: KoSimCseSettings) -> KoSimCseSettings:
        """See the base class."""
        return replace(
            settings,
            epochs=8.0,
            sts_passes=1,
            batch_size=16,
            learning_rate=1e-3,
            max_length=32,
            max_steps=100,
            checkpoints=2,
        )

    def plan(self, sources: Sources, settings: KoSimCseSettings, say: Say) -> Plan:
        """See the base class."""
        task, batch = settings.task, settings.batch_size
        data = read_sentences(
            sources,
            _NEEDS[task],
            any_text=task == "unsupervised",
            skip_faults=settings.skip_faults,
            seed=settings.seed,
            say=say,
        )
        datasets: dict[str, Any] = {}
        notes = list(data.notes)
        if task == "unsupervised":
            texts = tuple(dict.fromkeys(data.texts()))
            check_batch(batch, len(texts), "the training texts")
            views = ({"text": text, "again": text} for text in texts)
            datasets["texts"] = as_dataset(views, ("text", "again"), sources.work / "texts")
        else:
            triplets = make_triplets(data.nli, mirrored=False)
            notes += triplets.notes
            datasets["nli"] = triplet_dataset(triplets, sources.work / "nli", batch_size=batch)
        if task == "multitask":
            datasets["sts"] = score_dataset(
                data.sts, sources.work / "sts", batch_size=batch, passes=settings.sts_passes
            )

        def losses(model: Any) -> Mapping[str, Any]:
            if task == "unsupervised":
                _require_dropout(model)
                return {"texts": contrast(model, settings.temperature)}
            made = {"nli": contrast(model, settings.temperature), "sts": cosine(model)}
            return {name: made[name] for name in datasets}

        stage = Stage(name=task, datasets=datasets, losses=losses, settings=settings, no_duplicates=True)
        return Plan(
            stages=(stage,),
            development=data.development,
            texts=data.texts,
            rows={_NAMES[name]: len(dataset) for name, dataset in datasets.items()},
            notes=(*notes, *left_out(stage)),
        )


def _require_dropout(model: Any) -> None:
    """Raises for a model of which two views of a text would be the same."""
    from torch import nn

    if not any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules()):
        raise ConfigError(
            "task unsupervised: the base has no dropout, so both views of a text are the same and nothing is learnt; "
            "take another base, or task supervised"
        )
