"""Training by a recipe: read and check the data, score the base, train stage by stage, score again, write the model.

::

    report = train("kosimcse", [Path("KorNLI")], out=Path("my-model"), base="klue/roberta-base")
    report.changes[0].difference

Whatever ends it early, the same call goes on from the last checkpoint, to the same losses on the same machine. The
model's folder appears at the very end, whole. With several GPUs, start it with ``torchrun`` or ``accelerate launch``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError, MissingExtraError, SourceNotFoundError, TrainingError
from kure_rag.train.bases import Base, find_base, load_base, require_base_apart
from kure_rag.train.card import CARD, make_card, write_card
from kure_rag.train.curves import CSV, PNG, draw, rows_of, write_csv
from kure_rag.train.development import Development, Measured, distinct
from kure_rag.train.disk import full_disk_told, gigabytes
from kure_rag.train.place import WRITTEN, put_in_place, require_apart, require_free
from kure_rag.train.recipe import Plan, Recipe, Sources, Stage
from kure_rag.train.recipes import find_recipe
from kure_rag.train.report import Change, TrainReport, change, from_json, to_json
from kure_rag.train.settings import TrainSettings
from kure_rag.train.workdir import WorkFolder, beside, hashes, place_among, write_json

Say = Callable[[str], None]
Progress = Callable[[int, int | None, str], None]

_NEEDED: Final = ("datasets", "accelerate", "scipy", "pytrec_eval", "pyarrow")
_COPIES: Final = 10  # of the weights that lie on the disk at once: three checkpoints with Adam's two moments, the model
_BYTES: Final = 4  # of a weight in float32


def train(
    recipe: Recipe[Any] | str,
    data: Sequence[Path],
    *,
    out: Path,
    base: str | None = None,
    dev: Sequence[Path] = (),
    settings: TrainSettings | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> TrainReport:
    """Trains a model.

    Args:
        recipe: One of :data:`kure_rag.train.recipes.RECIPES`, or a recipe of your own.
        data: Files or folders to train on; ``Recipe.data`` says which.
        out: The model's folder; replaced if it holds a model and nothing beside it, refused if it holds anything else.
            A card (``README.md``) in it that somebody has written stays, and the new one is ``TRAINING.md``.
        base: What to start from instead of the recipe's base: a known name, a folder, ``owner/name`` on the model hub,
            or ``scratch:bert``, ``scratch:roberta``, ``scratch:t5``, ``scratch:static``.
        dev: What to score the model on; by default a part of the data that is held back.
        settings: Those of the recipe (``find_recipe(name).settings``), changed with ``dataclasses.replace``.
        say: Told what is being done, a line at a time.
        progress: Told steps done, steps in all, and a few words.

    Raises:
        MissingExtraError: The extra ``train`` is not installed.
        SourceNotFoundError: A file is missing.
        CorpusFormatError: A file is empty or breaks its format; the message names it and the line.
        ConfigError: The data or settings cannot be trained on, or an unfinished training of something else lies beside
            ``out``; or what is read lies in ``out`` and would be gone.
        UnknownModelError: There is no such base.
        TrainingError: It cannot be begun, or broke off: no space on the disk, a loss that is no number.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    chosen = find_recipe(recipe) if isinstance(recipe, str) else recipe
    told = settings or chosen.settings
    if type(told) is not type(chosen.settings):
        raise ConfigError(
            f"recipe {chosen.name} takes {type(chosen.settings).__name__}, not {type(told).__name__}; change "
            f"find_recipe({chosen.name!r}).settings with dataclasses.replace"
        )
    _check_extra()
    _no_reaching_out()
    out = out.resolve()
    require_free(out)
    sources = _existing(data, "data"), _existing(dev, "dev")
    name = base or chosen.base
    require_apart(out, beside(out), sources[0], "--data")
    require_apart(out, beside(out), sources[1], "--dev")
    require_base_apart(name, out, beside(out))
    found = find_base(name, chosen, told)
    rank, processes = place_among()
    identity = {
        "recipe": chosen.name,
        "base": {"name": found.name, "revision": found.revision},
        "settings": json.loads(json.dumps(told.to_dict())),
        "data": hashes(sources[0], without=out),
        "dev": hashes(sources[1], without=out),
        "processes": processes,
    }
    started = time.monotonic()
    with full_disk_told(out.parent), WorkFolder(out, identity, main=rank == 0) as work:
        run = _Run(chosen, found, told, work, say if say and rank == 0 else _silent, progress if rank == 0 else None)
        plan = run.plan(*sources)
        model = run.base_model(plan)
        notes = [*plan.notes, *run.check(model, plan)]
        before = run.before(model, plan.development)
        model, histories, steps = run.stages(model, plan)
        chosen.finish(model, lambda: run.base_model(plan), told)
        model.eval()
        run.say("scoring the trained model")
        after = {one.name: one.score(model) for one in plan.development}
        changes = [change(one.name, one.main, before[one.name], after[one.name]) for one in plan.development]
        report = TrainReport(
            recipe=chosen.name,
            out=out,
            base=found.name,
            steps=steps,
            seconds=time.monotonic() - started,
            resumed=work.resumed,
            loss=_last_loss(histories),
            changes=changes,
            rows=plan.rows,
            notes=notes,
        )
        if rank == 0:
            run.write(model, report, histories, plan, identity)
            work.remove()
    return report


