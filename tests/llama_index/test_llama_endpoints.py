"""The key in an embedding server's address stays in the objects that ask the server."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import TextNode
from pydantic import ValidationError

from kure_rag.errors import EndpointError
from kure_rag.langchain import KureEmbeddings, KureReranker
from kure_rag.llama_index import KureEmbedding, KureRerank, KureVectorStore
from kure_rag.llama_index.endpoints import without_key

KEY = "SECRET-7f3a"
ENDPOINT = f"http://127.0.0.1:9/v1?key={KEY}"
REMOTE: dict[str, Any] = {"backend": "remote", "endpoint": ENDPOINT, "retries": 0}


@pytest.fixture
def embedding() -> KureEmbedding:
    return KureEmbedding("nlpai-lab/KURE-v1", **REMOTE)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (None, None),
        ("http://localhost:8080/v1", "http://localhost:8080/v1"),
        (f"https://h.example/v1?key={KEY}", "https://h.example/v1?***"),
        (f"https://h.example/v1#{KEY}", "https://h.example/v1?***"),
        (f"https://{KEY}@h.example:8443/v1", "https://h.example:8443/v1?***"),
        (f"https://h.example/@{KEY}/v1", "https://h.example?***"),
        (f"http://[{KEY}@", "?***"),
    ],
)
def test_an_address_that_may_hold_a_key_is_written_without_it(given: str | None, written: str | None) -> None:
    assert without_key(given) == written


def test_what_is_written_down_has_no_key_and_the_embedding_keeps_it(embedding: KureEmbedding) -> None:
    for written in (embedding.to_dict(), embedding.to_json(), embedding.model_dump_json(), embedding.dict(), embedding):
        assert KEY not in repr(written)
    assert embedding.to_dict()["endpoint"] == "http://127.0.0.1:9/v1?***"
    assert embedding.kure_embedder.settings.endpoint == ENDPOINT
    assert pickle.loads(pickle.dumps(embedding)).endpoint == ENDPOINT  # for another process of one's own


def test_event_handlers_are_told_no_key(embedding: KureEmbedding) -> None:
    heard = LlamaDebugHandler(print_trace_on_end=False)
    embedding.callback_manager = CallbackManager([heard])
    with pytest.raises(EndpointError):
        embedding.get_text_embedding("휴가")
    events = heard.get_events()
    assert events
    assert all(KEY not in repr(event.payload) for event in events)


def test_a_cache_of_vectors_is_the_same_for_each_key_and_another_for_another_server(embedding: KureEmbedding) -> None:
    nodes = [TextNode(id_="a", text="휴가")]

    def key_of(endpoint: str) -> str:
        other = KureEmbedding("nlpai-lab/KURE-v1", backend="remote", retries=0, endpoint=endpoint)
        return get_transformation_hash(nodes, other)

    assert key_of("http://127.0.0.1:9/v1?key=new") == get_transformation_hash(nodes, embedding)
    assert key_of(f"http://127.0.0.2:9/v1?key={KEY}") != get_transformation_hash(nodes, embedding)


def test_what_was_written_needs_the_whole_address_again(embedding: KureEmbedding) -> None:
    written = embedding.to_dict()
    with pytest.raises(ValueError, match=r"without its key.*from_dict\("):
        KureEmbedding.from_dict(written)
    assert KureEmbedding.from_dict(written, endpoint=ENDPOINT).kure_embedder.settings.endpoint == ENDPOINT


def test_a_store_writes_no_key_either(tmp_path: Path) -> None:
    given = {"path": tmp_path / "ix", "embeddings": "nlpai-lab/KURE-v1"}
    with KureVectorStore(**given, embed_settings=REMOTE) as store:
        written = json.loads(store.to_json())
        assert KEY not in repr((store, written, store.to_dict()))
        assert written["embed_settings"] == {**REMOTE, "endpoint": "http://127.0.0.1:9/v1?***"}
        assert store.embed_settings == REMOTE
    with pytest.raises(ValueError, match=r"without its key.*embed_settings="):
        KureVectorStore.from_dict(written)
    KureVectorStore.from_dict(written, embed_settings=REMOTE).close()


@pytest.mark.parametrize("kind", [KureEmbedding, KureEmbeddings])
def test_an_error_about_settings_shows_no_key(kind: type[Any]) -> None:
    with pytest.raises(ValidationError, match="belong together") as raised:
        kind("nlpai-lab/KURE-v1", endpoint=ENDPOINT)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("kind", [KureRerank, KureReranker])
def test_an_endpoint_given_to_a_reranker_by_mistake_is_not_shown(kind: type[Any]) -> None:
    with pytest.raises(ValidationError, match="belong together") as raised:
        kind(settings={"endpoint": ENDPOINT})
    assert KEY not in str(raised.value)
