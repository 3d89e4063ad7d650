"""Folders of models and trainings: whose they are, what may be removed, and what makes two trainings the same."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_recipe import ToyRecipe, ToySettings

from kure_rag.errors import ConfigError, TrainingError
from kure_rag.train import workdir
from kure_rag.train.place import put_in_place, require_free
from kure_rag.train.run import train
from kure_rag.train.workdir import WorkFolder, beside, hashes, write_json

_TOY = Path(__file__).with_name("toy_recipe.py")
_SHORT = ToySettings(max_steps=4, checkpoints=2)


class Writing(ToyRecipe):
    """Adds a file of its own to the model."""

    def write(self, folder: Path, settings: ToySettings) -> None:
        (folder / "kept").mkdir()
        (folder / "kept" / "questions.jsonl").write_text("{}\n")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def _of(more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An identity."""
    return {"recipe": "toy", "data": {}, "dev": {}, **(more or {})}


def _ends_after(step: int) -> Any:
    def progress(done: int, _: int | None, __: str) -> None:
        if done > step:
            raise RuntimeError("killed")

    return progress


def test_a_folder_that_is_not_ours_is_left_as_it_is(tmp_path: Path) -> None:
    """The folder of an unfinished training is removed at its end, whole."""
    place = tmp_path / "model.training"
    place.mkdir()
    (place / "my-notes.txt").write_text("메모")
    before = _files(tmp_path)
    with pytest.raises(TrainingError, match=r"with my-notes\.txt, and is no unfinished training"):
        WorkFolder(tmp_path / "model", {})
    assert _files(tmp_path) == before
    with pytest.raises(TrainingError, match="is no unfinished training"):
        train(ToyRecipe(), [_TOY], out=tmp_path / "model", settings=_SHORT)
    assert _files(tmp_path) == before


def test_a_model_whose_name_ends_in_training_is_not_ours(tmp_path: Path) -> None:
    """It has a training.json, too."""
    model = _model(tmp_path / "model.training")
    write_json(model / "training.json", {"recipe": "toy", "steps": {"pairs": 4}})
    before = _files(tmp_path)
    with pytest.raises(TrainingError, match="is no unfinished training"):
        WorkFolder(tmp_path / "model", {})
    assert _files(tmp_path) == before


@pytest.mark.parametrize(
    "told", [{"lr": 1}, {"recipe": "toy", "steps": {"pairs": 4}}, {"data": {}, "dev": {}}, [], "no JSON"]
)
def test_a_training_json_of_something_else_makes_no_folder_ours(tmp_path: Path, told: Any) -> None:
    """The name is common: settings of a script, the report of a finished model."""
    place = tmp_path / "model.training"
    (place / "sub").mkdir(parents=True)
    (place / "training.json").write_text(told if isinstance(told, str) else json.dumps(told))
    (place / "my-notes.txt").write_text("메모")
    (place / "sub" / "data.jsonl").write_text("{}")
    before = _files(tmp_path)
    with pytest.raises(TrainingError, match="is no unfinished training"):
        WorkFolder(tmp_path / "model", _of())
    with pytest.raises(TrainingError, match="is no unfinished training"):
        train(ToyRecipe(), [_TOY], out=tmp_path / "model", settings=_SHORT)
    assert _files(tmp_path) == before


@pytest.mark.parametrize("place", ["model", "model.training", "model.training/data"])
def test_data_in_a_folder_that_will_go_are_refused(tmp_path: Path, place: str) -> None:
    data = tmp_path / place / "rows.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text("{}")
    (tmp_path / "link.jsonl").symlink_to(data)
    out = tmp_path / "model"
    if place == "model":
        _model(tmp_path / "other").rename(tmp_path / "aside")
        for file in (tmp_path / "aside").iterdir():
            file.rename(out / file.name)
        write_json(out / "training.json", {"files": ["rows.jsonl"]})
    for given in (data, tmp_path / "link.jsonl"):
        with pytest.raises(ConfigError, match=r"lies in .*give another --out"):
            train(ToyRecipe(), [given], out=out, settings=_SHORT)
        with pytest.raises(ConfigError, match=r"--dev .*lies in"):
            train(ToyRecipe(), [_TOY], out=out, dev=[given], settings=_SHORT)
    assert data.is_file()


@pytest.mark.parametrize("foreign", ["src/main.py", ".git/HEAD", "1_Pooling/notes.txt", "old", "data.jsonl"])
def test_a_model_beside_something_else_is_not_replaced(tmp_path: Path, foreign: str) -> None:
    out = _model(tmp_path / "model")
    (out / foreign).parent.mkdir(exist_ok=True)
    (out / foreign).write_text("…")
    with pytest.raises(TrainingError, match=f"holds a model, and {foreign}"):
        require_free(out)


