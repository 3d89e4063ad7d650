import csv
import errno
import gzip
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kure_rag.cli import main
from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError, TrainingError
from kure_rag.train import StaticSettings, static, train_static
from kure_rag.train.data import ARTICLES, CONSECUTIVE, KORSTS, SINGLE, XNLI, read_training_text
from kure_rag.train.static_tune import TuneSettings
from kure_rag.train.static_vectors import quantise
from kure_rag.train.static_vocab import Kind, VocabularySettings

SMALL = StaticSettings(
    dim=32,
    vocabulary=VocabularySettings(nouns=300, names=200, verbs=100, adverbs=30, tails=50, pairs=200, least=0.0),
    tuning=TuneSettings(steps=10, batch=8),
)

SUBJECTS = ("세입자", "임대인", "근로자", "사용자", "환자", "의사", "은행", "예금자", "법원", "원고")
DUTIES = (
    "계약서를 보관한다",
    "임금을 지급한다",
    "기록을 열람한다",
    "보험료를 낸다",
    "이자를 계산한다",
    "증거를 제출한다",
)
NEWS = (
    "시장은 아침부터 사람들로 붐볐다.",
    "상인들은 어제보다 값이 내렸다고 말했다.",
    "강원도에서는 밤사이 많은 눈이 내렸다.",
    "도로가 얼어 버스가 제시간에 오지 못했다.",
    "연구진은 새로운 배터리를 공개했다.",
    "이 배터리는 십 분 만에 충전된다고 한다.",
)


def write_data(folder: Path) -> Path:
    articles = [
        {
            "law": f"{subject} 보호법",
            "title": f"{subject}의 의무",
            "text": f"{subject}는 {duty}. 다만, {i}일 안에 {subject}가 요구하면 그러하지 아니하다.",
        }
        for i, (subject, duty) in enumerate((s, d) for s in SUBJECTS for d in DUTIES)
    ]
    path = folder / ARTICLES
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(article, ensure_ascii=False) + "\n" for article in articles)
    pairs = [(f"한 {who}가 책을 읽는다.", f"{who}가 책을 읽고 있다.") for who in ("아이", "남자", "여자", "학생")]
    table(folder / KORSTS, "a b c d score s1 s2", [("x", "x", "x", "1", "4.5", a, b) for a, b in pairs])
    for name in XNLI:
        table(folder / name, "sentence1 sentence2 gold_label", [(a, b, "entailment") for a, b in pairs])
    for name in (*CONSECUTIVE, *SINGLE):
        table(folder / name, "ko en", [(sentence, "-") for sentence in NEWS])
    return folder


KILLED = """
import os, signal, sys
from pathlib import Path
from kure_rag.train import static
from test_static import SMALL
keep = static.save_tuning
def keep_and_die(folder, arrays, values):
    keep(folder, arrays, values)
    if values["step"] == 6:
        (folder / ".tuning.safetensors").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
static._KEPT = 3
static.save_tuning = keep_and_die
static.train_static(Path(sys.argv[1]), Path(sys.argv[2]), settings=SMALL)
"""


def same_files(one: Path, other: Path) -> bool:
    names = ("model.safetensors", "tokenizer.json", "modules.json", "loss.csv")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def table(path: Path, header: str, rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header.replace(" ", "\t"), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "small"
    return out, train_static(data, out, settings=SMALL)


@pytest.fixture(scope="module")
def model(trained):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(trained[0]), device="cpu")


def test_embeddings_have_unit_length(model):
    embeddings = model.encode(["세입자는 계약서를 보관한다", "배터리 충전", "!?", "漢字 ABC 123", "쀍"])
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (5, SMALL.dim)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_the_report_describes_the_folder(trained):
    out, report = trained
    assert report.rows == report.vocabulary > 1_000
    assert report.size == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert report.seconds > 0
    assert report.scores == {}, "no development sets lie beside this data"


def test_words_of_the_text_are_pieces(model):
    tokens = model[0].tokenizer.encode("세입자가 배터리를", add_special_tokens=False).tokens
    assert "배터리" in tokens
    assert "를" in tokens


