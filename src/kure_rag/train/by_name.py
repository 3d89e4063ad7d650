"""Training by a recipe's name: by the common loop, or ``static``, which has one of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from kure_rag.errors import ConfigError
from kure_rag.train import run, static
from kure_rag.train.recipe import Recipe
from kure_rag.train.report import TrainReport
from kure_rag.train.settings import TrainSettings
from kure_rag.train.static_settings import StaticSettings

STATIC: Final = "static"


def train(
    recipe: Recipe[Any] | str,
    data: Sequence[Path],
    *,
    out: Path,
    base: str | None = None,
    dev: Sequence[Path] = (),
    settings: TrainSettings | StaticSettings | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> TrainReport:
    """Trains a model.

    Args:
        recipe: One of :data:`kure_rag.train.recipes.RECIPES`, a recipe of your own, or ``static``.
        data: Files or folders to train on; ``Recipe.data`` says which. Of ``static`` one folder, see
            :mod:`kure_rag.train.data`.
        out: The model's folder; replaced if it holds a model, refused if it holds anything else.
        base: What to start from instead of the recipe's base: a known name, a folder, ``owner/name`` on the model hub,
            or ``scratch:bert``, ``scratch:roberta``, ``scratch:t5``, ``scratch:static``. ``static`` has none.
        dev: What to score the model on; by default a part of the data that is held back, and of ``static`` two sets
            that lie with its data.
        settings: Those of the recipe (``find_recipe(name).settings``), changed with ``dataclasses.replace``; of
            ``static`` a :class:`StaticSettings`.
        say: Told what is being done, a line at a time.
        progress: Told steps done, steps in all, and a few words; not by ``static``.

    Raises:
        ConfigError: The data or settings cannot be trained on, or not by this recipe; or an unfinished training of
            something else lies beside ``out``.
        KureError: As :func:`kure_rag.train.run.train` and :func:`train_static` tell.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    if recipe == STATIC:
        return _static(data, out, base, dev, settings, say)
    if isinstance(settings, StaticSettings):
        name = recipe if isinstance(recipe, str) else recipe.name
        raise ConfigError(f"recipe {name} does not take StaticSettings; these are static's")
    return run.train(recipe, data, out=out, base=base, dev=dev, settings=settings, say=say, progress=progress)


def _static(
    data: Sequence[Path],
    out: Path,
    base: str | None,
    dev: Sequence[Path],
    settings: TrainSettings | StaticSettings | None,
    say: Callable[[str], None] | None,
) -> TrainReport:
    if base is not None:
        raise ConfigError(f"static has no base, and {base!r} was given: it is made of text alone; leave base out")
    if len(data) != 1:
        raise ConfigError(f"static takes one folder of data, with statutes, sts and bitext in it, not {len(data)}")
    if settings is not None and not isinstance(settings, StaticSettings):
        raise ConfigError(f"recipe static takes StaticSettings, not {type(settings).__name__}")
    return static.train_static(data[0], out, dev=dev, settings=settings, progress=say).training
