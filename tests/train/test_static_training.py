"""What the bundled model's recipe shares with the others: scores before and after, a card, both frameworks, Python."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from no_fonts import without_korean_font
from test_domain_recipe import BODIES, KINDS, RULES, TOWNS
from test_static import SMALL, write_data

from kure_rag.cli import main
from kure_rag.errors import ConfigError, SourceNotFoundError
from kure_rag.evaluate import plots_fonts
from kure_rag.train import StaticSettings, TrainSettings, find_recipe, static, train, train_static
from kure_rag.train.data import ARTICLES, KORSTS
from kure_rag.train.report import TrainReport
from kure_rag.train.static_development import BESIDE
from kure_rag.train.static_losses import draw

HOUSES = [f"{town} {kind}" for town in TOWNS for kind in KINDS]
HELD = 10  # houses that are not trained on
SETTINGS = replace(
    SMALL,
    tuning=replace(
        SMALL.tuning,
        steps=120,
        batch=24,
        learning_rate=0.01,
        way=1.0,
        statutes=1.0,
        reports=0.0,
        paraphrases=0.1,
        scored=0.1,
    ),
)


def rules_of(houses: Sequence[str]) -> list[dict[str, str]]:
    """Articles whose headings' words stand in no body: which belongs to which is to be learnt."""
    return [
        {"law": f"{house} 규정", "title": rule, "text": f"{body}. 이 일은 {house}의 맡은 사람이 처리한다."}
        for house in houses
        for rule, body in zip(RULES, BODIES, strict=True)
    ]


