from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.load import dumps, loads
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from pydantic import ValidationError

from kure_rag import Embedder, EmbedSettings, KureEmbeddings, ModelCard
from kure_rag.embed import as_embedder
from kure_rag.errors import InvalidTextError, UnknownModelError


class _TinyModel:
    @pytest.fixture(autouse=True)
    def _take_tiny_model(self, tiny_model: Path) -> None:
        self.folder = str(tiny_model)

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KureEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.folder, "device": "cpu"}


class TestStandardUnit(_TinyModel, EmbeddingsUnitTests):
    pass


class TestStandardIntegration(_TinyModel, EmbeddingsIntegrationTests):
    pass


class TestStandardIntegrationBundled(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KureEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "static-ko"}


def test_every_setting_of_the_embedder_can_be_given() -> None:
    ours = {name: field.default for name, field in KureEmbeddings.model_fields.items() if name not in ("model", "card")}
    assert ours == {field.name: field.default for field in fields(EmbedSettings)}
    given: dict[str, Any] = {
        "revision": "abc",
        "query_prefix": "질문: ",
        "passage_prefix": "",
        "pooling": "mean",
        "normalize": False,
        "dense_weight": 0.0,
        "dimension": 368,
        "too_long": "raise",
        "backend": "remote",
        "precision": "fp32",
        "device": "cpu",
        "batch_tokens": 1000,
        "endpoint": "http://localhost:8080",
        "batch_texts": 16,
        "cache": "vectors",
        "cache_folder": "weights",
        "local_files_only": True,
        "trust_remote_code": True,
    }
    embeddings = KureEmbeddings("nlpai-lab/KoE5", **given)
    assert embeddings.kure_embedder.settings == EmbedSettings(**given)
    assert embeddings.kure_embedder.prefixes == ("질문: ", "")
    assert KureEmbeddings("nlpai-lab/KoE5", max_tokens=128).kure_embedder.settings == EmbedSettings(max_tokens=128)


def test_vectors_are_the_embedder_s(tiny_model: Path) -> None:
    embeddings, core = KureEmbeddings(str(tiny_model)), Embedder(str(tiny_model))
    texts = ["연차휴가는 며칠인가요?", "급여는 매월 25일에 지급한다."]
    assert np.array_equal(
        np.asarray(embeddings.embed_query(texts[0]), dtype=np.float32), core.embed_queries(texts[:1])[0]
    )
    assert np.array_equal(np.asarray(embeddings.embed_documents(texts), dtype=np.float32), core.embed_passages(texts))


async def test_async_gives_the_same(tiny_model: Path) -> None:
    embeddings = KureEmbeddings(str(tiny_model))
    assert await embeddings.aembed_query("병가") == embeddings.embed_query("병가")
    assert await embeddings.aembed_documents(["병가", "급여"]) == embeddings.embed_documents(["병가", "급여"])


def test_no_texts_need_no_model() -> None:
    assert KureEmbeddings().embed_documents([]) == []


def test_bad_input_is_named(tiny_model: Path) -> None:
    with pytest.raises(InvalidTextError, match="text 1 is empty"):
        KureEmbeddings(str(tiny_model)).embed_documents(["급여", "  "])
    with pytest.raises(UnknownModelError, match="없는모델"):
        KureEmbeddings("없는모델")
    with pytest.raises(ValidationError, match="qurey_prefix"):
        KureEmbeddings("KoE5", qurey_prefix="query: ")


def test_settings_stay_as_the_index_remembers_them() -> None:
    embeddings = KureEmbeddings("KoE5")
    with pytest.raises(ValidationError, match="frozen"):
        embeddings.query_prefix = ""


def test_the_index_takes_the_embedder_behind_it(tiny_model: Path) -> None:
    embeddings = KureEmbeddings(str(tiny_model))
    assert as_embedder(embeddings) is embeddings.kure_embedder


def test_repr_shows_what_was_chosen() -> None:
    assert repr(KureEmbeddings("KoE5", device="cpu")) == "KureEmbeddings(model='KoE5', device='cpu')"


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"query_prefix": "", "passage_prefix": "", "normalize": False, "dense_weight": 0.0},
        {"card": "KURE-v1"},
        {"card": ModelCard(name="우리/모델", aliases=("모델",), query_prefix=None, dimension=32)},
        {"cache": Path("벡터")},  # of which JSON knows nothing
    ],
)
def test_langchain_serialisation_keeps_everything(settings: dict[str, Any]) -> None:
    embeddings = KureEmbeddings("KoE5", **settings)
    text = dumps(embeddings)
    assert json.loads(text)["id"][0] == "kure_rag"
    again = loads(text, allowed_objects=[KureEmbeddings], valid_namespaces=["kure_rag"])
    assert type(again) is KureEmbeddings
    assert again.model_dump() == embeddings.model_dump()


def test_making_one_loads_no_model_library() -> None:
    code = (
        "import sys; from kure_rag import KureEmbeddings; KureEmbeddings('KoE5');"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
