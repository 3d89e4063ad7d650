"""What is told of a training: names of sets and files, the card, the curves, and how it ends early."""

from __future__ import annotations

import argparse
import csv
import os
import signal
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from no_fonts import without_korean_font
from toy_recipe import ToyRecipe, ToySettings

from kure_rag.errors import ConfigError
from kure_rag.evaluate import plots_fonts
from kure_rag.train.bases import Base
from kure_rag.train.card import make_card
from kure_rag.train.curves import draw
from kure_rag.train.recipe import Plan, Say, Sources
from kure_rag.train.run import train
from kure_rag.train.settings import TrainSettings

_TOY = Path(__file__).with_name("toy_recipe.py")
_SHORT = ToySettings(max_steps=2, checkpoints=1)


class TwoSets(ToyRecipe):
    """Scored on two files of one name."""

    def plan(self, sources: Sources, settings: ToySettings, say: Say) -> Plan:
        from kure_rag.train.development_sets import RetrievalDev

        plan = super().plan(sources, settings, say)
        small = RetrievalDev("toy-dev", {"1": "예금"}, {"1": "보험과 예금", "2": "휴가"}, {"1": {"1": 1.0}})
        return replace(plan, development=[*plan.development, small])


@pytest.mark.train
def test_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    out = tmp_path / "model"
    report = train(TwoSets(), [_TOY], out=out, settings=_SHORT)
    assert [(one.name, one.count) for one in report.changes] == [("toy-dev", 40), ("toy-dev (2)", 1)]
    with (out / "loss.csv").open(encoding="utf-8", newline="") as file:
        columns = csv.DictReader(file).fieldnames or []
    assert columns[-2:] == ["toy-dev_ndcg@10", "toy-dev (2)_ndcg@10"]


@pytest.mark.train
def test_a_link_keeps_its_name(tmp_path: Path) -> None:
    """As in the model hub's cache, where a file's name is the link's, and its target's a hash."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "ab12cd").write_text("…")
    (tmp_path / "wiki.txt").symlink_to(tmp_path / "blobs" / "ab12cd")
    seen: list[Path] = []

    class Seeing(ToyRecipe):
        def plan(self, sources: Sources, settings: ToySettings, say: Say) -> Plan:
            seen.extend(sources.train)
            return super().plan(sources, settings, say)

    out = tmp_path / "model"
    train(Seeing(), [tmp_path / "wiki.txt"], out=out, settings=replace(_SHORT, checkpoints=0))
    assert [path.name for path in seen] == ["wiki.txt"]
    assert "| wiki.txt | trained on |" in (out / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": -1}, "seed is -1; it must be from 0 to 4294967295"),
        ({"seed": 2**40}, "it must be from 0 to"),
        ({"epochs": float("inf")}, "epochs is inf"),
    ],
)
def test_settings_that_no_library_takes_are_told(changes: dict[str, Any], told: str) -> None:
    from kure_rag.cli.train_options import add_settings, chosen_settings

    with pytest.raises(ValueError, match=told):
        TrainSettings(**changes)
    parser = argparse.ArgumentParser()
    add_settings(parser, TrainSettings())
    given = [f"--{name}={value}" for name, value in changes.items()]
    with pytest.raises(ConfigError, match=told):
        chosen_settings(parser.parse_args(given), TrainSettings())
    assert TrainSettings(seed=2**32 - 1).seed == 2**32 - 1


def _card(base: Base, **named: Any) -> str:
    given: dict[str, Any] = {
        "name": "m",
        "settings": TrainSettings(batch_size=8),
        "data": {},
        "dev": {},
        "rows": {},
        "changes": [],
        "notes": [],
        "plotted": False,
    }
    return make_card(ToyRecipe(), base=base, **{**given, **named})


def test_the_card_tells_of_processes_licences_and_the_hub(tmp_path: Path) -> None:
    local = Base(name="내 모델/결과 1", folder=tmp_path, revision="local-1")
    alone = _card(local)
    assert "base_model" not in alone
    assert "The base's is not known: its files do not say. Those of the data" in alone
    assert "processes" not in alone
    hub = Base(name="e5", folder=tmp_path, revision="r", on_hub="owner/e5", licence="MIT")
    several = _card(hub, processes=2)
    assert "\nbase_model: owner/e5\n" in several
    assert "The base's is MIT." in several
    assert "Trained by 2 processes at once" in several
    assert "up to 16 rows" in several
    assert "from scratch and has none" in _card(Base(name="scratch:bert", folder=None, revision="r"))


_ROWS = [
    {"stage": "pairs", "step": 1, "loss": 2.0, "서울 시험_ndcg@10": 0.2},
    {"stage": "pairs", "step": 2, "loss": 1.0, "서울 시험_ndcg@10": 0.4},
]


def _legend(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[1].get_legend().get_texts()]


def test_korean_names_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    try:
        plots_fonts.korean_font()
    except ConfigError:
        pytest.skip("no font with Hangul here")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(_ROWS, ["서울 시험_ndcg@10"], title="toy: 손실")
        figure.savefig(tmp_path / "loss.png")
    assert _legend(figure) == ["서울 시험"]
    assert figure.axes[1].get_ylabel() == "ndcg@10"


def test_each_measure_has_a_panel_and_each_set_a_colour() -> None:
    pytest.importorskip("matplotlib")
    names = ["a_ndcg@10", "b_spearman", "c_spearman"]
    rows = [{"stage": "one", "step": step, "loss": 1.0, **dict.fromkeys(names, 0.5)} for step in (1, 2)]
    figure = draw(rows, names, title="toy: loss")
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "ndcg@10", "spearman"]
    lines = [line for axis in figure.axes[1:] for line in axis.get_lines()]
    assert len({line.get_color() for line in lines}) == len(names)


def test_without_a_korean_font_sets_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of hours does not end in an error for want of a font."""
    pytest.importorskip("matplotlib")
    without_korean_font(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(_ROWS, ["서울 시험_ndcg@10"], title="toy: 손실")
        figure.savefig(tmp_path / "loss.png")
    assert _legend(figure) == ["set 1"]


@pytest.mark.train
@pytest.mark.parametrize(("apart", "told"), [(1, "stopping after this step;"), (40, "stopping within 40 steps,")])
def test_ctrl_c_tells_when_it_will_end(tmp_path: Path, apart: int, told: str) -> None:
    from kure_rag.train.callbacks import Watch, stopping

    lines: list[str] = []
    watch = Watch(tmp_path, {}, None, progress=None, label="pairs")
    watch.on_train_begin(SimpleNamespace(logging_steps=apart), None, None)  # type: ignore[arg-type]
    with stopping(watch, lines.append):
        os.kill(os.getpid(), signal.SIGINT)
    assert watch.asked
    assert lines[0].startswith(told)
