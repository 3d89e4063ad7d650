"""KoE5: contrast within large batches, with the prefixes of E5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from kure_rag.train.recipe import Plan, Recipe, Say, Sources
from kure_rag.train.recipes.triplet_data import DATA, DEV, is_static, plan_triplets
from kure_rag.train.settings import TrainSettings

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class KoE5Settings(TrainSettings):
    """KoE5's values.

    Attributes:
        batch_size: Rows in a step; each row's query sees the passages of all others as negatives.
        learning_rate: The highest.
        epochs: Times that all data are seen.
        max_length: Tokens after which texts are cut, the prefix among them.
        negatives: Hard negatives of each row; rows that have fewer are left out, of more the first are taken. 0 trains
            on pairs.
        temperature: What cosines are divided by.
        mini_batch_size: Texts in memory at a time; another number changes speed and memory, not the result.
        held_back: Queries kept for scoring where no development files are given; at most a tenth of all.
    """

    epochs: float = 1.0
    batch_size: int = 512
    learning_rate: float = 1e-5
    max_length: int | None = 512
    negatives: int = 1
    temperature: float = 0.05
    mini_batch_size: int = 32
    held_back: int = 500

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        for name in ("temperature", "mini_batch_size", "held_back"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.negatives < 0:
            raise ValueError(f"negatives is {self.negatives}; it must be 0 or more")


class KoE5Recipe(Recipe[KoE5Settings]):
    """CachedMultipleNegativesRankingLoss on triplets, from multilingual-e5-large.

    E5 was trained with ``query: `` and ``passage: `` before its texts (Wang et al. 2024, arXiv 2402.05672). Here they
    are put before the training texts, the development texts and, stored in the model, before whatever it embeds later:
    the same tokens in all three.
    """

    name: ClassVar[str] = "koe5"
    summary: ClassVar[str] = "KoE5: triplets with query:/passage: prefixes in batches of 512"
    source: ClassVar[str] = "https://github.com/nlpai-lab/KURE and the card of nlpai-lab/KoE5"
    base: ClassVar[str] = "intfloat/multilingual-e5-large"
    pooling: ClassVar[Any] = "mean"
    query_prefix: ClassVar[str | None] = "query: "
    passage_prefix: ClassVar[str | None] = "passage: "
    data: ClassVar[str] = DATA
    dev: ClassVar[str] = DEV
    limits: ClassVar[tuple[str, ...]] = (
        "KoE5's temperature was not published: .05, which is the library's own (a scale of 20).",
        "A base that is a table of vectors has the same loss without the gradient cache, which it cannot have.",
    )

    @property
    def settings(self) -> KoE5Settings:
        """KoE5's values."""
        return KoE5Settings()

    def smallest(self, settings: KoE5Settings) -> KoE5Settings:
        """See the base class."""
        return replace(
            settings,
            epochs=4.0,
            batch_size=16,
            learning_rate=1e-3,
            negatives=min(settings.negatives, 1),
            max_length=48,
            checkpoints=2,
            max_steps=250,
            held_back=40,
        )

    def plan(self, sources: Sources, settings: KoE5Settings, say: Say) -> Plan:
        """See the base class."""

        def losses(model: Any) -> Mapping[str, Any]:
            return {
                "triplets": ranking_loss(
                    model, temperature=settings.temperature, mini_batch_size=settings.mini_batch_size
                )
            }

        return plan_triplets(
            sources, settings, say, negatives=settings.negatives, held_back=settings.held_back, losses=losses
        )


def ranking_loss(model: Any, *, temperature: float, mini_batch_size: int) -> torch.nn.Module:
    """InfoNCE of each query over all passages of its batch (van den Oord et al. 2018), with a gradient cache.

    Args:
        model: A ``SentenceTransformer``.
        temperature: What cosines are divided by.
        mini_batch_size: Texts in memory at a time. A table of vectors takes the whole batch at once.
    """
    from sentence_transformers.sentence_transformer import losses

    if is_static(model):
        return losses.MultipleNegativesRankingLoss(model, scale=1 / temperature)
    return losses.CachedMultipleNegativesRankingLoss(model, scale=1 / temperature, mini_batch_size=mini_batch_size)
