"""Training, by the recipes of Korean retrieval. Only ``kure-rag train``, ``mine`` and their tests need this room.

::

    from dataclasses import replace
    from kure_rag.train import find_recipe, train

    recipe = find_recipe("kosimcse")
    report = train(recipe, [Path("KorNLI")], out=Path("my-model"), dev=[Path("KorSTS/sts-dev.tsv")],
                   settings=replace(recipe.settings, batch_size=128))

``static``, which makes the bundled model of text alone, has settings of its own kind::

    train("static", [Path("data")], out=Path("my-static-ko"), settings=StaticSettings(dim=256))

Needs the extra ``train``: ``pip install "kure-rag[train]"``. Searching does not.
"""

from kure_rag.train.by_name import train
from kure_rag.train.recipe import Plan, Recipe, Sources, Stage
from kure_rag.train.recipes import RECIPES, find_recipe
from kure_rag.train.report import Change, TrainReport
from kure_rag.train.settings import TrainSettings
from kure_rag.train.static import train_static
from kure_rag.train.static_settings import StaticReport, StaticSettings

__all__ = [
    "RECIPES",
    "Change",
    "Plan",
    "Recipe",
    "Sources",
    "Stage",
    "StaticReport",
    "StaticSettings",
    "TrainReport",
    "TrainSettings",
    "find_recipe",
    "train",
    "train_static",
]
