"""How a base is used that its files do not say of: what is assumed is told, and can be told otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_recipe import ToyRecipe, ToySettings

from kure_rag.errors import ConfigError
from kure_rag.train.bases import find_base
from kure_rag.train.recipes import find_recipe
from kure_rag.train.run import train

pytestmark = pytest.mark.train

_TOY = Path(__file__).with_name("toy_recipe.py")
_SHORT = ToySettings(max_steps=1, checkpoints=0)
_E5 = "intfloat/multilingual-e5-base"


class OwnPrefixes(ToyRecipe):
    """Keeps the base's prefixes, as clir and domain do."""

    query_prefix = None  # type: ignore[assignment]
    passage_prefix = None  # type: ignore[assignment]


def _changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was made from E5 and whose prompts were not stored."""
    folder = tmp_path_factory.mktemp("models") / "my-e5"
    train(ToyRecipe(), [_TOY], out=folder, settings=_SHORT)
    _changed(folder / "config_sentence_transformers.json", prompts={})
    _changed(folder / "config.json", _name_or_path=_E5)
    (folder / "README.md").write_text("---\nlanguage: ko\nlicense: cc-by-4.0\n---\n# my-e5\n", encoding="utf-8")
    return folder


def test_prefixes_that_are_not_stored_are_told(copy: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    report = train(OwnPrefixes(), [_TOY], out=tmp_path / "model", base=str(copy), settings=_SHORT, say=lines.append)
    note = next(note for note in report.notes if "stores no prompts" in note)
    assert f"it was made from {_E5}" in note
    assert "'query: ' and 'passage: '" in note
    assert "--query-prefix" in note
    assert f"note: {note}" in lines
    assert note in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_prefixes_that_are_given_are_used_and_stored(copy: Path, tmp_path: Path) -> None:
    settings = replace(_SHORT, query_prefix="query: ", passage_prefix="passage: ")
    found = find_base(str(copy), OwnPrefixes(), settings)
    assert (found.query_prefix, found.passage_prefix, found.assumed) == ("query: ", "passage: ", None)
    out = tmp_path / "model"
    train(OwnPrefixes(), [_TOY], out=out, base=str(copy), settings=settings)
    stored = json.loads((out / "config_sentence_transformers.json").read_text(encoding="utf-8"))
    assert stored["prompts"] == {"query": "query: ", "document": "passage: "}


def test_nothing_is_said_where_the_recipe_or_the_user_decides(copy: Path) -> None:
    assert find_base(str(copy), ToyRecipe()).assumed is None
    nothing = find_base(str(copy), OwnPrefixes(), replace(_SHORT, query_prefix="", passage_prefix=""))
    assert (nothing.query_prefix, nothing.passage_prefix, nothing.assumed) == ("", "", None)
    assert find_base("scratch:bert", OwnPrefixes()).assumed is None
    assert find_base("static-ko", OwnPrefixes()).assumed is None


@pytest.mark.parametrize("name", ["reranker", "kosimcse"])
def test_recipes_that_put_nothing_before_texts_take_no_prefix(name: str) -> None:
    recipe = find_recipe(name)
    with pytest.raises(ConfigError, match=f"recipe {name} reads texts as they are"):
        find_base("scratch:bert", recipe, replace(recipe.settings, query_prefix="query: "))


def test_a_folder_is_no_name_on_the_hub(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy.parent.parent)
    found = find_base(f"{copy.parent.name}/{copy.name}", ToyRecipe())
    assert found.on_hub is None
    assert found.licence == "cc-by-4.0"
    bundled = find_base("static-ko", ToyRecipe())
    assert bundled.on_hub is None
