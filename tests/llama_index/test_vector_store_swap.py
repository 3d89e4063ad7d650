"""What LlamaIndex's own Chroma store does, ours does: every test here runs with both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import BaseNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQueryMode

from kure_rag.llama_index import KureVectorStore


def node(id_: str, text: str, document: str, embedding: Sequence[float], **metadata: Any) -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)}
    return TextNode(
        id_=id_, text=text, relationships=source, metadata=metadata, embedding=[float(x) for x in embedding]
    )


NODES = [
    node("a-1", "예금의 이자는 해마다 정한다.", "예금 약관", (1, 0, 0), kind="약관", year=2023, bank="한빛"),
    node("a-2", "예금은 언제든 찾을 수 있다.", "예금 약관", (0.9, 0.1, 0), kind="약관", year=2023, bank="한빛"),
    node("b-1", "보험금은 사흘 안에 준다.", "보험 약관", (0, 1, 0), kind="약관", year=2025),
    node("c-1", "부채비율은 84퍼센트이다.", "분기보고서", (0, 0.6, 0.8), kind="보고서", year=2025),
    node("c-2", "영업이익은 321억 원이다.", "분기보고서", (-1, 0, 0), kind="보고서", year=2026),
]


@pytest.fixture(params=["chroma", "kure"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BasePydanticVectorStore]:
    if request.param == "kure":
        with KureVectorStore(
            path=tmp_path / "ix", embeddings=MockEmbedding(embed_dim=3), verify_embeddings=False
        ) as ours:
            ours.add(NODES)
            yield ours
        return
    chromadb = pytest.importorskip("chromadb")
    chroma = pytest.importorskip("llama_index.vector_stores.chroma")
    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection(uuid.uuid4().hex, metadata={"hnsw:space": "cosine"})
    theirs = chroma.ChromaVectorStore(chroma_collection=collection)
    theirs.add(NODES)
    yield theirs
    client.delete_collection(collection.name)


def found(result: VectorStoreQueryResult | Sequence[BaseNode]) -> list[str]:
    nodes = result.nodes if isinstance(result, VectorStoreQueryResult) else result
    return [one.node_id for one in nodes or ()]


def only(*tests: tuple[str, FilterOperator, Any], either: bool = False) -> MetadataFilters:
    filters: list[Any] = [MetadataFilter(key=key, operator=operator, value=value) for key, operator, value in tests]
    return MetadataFilters(filters=filters, condition=FilterCondition.OR if either else FilterCondition.AND)


@pytest.mark.parametrize("use_async", [False, True])
async def test_the_nearest_come_first_with_all_they_had(store: BasePydanticVectorStore, use_async: bool) -> None:
    query = VectorStoreQuery(query_embedding=[1.0, 0.05, 0.0], similarity_top_k=5)
    result = await store.aquery(query) if use_async else store.query(query)
    assert found(result) == result.ids == ["a-1", "a-2", "b-1", "c-1", "c-2"]
    assert result.similarities == sorted(result.similarities or (), reverse=True)
    best = (result.nodes or ())[0]
    assert best == NODES[0].model_copy(update={"embedding": None})
    assert best.ref_doc_id == "예금 약관"


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (only(("kind", FilterOperator.EQ, "보고서")), {"c-1", "c-2"}),
        (only(("kind", FilterOperator.NE, "보고서")), {"a-1", "a-2", "b-1"}),
        (only(("bank", FilterOperator.NE, "한빛")), {"b-1", "c-1", "c-2"}),
        (only(("year", FilterOperator.GT, 2025)), {"c-2"}),
        (only(("year", FilterOperator.GTE, 2025)), {"b-1", "c-1", "c-2"}),
        (only(("year", FilterOperator.LT, 2025)), {"a-1", "a-2"}),
        (only(("year", FilterOperator.LTE, 2025)), {"a-1", "a-2", "b-1", "c-1"}),
        (only(("year", FilterOperator.IN, [2023, 2026])), {"a-1", "a-2", "c-2"}),
        (only(("year", FilterOperator.NIN, [2023, 2026])), {"b-1", "c-1"}),
        (only(("kind", FilterOperator.EQ, "약관"), ("year", FilterOperator.GT, 2023)), {"b-1"}),
        (
            only(("bank", FilterOperator.EQ, "한빛"), ("year", FilterOperator.EQ, 2026), either=True),
            {"a-1", "a-2", "c-2"},
        ),
        (
            MetadataFilters(
                filters=[
                    only(("kind", FilterOperator.EQ, "약관")),
                    only(("bank", FilterOperator.EQ, "한빛"), ("year", FilterOperator.EQ, 2026), either=True),
                ]
            ),
            {"a-1", "a-2"},
        ),
        (only(("ref_doc_id", FilterOperator.EQ, "분기보고서")), {"c-1", "c-2"}),
        (only(("doc_id", FilterOperator.EQ, "분기보고서")), {"c-1", "c-2"}),
        (only(("document_id", FilterOperator.EQ, "분기보고서")), {"c-1", "c-2"}),
        (only(("kind", FilterOperator.EQ, "없음")), set()),
    ],
)
def test_filters_hold_for_the_same_nodes(store: BasePydanticVectorStore, filters: MetadataFilters, wanted) -> None:
    query = VectorStoreQuery(query_embedding=[0.3, 0.4, 0.5], similarity_top_k=5, filters=filters)
    assert set(found(store.query(query))) == wanted
    assert set(found(store.query(VectorStoreQuery(similarity_top_k=5, filters=filters)))) == wanted
    assert set(found(store.get_nodes(node_ids=None, filters=filters))) == wanted


def test_filters_alone_list_nodes_up_to_the_number_asked_for(store: BasePydanticVectorStore) -> None:
    filters = only(("kind", FilterOperator.EQ, "약관"))
    assert len(found(store.query(VectorStoreQuery(similarity_top_k=2, filters=filters)))) == 2


def test_nodes_are_given_back_and_removed_by_id(store: BasePydanticVectorStore) -> None:
    assert set(found(store.get_nodes(node_ids=["a-1", "c-2", "nobody"]))) == {"a-1", "c-2"}
    store.delete_nodes(node_ids=["a-1", "b-1"])
    assert set(found(store.get_nodes(node_ids=None))) == {"a-2", "c-1", "c-2"}
    store.delete_nodes(node_ids=["a-2", "c-1"], filters=only(("kind", FilterOperator.EQ, "약관")))
    assert set(found(store.get_nodes(node_ids=None))) == {"c-1", "c-2"}


@pytest.mark.parametrize("use_async", [False, True])
async def test_a_document_s_nodes_are_removed_together(store: BasePydanticVectorStore, use_async: bool) -> None:
    await store.adelete("예금 약관") if use_async else store.delete("예금 약관")
    query = VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0], similarity_top_k=5)
    assert set(found(store.query(query))) == {"b-1", "c-1", "c-2"}


def test_clearing_removes_all(store: BasePydanticVectorStore) -> None:
    store.clear()
    assert found(store.query(VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0], similarity_top_k=5))) == []
    store.add(NODES[:1])
    assert found(store.query(VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0], similarity_top_k=5))) == ["a-1"]


def test_mmr_gives_as_many_as_asked_and_prefers_what_differs(store: BasePydanticVectorStore) -> None:
    query = VectorStoreQuery(query_embedding=[1.0, 0.05, 0.0], similarity_top_k=2, mode=VectorStoreQueryMode.MMR)
    mixed = found(store.query(query, mmr_threshold=0.2))
    assert len(mixed) == 2
    assert set(mixed) != {"a-1", "a-2"}
    assert set(found(store.query(query, mmr_threshold=1.0))) == {"a-1", "a-2"}
    assert len(found(store.query(query, mmr_threshold=0.2, mmr_prefetch_k=2))) == 2


def test_two_ways_to_say_how_many_mmr_chooses_from_are_an_error(store: BasePydanticVectorStore) -> None:
    query = VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0], similarity_top_k=2, mode=VectorStoreQueryMode.MMR)
    with pytest.raises(ValueError, match="mmr_prefetch_factor"):
        store.query(query, mmr_threshold=0.5, mmr_prefetch_k=16, mmr_prefetch_factor=2.0)


def test_two_filters_of_two_kinds(store: BasePydanticVectorStore) -> None:
    """``where`` is each store's own grammar; these words mean the same in both."""
    query = VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0], similarity_top_k=5)
    assert set(found(store.query(query, where={"year": {"$gte": 2025}}))) == {"b-1", "c-1", "c-2"}