def retrieval_set(folder: Path, rows: Sequence[dict[str, str]]) -> Path:
    folder.mkdir(parents=True)
    names = [f"{row['law']} {row['title']}" for row in rows]
    lines = [json.dumps({"_id": f"p{i}", "text": row["text"]}, ensure_ascii=False) for i, row in enumerate(rows)]
    (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = [json.dumps({"_id": f"q{i}", "text": name}, ensure_ascii=False) for i, name in enumerate(names)]
    (folder / "queries.jsonl").write_text("\n".join(asked) + "\n", encoding="utf-8")
    judged = "".join(f"q{i}\tp{i}\t1\n" for i in range(len(rows)))
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return folder


def sentence_pairs(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2"
    lines = [f"main-captions\tx\t2012\t{i}\t{i}.0\t문장 {i}\t다른 문장 {i * i}" for i in range(5)]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_data(tmp_path_factory.mktemp("data"))
    with gzip.open(folder / ARTICLES, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rules_of(HOUSES[HELD:]))
    return folder


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return retrieval_set(tmp_path_factory.mktemp("dev") / "unseen-houses", rules_of(HOUSES[:HELD]))


@pytest.fixture(scope="module")
def trained(data: Path, unseen: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """From Python, as every other recipe."""
    out = tmp_path_factory.mktemp("models") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static, "_KEPT", 40)
        return train("static", [data], out=out, dev=[unseen], settings=SETTINGS)


def test_tuning_raises_the_score_on_articles_it_did_not_see(trained: TrainReport) -> None:
    (change,) = trained.changes
    assert (change.name, change.measure, change.count) == ("unseen-houses", "ndcg@10", 10 * HELD)
    assert change.rose, change.to_dict()
    assert change.difference > 0.1


def test_the_folder_has_a_card_with_data_settings_and_scores(trained: TrainReport, data: Path) -> None:
    card = (trained.out / "README.md").read_text(encoding="utf-8")
    (change,) = trained.changes
    for told in ("`static`", "sts-train.tsv", "articles.jsonl.gz", "unseen-houses", "| articles | 260 |"):
        assert told in card
    assert f"{change.before.mean:.4f} | {change.after.mean:.4f}" in card
    assert '"learning_rate": 0.01' in card
    assert "CC BY-SA 4.0" in card
    stored = json.loads((trained.out / "training.json").read_text(encoding="utf-8"))
    assert stored["changes"][0]["after"]["mean"] == change.after.mean
    assert stored["settings"]["dim"] == SETTINGS.dim
    assert set(stored["files"]) == {
        path.relative_to(trained.out).as_posix() for path in trained.out.rglob("*") if path.is_file()
    }


def test_it_is_scored_while_it_is_tuned(trained: TrainReport) -> None:
    with (trained.out / "loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scored = {int(row["step"]): float(row["unseen-houses_ndcg@10"]) for row in rows if row["unseen-houses_ndcg@10"]}
    assert list(scored) == [40, 80, 120]
    assert scored[120] == pytest.approx(trained.changes[0].after.mean, abs=1e-5)
    assert scored[40] > trained.changes[0].before.mean
    assert (trained.out / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_it_loads_in_both_frameworks(trained: TrainReport) -> None:
    from sentence_transformers import SentenceTransformer

    from kure_rag.langchain import KureEmbeddings
    from kure_rag.llama_index import KureEmbedding

    text = "연차휴가는 며칠인가요?"
    expected = SentenceTransformer(str(trained.out), device="cpu", local_files_only=True).encode([text])[0]
    first, second = KureEmbeddings(model=str(trained.out)), KureEmbedding(model_name=str(trained.out))
    for found in (
        first.embed_query(text),
        first.embed_documents([text])[0],
        second.get_query_embedding(text),
        second.get_text_embedding(text),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("at", ["factorised", "tuning: step 100"])
def test_a_training_that_is_taken_up_has_the_same_scores(
    data: Path, unseen: Path, trained: TrainReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(static, "_KEPT", 40)

    def interrupt(line: str) -> None:
        if line.startswith(at):
            raise KeyboardInterrupt

    out = tmp_path / "small"
    with pytest.raises(KeyboardInterrupt):
        train_static(data, out, dev=[unseen], settings=SETTINGS, progress=interrupt)
    again = train_static(data, out, dev=[unseen], settings=SETTINGS).training
    assert again.resumed
    assert [one.to_dict() for one in again.changes] == [one.to_dict() for one in trained.changes]
    for name in ("loss.csv", "README.md", "model.safetensors"):
        assert (out / name).read_bytes() == (trained.out / name).read_bytes()


def test_sets_that_lie_with_the_data_are_scored(data: Path, unseen: Path, tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    sentence_pairs(folder / BESIDE[0])
    retrieval_set(folder / BESIDE[1], rules_of(HOUSES[:2]))
    report = train_static(folder, tmp_path / "model", settings=SMALL)
    assert [one.measure for one in report.training.changes] == ["spearman", "ndcg@10"]
    assert report.scores["ko_strategyqa_facts_dev_ndcg@10"] == report.training.changes[1].after.mean


def test_what_is_scored_on_and_trained_on_is_told(data: Path, tmp_path: Path) -> None:
    dev = retrieval_set(tmp_path / "seen", rules_of([*HOUSES[:1], *HOUSES[HELD : HELD + 1]]))
    report = train_static(data, tmp_path / "model", dev=[dev], settings=SMALL).training
    assert any("10 of 20 passages that answer a question of the scored sets were trained on" in n for n in report.notes)
    assert "10 of 20 passages" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sts-train\.tsv: is trained on"):
        train_static(data, tmp_path / "other", dev=[data / KORSTS], settings=SMALL)
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        train_static(data, tmp_path / "other", dev=[tmp_path / "nowhere"], settings=SMALL)
    assert not (tmp_path / "other").exists()


def test_a_copy_of_what_is_trained_on_is_no_set_to_score_on(data: Path, tmp_path: Path) -> None:
    """By its bytes, or by its pairs."""
    copied = tmp_path / "my-dev.tsv"
    shutil.copyfile(data / KORSTS, copied)
    with pytest.raises(ConfigError, match=r"my-dev\.tsv: is a copy of sts-train\.tsv, which is trained on"):
        train_static(data, tmp_path / "model", dev=[copied], settings=SMALL)
    lines = copied.read_text(encoding="utf-8").splitlines()
    first = lines[1].split("\t")
    first[4:] = ["2.0", first[6], f"{first[5]} "]  # turned round, with a space more
    lines = [lines[0].replace("s1", "sentence1").replace("s2", "sentence2"), "\t".join(first), *lines[2:]]
    write_lines(copied, lines)
    with pytest.raises(ConfigError, match=r"my-dev\.tsv: 4 of its 4 pairs are trained on"):
        train_static(data, tmp_path / "model", dev=[copied], settings=SMALL)
    write_lines(
        copied, [lines[0], lines[1], *sentence_pairs(tmp_path / "pairs.tsv").read_text("utf-8").splitlines()[1:]]
    )
    report = train_static(data, tmp_path / "model", dev=[copied], settings=SMALL).training
    assert "1 of 6 pairs of my-dev.tsv were trained on" in report.notes


def write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_korean_names_of_sets_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    try:
        plots_fonts.korean_font()
    except ConfigError:
        pytest.skip("no font with Hangul here")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw([(1, "statutes", 1.0, 0.1)], [(1, {"내 시험_ndcg@10": 0.5})])
        figure.savefig(tmp_path / "loss.png")
    assert (figure.axes[1].get_title(), figure.axes[1].get_ylabel()) == ("내 시험", "ndcg@10")


def test_without_a_korean_font_sets_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    without_korean_font(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw([(1, "statutes", 1.0, 0.1)], [(1, {"내 시험_ndcg@10": 0.5})])
        figure.savefig(tmp_path / "loss.png")
    assert figure.axes[1].get_title() == "set 1"


def test_a_card_that_was_made_is_made_anew_and_a_written_one_stays(data: Path, unseen: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    train_static(data, out, settings=SMALL)
    assert "Not scored" in (out / "README.md").read_text(encoding="utf-8")
    train_static(data, out, dev=[unseen], settings=SMALL)
    assert "unseen-houses" in (out / "README.md").read_text(encoding="utf-8")
    (out / "README.md").write_text("by hand", encoding="utf-8")
    for _ in range(2):  # TRAINING.md is no stranger in the folder
        train_static(data, out, settings=SMALL)
        assert (out / "README.md").read_text(encoding="utf-8") == "by hand"
        assert "Not scored" in (out / "TRAINING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": "static-ko"}, "static has no base"),
        ({"data": []}, "takes one folder of data"),
        ({"settings": TrainSettings()}, "takes StaticSettings, not TrainSettings"),
        ({"recipe": "koe5", "settings": StaticSettings()}, "koe5 does not take StaticSettings"),
    ],
)
def test_what_static_does_not_take_is_told(data: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    told: dict[str, Any] = {"recipe": "static", "data": [data], "out": tmp_path / "model", **change}
    with pytest.raises(ConfigError, match=message):
        train(told.pop("recipe"), told.pop("data"), **told)
    with pytest.raises(ConfigError, match="train_static"):
        find_recipe("static")


def test_the_command_prints_before_and_after(
    data: Path, unseen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StaticSettings, "smallest", lambda _: SMALL)
    line = ["train", "static", "--data", str(data), "--dev", str(unseen), "--smallest", "--out", str(tmp_path / "m")]
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert "unseen-houses" in shown
    assert "ndcg@10" in shown
    assert main([*line, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["training"]["changes"][0]["name"] == "unseen-houses"
    assert told["rows"] > 1_000


def test_the_smallest_is_smaller() -> None:
    smallest = StaticSettings().smallest()
    assert smallest.dim < StaticSettings().dim
    assert smallest.tuning.steps < StaticSettings().tuning.steps
    assert smallest.seed == StaticSettings().seed