class _Run:
    """One training, in the order of :func:`train`."""

    def __init__(
        self,
        recipe: Recipe[Any],
        base: Base,
        settings: TrainSettings,
        work: WorkFolder,
        say: Say,
        progress: Progress | None,
    ) -> None:
        self.recipe, self.base, self.settings, self.work = recipe, base, settings, work
        self.say, self.progress = say, progress
        self.rank, self.processes = place_among()
        # Each process of a distributed training makes its own, the same as the others'.
        self.made = work.path if self.rank == 0 else work.path / f"process-{self.rank}"

    def plan(self, data: tuple[Path, ...], dev: tuple[Path, ...]) -> Plan:
        """Reads and checks the data, before anything that takes long."""
        from kure_rag.train.trainer import steps_of

        self.say("reading the data")
        folder = self.made / "data"
        folder.mkdir(parents=True, exist_ok=True)
        sources = Sources(
            train=data,
            dev=dev,
            work=folder,
            base=self.base.name,
            query_prefix=self.base.query_prefix,
            passage_prefix=self.base.passage_prefix,
        )
        plan = self.recipe.plan(sources, self.settings, self.say)
        plan = replace(plan, development=distinct(plan.development), notes=[*_notes_of(self.base), *plan.notes])
        for stage in plan.stages:
            steps_of(stage, processes=self.processes)
        counted = ", ".join(f"{count:,} {name}" for name, count in plan.rows.items())
        self.say(f"read {counted}")
        for note in plan.notes:
            self.say(f"note: {note}")
        return plan

    def base_model(self, plan: Plan) -> Any:
        """The base as it is before the first stage."""
        return self._loaded(self.base, plan)

    def check(self, model: Any, plan: Plan) -> list[str]:
        """Makes every loss and every stage's arguments once: what cannot be is told now, and not when its turn comes.

        Returns:
            What a user should know of the texts' lengths.
        """
        from kure_rag.train.trainer import check_stage, longer_than

        self._require_space(model)
        for number, stage in enumerate(plan.stages, 1):
            check_stage(stage, self.work.stage(number, stage.name))
            self._losses(model, stage, number)
        note = longer_than(model, plan.texts())  # which warns in the log, too
        return [] if note is None else [note]

    def _losses(self, model: Any, stage: Stage, number: int) -> dict[str, Any]:
        import torch

        # So that what a loss begins with is the same whether or not an earlier stage was trained by this process.
        torch.manual_seed(stage.settings.seed + number)
        random.seed(stage.settings.seed + number)
        return dict(stage.losses(model))

    def before(self, model: Any, development: Sequence[Development]) -> dict[str, Measured]:
        """The base's scores, which an interrupted training has kept."""
        kept = self.work.before
        if kept is not None:
            return {name: from_json(stored) for name, stored in kept.items()}
        if development:
            self.say(f"scoring {self.base.name} before training")
        scores = {one.name: one.score(model) for one in development}
        if self.rank == 0:
            self.work.keep_before({name: to_json(measured) for name, measured in scores.items()})
        return scores

    def stages(self, model: Any, plan: Plan) -> tuple[Any, dict[str, list[dict[str, Any]]], dict[str, int]]:
        """Trains; gives the model, what was logged in each stage, and how many steps each took."""
        histories: dict[str, list[dict[str, Any]]] = {}
        steps: dict[str, int] = {}
        for number, stage in enumerate(plan.stages, 1):
            folder = self.work.stage(number, stage.name)
            folder.mkdir(exist_ok=True)
            done = self.work.finished(folder)
            if done is None:
                done = self._stage(model, stage, folder, number, plan)
            else:
                self.say(f"stage {stage.name} was done before")
                model = self._loaded(replace(self.base, folder=folder / "model"), plan)
            histories[stage.name], steps[stage.name] = done["history"], done["steps"]
        return model, histories, steps

    def _stage(self, model: Any, stage: Stage, folder: Path, number: int, plan: Plan) -> dict[str, Any]:
        from kure_rag.train.callbacks import Watch, restore_loss_weights, stopping
        from kure_rag.train.trainer import make_trainer, save_model

        checkpoint = self.work.checkpoint(folder)
        losses = self._losses(model, stage, number)
        watch = Watch(folder, losses, model, progress=self.progress, label=stage.name)
        trainer = make_trainer(
            stage,
            model,
            folder,
            losses,
            kind=self.recipe.kind,
            development=plan.development,
            callbacks=[watch],
        )
        if checkpoint is not None:
            restore_loss_weights(checkpoint, losses, model)
        self.say(f"stage {stage.name}" + ("" if checkpoint is None else f", going on from {checkpoint.name}"))
        with stopping(watch, self.say), self._told(folder):
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        if watch.stopped:
            kept = self.work.checkpoint(folder)
            self.say(f"stopped; the same command goes on from {kept.name if kept else 'the beginning'} of {stage.name}")
            raise KeyboardInterrupt
        record = {"history": trainer.state.log_history, "steps": trainer.state.global_step}
        if not record["steps"]:
            raise TrainingError(
                f"stage {stage.name}: not one batch of {stage.settings.batch_size} could be made, since no text may be "
                "twice in a batch; give more different texts, or a smaller --batch-size"
            )
        if self.rank == 0:
            with self._told(folder):
                save_model(model, folder / "model")
                self.work.finish(folder, record)
        if watch.asked:  # in its last step, or while it was scored
            self.say(f"stopped; stage {stage.name} is done, and the same command goes on from there")
            raise KeyboardInterrupt
        return record

    def _loaded(self, base: Base, plan: Plan) -> Any:
        return load_base(
            base,
            self.recipe,
            texts=plan.texts,
            work=self.made,
            max_length=self.settings.max_length,
            seed=self.settings.seed,
        )

    def _told(self, folder: Path) -> AbstractContextManager[None]:
        """Says of a full disk what to do, and which checkpoint there is."""

        def reached() -> str:
            kept = self.work.checkpoint(folder)
            return f"{kept.name} is whole" if kept else "there is no checkpoint of this stage yet"

        return full_disk_told(folder, reached)

    def _require_space(self, model: Any) -> None:
        """Raises where the disk cannot hold the checkpoints, before hours are spent."""
        weights = sum(weight.numel() for weight in model.parameters()) * _BYTES
        # What an interrupted training has written already need not be written beside it again.
        needed = weights * (_COPIES if self.settings.checkpoints else 2) - self.work.held
        free = shutil.disk_usage(self.work.path).free
        if free < needed:
            raise TrainingError(
                f"{self.work.path}: {gigabytes(free)} are free, and checkpoints and the model need about "
                f"{gigabytes(needed)}; make room, give another --out, or set checkpoints to 0"
            )

    def write(
        self,
        model: Any,
        report: TrainReport,
        histories: Mapping[str, Sequence[Mapping[str, Any]]],
        plan: Plan,
        identity: Mapping[str, Any],
    ) -> None:
        """The finished folder, all of it at once."""
        from kure_rag.train.trainer import save_model

        measures = [f"{one.name}_{one.main}" for one in plan.development]
        rows = rows_of(histories, measures)
        out = report.out
        made = self.work.path / "finished"
        shutil.rmtree(made, ignore_errors=True)
        with self._told(out.parent):
            save_model(model, made)
            write_csv(made / CSV, rows, measures)
            plotted = importlib.util.find_spec("matplotlib") is not None
            if plotted:
                draw(rows, measures, title=f"{self.recipe.name}: loss").savefig(made / PNG, dpi=120)
            card = make_card(
                self.recipe,
                name=out.name,
                base=self.base,
                settings=self.settings,
                data=identity["data"],
                dev=identity["dev"],
                rows=plan.rows,
                changes=report.changes,
                notes=report.notes,
                plotted=plotted,
                processes=self.processes,
            )
            name = write_card(made, out, card)
            if name != CARD:
                self.say(f"{out / CARD} is not of a training and stays; the training's card is {name}")
            self.recipe.write(made, self.settings)
            told = {"out": out.name, "settings": self.settings.to_dict(), "processes": self.processes}
            # The list says later on that nothing else lies in the folder, which may then be replaced.
            files = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
            write_json(made / WRITTEN, {**report.to_dict(), **told, "files": [*files, WRITTEN]})
            put_in_place(made, out, aside=self.work.aside)


