"""What a recipe is: data read, losses chosen, settings with the paper's values. The loop itself is in ``run.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from kure_rag.train.settings import TrainSettings

if TYPE_CHECKING:
    from kure_rag.train.development import Development

Say = Callable[[str], None]
S = TypeVar("S", bound=TrainSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a recipe's data lie.

    Attributes:
        train: Files or folders to train on; what each is shows in its content.
        dev: Files or folders to score the model on before, during and after training. Where there are none, a part of
            the training data is held back.
        work: A folder for what is made of them, kept until the training has ended.
        base: The base model as it was given, or the recipe's.
        query_prefix: What the model that is trained puts before queries: the recipe's, or the base's own.
        passage_prefix: Likewise before passages.
    """

    train: tuple[Path, ...]
    dev: tuple[Path, ...] = ()
    work: Path
    base: str = ""
    query_prefix: str = ""
    passage_prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run of the trainer.

    Attributes:
        name: Short, for folders and tables, such as ``nli``.
        datasets: Name → a ``datasets.Dataset`` with the columns that its loss takes, in their order.
        losses: Called with the model; the same names → losses (``torch.nn.Module``). Their own weights are trained,
            and kept in checkpoints, with the model's.
        settings: Those of this stage: a recipe of several replaces epochs, batch size and so on.
        prompts: Column → what is put before its texts.
        no_duplicates: Never two equal texts in a batch, where they would be each other's false negatives.
        mix: How several datasets take turns: by their sizes, or one batch each until the smallest is used up.
        batch_sizes: Name of a dataset → rows in its batches, where they are not as many as the settings say.
    """

    name: str
    datasets: Mapping[str, Any]
    losses: Callable[[Any], Mapping[str, Any]]
    settings: TrainSettings
    prompts: Mapping[str, str] = field(default_factory=dict)
    no_duplicates: bool = False
    mix: Literal["proportional", "round-robin"] = "proportional"
    batch_sizes: Mapping[str, int] = field(default_factory=dict)

    def batch_size(self, name: str) -> int:
        """Rows in a batch of a dataset."""
        return self.batch_sizes.get(name, self.settings.batch_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that will be done, after the data were read and checked.

    Attributes:
        stages: One after the other on the same model.
        development: What the model is scored on; empty for none.
        texts: The training texts again, to make a tokenizer of where the base is made from scratch.
        rows: Name of a dataset → its rows, for the card.
        notes: What a user should know: rows left out, texts that will be cut.
    """

    stages: Sequence[Stage]
    development: Sequence[Development] = ()
    texts: Callable[[], Iterator[str]]
    rows: Mapping[str, int]
    notes: Sequence[str] = ()


class Recipe(ABC, Generic[S]):
    """A way to train, as a paper or repository described it.

    Attributes:
        name: As ``kure-rag train`` takes it.
        summary: A line.
        source: Where the values come from.
        kind: What comes out.
        base: The default base model: a name, a folder, or ``scratch:bert``, ``scratch:roberta``, ``scratch:t5``.
        pooling: Of a base with token vectors, and so the output's; ``None`` keeps the base's own.
        query_prefix: Stored in the output, and put before queries in training (`Stage.prompts`, from
            `Sources.query_prefix`); ``None`` keeps the base's own.
        passage_prefix: Likewise for passages.
        data: What the training files are, for the help.
        dev: What the development files are.
        limits: What was left out or done otherwise than the original, for the card.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    kind: ClassVar[Literal["dense", "reranker"]] = "dense"
    base: ClassVar[str]
    pooling: ClassVar[Literal["mean", "cls", "lasttoken"] | None] = "mean"
    query_prefix: ClassVar[str | None] = None
    passage_prefix: ClassVar[str | None] = None
    data: ClassVar[str]
    dev: ClassVar[str]
    limits: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def settings(self) -> S:
        """The paper's values."""

    @abstractmethod
    def smallest(self, settings: S) -> S:
        """The same with as few steps, rows and tokens as still show that it works: minutes on two cores."""

    @abstractmethod
    def plan(self, sources: Sources, settings: S, say: Say) -> Plan:
        """Reads and checks the data.

        Args:
            sources: Where they lie.
            settings: How it will be trained.
            say: Told what is being done, a line at a time.

        Raises:
            CorpusFormatError: A file is empty or breaks its format; the message names it and the line.
            ConfigError: The data cannot be trained on with these settings.
        """

    def finish(self, model: Any, start: Callable[[], Any], settings: S) -> None:
        """Changes the trained model in place before it is scored; nothing by default.

        Args:
            model: After the last stage.
            start: Loads the base again, as it was before the first.
            settings: How it was trained.
        """

    def write(self, folder: Path, settings: S) -> None:
        """Adds files to the finished model's folder; nothing by default.

        Args:
            folder: With all other files in it.
            settings: How it was trained.
        """
