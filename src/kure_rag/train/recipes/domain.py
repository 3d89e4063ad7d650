"""One's own documents: questions made of them, hard negatives found in them, and a table of before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, get_args

from kure_rag.errors import ConfigError
from kure_rag.train.domain_data import read_domain
from kure_rag.train.domain_keep import copy_to, lay_out, notes_of
from kure_rag.train.domain_mine import TRIPLETS, mine_domain
from kure_rag.train.domain_split import BYS, By, developments, split_domain
from kure_rag.train.mine import Margin, MineSettings
from kure_rag.train.readers import as_dataset, check_batch, read_triplets
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.recipes.koe5 import ranking_loss
from kure_rag.train.recipes.kure import Guide, KureSettings, gist_loss
from kure_rag.train.recipes.triplet_data import check_distinct, require_prompts, texts_in
from kure_rag.train.recipes.triplet_dev import development_of
from kure_rag.train.settings import TrainSettings
from kure_rag.train.trainer import left_out

Like = Literal["koe5", "kure"]
LIKES: Final[tuple[Like, ...]] = get_args(Like)

_LEAST_BATCH: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSettings(TrainSettings):
    """How a model is brought into a domain.

    Attributes:
        batch_size: Rows in a step; each row's query sees the passages of all others as negatives.
        learning_rate: The highest, of a base with layers.
        static_learning_rate: The highest, of a base that is a table of vectors such as ``static-ko``: each step moves
            few of its vectors.
        epochs: Times that all data are seen.
        like: Whose loss: ``koe5``'s (in-batch and hard negatives) or ``kure``'s (a guide leaves out false ones), which
            needs a base with layers. A reranker, too, is trained on the triplets that are kept: see the recipe.
        split: What is held back: ``document`` whole documents, so that passages and questions are unseen; ``passage``
            passages of documents that are trained on otherwise; ``question`` questions about passages that are trained
            on otherwise.
        held_back: Share of the questions that are held back.
        negatives: Hard negatives of each row; questions for which fewer are found are left out. 0 mines none.
        margin: A passage is no negative where its cosine is above this share of the positive's.
        depth: Ranks of the search that are looked at for negatives.
        sentences: Sentences of each passage that are asked for too, and taken out of it.
        most: Questions that are mined for and trained on; all by default.
        model: What embeds the passages that negatives are searched among: of an index its own model, which is to be
            named where it is a folder; ``static-ko`` for other data.
        temperature: What cosines are divided by.
        way: How far to go from the base to where training led: 1 all of the way, .5 to the middle of both, which keeps
            more of what the base knew (Wortsman et al. 2022, arXiv 2109.01903).
        guide: Of ``kure``.
        mini_batch_size: Texts in memory at a time; another number changes speed and memory, not the result.
    """

    epochs: float = 1.0
    batch_size: int = 128
    learning_rate: float = 2e-5
    static_learning_rate: float = 1e-3
    like: Like = "koe5"
    split: By = "document"
    held_back: float = 0.2
    negatives: int = 2
    margin: float = 0.95
    depth: int = 50
    sentences: int = 1
    most: int | None = None
    model: str | None = None
    temperature: float = 0.05
    way: float = 1.0
    guide: str = "BAAI/bge-m3"
    mini_batch_size: int = 32

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        for name in ("static_learning_rate", "temperature", "mini_batch_size", "depth"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("negatives", "sentences"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name in ("held_back", "margin", "way"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share, above 0 and at most 1")
        if self.held_back > 0.9:
            raise ValueError(f"held_back is {self.held_back}; at most .9, so that something is left to train on")
        if self.most is not None and self.most < 1:
            raise ValueError(f"most is {self.most}; it must be 1 or more")
        if self.like not in LIKES or self.split not in BYS:
            raise ValueError(
                f"like={self.like!r} and split={self.split!r}: choose one of {', '.join(LIKES)} and of {', '.join(BYS)}"
            )


class DomainRecipe(Recipe[DomainSettings]):
    """One's own documents end to end: from an index, or files, to a model with a table of before and after.

    Questions are made of headings, as sentences and as keywords, and of sentences (inverse cloze, Lee et al. 2019);
    those of ``kure-rag qa`` come on top, and are the better ones. Hard negatives are what our own hybrid search finds
    and what is clearly further from the question than its answer (the margin of NV-Retriever, Moreira et al. 2024).
    Scores are of questions that were held back, searched among all passages; those that nobody would ask, keywords and
    sentences, are never scored.

    An embedding model comes out, by the loss of `koe5` or `kure`. What they were trained on is kept in its folder, for
    these and other recipes to be trained and scored on the same in one command each: ``triplets.jsonl``; ``held-back``,
    the held-back questions with all passages; and ``held-back.jsonl``, candidates for these questions. The numbers are
    those that the triplets were made with, which the card has too::

        kure-rag train reranker --data my-model/triplets.jsonl --dev my-model/held-back.jsonl --out my-reranker
        kure-rag train kure --data my-model/triplets.jsonl --dev my-model/held-back --negatives 2 --batch-size 128 \
            --out my-kure

    Recipes of other data, such as NLI or bitext, cannot be trained on one's own documents alone.

    What a base has read before is not unseen to it: ``static-ko`` was made of Korean statutes, so that held-back
    articles of these are unseen in this training only.
    """

    name: ClassVar[str] = "domain"
    summary: ClassVar[str] = "your own documents: made questions, mined negatives, before and after"
    source: ClassVar[str] = "arXiv 2407.15831 (margin), 1906.00300 (sentences as questions), 2109.01903 (way)"
    base: ClassVar[str] = "static-ko"
    pooling: ClassVar[Any] = None
    data: ClassVar[str] = (
        "an index folder, a folder of `kure-rag qa`, articles in JSON lines (law, title, text), or documents (PDF, "
        "text, Markdown); an index together with a folder of questions about it"
    )
    dev: ClassVar[str] = (
        "general sets that should not get worse, scored beside the held-back questions: KorSTS's sts-dev.tsv, folders "
        "in BEIR's layout"
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Questions made of headings are easier than people's; a rise on them is a rise on finding passages by name.",
    )

    def __init__(self) -> None:
        self._kept: Path | None = None

    @property
    def settings(self) -> DomainSettings:
        """Values that suit both kinds of bases."""
        return DomainSettings()

    def smallest(self, settings: DomainSettings) -> DomainSettings:
        """See the base class."""
        return replace(
            settings,
            epochs=3.0,
            batch_size=16,
            learning_rate=1e-3,
            static_learning_rate=1e-3,  # .005 made static-ko worse on six statutes: .80 to .64, .81 to .71 in nDCG@10
            depth=20,
            negatives=min(settings.negatives, 1),
            most=400,
            max_steps=250,
            max_length=64,
            checkpoints=2,
            guide="static-ko",
        )

    def plan(self, sources: Sources, settings: DomainSettings, say: Say) -> Plan:
        """See the base class.

        Raises:
            ModelNotAvailableError: The model of the index, or the guide, cannot be reached.
        """
        static = is_table(sources.base)
        if static and settings.like == "kure":
            raise ConfigError(
                "like=kure needs a base with layers, and this one is a table of vectors; set like to koe5"
            )
        guide = None
        if settings.like == "kure":
            guide = Guide.load(settings.guide)
            require_prompts(guide.name, guide.prefixes, (sources.query_prefix, sources.passage_prefix))
            guide.require_same(sources.work)
        general, known = development_of(sources)
        data = read_domain(sources.train, sources.work, model=settings.model, sentences=settings.sentences)
        split = split_domain(data, by=settings.split, share=settings.held_back, known=known)
        scored = developments(data, split, sources.query_prefix, sources.passage_prefix)
        count = len(split.training) if settings.most is None else min(settings.most, len(split.training))
        check_batch(settings.batch_size, count, "what can be trained on of the domain")
        notes = [*data.notes, *split.notes(data)]
        search = None
        if settings.negatives:
            margin = Margin(relative=settings.margin)
            search = MineSettings(negatives=settings.negatives, depth=settings.depth, dense=margin)
        notes.append(mine_domain(data, split, sources.work, search, model=settings.model, most=settings.most, say=say))
        self._kept = lay_out(data, split, sources.work)
        columns = ("query", "positive", *(f"negative_{i}" for i in range(1, settings.negatives + 1)))
        rows = (
            dict(zip(columns, (row.query, row.positive, *row.negatives), strict=True))
            for row in read_triplets(sources.work / TRIPLETS)
        )
        dataset = as_dataset(rows, columns, cache=sources.work / "triplets", source="the domain")
        check_batch(settings.batch_size, len(dataset), "what was mined of the domain")
        fitting = _fitting(settings.batch_size, dataset)
        if fitting < settings.batch_size:
            notes.append(
                f"batches are of {fitting} rows in place of {settings.batch_size}: the domain has too few different "
                "passages for more, since no text may be twice in a batch"
            )
            settings = replace(settings, batch_size=fitting)
        check_distinct(settings.batch_size, dataset, "what was mined of the domain")
        notes += notes_of(self._kept, negatives=settings.negatives, batch_size=settings.batch_size)
        prefixes = {name: sources.query_prefix if name == "query" else sources.passage_prefix for name in columns}
        stage = Stage(
            name="domain",
            datasets={"triplets": dataset},
            losses=lambda model: {"triplets": _loss(model, guide, settings)},
            settings=replace(
                settings, learning_rate=settings.static_learning_rate if static else settings.learning_rate
            ),
            prompts={name: prefix for name, prefix in prefixes.items() if prefix},
            no_duplicates=True,
        )
        notes += left_out(stage)
        return Plan(
            stages=[stage],
            development=[*scored, *general],
            texts=lambda: texts_in(dataset),
            rows={"triplets": len(dataset)},
            notes=notes,
        )

    def finish(self, model: Any, start: Callable[[], Any], settings: DomainSettings) -> None:
        """Goes part of the way from the base to the trained model."""
        if settings.way < 1:
            blend(model, start(), settings.way)

    def write(self, folder: Path, settings: DomainSettings) -> None:
        """Adds the triplets, and the held-back questions with all passages."""
        copy_to(self._kept, folder)


def blend(model: Any, start: Any, way: float) -> None:
    """Puts a model's weights between those of another and its own.

    Args:
        model: Changed in place.
        start: The same model before training.
        way: 0 leaves ``start``, 1 leaves ``model``.
    """
    import torch

    before = start.state_dict()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.lerp(before[name].to(tensor.device), tensor, way))


def is_table(base: str) -> bool:
    """Whether a base's first module is a table of vectors, told by its small files."""
    from kure_rag.embed.files import check_folder
    from kure_rag.embed.hub import model_folder
    from kure_rag.embed.identity import ModelIdentity
    from kure_rag.embed.settings import EmbedSettings
    from kure_rag.train.scratch import PREFIX, Scratch

    if base.startswith(PREFIX):
        return Scratch.named(base).architecture == "static"
    settings = EmbedSettings()
    identity = ModelIdentity(base, settings, None)
    folder = identity.folder or model_folder(identity.card.name, identity.revision, settings)
    return any(part.kind == "StaticEmbedding" for part in check_folder(folder, code=False))


def _fitting(batch_size: int, dataset: Any) -> int:
    """A batch that can be filled with different passages, negatives among them; half of them stay to choose from."""
    passages = [name for name in dataset.column_names if name != "query"]
    seen: set[int] = set()
    for row in dataset:
        seen.update(hash(row[name]) for name in passages)
        if len(seen) >= 2 * batch_size * len(passages):
            return batch_size
    return max(_LEAST_BATCH, min(batch_size, len(seen) // (2 * len(passages))))


def _loss(model: Any, guide: Guide | None, settings: DomainSettings) -> Any:
    if guide is None:
        return ranking_loss(model, temperature=settings.temperature, mini_batch_size=settings.mini_batch_size)
    said = KureSettings(temperature=settings.temperature, mini_batch_size=settings.mini_batch_size)
    return gist_loss(model, guide, said)
