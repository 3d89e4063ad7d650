"""``kure-rag tune`` on the bundled samples: what it prints, writes and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import call

from kure_rag import KureIndex
from kure_rag.autorag import make_questions
from kure_rag.config import read_config
from kure_rag.samples import sample_paths

# Cuts like "general", and while a file of that name is there, is interrupted or puts a folder where the result goes.
STOPPING = """
from pathlib import Path
from kure_rag.chunk import PROFILES

class Stopping:
    name, version = "stopping", "1"

    def passages(self, document, sentences, settings):
        if Path("stop").exists():
            raise KeyboardInterrupt
        if Path("block").exists():
            Path("kure-rag.yaml").mkdir(exist_ok=True)
        return PROFILES["general"].passages(document, sentences, settings)

STOPPING = Stopping()
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of the samples, and questions from their headings."""
    folder = tmp_path_factory.mktemp("samples")
    with KureIndex.open(folder / "ix", embeddings="static-ko") as index:
        index.add_paths(list(sample_paths()), workers=1)
        make_questions(index, folder / "qa")
    return folder


@pytest.fixture
def given(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return ["tune", "--qa", str(samples / "qa" / "qa.parquet"), "--index", str(samples / "ix")]


def test_it_prints_a_table_both_halves_and_what_it_concludes(given: list[str], tmp_path: Path, samples: Path) -> None:
    said = call(*given, "--stages", "chunking,fusion", "--targets", "800", "--budget", "8", "--plot", "tune.png")
    assert said.status == 0, said.err
    assert "settings tried" in said.out
    assert "auto 800/1600" in said.out
    assert "held-out half" in said.out
    assert "stopped after 8 settings" in said.out or "fusion" in said.out
    assert f'Next: kure-rag search "..." --index {samples / "ix"} --config kure-rag.yaml' in said.out
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "kure-rag.tune").exists()
    with KureIndex.open(samples / "ix", config=tmp_path / "kure-rag.yaml") as index:
        assert index.search_options == read_config(tmp_path / "kure-rag.yaml").search
    again = call("search", "연차휴가", "--index", samples / "ix", "--config", tmp_path / "kure-rag.yaml", "--json")
    assert again.json()["hits"]


def test_json_holds_every_trial_and_verdict(given: list[str]) -> None:
    told = call(*given, "--stages", "fusion", "--budget", "6", "--metric", "mrr@3", "--seed", "3", "--json").json()
    assert told["metric"] == "mrr@3"
    assert told["seed"] == 3
    assert len(told["trials"]) == 6
    assert {"stage", "label", "score", "difference", "setting"} <= told["trials"][0].keys()
    assert told["stages"][0]["stage"] == "fusion"
    assert told["config"] == "kure-rag.yaml"
    assert 0 <= told["present"]["held_out"]["low"] <= told["present"]["held_out"]["high"] <= 1


def test_interrupted_or_unable_to_write_it_keeps_what_was_tried_and_goes_on_from_there(
    given: list[str], tmp_path: Path
) -> None:
    (tmp_path / "stopping_profile.py").write_text(STOPPING, encoding="utf-8")
    (tmp_path / "stop").touch()
    profiles = ("--stages", "chunking", "--targets", "400", "--profiles", "general,stopping_profile:STOPPING")
    said = call(*given, *profiles)
    assert said.status == 130
    assert "general 400/800" in said.out
    assert "interrupted; kure-rag.tune holds what was tried, and the same command goes on from there" in said.err
    assert not (tmp_path / "kure-rag.yaml").exists()
    assert (tmp_path / "kure-rag.tune" / "progress.jsonl").exists()
    (tmp_path / "stop").rename(tmp_path / "block")
    said = call(*given, *profiles)
    assert said.status == 1
    assert "kure-rag.yaml: cannot be written" in said.err
    assert "kure-rag.tune holds what was tried, and the same command goes on from there" in said.err
    (tmp_path / "block").unlink()
    (tmp_path / "kure-rag.yaml").rmdir()
    kept = (tmp_path / "kure-rag.tune" / "progress.jsonl").read_text(encoding="utf-8")
    assert kept.count("held-out ") >= 1
    told = call(*given, *profiles, "--json").json()
    assert [trial["label"] for trial in told["trials"]] == ["general 400/800", "stopping_profile:STOPPING 400/800"]
    assert told["trials"][0]["score"] == told["trials"][1]["score"]  # they cut alike
    assert (tmp_path / "kure-rag.yaml").exists()
    assert not (tmp_path / "kure-rag.tune").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget", "x"], "--budget x: give a number of settings, such as 40, or minutes, such as 15m"),
        (["--budget", "2.5"], "--budget 2.5: give a number of settings"),
        (["--metric", "f1@10"], "no metric named 'f1@10'; choose ndcg, recall, precision, mrr, map"),
        (["--stages", "chunks"], "no stage named 'chunks'; choose from chunking, lexical, fusion, reranker"),
        (["--holdout", "1"], "the held-out share lies between .1 and .9, not at 1.0"),
        (["--plot", "tune.gif"], "tune.gif: a plot is written as .png, .svg, .pdf"),
        (["--out", "nowhere/kure-rag.yaml"], "cannot be written; give a file in a folder that is there"),
        (["--qa", "nowhere.parquet"], "nowhere.parquet"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_what_makes_no_sense_is_told_before_the_work(given: list[str], arguments: list[str], said: str) -> None:
    told = call(*given, *arguments)
    assert told.status == 1
    assert said in told.err
    assert not told.out
    assert not Path("kure-rag.tune").exists()
