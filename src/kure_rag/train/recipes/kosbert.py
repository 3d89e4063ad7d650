"""KoSBERT: inference as classification, then similarity as a cosine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.nli_sts import read_sentences
from kure_rag.train.recipes.nli_sts_stages import class_dataset, classify, cosine, score_dataset
from kure_rag.train.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class KoSbertSettings(TrainSettings):
    """KoSBERT's values.

    Attributes:
        epochs: Times that the NLI rows are seen, first.
        sts_epochs: Times that the STS pairs are seen, after that.
        batch_size: Rows in a step of both stages.
        learning_rate: The highest of each stage.
        warmup: Share of the steps of each stage over which the learning rate rises.
        weight_decay: Of AdamW.
        skip_faults: Leave rows that break their format out and count them, instead of ending at the first.
    """

    epochs: float = 1.0
    sts_epochs: float = 4.0
    batch_size: int = 32
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    skip_faults: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        if not self.sts_epochs > 0:
            raise ValueError(f"sts_epochs is {self.sts_epochs}; it must be above 0")


class KoSbertRecipe(Recipe[KoSbertSettings]):
    """Sentence-BERT (Reimers and Gurevych 2019, arXiv 1908.10084) on KorNLI, then on KorSTS.

    Stage ``nli``: a linear layer over ``(u, v, |u - v|)`` tells entailment, neutral and contradiction apart; it is
    thrown away afterwards. Stage ``sts``: the squared difference of ``cos(u, v)`` and the score over 5.

    Done otherwise than in the original: pairs that the model is scored on are taken out of the training data; all NLI
    files that are given are used, where the original reads SNLI's part only.
    """

    name: ClassVar[str] = "kosbert"
    summary: ClassVar[str] = "KoSBERT: NLI as three classes, then STS as cosines"
    source: ClassVar[str] = (
        "https://github.com/BM-K/Sentence-Embedding-Is-All-You-Need (KoSBERT) and Reimers and Gurevych 2019"
    )
    base: ClassVar[str] = "klue/roberta-base"
    pooling: ClassVar[Any] = "mean"
    query_prefix: ClassVar[str | None] = ""
    passage_prefix: ClassVar[str | None] = ""
    data: ClassVar[str] = "NLI files (KorNLI, KLUE-NLI) and STS files (KorSTS, KLUE-STS); both are needed"
    dev: ClassVar[str] = "STS files, such as KorSTS's sts-dev.tsv"
    limits: ClassVar[tuple[str, ...]] = (
        "The original keeps the best of its checkpoints by the development set; here the last weights are kept.",
    )

    @property
    def settings(self) -> KoSbertSettings:
        """KoSBERT's values."""
        return KoSbertSettings()

    def smallest(self, settings: KoSbertSettings) -> KoSbertSettings:
        """See the base class."""
        return replace(settings, batch_size=16, learning_rate=1e-3, max_length=32, max_steps=60, checkpoints=2)

    def plan(self, sources: Sources, settings: KoSbertSettings, say: Say) -> Plan:
        """See the base class."""
        data = read_sentences(sources, ("nli", "sts"), skip_faults=settings.skip_faults, seed=settings.seed, say=say)
        batch = settings.batch_size
        nli = class_dataset(data.nli, sources.work / "nli", batch_size=batch)
        sts = score_dataset(data.sts, sources.work / "sts", batch_size=batch)

        def nli_losses(model: Any) -> Mapping[str, Any]:
            return {"nli": classify(model)}

        def sts_losses(model: Any) -> Mapping[str, Any]:
            return {"sts": cosine(model)}

        return Plan(
            stages=(
                Stage(name="nli", datasets={"nli": nli}, losses=nli_losses, settings=settings),
                Stage(
                    name="sts",
                    datasets={"sts": sts},
                    losses=sts_losses,
                    settings=replace(settings, epochs=settings.sts_epochs),
                ),
            ),
            development=data.development,
            texts=data.texts,
            rows={"NLI rows": len(nli), "STS pairs": len(sts)},
            notes=data.notes,
        )
