"""``kure-rag train``: options made of settings, values from papers, errors before anything long."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from kure_rag.cli import main
from kure_rag.cli.main import build_parser
from kure_rag.cli.train_options import chosen_settings
from kure_rag.cli.train_table import print_changes
from kure_rag.train.development import Measured
from kure_rag.train.recipes import RECIPES, find_recipe
from kure_rag.train.report import TrainReport, change


@pytest.mark.parametrize("name", RECIPES)
def test_help_says_what_each_setting_is_and_gives_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["train", name, "--help"])
    shown = capsys.readouterr().out
    assert f"kure-rag train {name} --data" in shown or "--task" in shown
    settings = find_recipe(name).settings
    options = shown.partition("settings (with the recipe's values)")[2]
    for field in fields(settings):
        on = getattr(settings, field.name) is True
        option = f"--{'no-' if on else ''}{field.name.replace('_', '-')}"
        assert option in options
        after = options.partition(f"  {option} ")[2].split("\n  --")[0]
        assert len(" ".join(after.split())) > 15, f"{option} is not explained"


def test_help_says_the_smallest_learning_rate_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for name in ("domain", "koe5"):
        with pytest.raises(SystemExit, match="0"):
            main(["train", name, "--help"])
        told[name] = "and 0.001 for a table of vectors such as static-ko" in " ".join(capsys.readouterr().out.split())
    assert told == {"domain": True, "koe5": False}


@pytest.mark.parametrize("name", RECIPES)
def test_without_options_the_settings_are_the_papers(name: str, tmp_path: Path) -> None:
    options = build_parser().parse_args(["train", name, "--data", "x", "--out", str(tmp_path / "m")])
    assert chosen_settings(options, find_recipe(name).settings) == find_recipe(name).settings


def test_options_replace_settings(tmp_path: Path) -> None:
    line = ["train", "kosimcse", "--data", "x", "--out", str(tmp_path), "--batch-size", "8", "--temperature", "0.1"]
    chosen = chosen_settings(build_parser().parse_args(line), find_recipe("kosimcse").settings)
    assert (chosen.batch_size, chosen.temperature) == (8, 0.1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--batch-size", "0"], "batch_size is 0"),
        (["--base", "scratch:gpt"], "scratch:t5"),
        (["--base", "klue/roberta"], "klue/roberta"),
        ([], "no such file or folder"),
    ],
)
def test_a_mistake_is_one_line(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = tmp_path / "data.tsv"
    if more:
        data.write_text("sentence1\tsentence2\tgold_label\n", encoding="utf-8")
    assert main(["train", "kosimcse", "--data", str(data), "--out", str(tmp_path / "model"), *more]) == 1
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "model").exists()


def test_what_got_worse_is_said_and_not_only_tabled(capsys: pytest.CaptureFixture[str]) -> None:
    before, after = ({str(i): value for i in range(8)} for value in (0.8, 0.6))
    first, second = (Measured(values={"ndcg@10": next(iter(each.values()))}, each=each) for each in (before, after))
    report = TrainReport(
        recipe="domain",
        out=Path("my-model"),
        base="static-ko",
        steps={"domain": 3},
        seconds=1.0,
        resumed=False,
        loss=0.5,
        changes=[change("unseen-headings", "ndcg@10", first, second), change("sts", "ndcg@10", first, first)],
        rows={},
        notes=[],
    )
    print_changes(report)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Got worse")]
    assert len(told) == 1
    assert "unseen-headings, ndcg@10 0.8000 to 0.6000 (more than chance explains, p 0.00781)" in told[0]
    assert "static-ko is the better model" in told[0]


def test_other_commands_do_not_load_recipes() -> None:
    code = (
        "import sys\n"
        "from kure_rag.cli.main import build_parser\n"
        "build_parser().parse_args(['search', '질문', '--index', 'x'])\n"
        "assert not [name for name in sys.modules if name.startswith('kure_rag.train')], sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
