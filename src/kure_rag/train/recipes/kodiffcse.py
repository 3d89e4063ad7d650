"""KoDiffCSE: sentence vectors from plain text, which know what was changed in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from kure_rag.evaluate.sts_sets import read_sts
from kure_rag.train.development_sets import StsDev
from kure_rag.train.generator import SCRATCH, GeneratorSettings, load_generator, scratch_generator
from kure_rag.train.readers import Omissions, as_dataset, check_batch, texts_of
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.plain_text import TEXTS, read_texts
from kure_rag.train.recipes.triplet_dev import digest
from kure_rag.train.settings import TrainSettings
from kure_rag.train.workdir import require_same

if TYPE_CHECKING:
    import torch

_VIEWS: Final = ("first", "second")
_SENTENCES: Final = "sentences"
_LENGTH: Final = 64  # tokens that a generator reads, where the encoder has no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class KoDiffCseSettings(TrainSettings):
    """KoDiffCSE's values.

    Attributes:
        batch_size: Sentences in a step, 2 or more; each is told apart from all others.
        learning_rate: The highest.
        warmup: Share of the steps over which the learning rate rises.
        max_length: Tokens after which sentences are cut.
        temperature: What cosines are divided by.
        detection_weight: Of the replaced-token detection beside InfoNCE; 0 leaves it out, which is unsupervised SimCSE.
        mask_share: Share of a sentence's words that the generator fills in anew.
        generator: A masked language model with the base's vocabulary, by its name or folder; ``scratch:mlm`` trains a
            tiny one on the same sentences first.
        generator_steps: Batches that such a tiny one learns from.
    """

    batch_size: int = 256
    learning_rate: float = 5e-5
    warmup: float = 0.05
    max_length: int | None = 64
    temperature: float = 0.05
    detection_weight: float = 0.005
    mask_share: float = 0.15
    generator: str = "klue/roberta-small"
    generator_steps: int = 300

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        for name in ("temperature", "generator_steps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.batch_size < 2:
            raise ValueError(f"batch_size is {self.batch_size}; it must be 2 or more, for sentences are told apart")
        if self.detection_weight < 0:
            raise ValueError(f"detection_weight is {self.detection_weight}; it must be 0 or more")
        if not 0 < self.mask_share < 1:
            raise ValueError(f"mask_share is {self.mask_share}; it must be above 0 and below 1")


class KoDiffCseRecipe(Recipe[KoDiffCseSettings]):
    """Difference-based contrastive learning (Chuang et al. 2022, arXiv 2204.10298) on Korean sentences.

    No labels: a sentence goes through the encoder twice, dropout makes two views of it, and InfoNCE tells each view
    from those of the other sentences. Beside it a discriminator that knows a sentence's vector finds out which of its
    words a generator replaced (:class:`kure_rag.train.losses.replaced_token.DropoutReplacedTokenLoss`), so that the
    vector must keep what the words were.

    What the original repository had otherwise, and is done right here:

    - it masked with ``[SEP]``, which the generator had never seen as a gap: here with the tokenizer's ``[MASK]``;
    - the detection also counted padding, which is never replaced, so that it looked solved: here only words count;
    - it trained the pooler's output and scored the first token's: here one vector, the first token's, is both;
    - its correlations were means over batches: here over all pairs at once.
    """

    name: ClassVar[str] = "kodiffcse"
    summary: ClassVar[str] = "KoDiffCSE: sentence vectors from plain text, by dropout and replaced words"
    source: ClassVar[str] = "https://github.com/BM-K/KoDiffCSE; Chuang et al. 2022, arXiv 2204.10298"
    base: ClassVar[str] = "klue/roberta-base"
    pooling: ClassVar[Any] = "cls"
    query_prefix: ClassVar[str | None] = ""
    passage_prefix: ClassVar[str | None] = ""
    data: ClassVar[str] = f"any Korean sentences, without labels: {TEXTS}; each sentence is taken once"
    dev: ClassVar[str] = "sentence pairs with scores, such as KorSTS's sts-dev.tsv; without any, nothing is scored"
    limits: ClassVar[tuple[str, ...]] = (
        "DiffCSE puts a projection with batch normalisation behind the encoder while it trains; here there is none.",
        "The generator's most probable word is filled in, as in both repositories; it may be the right one.",
    )

    @property
    def settings(self) -> KoDiffCseSettings:
        """The repository's values."""
        return KoDiffCseSettings()

    def smallest(self, settings: KoDiffCseSettings) -> KoDiffCseSettings:
        """See the base class. For an encoder from scratch, and a generator that is trained first.

        Random weights need a high learning rate and hundreds of steps: the first of them make the vectors worse, since
        what tells sentences apart is then which words stand where, and only then what they are.
        """
        return replace(
            settings,
            epochs=8.0,
            batch_size=64,
            learning_rate=3e-3,
            max_length=32,
            max_steps=240,
            checkpoints=2,
            generator=SCRATCH,
            generator_steps=60,
        )

    def plan(self, sources: Sources, settings: KoDiffCseSettings, say: Say) -> Plan:
        """See the base class."""
        say("reading sentences")
        sets = [read_sts(path) for path in sources.dev]
        known = frozenset(digest(text) for one in sets for pair in one.pairs for text in (pair.first, pair.second))
        omissions = Omissions()
        counts = {"known": 0, "repeated": 0}
        dataset = as_dataset(
            (dict.fromkeys(_VIEWS, text) for text in _once(sources, known, omissions, counts)),
            _VIEWS,
            sources.work / _SENTENCES,
            source=", ".join(path.name for path in sources.train),
        )
        check_batch(settings.batch_size, len(dataset), ", ".join(path.name for path in sources.train))

        def texts() -> Iterator[str]:
            return (row[_VIEWS[0]] for row in dataset)

        def losses(model: Any) -> Mapping[str, Any]:
            from kure_rag.train.losses.replaced_token import transformer_of

            transformer_of(model)  # a base that cannot be trained is told before a generator is made
            generator = _generator(model, texts, sources, settings, say)
            return {_SENTENCES: difference_loss(model, generator, settings)}

        stage = Stage(name=_SENTENCES, datasets={_SENTENCES: dataset}, losses=losses, settings=settings)
        notes = omissions.lines()
        if counts["repeated"]:
            notes.append(f"{counts['repeated']:,} sentences were there before, and are taken once")
        if counts["known"]:
            notes.append(f"{counts['known']:,} sentences were left out: they are in the development data")
        if not sets:
            notes.append(
                "no development data, so nothing shows whether it gets better: give --dev KorSTS's sts-dev.tsv"
            )
        return Plan(
            stages=[stage],
            development=[StsDev(one.name, one.pairs) for one in sets],
            texts=texts,
            rows={_SENTENCES: len(dataset)},
            notes=notes,
        )


