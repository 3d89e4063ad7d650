"""``kure-rag eval sts``: tables, JSON, a picture, and runs that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Said, call
from sts_files import PAIRS, klue, korsts

from kure_rag.evaluate import read_saved_run
from kure_rag.evaluate.sts import NAMES


@pytest.fixture
def sts_file(tmp_path: Path) -> Path:
    return korsts(tmp_path / "sts-test.tsv")


def sts(*arguments: str | Path, model: Path) -> Said:
    return call("eval", "sts", *arguments, "--model", model, "--resamples", "50")


def test_the_table_has_the_eight_numbers_that_json_has(sts_file: Path, tiny_model: Path) -> None:
    printed = sts(sts_file, "--raw", model=tiny_model)
    assert printed.status == 0, printed.err
    [result] = sts(sts_file, "--raw", "--json", model=tiny_model).json()["results"]
    assert (result["set"], result["pairs"], result["dimension"]) == ("sts-test", len(PAIRS), 32)
    assert tuple(result["metrics"]) == NAMES
    lines = {line.split()[0]: line for line in printed.out.splitlines() if line.strip()}
    for name, one in result["metrics"].items():
        assert f"{one['mean']:.2f} ({one['low']:.2f}-{one['high']:.2f})" in lines[name.partition("_")[0]]
    assert "over all pairs at once" in printed.out


def test_several_sets_are_scored_one_after_the_other(sts_file: Path, tiny_model: Path) -> None:
    other = klue(sts_file.with_name("klue-sts.json"))
    results = sts(sts_file, other, "--json", model=tiny_model).json()["results"]
    assert [result["set"] for result in results] == ["sts-test", "klue-sts"]
    assert results[0]["metrics"] == results[1]["metrics"]  # the same pairs


def test_raw_vectors_are_not_scaled(sts_file: Path, tiny_model: Path) -> None:
    scaled, raw = (
        sts(sts_file, "--json", *more, model=tiny_model).json()["results"][0]["metrics"] for more in ((), ("--raw",))
    )
    assert scaled["cosine_pearson"]["mean"] == pytest.approx(raw["cosine_pearson"]["mean"], abs=1e-4)
    assert abs(scaled["dot_pearson"]["mean"] - raw["dot_pearson"]["mean"]) > 0.1


def test_a_run_is_kept_byte_by_byte_the_same_and_another_one_does_not_take_its_place(
    sts_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    saved = sts(sts_file, "--dims", "16,8", "--save", runs, "--json", model=tiny_model).json()["results"][0]
    folder = Path(saved["saved"])
    assert folder.parent == runs
    first = {name: (folder / name).read_bytes() for name in ("run.json", "pairs.tsv")}
    assert sts(sts_file, "--dims", "16,8", "--save", runs, model=tiny_model).status == 0
    assert {name: (folder / name).read_bytes() for name in first} == first

    run = read_saved_run(folder)
    assert (run.kind, run.task, run.queries, run.pipeline) == ("sts", "sts-test", len(PAIRS), "dense")
    assert run.metrics["cosine_spearman"].mean == saved["metrics"]["cosine_spearman"]["mean"]
    assert list(run.data["sweep"]) == ["16", "8"]
    rows = [line.split("\t") for line in first["pairs.tsv"].decode().splitlines()]
    assert rows[0] == ["id", "score", "cosine", "euclidean", "manhattan", "dot"]
    assert [float(row[1]) for row in rows[1:]] == [score for _, _, score in PAIRS]
    assert float(rows[1][2]) == pytest.approx(1, abs=1e-6)  # the first two sentences are one

    refused = sts(sts_file, "--save", runs, model=tiny_model)
    assert refused.status == 1
    assert "settings.dims" in refused.err
    assert {name: (folder / name).read_bytes() for name in first} == first


def test_the_sweep_is_printed_and_drawn(sts_file: Path, tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    said = sts(sts_file, "--dims", "32,8", "--plot", tmp_path / "dims.png", model=tiny_model)
    assert said.status == 0, said.err
    assert "cut to the first numbers of each vector" in said.out
    assert (tmp_path / "dims.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--dims", "64"], 1, "vectors of 32 numbers cannot be cut to 64"),
        (["--dims", "many"], 2, "no list of whole numbers"),
        (["--plot", "a.png"], 2, "give --dims"),
        (["--dims", "8", "--plot", "a.txt"], 1, ".png, .svg, .pdf"),
        (["--dims", "8", "--plot", "nowhere/a.png"], 1, "a folder that is there"),
        (["--name", "mine"], 2, "give --save DIR with it"),
        (["--save", "runs", "--name", "a/b"], 2, "without others before it"),
        (["--resamples", "0"], 2, "--resamples is 1 or more"),
    ],
)
def test_wrong_arguments_say_what_to_give(
    sts_file: Path, tiny_model: Path, arguments: list[str], status: int, told: str
) -> None:
    said = call("eval", "sts", sts_file, "--model", tiny_model, *arguments)
    assert said.status == status
    assert told in said.err
    assert not said.out


def test_a_broken_second_set_is_told_before_the_first_is_scored(sts_file: Path, tiny_model: Path) -> None:
    bad = sts_file.with_name("bad.tsv")
    bad.write_text("score\tsentence1\tsentence2\n9\t가\t나\n", encoding="utf-8")
    said = sts(sts_file, bad, "--json", model=tiny_model)
    assert said.status == 1
    assert said.json()["error"]["message"].startswith("bad.tsv: line 2: score '9'")
