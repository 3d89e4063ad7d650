"""One stage on sentence-transformers' trainer: our settings in its words, and nothing of its that reaches out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import ConfigError, TrainingError
from kure_rag.train.workdir import place_among

if TYPE_CHECKING:
    from kure_rag.train.development import Development
    from kure_rag.train.recipe import Stage
    from kure_rag.train.settings import TrainSettings

_MOST_LOGS: Final = 500  # points of a curve
_COUNTED: Final = 20_000  # texts whose tokens are counted
_KEPT: Final = 2  # checkpoints: the one before stays until the next is whole
_RISE: Final = 0.3  # share of a one-cycle schedule that goes up, where no warm-up is asked for; torch's own
_SCHEDULERS: Final = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant_with_warmup",
    "one-cycle": "linear",  # replaced by torch's
}


def steps_of(stage: Stage, *, processes: int = 1) -> int:
    """How many steps a stage takes.

    Raises:
        ConfigError: A batch is larger than the data.
        TrainingError: Not one batch without equal texts can be made.
    """
    settings = stage.settings
    for name, dataset in stage.datasets.items():
        rows, batch = len(dataset), stage.batch_size(name) * processes
        if rows < batch:
            raise ConfigError(
                f"stage {stage.name}: {name} has {rows:,} rows, fewer than a batch of {batch:,}; give more data or a "
                "smaller --batch-size"
            )
    batches = [_batches(stage, name) for name in stage.datasets]
    each = (sum(batches) if stage.mix == "proportional" else min(batches) * len(batches)) // processes
    if not each:
        raise TrainingError(
            f"stage {stage.name}: not one batch of {settings.batch_size * processes} could be made, since no text may "
            "be twice in a batch; give more different texts, or a smaller --batch-size"
        )
    total = max(1, math.ceil(settings.epochs * math.ceil(each / settings.accumulate)))
    return total if settings.max_steps is None else min(total, settings.max_steps)


def _batches(stage: Stage, name: str) -> int:
    """Batches of a data set in an epoch, of all processes together."""
    dataset, size = stage.datasets[name], stage.batch_size(name)
    if not stage.no_duplicates:
        return int(len(dataset) // size)
    from kure_rag.train.distinct_batches import count_batches

    return count_batches(dataset, size, stage.settings.seed)


def left_out(stage: Stage) -> list[str]:
    """What to say of rows that fill no batch, since no text may be twice in one; nothing where only a rest does."""
    said = []
    for name, dataset in stage.datasets.items():
        rows, size = len(dataset), stage.batch_size(name)
        if (batches := _batches(stage, name)) < rows // size:
            said.append(
                f"each epoch sees {batches * size:,} of the {rows:,} rows of {name}, in another choice each time: no "
                f"text may be twice in a batch of {size}, and the others fill none"
            )
    return said


def check_stage(stage: Stage, folder: Path) -> None:
    """Raises for settings that this machine cannot train with.

    Raises:
        TrainingError: Such as fp16 without a GPU.
        ConfigError: A batch is larger than the data.
    """
    _arguments(stage, folder, evaluated=False)


def longer_than(model: Any, texts: Iterable[str]) -> str | None:
    """What to say of texts that the model will cut; ``None`` where it cuts none.

    Args:
        model: With a tokenizer and a limit; one without a limit cuts nothing.
        texts: As `Plan.texts` gives them, of a cross-encoder a query and a passage in one. Of these 20,000 are counted.

    Raises:
        ConfigError: The limit leaves no room for a text beside the tokens that begin and end it.
    """
    from sentence_transformers import CrossEncoder

    from kure_rag.train.readers.checks import check_lengths

    limit, tokenizer = model.max_seq_length, getattr(model, "tokenizer", None)
    if not isinstance(limit, int) or tokenizer is None or not callable(tokenizer):
        return None
    paired = isinstance(model, CrossEncoder)
    special = tokenizer.num_special_tokens_to_add(pair=paired)
    least = special + 1 + paired
    if limit < least:
        raise ConfigError(
            f"max_length is {limit}, and {special} of a text's tokens only begin and end it: choose {least} or more"
        )
    between = special - tokenizer.num_special_tokens_to_add(pair=False)

    def count(some: Sequence[str]) -> list[int]:
        return [len(ids) + between for ids in tokenizer(list(some), truncation=False, verbose=False)["input_ids"]]

    counted = list(islice(texts, _COUNTED + 1))
    what = "query and passage together" if paired else "the training texts"
    if len(counted) > _COUNTED:
        what += f", the first {_COUNTED:,}"
    found = check_lengths(counted[:_COUNTED], count, limit, what)
    return f"{what}: {found}; only their beginnings are trained on" if found.over else None


def make_trainer(
    stage: Stage,
    model: Any,
    folder: Path,
    losses: Any,
    *,
    kind: str,
    development: Sequence[Development],
    callbacks: Sequence[Any],
) -> Any:
    """The trainer of a stage.

    Args:
        stage: What to do.
        model: What to train.
        folder: Where its checkpoints go.
        losses: Name of a dataset → loss.
        kind: ``dense`` or ``reranker``.
        development: What to score the model on at each checkpoint.
        callbacks: Of transformers' trainer.
    """
    from transformers.trainer_callback import PrinterCallback

    from kure_rag.train.callbacks import Evaluator

    trainer_class, arguments_class = _classes(kind, stage)
    arguments = arguments_class(**_arguments(stage, folder, evaluated=bool(development)))
    if arguments.n_gpu > 1:
        # Several GPUs without a launcher would share one batch, whose negatives would then be fewer than asked for.
        arguments._n_gpu = 1
    trainer = trainer_class(
        model=model,
        args=arguments,
        train_dataset=dict(stage.datasets),
        loss=losses,
        evaluator=Evaluator(development) if development else None,
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _classes(kind: str, stage: Stage) -> tuple[Any, Any]:
    if kind == "reranker":
        from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments

        return _quiet(CrossEncoderTrainer, stage), CrossEncoderTrainingArguments
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    return _quiet(SentenceTransformerTrainer, stage), SentenceTransformerTrainingArguments


def _quiet(trainer_class: Any, stage: Stage) -> Any:
    """The library's trainer without its own model card, which asks the model hub, and without pickled arguments.

    Each dataset has batches of its own size.
    """
    from torch.optim.lr_scheduler import OneCycleLR

    from kure_rag.train.distinct_batches import DistinctBatchSampler

    settings = stage.settings

    class Quiet(trainer_class):  # type: ignore[misc]
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            pass

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            save_model(self.model, Path(output_dir or self.args.output_dir))

        def get_batch_sampler(self, dataset: Any, batch_size: int, **named: Any) -> Any:
            name = next(name for name, one in self.train_dataset.items() if one is dataset)
            named["batch_size"] = stage.batch_size(name)
            if stage.no_duplicates:
                return DistinctBatchSampler(stage.datasets[name], **named)
            return super().get_batch_sampler(dataset, **named)

        def get_multi_dataset_batch_sampler(self, **named: Any) -> Any:
            sampler = super().get_multi_dataset_batch_sampler(**named)
            if len({stage.batch_size(name) for name in stage.datasets}) > 1:
                sampler.batch_size = None  # or several processes would leave out batches of all sizes but the first
            return sampler

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            if settings.schedule != "one-cycle" or getattr(self, "lr_scheduler", None) is not None:
                return super().create_scheduler(num_training_steps, optimizer)
            # Up and down once (Smith and Topin 2018), with torch's half cosines.
            self.lr_scheduler: Any = OneCycleLR(
                self.optimizer if optimizer is None else optimizer,
                max_lr=settings.learning_rate,
                total_steps=num_training_steps + 1,  # asked once more after the last step
                pct_start=settings.warmup or _RISE,
                cycle_momentum=False,
            )
            return self.lr_scheduler

    return Quiet


def save_model(model: Any, folder: Path) -> None:
    """A model's files, without a card.

    Args:
        model: A ``SentenceTransformer`` or ``CrossEncoder``.
        folder: Made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(str(folder), create_model_card=False)
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)  # they are written for their owner alone, whatever the user's mask says


