"""The recipes, by the names that ``kure-rag train`` takes."""

from __future__ import annotations

import difflib
import importlib
from typing import Any, Final

from kure_rag.errors import ConfigError
from kure_rag.train.recipe import Recipe

_PLACES: Final = {
    "kure": "kure:KureRecipe",
    "koe5": "koe5:KoE5Recipe",
    "kosbert": "kosbert:KoSbertRecipe",
    "ko-sbert": "ko_sbert:KoSentenceTransformersRecipe",
    "kosimcse": "kosimcse:KoSimCseRecipe",
    "kodiffcse": "kodiffcse:KoDiffCseRecipe",
    "kosentence-t5": "kosentence_t5:KoSentenceT5Recipe",
    "clir": "clir:ClirRecipe",
    "reranker": "reranker:RerankerRecipe",
    "domain": "domain:DomainRecipe",
}

RECIPES: Final = tuple(_PLACES)
"""Their names. ``static``, which makes the bundled model, stands beside them: :func:`kure_rag.train.train` takes it
too, and :func:`kure_rag.train.train_static` is its own function."""


def find_recipe(name: str) -> Recipe[Any]:
    """The recipe of a name.

    Raises:
        ConfigError: There is none; names the nearest.
    """
    if name == "static":
        raise ConfigError(
            "static has settings and a loop of its own: kure_rag.train.train('static', [folder], out=…, "
            "settings=StaticSettings(…)), or train_static"
        )
    place = _PLACES.get(name)
    if place is None:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"no recipe named {name!r}; there are {', '.join(RECIPES)}.{hint}")
    module, _, found = place.partition(":")
    recipe: Recipe[Any] = getattr(importlib.import_module(f"kure_rag.train.recipes.{module}"), found)()
    return recipe
