"""KoSentence-T5: contrast of inferences with the encoder of a T5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from kure_rag.train.readers import Kind
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.nli_sts import read_sentences
from kure_rag.train.recipes.nli_sts_stages import contrast, make_triplets, triplet_dataset
from kure_rag.train.settings import TrainSettings
from kure_rag.train.trainer import left_out

_NEEDS: Final[tuple[Kind, ...]] = ("nli",)


@dataclass(frozen=True, slots=True, kw_only=True)
class KoSentenceT5Settings(TrainSettings):
    """KoSentence-T5's values.

    Attributes:
        epochs: Times that the triplets are seen.
        batch_size: Rows in a step; all texts of a step are each other's negatives.
        learning_rate: The highest.
        warmup: Share of the steps over which the learning rate rises.
        weight_decay: Of AdamW.
        max_length: Tokens after which texts are cut.
        temperature: What cosines are divided by.
        skip_faults: Leave NLI rows that break their format out and count them, instead of ending at the first.
    """

    epochs: float = 2.0
    batch_size: int = 64
    learning_rate: float = 1e-4
    warmup: float = 0.01
    weight_decay: float = 0.1
    max_length: int | None = 110
    temperature: float = 0.05
    skip_faults: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")


class KoSentenceT5Recipe(Recipe[KoSentenceT5Settings]):
    """Sentence-T5 (Ni et al. 2022, arXiv 2108.08877) on Korean inferences, by SimCSE's supervised loss.

    The vector is the mean of the encoder's token vectors, padding left out. A premise, what it entails, and a
    contradiction of it as a hard negative; InfoNCE over all positives and negatives of the batch.

    Done otherwise than in the original: only the encoder is trained and used (its code also runs the decoder, on the
    text moved by one token); dropout stays on after the first evaluation, which its training loop forgets;
    correlations are over all pairs at once, not means over batches; no text is twice in a batch.
    """

    name: ClassVar[str] = "kosentence-t5"
    summary: ClassVar[str] = "KoSentence-T5: contrast of inferences, the encoder of a T5"
    source: ClassVar[str] = (
        "https://github.com/BM-K/Sentence-Embedding-Is-All-You-Need (KoSentenceT5) and Ni et al. 2022, arXiv 2108.08877"
    )
    base: ClassVar[str] = "KETI-AIR/ke-t5-base"
    pooling: ClassVar[Any] = "mean"
    query_prefix: ClassVar[str | None] = ""
    passage_prefix: ClassVar[str | None] = ""
    data: ClassVar[str] = "NLI files (KorNLI, KLUE-NLI)"
    dev: ClassVar[str] = "STS files, such as KorSTS's sts-dev.tsv, or NLI files"
    limits: ClassVar[tuple[str, ...]] = (
        "The original's base, ETRI's T5, is given out on request only; KE-T5 is what its code names otherwise.",
        "The original keeps the best of its checkpoints by the development set; here the last weights are kept.",
    )

    @property
    def settings(self) -> KoSentenceT5Settings:
        """KoSentence-T5's values."""
        return KoSentenceT5Settings()

    def smallest(self, settings: KoSentenceT5Settings) -> KoSentenceT5Settings:
        """See the base class."""
        return replace(
            settings, epochs=3.0, batch_size=16, learning_rate=2e-3, max_length=32, max_steps=100, checkpoints=2
        )

    def plan(self, sources: Sources, settings: KoSentenceT5Settings, say: Say) -> Plan:
        """See the base class."""
        data = read_sentences(sources, _NEEDS, skip_faults=settings.skip_faults, seed=settings.seed, say=say)
        triplets = make_triplets(data.nli, mirrored=False)
        rows = triplet_dataset(triplets, sources.work / "nli", batch_size=settings.batch_size)

        def losses(model: Any) -> Mapping[str, Any]:
            return {"nli": contrast(model, settings.temperature)}

        stage = Stage(name="nli", datasets={"nli": rows}, losses=losses, settings=settings, no_duplicates=True)
        return Plan(
            stages=(stage,),
            development=data.development,
            texts=data.texts,
            rows={"triplets": len(rows)},
            notes=(*data.notes, *triplets.notes, *left_out(stage)),
        )