def _arguments(stage: Stage, folder: Path, *, evaluated: bool) -> dict[str, Any]:
    import torch
    from sentence_transformers.sentence_transformer.training_args import MultiDatasetBatchSamplers

    settings = stage.settings
    total = steps_of(stage, processes=place_among()[1])
    logging = max(1, math.ceil(total / _MOST_LOGS))
    # A mean of losses must not begin before a checkpoint and end after it, or it would be another after a resumption.
    apart = max(1, total // settings.checkpoints) if settings.checkpoints else total
    apart = math.ceil(apart / logging) * logging
    saved = "steps" if settings.checkpoints else "no"
    prompts = {name: dict(stage.prompts) for name in stage.datasets}
    return {
        "output_dir": str(folder),
        "num_train_epochs": settings.epochs,
        "max_steps": -1 if settings.max_steps is None else min(settings.max_steps, total),
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulate,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "lr_scheduler_type": _SCHEDULERS[settings.schedule],
        "seed": settings.seed,
        "logging_steps": logging,
        "logging_nan_inf_filter": False,
        "save_strategy": saved,
        "save_steps": apart,
        "save_total_limit": _KEPT,
        "eval_strategy": saved if evaluated else "no",
        "eval_steps": apart,
        "multi_dataset_batch_sampler": MultiDatasetBatchSamplers.PROPORTIONAL
        if stage.mix == "proportional"
        else MultiDatasetBatchSamplers.ROUND_ROBIN,
        "prompts": prompts if stage.prompts else None,
        "dataloader_drop_last": True,
        # Only whole batches are made, so that there is nothing to fill up, which batches of two sizes would not allow.
        "accelerator_config": {"even_batches": False},
        "dataloader_pin_memory": torch.cuda.is_available(),
        # Said plainly, since processes that only have no GPU would each train on all rows.
        "use_cpu": not torch.accelerator.is_available(),
        "report_to": "none",
        "disable_tqdm": True,
        **_precision(settings),
    }


def _precision(settings: TrainSettings) -> dict[str, bool]:
    import torch

    cuda = torch.cuda.is_available()
    half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)  # which is slower than fp16
    if settings.precision == "auto":
        return {"bf16": half, "fp16": cuda and not half}
    if settings.precision == "fp16" and not cuda:
        raise TrainingError("precision fp16 needs a GPU; on a processor take fp32, or bf16")
    return {"bf16": settings.precision == "bf16", "fp16": settings.precision == "fp16"}


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, of whatever library, says that the disk is full."""
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if getattr(seen, "errno", None) in (27, 28, 122):  # EFBIG, ENOSPC, EDQUOT
            return True
        if any(words in text for words in ("No space left", "os error 28", "os error 27", "File too large")):
            return True
        if "PytorchStreamWriter" in text or "unexpected pos" in text:  # torch says no more when a write fails
            return True
        seen = seen.__cause__ or seen.__context__
    return False
