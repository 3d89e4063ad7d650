"""Triplets for the recipes that contrast: read, split into training and development, laid out for the losses."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.readers import (
    LabelledPair,
    Omissions,
    Triplet,
    as_dataset,
    check_batch,
    read_labelled_pairs,
    read_training_data,
)
from kure_rag.train.recipe import Plan, Say, Sources, Stage
from kure_rag.train.recipes.triplet_dev import Known, answer_of, development_of, digest, triplet_development
from kure_rag.train.recipes.triplet_groups import choose, connected
from kure_rag.train.settings import TrainSettings
from kure_rag.train.trainer import left_out

DATA: Final = (
    'triplets: JSON lines or parquet of {"query": …, "positive": …, "negatives": […]}, as `kure-rag mine` writes them; '
    "also ko-triplet's columns, BEIR folders and MS MARCO's files, which have no hard negatives of their own"
)
DEV: Final = (
    "triplets, folders in BEIR's layout (corpus.jsonl, queries.jsonl, qrels.tsv), or sentence pairs such as KorSTS's "
    "sts-dev.tsv; without any, queries of the training data are held back"
)

_MOST_HELD: Final = 10  # one in so many queries
_SHOWN: Final = "triplets"


@dataclass(slots=True)
class Split:
    """Rows to train on and rows to score on, with no query and no positive in both.

    Attributes:
        paths: Files and folders that the rows are read from.
        scratch: Where their readers may lay texts out.
        known: Queries and positives that must not be trained on.
        labelled: Files of labelled pairs beside the triplets, which only a reranker learns from.
        held: Rows that were held back, and labelled pairs.
        omissions: What the readers left out.
        counts: What was left out here, and how many rows.
    """

    paths: Sequence[Path]
    scratch: Path
    known: Known
    labelled: Sequence[Path] = ()
    held: list[Triplet | LabelledPair] = field(default_factory=list)
    omissions: Omissions = field(default_factory=Omissions)
    counts: dict[str, int] = field(default_factory=dict)

    def read(self) -> Iterator[Triplet]:
        """All triplets, in order."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.omissions = Omissions()  # each reading counts anew
        return read_rows(self.paths, self.scratch, self.omissions) if self.paths else iter(())

    def read_all(self) -> Iterator[Triplet | LabelledPair]:
        """All triplets, and all labelled pairs behind them."""
        yield from self.read()
        for path in self.labelled:
            yield from read_labelled_pairs(path, omissions=self.omissions)

    def training(self, negatives: int, *, most: int | None = None) -> Iterator[Triplet]:
        """Rows to train on. What is left out is counted anew.

        Args:
            negatives: That each has at the least.
            most: That each has at the most; as many as at the least by default.
        """
        counts = self.counts = dict.fromkeys(("known", "negatives", "short", "most"), 0)
        for row in self.read():
            if digest(row.query) in self.known.queries or digest(row.positive) in self.known.positives:
                counts["known"] += 1
                continue
            wrong = {digest(row.positive)}
            kept = []
            for text in row.negatives:
                key = digest(text)
                if key in self.known.positives:
                    counts["negatives"] += 1  # the model would learn that the passage answers nothing
                elif key not in wrong:
                    wrong.add(key)
                    kept.append(text)
            counts["most"] = max(counts["most"], len(kept))
            if len(kept) < negatives:
                counts["short"] += 1
                continue
            yield Triplet(
                query=row.query, positive=row.positive, negatives=tuple(kept[: negatives if most is None else most])
            )

    def training_pairs(self) -> Iterator[LabelledPair]:
        """Labelled pairs to train on. What is left out is added to what :meth:`training` counted before."""
        for path in self.labelled:
            for pair in read_labelled_pairs(path, omissions=self.omissions):
                answers = answer_of(pair) is not None
                passage_known = digest(pair.passage) in self.known.positives
                if digest(pair.query) in self.known.queries or (answers and passage_known):
                    self.counts["known"] += 1
                elif passage_known:
                    self.counts["negatives"] += 1
                else:
                    yield pair

    def notes(self, negatives: int) -> list[str]:
        """What was left out of the last :meth:`training`, a sentence each."""
        said = self.omissions.lines()
        if held := len(self.held):
            said.append(f"{held:,} rows were held back for development, with all rows of their queries")
        if known := self.counts["known"] - len(self.held):
            said.append(f"{known:,} rows were left out: their query or their positive is in the development data")
        if many := self.counts["negatives"]:
            said.append(f"{many:,} hard negatives were left out: they answer a query of the development data")
        if short := self.counts["short"]:
            said.append(f"{short:,} rows were left out: they have fewer than {negatives} hard negatives")
        return said


