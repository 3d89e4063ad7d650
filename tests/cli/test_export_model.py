"""``kure-rag export-model``."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import bert, transformer

from kure_rag import KureEmbeddings
from kure_rag.cli import main
from kure_rag.embed import Embedder, EmbedSettings

for library in ("onnx", "onnxruntime", "nncf", "openvino"):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"the extra for {library} is not installed", allow_module_level=True)

TEXTS = ["퇴직금은 언제까지 받나요?", "하루 세 번 식사 후 30분에 복용한다."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformer(tmp_path_factory.mktemp("models") / "KoSimCSE-bert", bert, "cls")


@pytest.fixture(autouse=True)
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KURE_RAG_EXPORTS", str(tmp_path / "exports"))
    return tmp_path / "exports"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def called(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return called


def test_an_export_made_ahead_is_the_one_that_is_used(folder: Path, exports: Path, call: Any) -> None:
    status, out, _ = call("export-model", folder, "--backend", "onnx")
    assert status == 0
    [place] = [path for path in exports.iterdir() if path.is_dir()]
    lines = out.splitlines()
    assert lines[0] == "BM-K/KoSimCSE-bert for onnx, fp32"
    assert lines[1].split() == ["folder", str(place)]
    assert lines[2].split()[:3] == ["cosine", "min", "1.00000,"]
    assert [line.split()[0] for line in lines[3:]] == ["size", "seconds", "use"]
    assert lines[5].strip() == f'use      KureEmbeddings("{folder}", backend="onnx")'
    Embedder(str(folder), EmbedSettings(backend="onnx")).embed_passages(TEXTS)
    assert [path for path in exports.iterdir() if path.is_dir()] == [place]


def test_int8_with_texts_of_ones_own_into_a_folder_of_its_own(folder: Path, tmp_path: Path, call: Any) -> None:
    texts = tmp_path / "우리 글.txt"
    texts.write_text("\n".join(["제1조(목적) 이 약관은 예금 거래를 정한다.", "", *TEXTS]), encoding="utf-8")
    out_folder = tmp_path / "KoSimCSE int8"
    status, out, _ = call(
        "export-model", folder, "--backend", "openvino", "--precision", "int8", "--out", out_folder,
        "--calibration", texts, "--json",
    )  # fmt: skip
    assert status == 0
    said = json.loads(out)  # one object and no library's progress around it
    assert said["folder"] == str(out_folder)
    assert (said["backend"], said["weights"]) == ("openvino", "int8")
    assert said["min_cosine"] >= 0.99
    found = Embedder(str(out_folder), EmbedSettings(backend="openvino")).embed_passages(TEXTS)
    plain = Embedder(str(folder)).embed_passages(TEXTS)
    assert (np.einsum("ij,ij->i", found, plain) >= 0.99).all()


def test_the_call_that_is_printed_takes_the_export(folder: Path, tmp_path: Path, exports: Path, call: Any) -> None:
    out_folder = tmp_path / '우리 "모델"'
    for options in ((), ("--card", "KoSimCSE-bert"), ("--out", out_folder)):
        _, out, _ = call("export-model", folder, "--backend", "onnx", "--precision", "int8", *options)
        printed = out.splitlines()[-1].split(maxsplit=1)[1]
        made = sorted(tmp_path.rglob("kure_export.json"))
        embeddings = eval(printed, {"KureEmbeddings": KureEmbeddings})
        assert len(embeddings.embed_query("퇴직금은 언제까지 받나요?")) == 32
        assert sorted(tmp_path.rglob("kure_export.json")) == made, "no other one was made"
    assert printed == f'KureEmbeddings("{str(out_folder).replace(chr(34), chr(92) + chr(34))}", backend="onnx")'


def test_calibration_texts_that_are_not_there(folder: Path, tmp_path: Path, call: Any) -> None:
    (tmp_path / "빈 글.txt").write_text("\n\n", encoding="utf-8")
    for name, said in (("없는 글.txt", "cannot be read as UTF-8"), ("빈 글.txt", "holds no text")):
        status, out, err = call("export-model", folder, "--precision", "int8", "--calibration", tmp_path / name)
        assert status == 1
        assert out == ""
        assert f"kure-rag export-model: {tmp_path / name}" in err
        assert said in err


def test_a_model_that_cannot_be_exported(call: Any, exports: Path) -> None:
    status, out, err = call("export-model", "static-ko", "--backend", "onnx", "--json")
    assert status == 1
    assert json.loads(out)["error"]["type"] == "EmbeddingError"
    assert "is no transformer" in err
    assert not [path for path in exports.iterdir() if path.is_dir()]


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal to send there")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_that_is_interrupted_leaves_nothing(folder: Path, tmp_path: Path, precision: str) -> None:
    place = tmp_path / "내보낸 곳"
    place.mkdir()
    command = ["export-model", str(folder), "--precision", precision, "--out", str(place / "모델")]
    process = subprocess.Popen(
        [sys.executable, "-m", "kure_rag", *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list(place.glob(".*.part")):
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    # Python ends by the signal itself, whatever is returned, when Ctrl-C fell into code made from a string, such as a
    # dataclass of a library that is being imported; a shell shows 130 for both.
    assert process.returncode in (130, -signal.SIGINT), err
    assert out == ""
    assert "interrupted; nothing was kept" in err
    assert "Traceback" not in err
    assert list(place.iterdir()) == []


def test_what_was_computed_in_is_printed(folder: Path, call: Any) -> None:
    _, out, _ = call("export-model", folder, "--backend", "onnx")
    assert "(17 texts, computed in f32)" in out