def test_a_question_finds_its_sentence(model):
    found = model.similarity(model.encode(["배터리 충전"]), model.encode(list(NEWS)))
    assert int(found.argmax()) == 5


def test_words_nobody_knows_differ(model):
    names = ["갈뭇쳥", "벌슥쾍", "쀍뚫챯", "Zyqx", "Wvkj", "龘靐"]
    embeddings = model.encode(names)
    cosines = embeddings @ embeddings.T - 2 * np.eye(len(names))
    assert cosines.max() < 0.9


def test_compatibility_forms_and_case_do_not_matter(model):
    wide, plain = model.encode(["ＢＡＴＴＥＲＹ　배터리", "battery 배터리"])
    np.testing.assert_allclose(wide, plain, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes(data, trained, tmp_path):
    first, _ = trained
    train_static(data, tmp_path / "again", settings=SMALL)
    for name in ("model.safetensors", "tokenizer.json", "modules.json", "loss.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (first / name).read_bytes(), name


def test_retraining_replaces_the_model_and_keeps_the_card(data, trained, tmp_path):
    out = tmp_path / "model"
    out.mkdir()
    (out / "modules.json").write_text("[]")
    (out / "README.md").write_text("the card")
    train_static(data, out, settings=SMALL)
    assert (out / "README.md").read_text() == "the card"
    assert (out / "tokenizer.json").read_bytes() == (trained[0] / "tokenizer.json").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "nothing temporary is left"


@pytest.mark.parametrize("at", ["made a vocabulary", "factorised"])
def test_an_interrupted_training_leaves_the_folder_as_it_was_and_goes_on(data, trained, tmp_path, monkeypatch, at):
    out = tmp_path / "model"
    out.mkdir()
    (out / "modules.json").write_text("before")

    def interrupt(line: str) -> None:
        if line.startswith(at):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_static(data, out, settings=SMALL, progress=interrupt)
    assert [path.name for path in out.iterdir()] == ["modules.json"]
    assert (out / "modules.json").read_text() == "before"

    def again(*_: object, **__: object) -> None:
        raise AssertionError("what was kept is not made again")

    monkeypatch.setattr(static, "build_vocabulary", again)
    if at == "factorised":
        monkeypatch.setattr(static, "start_vectors", again)
    train_static(data, out, settings=SMALL)
    assert same_files(out, trained[0])
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "nothing temporary is left"


def test_a_killed_tuning_goes_on_to_the_same_bytes(data, trained, tmp_path):
    out = tmp_path / "model"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(data), str(out)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    said: list[str] = []
    train_static(data, out, settings=SMALL, progress=said.append)
    assert "tuning: going on from step 6" in said
    assert same_files(out, trained[0])


def test_another_training_is_not_gone_on_with(data, tmp_path):
    def interrupt(line: str) -> None:
        if line.startswith("made a vocabulary"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_static(data, tmp_path / "model", settings=SMALL, progress=interrupt)
    with pytest.raises(ConfigError, match=r"model\.training: holds an unfinished training with settings dim 32"):
        train_static(data, tmp_path / "model", settings=replace(SMALL, dim=48))


def test_a_full_disk_is_named(data, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(TrainingError, match=r"start\.safetensors: cannot be written \(No space left on device\)"):
        train_static(data, tmp_path / "model", settings=SMALL)
    monkeypatch.undo()
    train_static(data, tmp_path / "model", settings=SMALL)
    assert (tmp_path / "model" / "modules.json").is_file()


@pytest.mark.parametrize("name", ["training.json", "before.json"])
def test_a_disk_that_is_full_at_a_small_file_is_told(data, tmp_path, monkeypatch, name):
    opened = Path.open

    def full(path: Path, *rest: Any, **named: Any) -> Any:
        if path.name == f".{name}":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, *rest, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(TrainingError, match=r"the disk is full .* Make room and run the same command"):
        train_static(data, tmp_path / "model", settings=SMALL)
    monkeypatch.undo()
    assert not (tmp_path / "model").exists()


def test_a_disk_that_is_full_where_sets_are_read_is_told(data, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(static, "read_development", full)
    with pytest.raises(TrainingError, match="the disk is full"):
        train_static(data, tmp_path / "model", settings=SMALL)


def test_every_batch_is_in_the_table_of_losses(trained):
    with (trained[0] / "loss.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, SMALL.tuning.steps + 1))
    assert {row["kind"] for row in rows} <= {"statutes", "reports", "paraphrases", "scored"}
    assert all(float(row["loss"]) >= 0 for row in rows)
    assert float(rows[-1]["learning_rate"]) < float(rows[0]["learning_rate"]) * SMALL.tuning.steps


def test_a_folder_with_other_things_is_refused(data, tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(TrainingError, match="not a model"):
        train_static(data, tmp_path, settings=SMALL)
    assert (tmp_path / "thesis.txt").exists()


def test_missing_data_is_named(tmp_path):
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        train_static(tmp_path / "nowhere", tmp_path / "out")
    folder = write_data(tmp_path / "data")
    (folder / XNLI[1]).unlink()
    with pytest.raises(SourceNotFoundError, match=r"xnli\.test\.ko\.tsv"):
        train_static(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (KORSTS, "h\na\tb\n", r"sts-train\.tsv: line 2: 2 columns"),
        (KORSTS, "h\na\tb\tc\td\thigh\tf\tg\n", r"line 2: score 'high'"),
        (XNLI[0], "h\n", "no row below"),
    ],
)
def test_malformed_tables_are_named_with_their_line(tmp_path, name, text, message):
    folder = write_data(tmp_path / "data")
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=message):
        read_training_text(folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"law": "가", "title": "나", "text": "다"}', "{"], "line 2: not JSON"),
        (['{"law": "가", "title": "나"}'], "line 1: law, title and text"),
        (["[]"], "line 1: is an array; write an object"),
        ([], "no article"),
    ],
)
def test_malformed_articles_are_named_with_their_line(tmp_path, lines, message):
    folder = write_data(tmp_path / "data")
    with gzip.open(folder / ARTICLES, "wt", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    with pytest.raises(CorpusFormatError, match=message):
        read_training_text(folder)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="dim is 0"):
        StaticSettings(dim=0)
    with pytest.raises(ValueError, match="levels is 200"):
        StaticSettings(levels=200)
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"seed is {seed}; it must be from 0 to 4294967295"):
            StaticSettings(seed=seed)
    assert StaticSettings(seed=2**32 - 1).seed == 2**32 - 1


def test_a_seed_that_no_library_takes_is_one_line(tmp_path, capsys):
    assert main(["train", "static", "--data", str(tmp_path), "--out", str(tmp_path / "model"), "--seed", "-1"]) == 1
    errors = capsys.readouterr().err
    assert "seed is -1; it must be from 0 to" in errors
    assert "Traceback" not in errors


def test_whole_numbers_keep_the_direction():
    rows = np.random.default_rng(0).standard_normal((50, 256)).astype(np.float32)
    whole, scale = quantise(rows, levels=15)
    assert whole.dtype == np.int8
    back = whole * scale[:, None]
    cosines = (rows * back).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(back, axis=1)
    assert cosines.min() > 0.99


def test_kinds_are_told_apart(data):
    from kure_rag.tokenize.kiwi import shared_kiwi
    from kure_rag.train.static_vocab import build_vocabulary

    text = read_training_text(data)
    made = build_vocabulary(
        [article.text for article in text.articles], text.general(), kiwi=shared_kiwi(), settings=SMALL.vocabulary
    )
    kinds = dict(zip(made.pieces, made.kinds, strict=True))
    assert kinds["배터리"] is Kind.WORD
    assert kinds["를"] is Kind.FUNCTION
    assert kinds["1989"] is Kind.NUMBER
    assert kinds["<0x41>"] is Kind.BYTE
    assert len(set(made.pieces)) == len(made.pieces)
    assert sum(made.prior) == pytest.approx(1)
