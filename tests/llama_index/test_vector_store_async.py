"""Real asynchronous calls: the event loop goes on, and many at once leave a whole index."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreQuery
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import SearchStoppedError
from kure_rag.llama_index import KureVectorStore


class WatchedIndex(KureIndex):
    """Remembers whether anything but its own threads asked it."""

    def _seen(self) -> None:
        assert threading.current_thread() is not threading.main_thread(), "asked on the event loop"

    def put(self, *args: Any, **given: Any) -> Any:
        self._seen()
        return super().put(*args, **given)

    def entries(self, *args: Any, **given: Any) -> Any:
        self._seen()
        return super().entries(*args, **given)

    def entry_ids(self, *args: Any, **given: Any) -> Any:
        self._seen()
        return super().entry_ids(*args, **given)

    def delete_entries(self, *args: Any, **given: Any) -> Any:
        self._seen()
        return super().delete_entries(*args, **given)

    def search(self, *args: Any, **given: Any) -> Any:
        raise AssertionError("a search that stops the event loop")


class Gate(HashEmbedder):
    """Embeds when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.open = threading.Event()

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.set()
        assert self.open.wait(60), "the event loop stood still"
        return super().embed_passages(texts)


class Slow:
    """A reranker that waits until it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.open = threading.Event()

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        self.asked.set()
        assert self.open.wait(60), "the event loop stood still"
        return np.arange(len(pairs), dtype=np.float32)


EMBEDDER = HashEmbedder()


def node(id_: str, text: str, document: str = "규정") -> TextNode:
    return TextNode(
        id_=id_,
        text=text,
        metadata={"document": document},
        excluded_embed_metadata_keys=["document"],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
        embedding=EMBEDDER._vector(text).tolist(),
    )


NODES = [
    node("a", "연차휴가는 열닷새이다."),
    node("b", "급여는 스무닷새에 준다.", "보수"),
    node("c", "병가는 예순 날이다."),
]


def by_document(name: str) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key="document", value=name)])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KureVectorStore]:
    with WatchedIndex.open(tmp_path / "ix", embeddings=EMBEDDER) as index:
        yield KureVectorStore(index)


async def test_every_asynchronous_call_does_its_work_in_a_thread(store: KureVectorStore) -> None:
    assert await store.async_add(NODES) == ["a", "b", "c"]
    assert [found.node_id for found in await store.aget_nodes()] == ["a", "b", "c"]
    assert [found.node_id for found in await store.aget_nodes(["c", "a"])] == ["c", "a"]
    assert [found.node_id for found in await store.aget_nodes(filters=by_document("보수"))] == ["b"]
    for mode in ("default", "sparse", "text_search", "hybrid", "mmr"):
        words = "연차휴가는 며칠인가요?"
        query = VectorStoreQuery(words and NODES[0].embedding, query_str=words, mode=VectorStoreQueryMode(mode))
        assert (await store.aquery(query)).ids == ["a"]
    assert (await store.aquery(VectorStoreQuery(similarity_top_k=2))).ids == ["a", "b"]
    await store.adelete_nodes(["a"], by_document("보수"))
    await store.adelete_nodes(["a"])
    assert len(await store.aget_nodes()) == 2
    await store.adelete("보수")
    assert [found.node_id for found in await store.aget_nodes()] == ["c"]
    await store.aclear()
    assert await store.aget_nodes() == []


async def test_the_event_loop_goes_on_while_nodes_are_added_and_while_a_search_waits(tmp_path: Path) -> None:
    gate = Gate()
    with KureIndex.open(tmp_path / "ix", embeddings=gate) as index:
        store = KureVectorStore(index)
        adding = asyncio.create_task(store.async_add(NODES))
        while not gate.asked.is_set():
            await asyncio.sleep(0.001)
        assert not adding.done()
        gate.open.set()
        assert await adding == ["a", "b", "c"]
        slow = Slow()
        query = VectorStoreQuery(NODES[0].embedding, query_str="연차휴가", mode=VectorStoreQueryMode.HYBRID)
        searching = asyncio.create_task(store.aquery(query, rerank=slow))
        while not slow.asked.is_set():
            await asyncio.sleep(0.001)
        assert not searching.done()
        slow.open.set()
        assert (await searching).ids


async def test_a_cancelled_search_ends_at_once(store: KureVectorStore) -> None:
    await store.async_add(NODES)
    slow = Slow()
    query = VectorStoreQuery(NODES[0].embedding, query_str="연차휴가", mode=VectorStoreQueryMode.HYBRID)
    searching = asyncio.create_task(store.aquery(query, rerank=slow))
    while not slow.asked.is_set():
        await asyncio.sleep(0.001)
    searching.cancel()
    with pytest.raises((asyncio.CancelledError, SearchStoppedError)):
        await searching
    slow.open.set()


async def test_many_calls_at_once_wait_for_each_other_and_lose_nothing(store: KureVectorStore) -> None:
    batches = [[node(f"{i}-{j}", f"제{i}조 제{j}항의 급여와 휴가", f"문서 {i}") for j in range(4)] for i in range(12)]
    added = await asyncio.gather(*(store.async_add(batch) for batch in batches))
    assert [len(ids) for ids in added] == [4] * 12
    query = VectorStoreQuery(batches[0][0].embedding, similarity_top_k=99)
    more = [store.adelete(f"문서 {i}") for i in range(0, 12, 2)]
    *_, found = await asyncio.gather(*more, store.async_add(batches[1]), store.aquery(query))
    assert found.ids
    left = {found.node_id for found in await store.aget_nodes()}
    assert left == {f"{i}-{j}" for i in range(1, 12, 2) for j in range(4)}
    assert (await asyncio.to_thread(store.client.verify)).ok
