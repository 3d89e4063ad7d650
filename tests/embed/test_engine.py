"""What an index keeps of its engine, and what is said when another one is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kure_rag.embed import Embedder, EmbedSettings
from kure_rag.embed.engine import engine_record, moved, settings_like

OPENVINO = {"backend": "openvino", "precision": "int8"}
SERVER = {"backend": "remote", "precision": "auto", "endpoint": "http://localhost:8080"}


def test_what_is_kept_of_an_engine() -> None:
    settings = EmbedSettings(backend="openvino", precision="int8", device="cpu", cache="/vectors", cache_folder="/w")
    assert engine_record(settings) == OPENVINO, "no device and no folder: an index is copied to other machines"
    assert engine_record(EmbedSettings(backend="onnx"), weights="int8") == {"backend": "onnx", "precision": "int8"}
    remote = EmbedSettings(backend="remote", endpoint=" https://host/v1/embeddings?code=geheim#x ", timeout=3)
    assert engine_record(remote)["endpoint"] == "https://host/v1/embeddings"


@pytest.mark.parametrize(
    ("engine", "given", "expected"),
    [
        (None, {}, {}),
        (OPENVINO, {}, OPENVINO),
        (OPENVINO, {"device": "cpu"}, {**OPENVINO, "device": "cpu"}),
        (OPENVINO, {"precision": "auto"}, {"backend": "openvino"}),
        (OPENVINO, {"backend": "openvino"}, OPENVINO),
        (OPENVINO, {"backend": "torch"}, {}),  # which has no int8
        (SERVER, {}, SERVER),
        (SERVER, {"endpoint": "http://other:1"}, {**SERVER, "endpoint": "http://other:1"}),
        (SERVER, {"backend": "torch", "precision": "fp32"}, {"precision": "fp32"}),
    ],
)
def test_what_is_asked_for_goes_over_what_the_index_keeps(
    engine: Any, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert settings_like(engine, given) == EmbedSettings(**expected)
    found = settings_like(engine, given, query_prefix="질문: ", normalize=False)
    assert (found.query_prefix, found.normalize) == ("질문: ", False)
    assert settings_like(engine, {**given, "query_prefix": ""}, query_prefix="질문: ").query_prefix == ""


def test_settings_that_there_are_not_are_named() -> None:
    with pytest.raises(ValueError, match=r"no setting named bakcend; choose from backend, batch_texts"):
        settings_like(None, {"bakcend": "torch"})
    with pytest.raises(ValueError, match="belong together"):
        settings_like(OPENVINO, {"backend": "remote"})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (OPENVINO, None),
        (
            {"backend": "torch", "precision": "bf16"},
            "with 8-bit weights on openvino and is used with floating-point weights",
        ),
        ({"backend": "onnx", "precision": "int8"}, "8-bit weights on onnx"),
        (SERVER, "the server http://localhost:8080"),
    ],
)
def test_a_change_beyond_rounding_is_said(now: dict[str, str], said: str | None) -> None:
    told = moved(OPENVINO, now)
    assert told is None if said is None else said in (told or "")
    assert moved(None, now) is None, "an index of an older version does not know"


@pytest.mark.parametrize("backend", ["torch", "onnx", "openvino"])
@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
def test_floating_point_engines_are_one(backend: str, precision: str) -> None:
    assert moved({"backend": "torch", "precision": "auto"}, {"backend": backend, "precision": precision}) is None


def test_another_server_is_a_change() -> None:
    assert moved(SERVER, {**SERVER, "precision": "auto"}) is None
    assert "http://other:1" in (moved(SERVER, {**SERVER, "endpoint": "http://other:1"}) or "")


def test_an_int8_export_has_vectors_of_its_own_in_a_cache(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from small_models import bert, transformer

    from kure_rag.embed.backends.export import export_model

    folder, texts = transformer(tmp_path / "우리-모델", bert), ["연차휴가는 15일로 한다.", "급여는 매월 25일에 준다."]
    place, _ = export_model(str(folder), EmbedSettings(backend="onnx", precision="int8"), out=tmp_path / "int8")
    original = Embedder(str(folder), EmbedSettings(cache=tmp_path / "cache", precision="auto", device="cpu"))
    export = Embedder(str(place), EmbedSettings(cache=tmp_path / "cache", backend="onnx"))
    assert dict(export.fingerprint) == dict(original.fingerprint), "one model, for an index"
    assert export.engine == {"backend": "onnx", "precision": "int8"}
    vectors = original.embed_passages(texts)
    rounded = export.embed_passages(texts)
    assert not np.array_equal(vectors, rounded)
    np.testing.assert_array_equal(rounded, Embedder(str(place), EmbedSettings(backend="onnx")).embed_passages(texts))