def compare(development: Sequence[Development], first: Any, second: Any) -> list[Change]:
    """Scores two loaded models on the same sets.

    Args:
        development: The sets.
        first: A ``SentenceTransformer`` (or ``CrossEncoder``).
        second: Likewise.
    """
    return [change(one.name, one.main, one.score(first), one.score(second)) for one in development]


def _existing(paths: Sequence[Path], what: str) -> tuple[Path, ...]:
    if what == "data" and not paths:
        raise SourceNotFoundError("data", "nothing to train on; name files or folders with --data")
    for path in paths:
        if not path.exists():
            raise SourceNotFoundError(str(path), f"no such file or folder; it was given with --{what}")
    return tuple(_absolute(path) for path in paths)


def _absolute(path: Path) -> Path:
    """A path of which links keep their names, as in the model hub's cache, where their targets are named by hashes."""
    whole = path.absolute()
    return whole.resolve() if whole.name == ".." else whole


def _notes_of(base: Base) -> list[str]:
    return [] if base.assumed is None else [base.assumed]


def _check_extra() -> None:
    if not all(importlib.util.find_spec(package) for package in _NEEDED):
        raise MissingExtraError("Training a model", "train")


def _no_reaching_out() -> None:
    """Nothing is counted or uploaded by the libraries, and their own bars for each file stay away."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "1")
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _last_loss(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> float:
    losses = [row["loss"] for history in histories.values() for row in history if "loss" in row]
    return float(losses[-1]) if losses else float("nan")


def _silent(_: str) -> None:
    pass
