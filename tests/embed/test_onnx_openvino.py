"""Models exported for ONNX Runtime and OpenVINO give the vectors of the torch model, and are made once."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import bert, distilbert, kobert, llama, t5, transformer, xlm_roberta

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.backends import export, graphs
from kure_rag.embed.backends.export import export_model
from kure_rag.embed.backends.exported import make_runner
from kure_rag.embed.backends.manifest import MANIFEST, Manifest, read_manifest
from kure_rag.embed.backends.padding import padded
from kure_rag.embed.backends.sentences import calibration_texts, check_texts
from kure_rag.errors import EmbeddingError

for library in ("onnx", "onnxruntime", "nncf", "openvino"):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"the extra for {library} is not installed", allow_module_level=True)

BACKENDS = ("openvino", "onnx")
TEXTS = [
    "연차휴가는 며칠인가요?",
    "휴가",
    "1년간 80% 이상 출근한 근로자에게는 15일의 유급휴가를 준다.",
    "보험금은 청구한 날부터 3일 안에 지급하며, 조사가 필요하면 그 까닭을 알린다. 지급이 늦으면 이자를 더한다.",
    "예금자보호 한도",
]
MODELS: dict[str, tuple[Any, str | Sequence[str], int | None]] = {
    "bert-mean-dense": (bert, "mean", 16),
    "xlm-roberta-cls": (xlm_roberta, "cls", None),
    "distilbert-max-and-weighted": (distilbert, ("max", "weightedmean"), None),
    "llama-last": (llama, "lasttoken", 24),
    "t5-mean": (t5, "mean", None),
}
EMBED = """
import sys
import numpy as np
from kure_rag.embed import Embedder, EmbedSettings
folder, backend, precision, out = sys.argv[1:5]
vectors = Embedder(folder, EmbedSettings(backend=backend, precision=precision)).embed_passages(sys.argv[5:])
np.save(out, vectors)
print(*(name for name in ("torch", "transformers", "openvino_telemetry") if sys.modules.get(name)))
"""


LISTEN = """
import sys
asked = []
def hook(event, details):
    # OpenVINO's telemetry reports from a process of its own.
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "os.fork"}:
        asked.append((event, details))
