from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import ValidationError

from kure_rag import Embedder, EmbedSettings, ModelCard
from kure_rag.embed import as_embedder
from kure_rag.errors import UnknownModelError
from kure_rag.llama_index import KureEmbedding

TEXTS = ["연차휴가는 며칠인가요?", "급여는 매월 25일에 지급한다.", "병가에는 진단서가 필요하다."]

SETTINGS: dict[str, Any] = {
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
    "timeout": 30.0,
    "retries": 2,
    "cache": "vectors",
    "cache_bytes": 2_000_000,
    "cache_folder": "weights",
    "local_files_only": True,
    "trust_remote_code": True,
}
LOCAL: dict[str, Any] = {"max_tokens": 128}  # a server takes none


def test_every_setting_of_the_embedder_can_be_given() -> None:
    assert {field.name for field in fields(EmbedSettings)} == {*SETTINGS, *LOCAL}
    embedding = KureEmbedding("KoE5", embed_batch_size=8, **SETTINGS)
    assert embedding.kure_embedder.settings == EmbedSettings(**SETTINGS)
    assert KureEmbedding().kure_embedder.settings == EmbedSettings()
    assert KureEmbedding().embed_batch_size == 512


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"embed_batch_size": 8, **SETTINGS},
        LOCAL,
        {"card": "KURE-v1"},
        {"card": ModelCard(name="우리/모델", aliases=("모델",), query_prefix=None, dimension=32)},
        {"cache": Path("벡터")},  # of which JSON knows nothing
    ],
)
def test_round_trips_keep_everything(settings: dict[str, Any]) -> None:
    embedding = KureEmbedding("KoE5", **settings)
    assert embedding.to_dict()["class_name"] == KureEmbedding.class_name() == "KureEmbedding"
    for again in (
        KureEmbedding.from_dict(embedding.to_dict()),
        KureEmbedding.from_json(embedding.to_json()),
        pickle.loads(pickle.dumps(embedding)),
    ):
        assert again.to_dict() == embedding.to_dict()
        assert again.kure_embedder.card == embedding.kure_embedder.card
        assert again.kure_embedder.settings == embedding.kure_embedder.settings


@pytest.mark.parametrize("setting", [*SETTINGS, "max_tokens"])
def test_each_setting_is_part_of_the_pipeline_s_cache_key(setting: str) -> None:
    nodes = [TextNode(id_="1", text=TEXTS[0])]
    server = ("backend", "endpoint")  # one makes no sense without the other, nor some others without them
    of_server = setting in (*server, "batch_texts")
    every = {**SETTINGS, **LOCAL}
    changed = {name: every[name] for name in {setting, *(server if of_server else ())}}
    without = {name: value for name, value in changed.items() if name in server and setting not in server}
    plain, other = KureEmbedding("KoE5", **without), KureEmbedding("KoE5", **changed)
    assert get_transformation_hash(nodes, plain) == get_transformation_hash(nodes, KureEmbedding("KoE5", **without))
    assert get_transformation_hash(nodes, plain) != get_transformation_hash(nodes, other)


def test_vectors_are_the_embedder_s(tiny_model: Path) -> None:
    embedding, core = KureEmbedding(str(tiny_model)), Embedder(str(tiny_model))
    passages = core.embed_passages(TEXTS)
    assert np.array_equal(
        np.asarray(embedding.get_query_embedding(TEXTS[0]), dtype=np.float32), core.embed_queries(TEXTS[:1])[0]
    )
    assert np.array_equal(
        np.asarray(embedding.get_text_embedding(TEXTS[0]), dtype=np.float32), core.embed_passages(TEXTS[:1])[0]
    )
    assert np.array_equal(np.asarray(embedding.get_text_embedding_batch(TEXTS), dtype=np.float32), passages)
    assert all(type(number) is float for number in embedding.get_query_embedding(TEXTS[0]))


async def test_async_gives_the_same(tiny_model: Path) -> None:
    embedding = KureEmbedding(str(tiny_model), embed_batch_size=2)
    many = TEXTS * 10
    assert await embedding.aget_query_embedding(TEXTS[0]) == embedding.get_query_embedding(TEXTS[0])
    assert await embedding.aget_text_embedding(TEXTS[0]) == embedding.get_text_embedding(TEXTS[0])
    assert await embedding.aget_text_embedding_batch(many) == embedding.get_text_embedding_batch(many)


@pytest.mark.parametrize("method", ["aget_query_embedding", "aget_text_embedding", "aget_text_embedding_batch"])
async def test_the_event_loop_goes_on_while_it_embeds(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    embedding = KureEmbedding("KURE-v1")
    let_go = threading.Event()

    def slow(texts: list[str]) -> np.ndarray[Any, Any]:
        assert let_go.wait(10), "nothing else ran on the event loop while it embedded"
        return np.zeros((len(texts), 3), dtype=np.float32)

    monkeypatch.setattr(embedding.kure_embedder, "embed_queries", slow)
    monkeypatch.setattr(embedding.kure_embedder, "embed_passages", slow)
    embedding_one = asyncio.create_task(getattr(embedding, method)(TEXTS if method.endswith("batch") else TEXTS[0]))
    await asyncio.sleep(0.01)
    let_go.set()
    assert np.shape(await embedding_one) in {(3,), (3, 3)}


async def test_it_is_a_step_of_a_pipeline(tiny_model: Path) -> None:
    embedding = KureEmbedding(str(tiny_model))
    nodes = [TextNode(text=text) for text in TEXTS]
    embedded = await IngestionPipeline(transformations=[embedding]).arun(nodes=nodes)
    assert [node.embedding for node in embedded] == embedding.get_text_embedding_batch(TEXTS)


def test_a_cache_that_mixes_queries_and_passages_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValidationError, match="leave embeddings_cache out"):
        KureEmbedding("KoE5", embeddings_cache=SimpleKVStore())
    embedding = KureEmbedding(str(tiny_model), embeddings_cache=SimpleKVStore())  # no prefixes: nothing to mix up
    assert embedding.get_text_embedding(TEXTS[0]) == embedding.get_query_embedding(TEXTS[0])


def test_bad_settings_are_named() -> None:
    with pytest.raises(UnknownModelError, match="없는모델"):
        KureEmbedding("없는모델")
    with pytest.raises(TypeError, match="'qurey_prefix'"):
        KureEmbedding("KoE5", qurey_prefix="query: ")
    with pytest.raises(ValidationError, match="frozen"):
        KureEmbedding("KoE5").query_prefix = ""


def test_the_index_takes_the_embedder_behind_it(tiny_model: Path) -> None:
    embedding = KureEmbedding(str(tiny_model))
    assert as_embedder(embedding) is embedding.kure_embedder


def test_without_llama_index_it_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['llama_index'] = None\n"
        "from kure_rag.errors import MissingExtraError\n"
        "try:\n    import kure_rag.llama_index\n"
        "except MissingExtraError as error:\n    print(isinstance(error, ImportError), error.extra, error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("True llama-index kure_rag.llama_index needs an optional package.")
    assert 'pip install "kure-rag[llama-index]"' in out
