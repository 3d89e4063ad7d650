"""The loop itself: what is resumed, refused, and left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_recipe import ToyRecipe, ToySettings

from kure_rag.errors import ConfigError, EmbeddingError, SourceNotFoundError, TrainingError, UnknownModelError
from kure_rag.train.recipes import find_recipe
from kure_rag.train.run import train
from kure_rag.train.workdir import COMPLETE, WorkFolder, hashes, place_among

pytestmark = pytest.mark.train

_TOY = Path(__file__).with_name("toy_recipe.py")
_SHORT = ToySettings(max_steps=4, checkpoints=2)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _child(out: Path, **settings: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(_TOY.parent), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        [sys.executable, str(_TOY), str(out), json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _until(child: subprocess.Popen[str], stage: str, step: int) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(f"{stage} {step} "):
            return
    pytest.fail(f"it never came to step {step}: {child.communicate()[1][-2000:]}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "model"
    train(ToyRecipe(), [_TOY], out=out, settings=ToySettings(classifier=True))
    return out


@pytest.mark.parametrize(("stage", "step"), [("classes", 9), ("pairs", 1), ("pairs", 17)])
def test_kill_9_in_any_stage_ends_in_the_same_bytes(whole: Path, tmp_path: Path, stage: str, step: int) -> None:
    """Also the classifier's own weights, which no model folder holds, are those of the checkpoint."""
    out = tmp_path / "model"
    child = _child(out, classifier=True)
    _until(child, stage, step)
    child.send_signal(signal.SIGKILL)
    child.wait()
    report = train(ToyRecipe(), [_TOY], out=out, settings=ToySettings(classifier=True))
    assert report.resumed
    assert (out / "loss.csv").read_bytes() == (whole / "loss.csv").read_bytes()
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_torn_checkpoint_is_not_gone_on_from(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    child = _child(out, classifier=True)
    _until(child, "pairs", 17)
    child.send_signal(signal.SIGKILL)
    child.wait()
    stage = tmp_path / "model.training" / "2-pairs"
    newest = max(stage.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    (newest / COMPLETE).unlink()
    (newest / "optimizer.pt").write_bytes(b"half")
    train(ToyRecipe(), [_TOY], out=out, settings=ToySettings(classifier=True))
    assert (out / "loss.csv").read_bytes() == (whole / "loss.csv").read_bytes()


def test_ctrl_c_writes_a_checkpoint_first(tmp_path: Path) -> None:
    out = tmp_path / "model"
    child = _child(out, checkpoints=1)  # none would come before the end
    _until(child, "pairs", 5)
    child.send_signal(signal.SIGINT)
    printed, _ = child.communicate(timeout=120)
    assert child.returncode != 0
    assert "the same command goes on from checkpoint-" in printed
    assert list((tmp_path / "model.training").glob("1-pairs/checkpoint-*/complete"))
    assert train(ToyRecipe(), [_TOY], out=out, settings=ToySettings(checkpoints=1)).resumed


def test_other_settings_do_not_go_on_with_an_unfinished_training(tmp_path: Path) -> None:
    identity: dict[str, Any] = {"recipe": "toy", "data": {}, "dev": {}}
    with WorkFolder(tmp_path / "model", {**identity, "settings": {"batch_size": 16, "seed": 1}}) as work:
        path = work.path
        (work.stage(1, "pairs") / "checkpoint-4").mkdir(parents=True)
        (work.stage(1, "pairs") / "checkpoint-4" / COMPLETE).touch()
    with (
        pytest.raises(ConfigError, match="settings batch_size 16, and this one has 32"),
        WorkFolder(tmp_path / "model", {**identity, "settings": {"batch_size": 32, "seed": 1}}),
    ):
        pass
    assert path.is_dir()


def test_a_mistake_can_be_put_right_with_the_same_out(tmp_path: Path) -> None:
    """What was refused before anything was trained leaves nothing that would have to be removed by hand."""
    out = tmp_path / "model"
    with pytest.raises(ConfigError, match="fewer than a batch"):
        train(ToyRecipe(), [_TOY], out=out, settings=replace(_SHORT, batch_size=1000))
    assert not train(ToyRecipe(), [_TOY], out=out, settings=_SHORT).resumed


def test_two_processes_do_not_train_in_one_place(tmp_path: Path) -> None:
    identity: dict[str, Any] = {"recipe": "toy", "data": {}, "dev": {}}
    with (
        WorkFolder(tmp_path / "model", identity),
        pytest.raises(ConfigError, match="another process is training here"),
        WorkFolder(tmp_path / "model", identity),
    ):
        pass


def test_what_is_no_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("…")
    with pytest.raises(TrainingError, match="is there already and is not a model"):
        train(ToyRecipe(), [_TOY], out=tmp_path, settings=_SHORT)
    assert (tmp_path / "thesis.txt").is_file()


def test_a_model_that_was_there_is_replaced_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "model"
    train(ToyRecipe(), [_TOY], out=out, settings=_SHORT)
    (out / "added_tokens.json").write_text("{}")  # of a kind that a model may have
    train(ToyRecipe(), [_TOY], out=out, settings=_SHORT)
    assert not (out / "added_tokens.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_bad_input_is_told_before_any_training(tmp_path: Path) -> None:
    out = tmp_path / "model"
    with pytest.raises(ConfigError, match=r"192 rows, fewer than a batch of 1,000.*--batch-size"):
        train(ToyRecipe(), [_TOY], out=out, settings=replace(_SHORT, batch_size=1000))
    with pytest.raises(UnknownModelError, match="scratch:bert"):
        train(ToyRecipe(), [_TOY], out=out, base="scratch:gpt", settings=_SHORT)
    with pytest.raises(UnknownModelError, match="Did you mean nlpai-lab/KURE-v1"):
        train(ToyRecipe(), [_TOY], out=out, base="KURE-v11", settings=_SHORT)
    with pytest.raises(SourceNotFoundError, match=r"nowhere\.tsv: no such file"):
        train(ToyRecipe(), [tmp_path / "nowhere.tsv"], out=out, settings=_SHORT)
    with pytest.raises(ConfigError, match="takes ToySettings"):
        train(ToyRecipe(), [_TOY], out=out, settings=find_recipe("kosimcse").settings)
    with pytest.raises(EmbeddingError, match=r"static-ko: a table of vectors.*give an encoder"):
        train("reranker", [_TOY], out=out, base="static-ko")
    with pytest.raises(ConfigError, match="Did you mean koe5"):
        find_recipe("koe-5")
    assert not out.exists()


def test_no_space_is_told_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10_000, 10_000))
    with pytest.raises(TrainingError, match="checkpoints and the model need about"):
        train(ToyRecipe(), [_TOY], out=tmp_path / "model", settings=_SHORT)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
def test_a_disk_that_fills_up_at_a_checkpoint_loses_nothing(tmp_path: Path) -> None:
    """The operating system itself refuses to write: the limit on a file's size stands in for a full disk."""
    out = tmp_path / "model"
    child = _child(out, checkpoints=4)
    _until(child, "pairs", 7)  # one checkpoint is whole
    import resource

    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    _, errors = child.communicate(timeout=120)
    assert child.returncode != 0
    assert "TrainingError" in errors, errors[-2000:]
    assert "the disk is full" in errors
    assert "is whole. Make room and run the same command" in errors
    assert train(ToyRecipe(), [_TOY], out=out, settings=ToySettings(checkpoints=4)).resumed


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
@pytest.mark.parametrize("largest", [100, 4096])
def test_a_disk_that_is_full_at_once_is_told(tmp_path: Path, largest: int) -> None:
    """Before any stage: where the folder is begun, and where a base is made."""
    import resource

    environment = {**os.environ, "PYTHONPATH": str(_TOY.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, str(_TOY), str(tmp_path / "model"), "{}"],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
    )
    assert "TrainingError" in ran.stderr.splitlines()[-1], ran.stderr[-2000:]
    assert "the disk is full" in ran.stderr
    assert "Make room and run the same command" in ran.stderr


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the loss is nan at step 3"):
        train(ToyRecipe(), [_TOY], out=tmp_path / "model", settings=replace(_SHORT, spoil=3))


def test_a_training_without_a_step_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not one batch of 16 could be made"):
        train(ToyRecipe(), [_TOY], out=tmp_path / "model", settings=ToySettings(alike=True))
    assert not (tmp_path / "model").exists()


def test_precision_that_is_not_here_is_told_before_training(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    lines: list[str] = []
    with pytest.raises(TrainingError, match="fp16 needs a GPU"):
        train(ToyRecipe(), [_TOY], out=tmp_path / "m", settings=replace(_SHORT, precision="fp16"), say=lines.append)
    assert not any("scoring" in line for line in lines)


def test_texts_that_will_be_cut_are_counted(tmp_path: Path) -> None:
    report = train(ToyRecipe(), [_TOY], out=tmp_path / "model", settings=replace(_SHORT, max_length=4))
    assert any("have more than 4 tokens" in note for note in report.notes)
    assert "have more than 4 tokens" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def test_a_rank_without_a_launcher_is_an_own_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some clusters number their machines in RANK; such a process must not leave the writing to another."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert place_among() == (0, 1)


def test_gathered_batches_count_as_one_step(tmp_path: Path) -> None:
    settings = replace(_SHORT, accumulate=5, epochs=4, max_steps=None)
    assert train(ToyRecipe(), [_TOY], out=tmp_path / "one", settings=settings).steps == {"pairs": 12}
    capped = replace(settings, max_steps=1000)
    assert train(ToyRecipe(), [_TOY], out=tmp_path / "two", settings=capped).steps == {"pairs": 12}


def test_an_index_is_known_by_what_it_holds(tmp_path: Path) -> None:
    from support import HashEmbedder

    from kure_rag import KureIndex
    from kure_rag.read.corpus import Record

    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        index.add_records([Record("1", "휴가", "근로자의 휴가는 15일로 한다.", {})])
        while_open = hashes([tmp_path / "index"])
    assert hashes([tmp_path / "index"]) == while_open
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        index.add_records([Record("2", "휴가", "급여는 매월 25일에 지급한다.", {})])
    assert hashes([tmp_path / "index"]) != while_open


def test_queries_of_one_document_are_drawn_together() -> None:
    """Forty copies of one question say no more than the one."""
    from kure_rag.train.development import Measured
    from kure_rag.train.report import change

    names = [f"{group}-{copy}" for group in "abc" for copy in range(40)]
    groups = {name: name[0] for name in names}
    before = Measured(values={"m": 0.0}, each=dict.fromkeys(names, 0.0))
    gained = {name: {"a": 0.5, "b": 0.25, "c": 0.25}[name[0]] for name in names}
    alone = change("set", "m", before, Measured(values={"m": 1 / 3}, each=gained))
    grouped = change("set", "m", before, Measured(values={"m": 1 / 3}, each=gained, groups=groups))
    assert alone.rose
    assert not grouped.rose
    assert grouped.p_value == pytest.approx(2 / 8)  # of 8 ways to swap three groups, two are as far from 0
    assert grouped.difference == pytest.approx(alone.difference)
    assert (grouped.count, grouped.groups) == (120, 3)
    one = change("set", "m", before, Measured(values={"m": 1 / 3}, each=gained, groups=dict.fromkeys(names, "a")))
    assert one.p_value == 1
    assert one.low < one.difference < one.high


def test_prefixes_are_trained_with_and_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens that the model is trained on are those that it is later asked with."""
    from sentence_transformers import SentenceTransformer

    from kure_rag.embed import Embedder

    seen: list[str] = []
    original = SentenceTransformer.preprocess

    def noted(self: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        found = original(self, inputs, *rest, **named)
        seen.extend(self.tokenizer.decode(row, skip_special_tokens=True) for row in found["input_ids"])
        return found

    monkeypatch.setattr(SentenceTransformer, "preprocess", noted)
    out = tmp_path / "model"
    train(ToyRecipe(), [_TOY], out=out, settings=replace(_SHORT, max_steps=1, checkpoints=0))
    texts = [text.replace(" ", "").replace("▁", "") for text in seen]
    assert any(text.endswith("알려줘") for text in texts)
    assert all(text.startswith("질문:") == text.endswith("알려줘") for text in texts)
    assert all(text.startswith("문서:") == text.endswith("조이다") for text in texts)
    assert Embedder(str(out)).prefixes == ("질문: ", "문서: ")


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    """As on two GPUs: gradients are averaged, one of them writes."""
    out = tmp_path / "model"
    environment = {**os.environ, "PYTHONPATH": str(_TOY.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*command, str(_TOY), str(out), json.dumps({"batch_size": 8})], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    stored = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert stored["steps"] == {"pairs": 24}  # 192 rows, twice, 8 in each process
    assert stored["changes"][0]["difference"] > 0
    assert stored["processes"] == 2
    assert "up to 16 rows" in (out / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
