"""KoreaDenseRetriever: a student finds in Korean what its teacher finds in English."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from kure_rag.train.cross_lingual_data import (
    ACCEPTED,
    CrossLingualDev,
    Pair,
    Split,
    digests,
    find_pairs,
    split_pairs,
)
from kure_rag.train.readers import Omissions, as_dataset, check_batch
from kure_rag.train.recipe import Plan, Recipe, Say, Sources, Stage
from kure_rag.train.settings import Schedule, TrainSettings

_STAGES: Final = ("questions", "bitext")
_TEACHER: Final = "teacher"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClirSettings(TrainSettings):
    """KoreaDenseRetriever's values.

    Attributes:
        epochs: Times that all data of each stage are seen.
        batch_size: Pairs in a step, 2 or more; the neighbourhoods that are matched are those within a batch.
        learning_rate: The highest.
        schedule: How the learning rate moves.
        warmup: Share of the steps over which it rises; .3 is what torch's one-cycle schedule has.
        max_length: Tokens after which texts are cut, the prefix among them.
        temperature: What cosines are divided by before the softmax, the teacher's and the student's.
        held_back: Pairs of each kind kept for scoring where no development files are given; at most a tenth.
    """

    epochs: float = 2.0
    batch_size: int = 32
    learning_rate: float = 5e-5
    schedule: Schedule = "one-cycle"
    warmup: float = 0.3
    max_length: int | None = 512
    temperature: float = 1.0
    held_back: int = 1_000

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for settings that nothing can be trained with."""
        TrainSettings.__post_init__(self)
        for name in ("temperature", "held_back"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.batch_size < 2:
            raise ValueError(f"batch_size is {self.batch_size}; it must be 2 or more: one pair has no neighbourhood")


class ClirRecipe(Recipe[ClirSettings]):
    """Distils an English retriever into Korean, in two stages on the same loss.

    Teacher and student begin as the same model, and the teacher stays as it is. In stage 1 the English texts are
    passages and the Korean ones translated questions about them; where the rows have the questions in English too,
    these are learnt with their translations beside them. In stage 2 both are sentences of bitext. See
    :class:`kure_rag.train.losses.clir.CrossLingualKlLoss` for the loss. A stage without data is left out, and said.

    The original put the prefixes of E5 before texts in one place and not in the other. Here questions get the query
    prefix of the base and passages its passage prefix in training, in scoring and, stored in the model, ever after. The
    sentences of bitext are neither: where a base has two prefixes, half of the pairs learn with the one and half with
    the other, on both sides.
    """

    name: ClassVar[str] = "clir"
    summary: ClassVar[str] = "KoreaDenseRetriever: Korean questions find English passages; distilled in two stages"
    source: ClassVar[str] = "KoreaDenseRetriever (repository); E5: Wang et al. 2024, arXiv 2402.05672"
    base: ClassVar[str] = "intfloat/multilingual-e5-base"
    pooling: ClassVar[Any] = "mean"
    query_prefix: ClassVar[str | None] = None
    passage_prefix: ClassVar[str | None] = None
    data: ClassVar[str] = f"{ACCEPTED}; files or folders of both kinds, of which one may be missing"
    dev: ClassVar[str] = "files of the same two kinds; without any, pairs of the training data are held back"
    limits: ClassVar[tuple[str, ...]] = (
        "The formula of the loss has no temperature, and neither has the default (1). .1 learns faster in our runs.",
        "The original's batch size is not known: 32. So is its warm-up: .3, torch's own.",
        "Neighbourhoods are those within a batch, on each GPU its own.",
    )

    @property
    def settings(self) -> ClirSettings:
        """The repository's values."""
        return ClirSettings()

    def smallest(self, settings: ClirSettings) -> ClirSettings:
        """See the base class. The learning rate is one for a table of vectors: ``scratch:static-256``."""
        return replace(
            settings,
            epochs=2.0,
            batch_size=32,
            learning_rate=0.1,
            temperature=0.1,
            max_length=64,
            checkpoints=2,
            max_steps=500,
            held_back=200,
        )

    def plan(self, sources: Sources, settings: ClirSettings, say: Say) -> Plan:
        """See the base class."""
        say("reading Korean-English pairs")
        development, known = _development(sources)
        split = split_pairs(find_pairs(sources.train), known, settings.held_back)
        development += [
            CrossLingualDev(f"held-back {kind}", pairs, sources.query_prefix, sources.passage_prefix)
            for kind, pairs in split.held.items()
        ]
        notes = [f"{len(pairs):,} pairs of {kind} were held back for development" for kind, pairs in split.held.items()]
        stages = []
        for kind in _STAGES:
            if kind not in split.found.parts():
                notes.append(f"no {kind} in the training data: stage {kind} is left out")
                say(notes[-1])
                continue
            datasets = _datasets(kind, split, sources)
            for name, dataset in datasets.items():
                check_batch(settings.batch_size, len(dataset), f"{kind} ({name})")
            stages.append(_stage(kind, datasets, sources, settings))
            if left_out := split.left_out[kind] - len(split.held.get(kind, ())):
                notes.append(f"{left_out:,} pairs of {kind} were left out: a text of theirs is in the development data")
        return Plan(
            stages=stages,
            development=development,
            texts=lambda: _texts(stages),
            rows={name: len(dataset) for stage in stages for name, dataset in stage.datasets.items()},
            notes=[*(line for kind in split.omissions.values() for line in kind.lines()), *notes],
        )


def _development(sources: Sources) -> tuple[list[CrossLingualDev], frozenset[int]]:
    found: list[CrossLingualDev] = []
    known: frozenset[int] = frozenset()
    for files, reader in find_pairs(sources.dev).parts().values():
        for path in files:
            pairs = list(reader(path, Omissions()))
            name = path.name.partition(".")[0]
            found.append(CrossLingualDev(name, pairs, sources.query_prefix, sources.passage_prefix))
            known |= digests(pairs)
    return found, known


def _columns(kind: str, split: Split, sources: Sources) -> dict[str, tuple[str, str]]:
    """Data sets of a stage → the English column, then the Korean one. Their names say which prefix each gets."""
    if kind == "questions":
        columns = {"questions": ("passage_en", "query_ko")}
        if any(pair.question for pair in split.training(kind)):
            columns["translations"] = ("query_en", "query_ko")
        return columns
    if sources.query_prefix == sources.passage_prefix:
        return {"bitext": ("passage_en", "passage_ko")}
    return {"bitext_as_queries": ("query_en", "query_ko"), "bitext_as_passages": ("passage_en", "passage_ko")}


def _datasets(kind: str, split: Split, sources: Sources) -> dict[str, Any]:
    columns = _columns(kind, split, sources)
    files, _ = split.found.parts()[kind]
    source = ", ".join(path.name for path in files)
    made = {}
    for turn, (name, names) in enumerate(columns.items()):
        rows: Iterator[Pair] = split.training(kind)
        if kind == "bitext":
            rows = (pair for i, pair in enumerate(rows) if i % len(columns) == turn)
        elif name == "translations":
            # A question whose English wording is not known has none to stand beside.
            rows = (replace(pair, english=pair.question) for pair in rows if pair.question)
        texts = (dict(zip(names, (pair.english, pair.korean), strict=True)) for pair in rows)
        made[name] = as_dataset(texts, names, sources.work / name, source=source)
    return made


def _stage(kind: str, datasets: Mapping[str, Any], sources: Sources, settings: ClirSettings) -> Stage:
    prefixes = {"query": sources.query_prefix, "passage": sources.passage_prefix}
    columns = {column for dataset in datasets.values() for column in dataset.column_names}

    def losses(model: Any) -> Mapping[str, Any]:
        from kure_rag.train.losses.clir import CrossLingualKlLoss

        teacher = _teacher(model, sources.work / _TEACHER)
        loss = CrossLingualKlLoss(model, teacher, temperature=settings.temperature)
        return dict.fromkeys(datasets, loss)

    return Stage(
        name=kind,
        datasets=datasets,
        losses=losses,
        settings=settings,
        prompts={column: prefix for column in sorted(columns) if (prefix := prefixes[column.partition("_")[0]])},
    )


def _teacher(model: Any, folder: Path) -> Any:
    """The model as it was before the first step of the first stage, which is kept on disk for later ones."""
    from sentence_transformers import SentenceTransformer

    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            made = Path(beside, _TEACHER)
            model.save_pretrained(str(made), create_model_card=False)
            made.rename(folder)
    return SentenceTransformer(str(folder), device=str(model.device), local_files_only=True)


def _texts(stages: Iterable[Stage]) -> Iterator[str]:
    for stage in stages:
        for dataset in stage.datasets.values():
            for row in dataset:
                yield from row.values()
