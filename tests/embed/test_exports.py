"""Folders of exported models: used by themselves, refused where they are something else, and never half made."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import bert, transformer, xlm_roberta

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.backends import export
from kure_rag.embed.backends.export import export_model
from kure_rag.embed.backends.exported import exports_folder
from kure_rag.embed.backends.manifest import MANIFEST, Manifest, read_manifest
from kure_rag.embed.folders import read_folder
from kure_rag.errors import EmbeddingError, MissingExtraError

for library in ("onnx", "onnxruntime", "nncf", "openvino"):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"the extra for {library} is not installed", allow_module_level=True)

TEXTS = ["연차휴가는 며칠인가요?", "휴가", "1년간 80% 이상 출근한 근로자에게는 15일의 유급휴가를 준다."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformer(tmp_path_factory.mktemp("models") / "작은-모델", bert, "mean")


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "내보낸 모델"
    monkeypatch.setenv("KURE_RAG_EXPORTS", str(place))
    return place


def kept(exports: Path) -> list[Path]:
    """Folders of exports, whole or half made."""
    return sorted(path for path in exports.iterdir() if path.is_dir()) if exports.exists() else []


# A folder of its own


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Manifest]:
    """A model with prefixes on its card, and its export under another name."""
    model = transformer(tmp_path_factory.mktemp("models") / "KoE5", xlm_roberta, "mean")
    place, manifest = export_model(
        str(model), EmbedSettings(backend="onnx", precision="fp32"), out=tmp_path_factory.mktemp("out") / "내 모델"
    )
    return model, place, manifest


def test_an_exported_folder_is_a_model_with_its_prefixes(alone: tuple[Path, Path, Manifest]) -> None:
    model, place, manifest = alone
    embedder = Embedder(str(place), EmbedSettings(backend="onnx"))
    assert embedder.prefixes == ("query: ", "passage: ")
    plain = Embedder(str(model), EmbedSettings(precision="fp32"))
    np.testing.assert_allclose(embedder.embed_queries(TEXTS), plain.embed_queries(TEXTS), atol=1e-4)
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), plain.embed_passages(TEXTS), atol=1e-4)
    assert manifest == read_manifest(place)
    assert manifest.model == "nlpai-lab/KoE5"


def test_an_export_is_in_an_index_what_it_was_made_from(alone: tuple[Path, Path, Manifest]) -> None:
    model, place, _ = alone
    original, exported = Embedder(str(model)), Embedder(str(place), EmbedSettings(backend="onnx"))
    assert exported.name == "nlpai-lab/KoE5"
    assert exported.fingerprint == original.fingerprint
    assert exported.dense_weight == original.dense_weight


def test_torch_cannot_run_an_export_and_says_so(alone: tuple[Path, Path, Manifest]) -> None:
    with pytest.raises(EmbeddingError, match="exported for onnx; use backend='onnx'"):
        Embedder(str(alone[1])).load()
    with pytest.raises(EmbeddingError, match="exported for onnx; use backend='onnx'"):
        Embedder(str(alone[1]), EmbedSettings(device="cpu,cpu")).load()


def test_an_exported_folder_says_what_it_is(alone: tuple[Path, Path, Manifest]) -> None:
    _, place, manifest = alone
    facts, embedder = read_folder(place), Embedder(str(place), EmbedSettings(backend="onnx"))
    assert (facts.made_from, facts.pooling, facts.dimension) == ("nlpai-lab/KoE5", "mean", manifest.dimension)
    assert (facts.query_prefix, facts.passage_prefix) == embedder.prefixes
    assert facts.max_tokens == embedder.load().max_tokens
    assert facts.assumed == ("it is an export with fp32 weights, for backend='onnx' alone",)


def test_an_exported_folder_is_used_as_what_it_is(alone: tuple[Path, Path, Manifest]) -> None:
    _, place, _ = alone
    with pytest.raises(EmbeddingError, match="exported for onnx; use backend='onnx'"):
        Embedder(str(place), EmbedSettings(backend="openvino")).load()
    with pytest.raises(EmbeddingError, match="exported with fp32 weights, and precision='int8'"):
        Embedder(str(place), EmbedSettings(backend="onnx", precision="int8")).load()
    with pytest.raises(EmbeddingError, match="is an exported model; give the original"):
        export_model(str(place), EmbedSettings(backend="onnx"))


def test_a_torn_folder_of_its_own_is_an_error_and_stays(folder: Path, tmp_path: Path) -> None:
    place, _ = export_model(str(folder), EmbedSettings(backend="onnx"), out=tmp_path / "내보냄")
    (place / "model.onnx.data").write_bytes(b"")
    with pytest.raises(EmbeddingError, match=r"not whole \(model.onnx.data broke off\); export the model again"):
        Embedder(str(place), EmbedSettings(backend="onnx")).load()
    assert (place / MANIFEST).is_file()
    export_model(str(folder), EmbedSettings(backend="onnx"), out=place)  # takes the place of the torn one
    Embedder(str(place), EmbedSettings(backend="onnx")).embed_queries(TEXTS)


def test_a_folder_with_other_files_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "소중한 파일.txt").write_text("지우지 마세요", encoding="utf-8")
    with pytest.raises(EmbeddingError, match="holds something other than an exported model"):
        export_model(str(folder), EmbedSettings(backend="onnx"), out=tmp_path)
    assert (tmp_path / "소중한 파일.txt").read_text(encoding="utf-8") == "지우지 마세요"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pooling": "cls"}, "exported with mean pooling, and 'cls' was asked for"),
        ({"revision": "0badcafe"}, "exported from revision local-.*and revision='0badcafe' was asked for"),
    ],
)
def test_an_export_of_another_pooling_or_revision(
    changes: dict[str, Any], said: str, alone: tuple[Path, Path, Manifest]
) -> None:
    with pytest.raises(EmbeddingError, match=said):
        Embedder(str(alone[1]), EmbedSettings(backend="onnx", **changes)).load()
    same = EmbedSettings(backend="onnx", pooling="mean", revision=alone[2].revision)
    Embedder(str(alone[1]), same).load()


def test_an_export_of_another_model(alone: tuple[Path, Path, Manifest], tmp_path: Path) -> None:
    wrong = tmp_path / "KURE-v1"
    shutil.copytree(alone[1], wrong)
    with pytest.raises(EmbeddingError, match="exported from nlpai-lab/KoE5, and used as nlpai-lab/KURE-v1"):
        Embedder(str(wrong), EmbedSettings(backend="onnx")).load()
    with pytest.raises(EmbeddingError, match="exported from nlpai-lab/KoE5, and used as nlpai-lab/KURE-v1"):
        Embedder(str(alone[1]), EmbedSettings(backend="onnx"), card="KURE-v1").load()
    Embedder(str(alone[1]), EmbedSettings(backend="onnx"), card="KoE5").load()


def test_a_folder_that_holds_no_model(tmp_path: Path, exports: Path) -> None:
    with pytest.raises(EmbeddingError, match="no "):
        Embedder(str(tmp_path), EmbedSettings(backend="onnx")).load()
    assert kept(exports) == []


def test_a_manifest_that_leads_out_of_its_folder(alone: tuple[Path, Path, Manifest], tmp_path: Path) -> None:
    stored = json.loads((alone[1] / MANIFEST).read_text(encoding="utf-8"))
    for changes in ({"graph": "../model.onnx"}, {"files": {"../model.onnx": 1}}, {"files": None}, {"files": {}}):
        (tmp_path / MANIFEST).write_text(json.dumps({**stored, **changes}), encoding="utf-8")
        with pytest.raises(EmbeddingError, match="not whole"):
            read_manifest(tmp_path)


def test_an_export_that_fails_leaves_the_earlier_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, before = export_model(str(folder), EmbedSettings(backend="onnx"), out=tmp_path / "내보냄")
    monkeypatch.setattr(export, "LEAST_COSINE", 1.01)
    with pytest.raises(EmbeddingError, match="too far"):
        export_model(str(folder), EmbedSettings(backend="onnx"), out=place)
    assert read_manifest(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["내보냄"], "no lock, and no half"


def test_calibration_that_nothing_would_use(folder: Path, tmp_path: Path) -> None:
    for settings in (EmbedSettings(backend="onnx", precision="int8"), EmbedSettings(backend="openvino")):
        with pytest.raises(EmbeddingError, match="calibration texts are for int8 on OpenVINO"):
            export_model(str(folder), settings, out=tmp_path / "x", calibration=TEXTS)


def test_an_export_of_a_newer_format_says_so(alone: tuple[Path, Path, Manifest], tmp_path: Path) -> None:
    stored = json.loads((alone[1] / MANIFEST).read_text(encoding="utf-8"))
    (tmp_path / MANIFEST).write_text(json.dumps({**stored, "format": 99}), encoding="utf-8")
    with pytest.raises(EmbeddingError, match="another version of kure-rag"):
        read_manifest(tmp_path)


# What is not there


@pytest.mark.parametrize(
    ("backend", "precision", "missing"),
    [
        ("openvino", "auto", "openvino"),
        ("openvino", "int8", "nncf"),
        ("onnx", "auto", "onnxruntime"),
        ("onnx", "auto", "onnx"),
    ],
)
def test_a_missing_package_names_its_extra(
    backend: Any, precision: Any, missing: str, folder: Path, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError) as caught:
        Embedder(str(folder), EmbedSettings(backend=backend, precision=precision)).load()
    assert f'pip install "kure-rag[{backend}]"' in str(caught.value)
    assert kept(exports) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (EmbedSettings(backend="openvino", device="cuda"), "runs on the processor, and device='cuda' was asked for"),
        (EmbedSettings(backend="onnx", precision="fp16"), "choose fp32 or int8"),
        (EmbedSettings(backend="onnx", precision="bf16"), "choose fp32 or int8"),
    ],
)
def test_what_an_engine_cannot_do_is_said_before_anything_is_made(
    settings: EmbedSettings, said: str, folder: Path, exports: Path
) -> None:
    with pytest.raises(EmbeddingError, match=said):
        Embedder(str(folder), settings).load()
    assert kept(exports) == []


def test_exports_lie_beside_the_weights_where_a_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KURE_RAG_EXPORTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert exports_folder(EmbedSettings()) == tmp_path / "kure-rag" / "exports"
    assert exports_folder(EmbedSettings(cache_folder="/weights")) == Path("/weights/kure-rag-exports")


def test_a_folder_that_cannot_be_written_is_a_clear_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "파일").write_text("폴더가 아님", encoding="utf-8")
    monkeypatch.setenv("KURE_RAG_EXPORTS", str(tmp_path / "파일" / "안"))
    with pytest.raises(EmbeddingError, match="KURE_RAG_EXPORTS, to a folder you may write"):
        Embedder(str(folder), EmbedSettings(backend="onnx")).load()
