"""KURE-v1: contrast with five hard negatives, where a second model says which of a batch's strangers are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from kure_rag.errors import ConfigError
from kure_rag.train.recipe import Plan, Recipe, Say, Sources
from kure_rag.train.recipes.koe5 import KoE5Settings
from kure_rag.train.recipes.triplet_data import DATA, DEV, is_static, plan_triplets, require_prompts
from kure_rag.train.workdir import require_same

if TYPE_CHECKING:
    from pathlib import Path

    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class KureSettings(KoE5Settings):
    """KURE-v1's values, as far as they were published; the settings are KoE5's and those of the guide.

    Attributes:
        max_length: Tokens after which texts are cut; the base's own limit where there is none.
        guide: The model whose cosines say which passages of a batch answer the query too and are no negatives: a name
            or a folder. KURE-v1's was not published; its base is taken.
        margin: A passage is no negative where the guide's cosine is above the positive's less this.
    """

    epochs: float = 1.0
    batch_size: int = 4096
    learning_rate: float = 2e-5
    max_length: int | None = None
    negatives: int = 5
    guide: str = "BAAI/bge-m3"
    temperature: float = 0.01
    margin: float = 0.0

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        KoE5Settings.__post_init__(self)
        if self.margin < 0:
            raise ValueError(f"margin is {self.margin}; it must be 0 or more")


class KureRecipe(Recipe[KureSettings]):
    """CachedGISTEmbedLoss on queries, positives and five hard negatives, from bge-m3.

    The loss is GISTEmbed's (Solatorio 2024, arXiv 2402.16829) with the gradient cache of Gao et al. (2021, arXiv
    2101.06983), which lets 4,096 rows of seven texts fit into any memory. Queries are contrasted with queries and
    positives with positives too, as GISTEmbed does.

    The library hands the guide what is left of a text when the trained model's tokens are turned into text again, with
    the trained model's prefix. A guide that expects prefixes of its own would judge texts that it was not made for: it
    is refused, unless its prefixes are the trained model's.
    """

    name: ClassVar[str] = "kure"
    summary: ClassVar[str] = "KURE-v1: guided contrast with five hard negatives in batches of 4,096"
    source: ClassVar[str] = "https://github.com/nlpai-lab/KURE and the card of nlpai-lab/KURE-v1; arXiv 2402.16829"
    base: ClassVar[str] = "BAAI/bge-m3"
    pooling: ClassVar[Any] = "cls"
    data: ClassVar[str] = DATA
    dev: ClassVar[str] = DEV
    limits: ClassVar[tuple[str, ...]] = (
        "KURE-v1's guide, temperature and warm-up were not published: bge-m3, GISTEmbed's .01, a tenth of the steps.",
        "Its 2,000,000 training rows were not published either, apart from ko-triplet-v1.0.",
    )

    @property
    def settings(self) -> KureSettings:
        """KURE-v1's values."""
        return KureSettings()

    def smallest(self, settings: KureSettings) -> KureSettings:
        """See the base class. The guide is the bundled model, which is always there."""
        return replace(
            settings,
            epochs=8.0,
            batch_size=16,
            mini_batch_size=32,
            learning_rate=1e-3,
            negatives=min(settings.negatives, 2),
            guide="static-ko",
            temperature=0.05,
            max_length=48,
            checkpoints=2,
            max_steps=250,
            held_back=40,
        )

    def plan(self, sources: Sources, settings: KureSettings, say: Say) -> Plan:
        """See the base class.

        Raises:
            UnknownModelError: There is no such guide.
            ModelNotAvailableError: The guide's files cannot be reached.
        """
        say(f"loading the guide {settings.guide}")
        guide = Guide.load(settings.guide)
        require_prompts(guide.name, guide.prefixes, (sources.query_prefix, sources.passage_prefix))
        guide.require_same(sources.work)

        def losses(model: Any) -> Mapping[str, Any]:
            return {"triplets": gist_loss(model, guide, settings)}

        return plan_triplets(
            sources, settings, say, negatives=settings.negatives, held_back=settings.held_back, losses=losses
        )


def gist_loss(model: Any, guide: Guide, settings: KureSettings) -> torch.nn.Module:
    """The loss.

    Raises:
        ConfigError: The model is a table of vectors, whose batches cannot be cut into smaller ones.
    """
    from sentence_transformers.sentence_transformer.losses import CachedGISTEmbedLoss

    if is_static(model):
        raise ConfigError(
            "kure: its loss needs a base with layers, and this one is a table of vectors; give another --base, or "
            "train it with the recipe koe5"
        )
    guide.device = model.device
    return CachedGISTEmbedLoss(
        model,
        guide,  # type: ignore[arg-type]  # no module, see Guide
        temperature=settings.temperature,
        margin=settings.margin,
        mini_batch_size=settings.mini_batch_size,
    )


class Guide:
    """A frozen model that the loss asks for embeddings.

    It is no ``torch.nn.Module``, so that its weights are neither trained nor written into checkpoints, and it gives a
    table of vectors such as ``static-ko``, whose tokenizer is of another kind, the one that the loss asks for.

    Args:
        name: For messages.
        model: A ``SentenceTransformer``.
        prefixes: What it expects before queries and passages.
        revision: Of its files.

    Attributes:
        device: Where it is computed: where the trained model is.
    """

    def __init__(self, name: str, model: Any, prefixes: tuple[str, str] = ("", ""), revision: str = "") -> None:
        from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

        self.name, self.prefixes, self.revision = name, prefixes, revision
        self._model = model.eval().requires_grad_(False)
        tokenizer = model.tokenizer
        self.tokenizer = (
            tokenizer
            if isinstance(tokenizer, PreTrainedTokenizerBase)
            else PreTrainedTokenizerFast(tokenizer_object=tokenizer)  # type: ignore[no-untyped-call]  # of transformers
        )
        longest = model.max_seq_length
        self.max_seq_length = longest if isinstance(longest, int) else 1 << 30
        self.device = model.device

    @classmethod
    def load(cls, name: str) -> Guide:
        """A guide by its name or folder.

        Raises:
            UnknownModelError: There is no such model.
            ModelNotAvailableError: Its files cannot be reached.
            EmbeddingError: They cannot be used.
        """
        from kure_rag.embed.files import local_revision
        from kure_rag.embed.hub import model_folder
        from kure_rag.embed.identity import ModelIdentity
        from kure_rag.embed.loading import load_model
        from kure_rag.embed.settings import EmbedSettings

        settings = EmbedSettings()
        identity = ModelIdentity(name, settings, None)
        folder = identity.folder or model_folder(identity.card.name, identity.revision, settings)
        model = load_model(folder, identity.card, settings)
        return cls(name, model, identity.prefixes, local_revision(folder))

    def require_same(self, work: Path) -> None:
        """Raises where an interrupted training that is to go on had a guide of other weights.

        Args:
            work: What is kept until the training has ended.

        Raises:
            ConfigError: It had.
        """
        require_same(work, "guide", self.name, self.revision)

    def preprocess(self, texts: Sequence[str]) -> Mapping[str, Any]:
        """Texts as the model takes them."""
        features: Mapping[str, Any] = self._model.preprocess(list(texts))
        return features

    def __call__(self, features: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embeddings, under ``sentence_embedding``; without dropout, whatever the trained model does."""
        if self._model.device != self.device:
            self._model.to(self.device)
        embedded: Mapping[str, Any] = self._model.eval()(dict(features))
        return embedded