def test_a_config_alone_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TrainingError, match="is not a model"):
        require_free(tmp_path)


@pytest.mark.train
def test_what_a_training_wrote_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "model"
    for _ in range(2):
        train(Writing(), [_TOY], out=out, settings=replace(_SHORT, max_steps=1, checkpoints=0))
    assert (out / "kept" / "questions.jsonl").is_file()
    (out / "kept" / "mine.jsonl").touch()
    with pytest.raises(TrainingError, match=r"kept/mine\.jsonl, which no training wrote"):
        train(Writing(), [_TOY], out=out, settings=_SHORT)


@pytest.mark.train
def test_a_card_that_somebody_wrote_stays(tmp_path: Path) -> None:
    out, said = tmp_path / "model", list[str]()
    once = replace(_SHORT, max_steps=1, checkpoints=0)
    train(ToyRecipe(), [_TOY], out=out, settings=once)
    train(ToyRecipe(), [_TOY], out=out, settings=replace(once, seed=7), say=said.append)
    assert "| `seed` | 7 |" in (out / "README.md").read_text(encoding="utf-8")
    assert not any("TRAINING.md" in line for line in said)
    (out / "README.md").write_text("by hand", encoding="utf-8")
    for seed in (8, 9):  # TRAINING.md is no stranger in the folder
        train(ToyRecipe(), [_TOY], out=out, settings=replace(once, seed=seed), say=said.append)
        assert (out / "README.md").read_text(encoding="utf-8") == "by hand"
        assert f"| `seed` | {seed} |" in (out / "TRAINING.md").read_text(encoding="utf-8")
    assert any("stays; the training's card is TRAINING.md" in line for line in said)


def test_what_came_while_it_was_trained_is_not_replaced(tmp_path: Path) -> None:
    out, made = tmp_path / "model", _model(tmp_path / "made")
    out.mkdir()
    (out / "thesis.txt").touch()
    with pytest.raises(TrainingError, match="is not a model"):
        put_in_place(made, out, aside=tmp_path / "aside")
    assert made.is_dir()
    assert (out / "thesis.txt").is_file()


@pytest.mark.train
def test_a_kill_while_the_folder_is_removed_leaves_nothing_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, removed = tmp_path / "model", shutil.rmtree

    def killed(path: Path, *rest: Any, **named: Any) -> None:
        if out.exists() and Path(path).name != "replaced":  # the model has its name
            (Path(path) / "training.json").unlink(missing_ok=True)
            raise KeyboardInterrupt
        removed(path, *rest, **named)

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        train(ToyRecipe(), [_TOY], out=out, settings=_SHORT)
    monkeypatch.undo()
    assert list(beside(out).glob("*/done.json"))
    report = train(ToyRecipe(), [_TOY], out=out, settings=replace(_SHORT, seed=2, max_steps=8))
    assert not report.resumed
    assert report.steps == {"pairs": 8}
    whole = tmp_path / "whole"
    train(ToyRecipe(), [_TOY], out=whole, settings=replace(_SHORT, seed=2, max_steps=8))
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "whole"]


def test_stages_without_their_identity_are_not_gone_on_from(tmp_path: Path) -> None:
    with WorkFolder(tmp_path / "model", {"seed": 1}) as work:
        work.stage(1, "pairs").mkdir()
        work.finish(work.stage(1, "pairs"), {"steps": 4})
        (work.path / "training.json").unlink()
    with pytest.raises(TrainingError, match="with 1-pairs, and is no unfinished training"):
        WorkFolder(tmp_path / "model", {"seed": 2})


def test_the_folder_is_held_until_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def looks(path: Path, *_: Any, **__: Any) -> None:
        with pytest.raises(ConfigError, match="another process is training here"):
            WorkFolder(tmp_path / "model", _of())
        seen.append(Path(path).name)

    with WorkFolder(tmp_path / "model", _of()) as work:
        work.stage(1, "pairs").mkdir()
        monkeypatch.setattr(shutil, "rmtree", looks)
        work.remove()
        monkeypatch.undo()
    assert seen == ["1-pairs"]  # which could not be removed
    with WorkFolder(tmp_path / "model", _of({"seed": 2})) as work:
        assert not work.resumed
        assert not work.stage(1, "pairs").exists()
        work.remove()
    assert not list(tmp_path.iterdir())


def _unfinished(out: Path, identity: dict[str, Any]) -> None:
    with WorkFolder(out, identity) as work:
        work.stage(1, "pairs").mkdir()
        work.finish(work.stage(1, "pairs"), {"steps": 4})