def read_rows(paths: Sequence[Path], scratch: Path, omissions: Omissions) -> Iterator[Triplet]:
    """The triplets of files and folders; other kinds of data are an error that names the file."""
    for row in read_training_data(paths, want="triplets", scratch=scratch, omissions=omissions):
        if not isinstance(row, Triplet):
            raise TypeError(f"a reader of triplets gave {type(row).__name__}")
        yield row


def split_rows(
    paths: Sequence[Path], scratch: Path, *, known: Known, held_back: int, labelled: Sequence[Path] = ()
) -> Split:
    """Finds out which rows are held back.

    Of all queries those with the smallest digests are held back, whatever their order in the files: ``held_back`` of
    them, and at most a tenth. Queries with an answer in common are held back together, so that no row of theirs is left
    out of both sides; where nearly all are connected in this way, rows are left out instead. The same data always give
    the same ones. Where ``known`` names development data already, none are.

    Args:
        paths: Files and folders.
        scratch: Where readers may lay texts out.
        known: Development data that were given.
        held_back: How many queries.
        labelled: Files of labelled pairs; queries that none of these answers are not held back.

    Raises:
        CorpusFormatError: There are no rows, or a row breaks its format.
        ConfigError: There are too few queries to hold any back.
    """
    split = Split(paths, scratch, known, labelled)
    pairs = array("Q")
    rows = 0
    for row in split.read_all():
        rows += 1
        if (answer := answer_of(row)) is not None:
            pairs.extend((digest(row.query), digest(answer)))
    if not rows:
        raise CorpusFormatError(named([*paths, *labelled]), "no rows; give a file with at least one")
    if known:
        return split
    if not pairs:
        raise ConfigError(f"{named(labelled)}: no passage answers its query, with a label of .5 or more; add such rows")
    queries, groups = connected(pairs)
    count = min(held_back, len(queries) // _MOST_HELD)
    if not count:
        raise ConfigError(
            f"{len(queries)} queries are too few to hold a tenth of them back for development; give more, or --dev"
        )
    chosen = choose(queries, groups, count)
    split.held = [row for row in split.read_all() if digest(row.query) in chosen]
    split.known = Known.of(split.held)
    return split


def plan_triplets(
    sources: Sources,
    settings: TrainSettings,
    say: Say,
    *,
    negatives: int,
    held_back: int,
    losses: Callable[[Any], Mapping[str, Any]],
) -> Plan:
    """The plan of a recipe with one stage, whose rows are a query, a positive and negatives.

    Args:
        sources: As the recipe was given them.
        settings: The stage's.
        say: Told what is being done.
        negatives: Of each row.
        held_back: See :func:`split_rows`.
        losses: As :class:`Stage` takes them, under the name ``triplets``.

    Raises:
        CorpusFormatError: A file is empty or breaks its format.
        ConfigError: Not one row has so many negatives, a batch is larger than the data, or nothing can be held back.
    """
    say("reading triplets")
    development, known = development_of(sources)
    split = split_rows(sources.train, sources.work / "texts", known=known, held_back=held_back)
    if held := [row for row in split.held if isinstance(row, Triplet)]:
        development = [triplet_development(held, sources, name="held-back"), *development]
    columns = ("query", "positive", *(f"negative_{i}" for i in range(1, negatives + 1)))
    rows = (
        dict(zip(columns, (row.query, row.positive, *row.negatives), strict=True)) for row in split.training(negatives)
    )
    dataset = laid_out(split, rows, columns, sources, negatives)
    check_batch(settings.batch_size, len(dataset), named(sources.train))
    if not negatives:
        require_others(settings.batch_size)
    check_distinct(settings.batch_size, dataset, named(sources.train))
    prefixes = {name: sources.query_prefix if name == "query" else sources.passage_prefix for name in columns}
    stage = Stage(
        name=_SHOWN,
        datasets={_SHOWN: dataset},
        losses=losses,
        settings=settings,
        prompts={name: prefix for name, prefix in prefixes.items() if prefix},
        no_duplicates=True,
    )
    return Plan(
        stages=[stage],
        development=development,
        texts=lambda: texts_in(dataset),
        rows={_SHOWN: len(dataset)},
        notes=[*split.notes(negatives), *left_out(stage)],
    )


def laid_out(split: Split, rows: Iterable[object], columns: Any, sources: Sources, negatives: int) -> Any:
    """The rows as a data set on disk.

    Raises:
        ConfigError: There are none left, and why.
    """
    try:
        return as_dataset(rows, columns, cache=sources.work / _SHOWN, source=named(sources.train))
    except CorpusFormatError as error:
        if split.counts.get("short"):
            raise ConfigError(
                f"{named(sources.train)}: no row has {negatives} hard negatives, the most is {split.counts['most']}; "
                f"mine them with `kure-rag mine`, or set negatives to {split.counts['most']}"
            ) from error
        if split.counts.get("known"):
            raise ConfigError(
                f"{named(sources.train)}: every row's query or positive is in the development data, so nothing is left "
                "to train on; give other data to one of the two"
            ) from error
        raise


def check_distinct(batch_size: int, dataset: Any, source: str) -> None:
    """Raises if no batch could be filled because a column has too few different texts: none is twice in a batch.

    It reads only as many rows as it takes to find enough.

    Raises:
        ConfigError: Names the column and the numbers.
    """
    seen: dict[str, set[int]] = {name: set() for name in dataset.column_names}
    for row in dataset:
        for name, texts in seen.items():
            if len(texts) < batch_size:
                texts.add(hash(row[name]))
        if all(len(texts) >= batch_size for texts in seen.values()):
            return
    name = min(seen, key=lambda one: len(seen[one]))
    raise ConfigError(
        f"{source}: {len(dataset):,} rows have {len(seen[name]):,} different texts as {name}, and a batch of "
        f"{batch_size} holds none twice; choose a batch size of {len(seen[name])} or less, or give more data"
    )


def require_others(batch_size: int) -> None:
    """Raises :class:`~kure_rag.errors.ConfigError` for a batch that has no other row to be told from."""
    if batch_size < 2:
        raise ConfigError(
            f"batch_size is {batch_size}, and a text is told from the other rows of its batch; choose 2 or more"
        )


def require_prompts(guide: str, own: tuple[str, str], trained: tuple[str, str]) -> None:
    """Raises :class:`~kure_rag.errors.ConfigError` for a guide that expects other prefixes than it would be given."""
    if own not in (("", ""), trained):
        raise ConfigError(
            f"guide {guide} expects {own[0]!r} before queries and {own[1]!r} before passages, which it would not get; "
            "give a guide without prefixes, or one with those of the base"
        )


def is_static(model: Any) -> bool:
    """Whether a ``SentenceTransformer`` is a table of vectors: its batches cannot be cut into smaller ones."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return isinstance(model[0], StaticEmbedding)


def texts_in(dataset: Any) -> Iterator[str]:
    """All texts of a data set, row by row."""
    for row in dataset:
        for value in row.values():
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from (text for text in value if isinstance(text, str))


def named(paths: Sequence[Path]) -> str:
    """The names of files, for messages."""
    return ", ".join(path.name for path in paths)