sys.addaudithook(hook)
"""
REPORTED = """
import time
time.sleep(1)  # reports are sent by a thread
sys.exit(f"over the network: {asked}" if asked else 0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformer(tmp_path_factory.mktemp("models") / "작은-모델", bert, "mean")


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    return Embedder(str(folder)).embed_passages(TEXTS)


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports that several tests use and none changes."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "내보낸 모델"
    monkeypatch.setenv("KURE_RAG_EXPORTS", str(place))
    return place


@pytest.fixture
def shared(common: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KURE_RAG_EXPORTS", str(common))
    return common


def kept(exports: Path) -> list[Path]:
    """Folders of exports, whole or half made."""
    return sorted(path for path in exports.iterdir() if path.is_dir()) if exports.exists() else []


def child(folder: Path, backend: str, precision: str, out: Path, exports: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", EMBED, str(folder), backend, precision, str(out), *TEXTS],
        env={**os.environ, "KURE_RAG_EXPORTS": str(exports)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def least_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum(axis=1).min())


# Vectors


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
def test_fp32_vectors_are_those_of_torch(name: str, backend: Any, tmp_path: Path, exports: Path) -> None:
    make, pooling, dense = MODELS[name]
    model = transformer(tmp_path / name, make, pooling, dense=dense)
    plain = Embedder(str(model), EmbedSettings(precision="fp32")).embed_passages(TEXTS)
    settings = EmbedSettings(backend=backend, precision="fp32", batch_tokens=128)
    embedder = Embedder(str(model), settings)
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), plain, atol=1e-4)
    for text, vector in zip(TEXTS, plain, strict=True):
        np.testing.assert_allclose(embedder.embed_passages([text])[0], vector, atol=1e-4)
    manifest = read_manifest(kept(exports)[0])
    assert least_cosine(embedder.embed_passages(TEXTS), plain) >= 0.9999
    assert least_cosine(embedder.embed_queries(TEXTS), plain) >= 0.9999
    least = 0.9999 if manifest.checked_in == "f32" else 0.999
    assert least <= manifest.min_cosine <= manifest.mean_cosine <= 1.000001
    assert manifest.dimension == plain.shape[1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
def test_int8_is_near_torch_for_every_architecture(name: str, backend: Any, tmp_path: Path, exports: Path) -> None:
    make, pooling, dense = MODELS[name]
    model = transformer(tmp_path / name, make, pooling, dense=dense)
    plain = Embedder(str(model), EmbedSettings(precision="fp32")).embed_passages(TEXTS)
    found = Embedder(str(model), EmbedSettings(backend=backend, precision="int8")).embed_passages(TEXTS)
    assert least_cosine(found, plain) >= 0.99
    assert not np.array_equal(found, plain)


@pytest.mark.parametrize("backend", BACKENDS)
def test_int8_vectors_are_near_those_of_torch(backend: Any, folder: Path, expected: np.ndarray, shared: Path) -> None:
    vectors = Embedder(str(folder), EmbedSettings(backend=backend, precision="int8")).embed_passages(TEXTS)
    assert least_cosine(vectors, expected) >= 0.99
    assert not np.array_equal(vectors, expected)
    place = next(path for path in kept(shared) if f"{backend}-int8" in path.name)
    manifest = read_manifest(place)
    assert manifest.weights == "int8"
    assert manifest.model == "작은-모델", "the name of a folder, not the path to it"
    assert 0.99 <= manifest.min_cosine <= manifest.mean_cosine <= 1.000001
    assert not list(place.glob("model.*")), "the fp32 graph is left behind"


@pytest.mark.parametrize("backend", BACKENDS)
def test_texts_over_the_limit_are_cut_as_torch_cuts_them(backend: Any, folder: Path, shared: Path) -> None:
    long = " ".join(TEXTS * 3)
    told = EmbedSettings(backend=backend, precision="fp32", max_tokens=20)
    plain = Embedder(str(folder), EmbedSettings(max_tokens=20, precision="fp32")).embed_passages([long, TEXTS[0]])
    np.testing.assert_allclose(Embedder(str(folder), told).embed_passages([long, TEXTS[0]]), plain, atol=1e-4)
    plain = Embedder(str(folder), EmbedSettings(precision="fp32")).embed_passages([long * 3])  # over the model's own
    own = EmbedSettings(backend=backend, precision="fp32")
    np.testing.assert_allclose(Embedder(str(folder), own).embed_passages([long * 3]), plain, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_passes_can_be_begun_together_and_from_many_threads(backend: Any, folder: Path, shared: Path) -> None:
    embedder = Embedder(str(folder), EmbedSettings(backend=backend, precision="fp32"))
    alone = embedder.embed_passages(TEXTS)
    place = next(path for path in kept(shared) if f"{backend}-fp32" in path.name)
    runner = make_runner(place, read_manifest(place), "fp32")
    rows = [[2, *range(10, 10 + n), 3] for n in (1, 7, 30, 2)]
    waits = [runner.start([row]) for row in rows]
    together = [wait() for wait in waits]
    for row, vector in zip(rows, together, strict=True):
        np.testing.assert_allclose(runner.start([row])(), vector, atol=1e-5)
    with ThreadPoolExecutor(8) as pool:
        for vectors in pool.map(embedder.embed_passages, [TEXTS] * 24):
            np.testing.assert_allclose(vectors, alone, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_text_one_text_and_what_fills_no_batch(
    backend: Any, folder: Path, expected: np.ndarray, shared: Path
) -> None:
    embedder = Embedder(str(folder), EmbedSettings(backend=backend, precision="fp32"))
    assert embedder.embed_passages([]).shape == (0, expected.shape[1])
    np.testing.assert_allclose(embedder.embed_queries(TEXTS[1:2]), expected[1:2], atol=1e-4)
    np.testing.assert_allclose(
        embedder.embed_passages(["가"] * 3), embedder.embed_passages(["가"])[[0, 0, 0]], atol=1e-5
    )
    assert embedder.embed_passages(["\u200b"]).shape == (1, expected.shape[1]), "nothing that the tokenizer knows"


@pytest.mark.parametrize("backend", BACKENDS)
def test_kobert_keeps_its_own_tokenizer(backend: Any, tmp_path: Path, exports: Path) -> None:
    pytest.importorskip("sentencepiece")
    (tmp_path / "문장.txt").write_text("\n".join([*TEXTS, "1,200원과 15,000원"] * 20), encoding="utf-8")
    model = kobert(tmp_path / "kobert-복사본", tmp_path / "문장.txt")
    settings = EmbedSettings(precision="fp32", pooling="mean")
    texts = [*TEXTS, "1,200원과 15,000원", "  두 칸  "]
    plain = Embedder(str(model), settings).embed_passages(texts)
    found = Embedder(str(model), replace(settings, backend=backend)).embed_passages(texts)
    np.testing.assert_allclose(found, plain, atol=1e-4)
    [place] = kept(exports)
    assert read_manifest(place).tokenizer == "kobert"
    np.testing.assert_allclose(
        Embedder(str(place), EmbedSettings(backend=backend)).embed_passages(texts), plain, atol=1e-2
    )


def test_weights_alone_in_8_bits_are_nearer_than_products(folder: Path, tmp_path: Path) -> None:
    fp32, manifest = export_model(str(folder), EmbedSettings(backend="openvino"), out=tmp_path / "fp32")
    int8, static = export_model(str(folder), EmbedSettings(backend="openvino", precision="int8"), out=tmp_path / "int8")
    graphs.compress_openvino(fp32 / manifest.graph, tmp_path / "alone.xml")
    assert (tmp_path / "alone.bin").stat().st_size < 0.4 * (fp32 / "model.bin").stat().st_size
    rows = [[2, *range(10, 10 + n), 3] for n in (3, 30)]

    def vectors(place: Path, told: Manifest) -> np.ndarray:
        return np.concatenate([make_runner(place, told, "fp32").start([row])() for row in rows])

    plain = vectors(fp32, manifest)
    alone = vectors(tmp_path, replace(manifest, graph="alone.xml"))
    assert least_cosine(alone, plain) >= 0.999
    assert least_cosine(alone, plain) > least_cosine(vectors(int8, static), plain)


@given(st.lists(st.lists(st.integers(1, 99), max_size=20), min_size=1, max_size=6))
def test_padding_keeps_rows_and_marks_what_it_adds(batch: list[list[int]]) -> None:
    ids, mask = padded(batch, 0)
    assert ids.shape == mask.shape
    assert ids.shape == (len(batch), max(1, *map(len, batch)))
    assert [row[marks == 1].tolist() for row, marks in zip(ids, mask, strict=True)] == batch
    assert not ids[mask == 0].any()


def test_the_check_is_of_other_texts_than_the_calibration() -> None:
    assert not {*check_texts()} & {*calibration_texts()}
    assert min(map(len, check_texts())) < 5
    assert max(map(len, check_texts())) > 500


# Made once


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_export_is_used_again_and_without_torch(
    backend: Any, folder: Path, expected: np.ndarray, shared: Path, tmp_path: Path
) -> None:
    Embedder(str(folder), EmbedSettings(backend=backend)).embed_passages(TEXTS)
    place = next(path for path in kept(shared) if f"{backend}-fp32" in path.name)
    before = (place / MANIFEST).stat().st_mtime_ns
    process = child(folder, backend, "auto", tmp_path / "vectors.npy", shared)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.split() == [], "neither torch nor transformers is imported, and openvino's telemetry is not"
    assert "exporting" not in err
    assert (place / MANIFEST).stat().st_mtime_ns == before
    assert least_cosine(np.load(tmp_path / "vectors.npy"), expected) > 0.999


def test_two_processes_at_once_make_one_export(
    folder: Path, expected: np.ndarray, exports: Path, tmp_path: Path
) -> None:
    outs = [tmp_path / "하나.npy", tmp_path / "둘.npy"]
    processes = [child(folder, "openvino", "fp32", out, exports) for out in outs]
    said = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "".join(said).count(": exporting for openvino") == 1
    assert len(kept(exports)) == 1
    for out in outs:
        np.testing.assert_allclose(np.load(out), expected, atol=1e-4)


@pytest.mark.parametrize("file", ["model.bin", "model.xml", "tokenizer.json", MANIFEST])
def test_a_file_that_broke_off_is_exported_again(
    file: str, folder: Path, expected: np.ndarray, exports: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = EmbedSettings(backend="openvino", precision="fp32")
    Embedder(str(folder), settings).embed_passages(TEXTS)
    torn = kept(exports)[0] / file
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    with caplog.at_level(logging.WARNING, logger="kure_rag"):
        vectors = Embedder(str(folder), settings).embed_passages(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert "not whole" in caplog.text
    assert len(kept(exports)) == 1
    read_manifest(kept(exports)[0])


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_file_of_the_right_size_that_cannot_be_read_is_exported_again(
    file: str, folder: Path, expected: np.ndarray, exports: Path
) -> None:
    settings = EmbedSettings(backend="onnx", precision="fp32")
    Embedder(str(folder), settings).embed_passages(TEXTS)
    broken = kept(exports)[0] / file
    broken.write_bytes(b"\xff" * broken.stat().st_size)
    np.testing.assert_allclose(Embedder(str(folder), settings).embed_passages(TEXTS), expected, atol=1e-4)


def test_a_retrained_model_is_exported_by_itself(tmp_path: Path, exports: Path) -> None:
    settings = EmbedSettings(backend="onnx", precision="fp32")
    first = Embedder(str(transformer(tmp_path / "모델", seed=1)), settings).embed_passages(TEXTS)
    retrained = transformer(tmp_path / "모델", seed=2)
    second = Embedder(str(retrained), settings).embed_passages(TEXTS)
    assert not np.allclose(first, second, atol=1e-2)
    plain = Embedder(str(retrained), EmbedSettings(precision="fp32")).embed_passages(TEXTS)
    np.testing.assert_allclose(second, plain, atol=1e-4)


def test_what_a_killed_process_left_is_cleared_away(folder: Path, exports: Path) -> None:
    settings = EmbedSettings(backend="onnx", precision="fp32")
    Embedder(str(folder), settings).load()
    place = kept(exports)[0]
    left = place.with_name(f".{place.name}.0badcafe.part")
    left.mkdir()
    (left / "model.onnx").write_bytes(b"half")
    (place / MANIFEST).unlink()
    Embedder(str(folder), settings).load()
    assert kept(exports) == [place]


def test_files_are_graphs_tokenizer_and_settings(folder: Path, shared: Path) -> None:
    for backend, precision in ((b, p) for b in BACKENDS for p in ("fp32", "int8")):
        Embedder(str(folder), EmbedSettings(backend=backend, precision=precision)).load()  # type: ignore[arg-type]
    assert len(kept(shared)) == 4
    endings = {"json", "onnx", "data", "xml", "bin"}
    for file in (file for place in kept(shared) for file in place.rglob("*") if file.is_file()):
        assert file.suffix[1:] in endings, file
        beginning = file.open("rb").read(2)
        assert beginning not in {b"PK", b"\x80\x02", b"\x80\x04"}, f"{file.name} is pickled"


def test_a_cache_holds_vectors_of_each_precision_by_themselves(folder: Path, shared: Path, tmp_path: Path) -> None:
    keys = [EmbedSettings(backend=b, precision=p) for b in ("torch", *BACKENDS) for p in ("fp32", "int8")]  # type: ignore[arg-type]
    found = [
        Embedder(str(folder), replace(settings, cache=tmp_path)).embed_passages(TEXTS)
        for settings in keys
        if (settings.backend, settings.precision) != ("torch", "int8")
    ]
    fp32, int8 = (found[0], found[1], found[3]), (found[2], found[4])
    assert np.array_equal(fp32[0], fp32[1])
    assert np.array_equal(fp32[0], fp32[2]), "fp32 is fp32 on whatever engine, and found"
    assert not np.array_equal(fp32[0], int8[0])
    assert not np.array_equal(fp32[0], int8[1])
    assert not np.array_equal(int8[0], int8[1])


@pytest.mark.parametrize("imported", ["", "import openvino, time; time.sleep(2)"])
def test_nothing_is_reported_over_the_network(imported: str, folder: Path, tmp_path: Path) -> None:
    settings = [str(folder), "openvino", "int8", str(tmp_path / "vectors.npy"), *TEXTS]
    run = subprocess.run(
        [sys.executable, "-c", f"{imported}\n{LISTEN}\n{EMBED}\n{REPORTED}", *settings],
        env={
            **{k: v for k, v in os.environ.items() if k != "CI"},
            "KURE_RAG_EXPORTS": str(tmp_path),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "vectors.npy").is_file()
    if not imported:  # importing OpenVINO writes down who will report
        assert not list(tmp_path.glob("intel/*")), "telemetry was on"


# The check


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_too_far_from_the_original_is_not_kept(
    precision: Any, folder: Path, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LEAST_COSINE", 1.01)
    with pytest.raises(
        EmbeddingError, match=r"작은-모델.* too far from the original's \(cosine [01]\.\d+ at worst.*backend='torch'"
    ):
        Embedder(str(folder), EmbedSettings(backend="onnx", precision=precision)).embed_passages(TEXTS)
    assert kept(exports) == []


def test_a_model_that_is_no_transformer_is_refused(exports: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EmbeddingError, match=r"static-ko: is no transformer.*backend='torch'"):
        Embedder("static-ko", EmbedSettings(backend="openvino")).embed_passages(TEXTS)
    assert kept(exports) == []
    assert "exporting" not in caplog.text  # nobody is told to wait for it


def test_a_folder_is_not_exported_as_another_revision_than_its_own(exports: Path) -> None:
    with pytest.raises(EmbeddingError, match="revision='abc' was asked for; leave revision out"):
        export_model("static-ko", EmbedSettings(backend="openvino", revision="abc"))
    assert kept(exports) == []