def test_the_order_of_data_counts(tmp_path: Path) -> None:
    """Rows are read in it, so a checkpoint in the midst of the one is none of the other."""
    out = tmp_path / "model"
    _unfinished(out, _of({"data": {"t1.jsonl": "aa", "t2.jsonl": "bb"}}))
    with pytest.raises(ConfigError, match=r'data in the order \["t1\.jsonl", "t2\.jsonl"\], and this one has \["t2'):
        WorkFolder(out, _of({"data": {"t2.jsonl": "bb", "t1.jsonl": "aa"}}))
    with WorkFolder(out, _of({"data": {"t1.jsonl": "aa", "t2.jsonl": "bb"}})) as work:
        assert work.resumed


def test_a_setting_that_a_later_version_has_is_no_difference(tmp_path: Path) -> None:
    out = tmp_path / "model"
    _unfinished(out, _of({"settings": {"seed": 1}}))
    with WorkFolder(out, _of({"settings": {"seed": 1, "query_prefix": None}})) as work:
        assert work.resumed
    with pytest.raises(ConfigError, match='settings query_prefix null, and this one has "q: "'):
        WorkFolder(out, _of({"settings": {"seed": 1, "query_prefix": "q: "}}))


def test_models_in_a_data_folder_are_no_data(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}")
    out = tmp_path / "model"
    before = hashes([tmp_path], without=out)
    _unfinished(out, _of())
    _unfinished(tmp_path / "another", _of())
    _model(out)
    _model(tmp_path / "third")
    assert hashes([tmp_path], without=out) == before
    (tmp_path / "more.jsonl").touch()
    assert hashes([tmp_path], without=out) != before


@pytest.mark.train
def test_a_training_inside_its_data_folder_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}")
    out = tmp_path / "model"
    with pytest.raises(RuntimeError, match="killed"):
        train(ToyRecipe(), [tmp_path], out=out, settings=_SHORT, progress=_ends_after(2))
    assert list(beside(out).glob("*/checkpoint-2"))
    assert train(ToyRecipe(), [tmp_path], out=out, settings=_SHORT).resumed


@pytest.mark.train
def test_a_base_is_not_replaced_by_its_successor(tmp_path: Path) -> None:
    out = tmp_path / "model"
    train(ToyRecipe(), [_TOY], out=out, settings=replace(_SHORT, max_steps=1, checkpoints=0))
    before = _files(tmp_path)
    (tmp_path / "link").symlink_to(out)
    for base, place in ((out, out), (tmp_path / "link", out), (out, out / "tuned")):
        with pytest.raises(ConfigError, match=r"--base .*give another --out"):
            train(ToyRecipe(), [_TOY], out=place, base=str(base), settings=_SHORT)
    (tmp_path / "link").unlink()
    assert _files(tmp_path) == before


@pytest.mark.parametrize("aside", ["replaced", "before"])
def test_a_model_that_a_kill_left_aside_gets_its_name_back(tmp_path: Path, aside: str) -> None:
    """Also where another training than the killed one comes next, and is refused."""
    out = tmp_path / "model"
    _unfinished(out, _of({"seed": 1}))
    _model(beside(out) / aside)
    with pytest.raises(ConfigError, match="unfinished training with seed 1"):
        WorkFolder(out, _of({"seed": 2}))
    assert (out / "model.safetensors").read_bytes() == b"weights"
    _model(beside(out) / aside)  # killed a moment later: the new model has the name
    with WorkFolder(out, _of({"seed": 1})) as work:
        assert work.resumed
    assert not (beside(out) / aside).exists()


def test_the_other_processes_wait_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies there may be of the mistake that was just put right; only the first decides."""
    out = tmp_path / "model"
    with WorkFolder(out, _of({"batch_size": 1000})):
        pass
    found: list[Any] = []

    def other() -> None:
        try:
            with WorkFolder(out, _of({"batch_size": 8}), main=False) as work:
                found.append(work.resumed)
        except Exception as error:
            found.append(error)

    waiting = threading.Thread(target=other)
    waiting.start()
    waiting.join(0.5)
    assert not found
    with WorkFolder(out, _of({"batch_size": 8})) as work:
        waiting.join(30)
        assert found == [False]
        assert not work.resumed
    monkeypatch.setattr(workdir, "_PATIENCE", 0.2)
    with pytest.raises(ConfigError, match="unfinished training with batch_size 8, and this one has 16"):
        WorkFolder(out, _of({"batch_size": 16}), main=False)
    with pytest.raises(TrainingError, match="the first process has not begun to train there"):
        WorkFolder(tmp_path / "nowhere", _of(), main=False)
    assert not beside(tmp_path / "nowhere").exists()