def difference_loss(model: Any, generator: Any, settings: KoDiffCseSettings) -> torch.nn.Module:
    """The loss as the settings say: InfoNCE of each sentence's first view over all second views, and the detection.

    Args:
        model: A ``SentenceTransformer``.
        generator: A masked language model.
        settings: Temperature, weight, share of masks, seed.
    """
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from kure_rag.train.losses.replaced_token import DropoutReplacedTokenLoss

    return DropoutReplacedTokenLoss(
        model,
        generator,
        MultipleNegativesRankingLoss(model, scale=1 / settings.temperature),
        weight=settings.detection_weight,
        mask_share=settings.mask_share,
        seed=settings.seed,
    )


def _generator(model: Any, texts: Any, sources: Sources, settings: KoDiffCseSettings, say: Say) -> Any:
    if settings.generator != SCRATCH:
        from kure_rag.embed.files import local_revision

        found = load_generator(settings.generator, model.tokenizer)
        require_same(sources.work, "generator", settings.generator, local_revision(Path(found.name_or_path)))
        return found
    say(f"a generator of replaced words, in {settings.generator_steps:,} steps")
    how = GeneratorSettings(
        steps=settings.generator_steps,
        max_length=settings.max_length or _LENGTH,
        mask_share=settings.mask_share,
        seed=settings.seed,
    )
    return scratch_generator(model.tokenizer, texts, sources.work / "generator", how)


def _once(sources: Sources, known: frozenset[int], omissions: Omissions, counts: dict[str, int]) -> Iterator[str]:
    """Each sentence once, without those that are scored on. Eight bytes and a little of each stay in memory."""
    seen: set[int] = set()
    for row in read_texts(sources.train, sources.work / "texts", omissions):
        for text in (row,) if isinstance(row, str) else texts_of(row):
            key = digest(text)
            if key in known:
                counts["known"] += 1
            elif key in seen:
                counts["repeated"] += 1
            else:
                seen.add(key)
                yield text
