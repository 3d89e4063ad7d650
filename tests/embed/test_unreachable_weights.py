import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

from kure_rag.embed import Embedder
from kure_rag.errors import EmbeddingError, ModelNotAvailableError, UnknownModelError

SCRIPT = """
import json, sys
from kure_rag.embed import Embedder
out = []
for name in sys.argv[1:]:
    try:
        Embedder(name).embed_queries(["연차휴가는 며칠인가요?"])
    except Exception as error:
        out.append([type(error).__name__, str(error)])
print(json.dumps(out))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "휴가": 1, "보험": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    folder = tmp_path / "작은모델"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save_pretrained(
        str(folder)
    )
    return folder


def test_without_network_or_cache_the_error_names_three_ways(tmp_path: Path) -> None:
    names = ["nlpai-lab/KURE-v1", "BM-K/KoSimCSE-roberta", "someone/unknown-model"]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], env=env, capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [kind for kind, _ in found] == [ModelNotAvailableError.__name__] * 3
    for name, (_, message) in zip(names, found, strict=True):
        assert f"hf download {name}" in message
        assert "folder of a local copy" in message
        assert "model='static-ko'" in message


def test_unknown_names_are_refused_before_anything_is_loaded() -> None:
    with pytest.raises(UnknownModelError, match="KURE-v1"):
        Embedder("KURE-v11")


def error(folder: Path) -> str:
    with pytest.raises(EmbeddingError) as caught:
        Embedder(str(folder)).embed_queries(["휴가"])
    assert type(caught.value) is EmbeddingError
    return str(caught.value)


def test_the_model_is_sound(model: Path) -> None:
    assert Embedder(str(model)).embed_queries(["휴가"]).shape == (1, 8)


@pytest.mark.parametrize("keep", [0, 6, 40, -8])
def test_broken_safetensors(model: Path, keep: int) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert str(model) in error(model)


def test_weights_that_are_not_there(model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert str(model) in error(model)


def test_pickled_weights_are_refused(model: Path) -> None:
    torch.save(load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    assert Embedder(str(model)).embed_queries(["휴가"]).shape == (1, 8)
    (model / "model.safetensors").unlink()
    assert "only safetensors are loaded" in error(model)


@pytest.mark.parametrize("name", ["modules.json", "tokenizer.json", "config_sentence_transformers.json"])
def test_broken_settings(model: Path, name: str) -> None:
    (model / name).write_text("{", encoding="utf-8")
    assert str(model) in error(model)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    assert str(tmp_path) in error(tmp_path)
