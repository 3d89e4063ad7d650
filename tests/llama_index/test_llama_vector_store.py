"""Nodes in and out of the vector store, and which of them a filter names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    Node,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from kure_rag import Entry, KureIndex
from kure_rag.errors import EntryError, FilterError
from kure_rag.index.catalog import NewDocument
from kure_rag.ingest.entries import to_document
from kure_rag.ingest.target import Target
from kure_rag.llama_index import KureVectorStore
from kure_rag.pipeline.entries import GROUP_FIELD
from kure_rag.read import Record

PLANE = MockEmbedding(embed_dim=3)  # only says that vectors have three numbers


def made_node(
    id_: str, text: str, document: str | None = None, embedding: Sequence[float] = (1, 0, 0), **metadata: Any
):
    source = {} if document is None else {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)}
    return TextNode(
        id_=id_, text=text, relationships=source, metadata=metadata, embedding=[float(x) for x in embedding]
    )


NODES = [
    made_node(
        "leave",
        "연차휴가는 해마다 열닷새를 준다.",
        "취업규정",
        (1, 0, 0),
        chapter="휴가",
        article=15,
        tags=["휴가", "일수"],
    ),
    made_node(
        "sick", "병가는 진단서를 낸 직원에게 준다.", "취업규정", (0, 1, 0), chapter="휴가", article=16, tags=["휴가"]
    ),
    made_node("pay", "급여는 매월 스무닷새에 지급한다.", "보수규정", (0, 0, 1), chapter="보수", article=4, tags=[]),
    made_node("bonus", "상여금은 설과 추석에 나누어 지급한다.", "보수규정", (0, 0, 0.5), chapter="보수", note=None),
    made_node("visit", "방문객의 차량은 지하 이 층에 세운다.", None, (0, 0.6, 0.8), page=3, source="안내.pdf"),
]


def bare(node: BaseNode) -> BaseNode:
    """A node as a store gives it back."""
    return node.model_copy(update={"embedding": None})


def ids(nodes: Sequence[BaseNode]) -> list[str]:
    return [node.node_id for node in nodes]


def where(key: str, operator: FilterOperator, value: Any) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=operator, value=value)])


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[KureVectorStore]:
    with KureVectorStore(path=tmp_path / "ix", embeddings=PLANE, verify_embeddings=False) as store:
        yield store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureVectorStore]:
    """Holds NODES; not to be changed by a test."""
    folder = tmp_path_factory.mktemp("nodes")
    with KureVectorStore(path=folder / "ix", embeddings=PLANE, verify_embeddings=False) as made:
        assert made.add(NODES) == ids(NODES)
        yield made


def test_it_is_a_llama_index_vector_store(store: KureVectorStore) -> None:
    assert isinstance(store, BasePydanticVectorStore)
    assert store.stores_text
    assert store.is_embedding_query
    assert not store.flat_metadata
    assert isinstance(store.client, KureIndex)
    assert store.class_name() == "KureVectorStore"


# Round trips


def test_nodes_come_back_as_they_were(store: KureVectorStore) -> None:
    assert store.get_nodes() == [bare(node) for node in NODES]
    assert [node.hash for node in store.get_nodes()] == [node.hash for node in NODES]
    assert store.get_nodes(node_ids=["pay", "nobody", "leave"]) == [bare(NODES[2]), bare(NODES[0])]
    assert store.get_nodes(node_ids=[]) == []


RELATIONSHIPS = {
    NodeRelationship.SOURCE: RelatedNodeInfo(
        node_id="규정", node_type=ObjectType.DOCUMENT, metadata={"file": "규정.pdf"}, hash="ab"
    ),
    NodeRelationship.PREVIOUS: RelatedNodeInfo(node_id="앞", node_type=ObjectType.TEXT),
    NodeRelationship.NEXT: RelatedNodeInfo(node_id="뒤", node_type=ObjectType.TEXT, hash="cd"),
    NodeRelationship.CHILD: [RelatedNodeInfo(node_id="하나"), RelatedNodeInfo(node_id="둘")],
}
COMMON: dict[str, Any] = {
    "embedding": [0.25, -0.5, 1.0],
    "relationships": RELATIONSHIPS,
    "metadata": {"title": "취업규정", "pages": [3, 4], "table": {"rows": [[1, None], ["가", 0.1]]}, "none": None},
    "excluded_embed_metadata_keys": ["pages", "table"],
    "excluded_llm_metadata_keys": ["none"],
    "metadata_template": "{key}={value}",
    "metadata_separator": " / ",
}


@pytest.mark.parametrize(
    "node",
    [
        TextNode(
            id_="text",
            text="  제15조(연차휴가)\n\t① 직원은 ‘연차휴가’를 쓸 수 있다.\r\n",
            start_char_idx=40,
            end_char_idx=78,
            mimetype="text/markdown",
            text_template="{content}\n({metadata_str})",
            **COMMON,
        ),
        TextNode(id_="decomposed", text="\u1112\u1161\u11ab\u1100\u1173\u11af", **COMMON),
        Document(id_="document", text="규정 전문", **COMMON),
        Node(
            id_="node",
            text_resource=MediaResource(text="그림 설명", mimetype="text/html"),
            image_resource=MediaResource(data=b"\x89PNG\r\n\x1a\n"),
            **COMMON,
        ),
        ImageNode(
            id_="image", text="조직도", image_url="https://example.com/조직도.png", image_mimetype="image/png", **COMMON
        ),
        IndexNode(id_="index", text="휴가 색인", index_id="휴가", **COMMON),
        IndexNode(
            id_="index of a node", text="휴가 색인", index_id="휴가", obj=TextNode(id_="안", text="안쪽"), **COMMON
        ),
        made_node("dates", "개정 규정", "규정", amended="2024-01-05", history=["2020. 1. 1.", "2024. 1. 5."]),
        TextNode(id_="id with / and \n and 한글", text="이름", embedding=[1.0, 0.0, 0.0]),
    ],
    ids=lambda node: node.node_id.encode("ascii", "ignore").decode(),
)
def test_every_kind_of_node_comes_back_whole(empty: KureVectorStore, node: BaseNode) -> None:
    assert empty.add([node]) == [node.node_id]
    (found,) = empty.get_nodes(node_ids=[node.node_id])
    assert type(found) is type(node)
    assert found == bare(node)
    assert found.hash == node.hash
    result = empty.query(VectorStoreQuery(query_embedding=node.embedding, similarity_top_k=1))
    assert result.nodes == [found]
    assert result.ids == [node.node_id]


def test_embeddings_are_kept_as_given(empty: KureVectorStore) -> None:
    given = [0.1, -2.5, 1e-7]
    empty.add([made_node("a", "휴가", embedding=given)])
    (entry,) = empty.client.entries(["a"], vectors=True)
    assert entry.vector is not None
    assert entry.vector.tolist() == pytest.approx(given)
    result = empty.query(VectorStoreQuery(query_embedding=[0.2, -5.0, 2e-7], similarity_top_k=1))
    assert result.similarities == [1.0]


def test_an_entry_of_another_framework_is_a_text_node(empty: KureVectorStore) -> None:
    empty.client.put([Entry(id="e", text="휴가 규정", metadata={"page": 2}, group="규정")])
    (node,) = empty.get_nodes()
    assert isinstance(node, TextNode)
    assert (node.node_id, node.text, node.metadata, node.ref_doc_id) == ("e", "휴가 규정", {"page": 2}, "규정")
    empty.delete("규정")
    assert empty.get_nodes() == []


# Adding and removing


def test_a_node_of_the_same_id_takes_the_place_of_the_older_one_in_both_legs(empty: KureVectorStore) -> None:
    empty.add([made_node("a", "연차휴가 일수", "규정", (1, 0, 0)), made_node("b", "급여 지급일", "규정", (0, 1, 0))])
    newer = made_node("a", "재택근무 승인", "규정", (0, 0, 1), year=2026)
    assert empty.add([newer]) == ["a"]
    assert empty.get_nodes(node_ids=["a"]) == [bare(newer)]
    assert len(empty.get_nodes()) == 2
    assert empty.client.search("연차휴가", mode="lexical") == []
    assert [hit.chunk.id for hit in empty.client.search("재택근무", mode="lexical")] == ["a"]
    nearest = empty.query(VectorStoreQuery(query_embedding=[0.0, 0.0, 1.0], similarity_top_k=1))
    assert (nearest.ids, nearest.similarities) == (["a"], [1.0])
    assert empty.client.verify().ok


def test_of_one_id_the_last_node_counts_and_every_id_is_given_back(empty: KureVectorStore) -> None:
    nodes = [made_node("a", "하나"), made_node("b", "둘"), made_node("a", "셋")]
    assert empty.add(nodes) == ["a", "b", "a"]
    assert {node.node_id: node.get_content() for node in empty.get_nodes()} == {"a": "셋", "b": "둘"}
    assert empty.add([]) == []


def test_deleting_by_document_takes_all_its_nodes_and_no_other(empty: KureVectorStore) -> None:
    empty.add(NODES)
    empty.delete("취업규정")
    assert set(ids(empty.get_nodes())) == {"pay", "bonus", "visit"}
    assert empty.client.search("연차휴가", mode="lexical") == []
    assert len(empty.client.search("", mode="dense", vector=[1, 1, 1], k=9)) == 3
    empty.delete("없는 문서")
    empty.delete("visit")  # a node that was cut from no document goes by its own id
    assert set(ids(empty.get_nodes())) == {"pay", "bonus"}


def test_deleting_nodes_by_id_by_filter_and_by_both(empty: KureVectorStore) -> None:
    empty.add(NODES)
    empty.delete_nodes(node_ids=["leave", "nobody"])
    assert "leave" not in ids(empty.get_nodes())
    empty.delete_nodes(node_ids=["sick", "pay"], filters=where("chapter", FilterOperator.EQ, "보수"))
    assert set(ids(empty.get_nodes())) == {"sick", "bonus", "visit"}
    empty.delete_nodes(filters=where("chapter", FilterOperator.IN, ["보수", "휴가"]))
    assert ids(empty.get_nodes()) == ["visit"]
    empty.delete_nodes(node_ids=[])
    assert ids(empty.get_nodes()) == ["visit"]
    for nothing in ({}, {"filters": MetadataFilters(filters=[])}):
        with pytest.raises(ValueError, match=r"clear\(\)"):
            empty.delete_nodes(**nothing)
    empty.clear()
    assert empty.get_nodes() == []
    empty.clear()
    assert empty.add(NODES[:1]) == ["leave"]


def test_files_and_records_of_the_same_index_are_found_and_not_removed(tmp_path: Path) -> None:
    embedding = MockEmbedding(embed_dim=4)
    with KureIndex.open(tmp_path / "ix", embeddings=embedding) as index:
        index.add_records([Record("기록", "휴가 규정", "연차휴가는 열닷새이다.")], workers=1)
        store = KureVectorStore(index)
        store.add([made_node("node", "연차휴가 신청서", "d", (0.5, 0.5, 0.5, 0.5))])
        result = store.query(VectorStoreQuery(query_embedding=[0.5] * 4, similarity_top_k=5))
        by_id = {node.node_id: node for node in result.nodes or ()}
        assert len(by_id) == 2
        (passage,) = (node for id_, node in by_id.items() if id_ != "node")
        assert passage.metadata["source"] == "기록"
        assert ids(store.get_nodes()) == ["node"]
        of_file = VectorStoreQuery(query_embedding=[0.5] * 4, similarity_top_k=5, doc_ids=[str(passage.ref_doc_id)])
        assert store.query(of_file).ids == [passage.node_id]
        _check_filters_by_document(store, passage.node_id, str(passage.ref_doc_id))
        store.clear()
        assert [hit.source for hit in index.search("연차휴가")] == ["기록"]
        with pytest.raises(EntryError, match="passage"):
            store.add([made_node(passage.node_id, "남의 이름", embedding=(1, 1, 1, 1))])
        store.close()  # what was given open stays open
        assert index.search("연차휴가")


def _check_filters_by_document(store: KureVectorStore, passage: str, file: str) -> None:
    """The document is a file's own id for its passages, and the one they were cut from for nodes."""
    for name in ("ref_doc_id", "doc_id", "document_id"):
        for operator, value, wanted in (
            (FilterOperator.EQ, file, [passage]),
            (FilterOperator.IN, [file, "d"], sorted([passage, "node"])),
            (FilterOperator.NE, file, ["node"]),
            (FilterOperator.NIN, ["d"], [passage]),
            (FilterOperator.TEXT_MATCH, file[5:20], [passage]),
            (FilterOperator.IS_EMPTY, None, []),
        ):
            asked = VectorStoreQuery(
                query_embedding=[0.5] * 4, similarity_top_k=5, filters=where(name, operator, value)
            )
            assert sorted(store.query(asked).ids or ()) == wanted, (name, operator)


def test_removing_a_document_leaves_nodes_of_others_whatever_their_metadata_say(empty: KureVectorStore) -> None:
    """Older indices hold metadata under the name that the filter for a document has."""
    index = empty.client
    document, chunk = to_document(Entry(id="a", text="휴가", metadata={GROUP_FIELD: "보수규정"}, group="취업규정"))
    old = NewDocument(document, [chunk], [["휴가"]], np.ones((1, 3), np.float32))
    with Target(index._store, index.embedder, index._claim) as target, index._store.writing(1):
        target.put([old], together=True)
    empty.add([made_node("b", "급여", "보수규정")])
    empty.delete("보수규정")
    assert ids(empty.get_nodes()) == ["a"]
    empty.delete("취업규정")
    assert empty.get_nodes() == []


@pytest.mark.parametrize(
    ("node", "error", "said"),
    [
        (TextNode(id_="a", text="휴가"), ValueError, "'a' has no embedding"),
        (made_node("a", " \n"), EntryError, "'a'.*empty"),
        (made_node("a", "휴가", embedding=(1, 2)), EntryError, "'a'.*2 dimensions"),
        (made_node("a", "휴가", embedding=(1, 2, float("nan"))), EntryError, "'a'.*NaN"),
        (made_node("a", "휴가", rate=float("nan")), ValueError, "'a' cannot be written as JSON"),
        (made_node("a", "휴가", rates=[{"최고": float("inf")}]), ValueError, "'a' cannot be written as JSON"),
        (made_node("a", "휴가", made=object()), ValueError, "'a' cannot be written as JSON"),
        (made_node("a", "휴가", _llama_node={}), ValueError, "_llama_node"),
        (made_node("a", "휴가", entry_group="다른 규정"), ValueError, "'a'.*'entry_group'"),
        (made_node("a", "휴가\ud800"), ValueError, "'a'"),
    ],
)
def test_a_node_that_cannot_be_kept_is_named_and_nothing_is_stored(empty: KureVectorStore, node, error, said) -> None:
    empty.add([made_node("kept", "급여")])
    with pytest.raises(error, match=said):
        empty.add([made_node("before", "휴가"), node])
    assert ids(empty.get_nodes()) == ["kept"]


# Filters


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (where("chapter", FilterOperator.EQ, "휴가"), {"leave", "sick"}),
        (where("chapter", FilterOperator.NE, "휴가"), {"pay", "bonus", "visit"}),
        (where("article", FilterOperator.GT, 15), {"sick"}),
        (where("article", FilterOperator.GTE, 15), {"leave", "sick"}),
        (where("article", FilterOperator.LT, 15), {"pay"}),
        (where("article", FilterOperator.LTE, 15), {"leave", "pay"}),
        (where("article", FilterOperator.IN, [4, 16]), {"sick", "pay"}),
        (where("article", FilterOperator.NIN, [4, 16]), {"leave", "bonus", "visit"}),
        (where("tags", FilterOperator.ANY, ["일수", "없음"]), {"leave"}),
        (where("tags", FilterOperator.ALL, ["휴가", "일수"]), {"leave"}),
        (where("tags", FilterOperator.CONTAINS, "휴가"), {"leave", "sick"}),
        (where("chapter", FilterOperator.TEXT_MATCH, "보"), {"pay", "bonus"}),
        (where("source", FilterOperator.TEXT_MATCH_INSENSITIVE, "PDF"), {"visit"}),
        (where("tags", FilterOperator.IS_EMPTY, None), {"pay", "bonus", "visit"}),
        (where("note", FilterOperator.IS_EMPTY, None), {"leave", "sick", "pay", "bonus", "visit"}),
        (where("page", FilterOperator.EQ, 3), {"visit"}),
        (where("source", FilterOperator.EQ, "안내.pdf"), {"visit"}),
        (where("ref_doc_id", FilterOperator.EQ, "보수규정"), {"pay", "bonus"}),
        (where("doc_id", FilterOperator.IN, ["취업규정"]), {"leave", "sick"}),
        (where("document_id", FilterOperator.NE, "취업규정"), {"pay", "bonus", "visit"}),
    ],
)
def test_every_operator_names_the_nodes_it_holds_for(store: KureVectorStore, filters, wanted) -> None:
    assert set(ids(store.get_nodes(filters=filters))) == wanted
    asked = VectorStoreQuery(query_embedding=[0.3, 0.4, 0.5], similarity_top_k=9, filters=filters)
    assert set(store.query(asked).ids or ()) == wanted
    only = store.query(VectorStoreQuery(filters=filters, similarity_top_k=9))
    assert set(only.ids or ()) == wanted
    assert only.similarities is None


def test_a_value_that_its_operator_does_not_compare_with_is_an_error(store: KureVectorStore) -> None:
    with pytest.raises(FilterError, match="chapter"):
        store.get_nodes(filters=where("chapter", FilterOperator.IN, "휴가"))


def holds(filters: MetadataFilters | MetadataFilter, metadata: dict[str, Any]) -> bool:
    """What LlamaIndex's documentation says of a filter."""
    if isinstance(filters, MetadataFilters):
        each = [holds(part, metadata) for part in filters.filters]
        return {"and": all(each), "or": any(each), "not": not any(each)}[filters.condition or "and"]
    there, value = metadata.get(filters.key), filters.value
    match filters.operator:
        case FilterOperator.EQ | FilterOperator.NE:
            return (there == value) == (filters.operator == FilterOperator.EQ)
        case FilterOperator.IN | FilterOperator.NIN:
            return (there in value) == (filters.operator == FilterOperator.IN)  # type: ignore[operator]
        case FilterOperator.IS_EMPTY:
            return there in (None, "", [])
        case FilterOperator.GT:
            return there is not None and there > value
        case FilterOperator.LTE:
            return there is not None and there <= value
        case FilterOperator.TEXT_MATCH:
            return there is not None and value in there  # type: ignore[operator]
    raise AssertionError(filters)


tests = st.one_of(
    st.builds(
        MetadataFilter,
        key=st.just("article"),
        operator=st.sampled_from([FilterOperator.EQ, FilterOperator.NE, FilterOperator.GT, FilterOperator.LTE]),
        value=st.sampled_from([4, 15, 16, 15.5]),
    ),
    st.builds(
        MetadataFilter,
        key=st.sampled_from(["chapter", "source"]),
        operator=st.sampled_from([FilterOperator.EQ, FilterOperator.NE, FilterOperator.TEXT_MATCH]),
        value=st.sampled_from(["휴가", "보", "안내.pdf"]),
    ),
    st.builds(
        MetadataFilter,
        key=st.sampled_from(["tags", "chapter"]),
        operator=st.sampled_from([FilterOperator.IS_EMPTY]),
        value=st.none(),
    ),
    st.builds(
        MetadataFilter,
        key=st.just("article"),
        operator=st.sampled_from([FilterOperator.IN, FilterOperator.NIN]),
        value=st.lists(st.sampled_from([4, 15, 99]), min_size=1, max_size=2),
    ),
)
groups = st.recursive(
    st.builds(
        MetadataFilters, filters=st.lists(tests, min_size=1, max_size=3), condition=st.sampled_from(FilterCondition)
    ),
    lambda inner: st.builds(
        MetadataFilters,
        filters=st.lists(st.one_of(tests, inner), min_size=1, max_size=3),
        condition=st.sampled_from(FilterCondition),
    ),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups)
def test_nested_filters_hold_for_the_nodes_they_should(store: KureVectorStore, filters: MetadataFilters) -> None:
    assert ids(store.get_nodes(filters=filters)) == [node.node_id for node in NODES if holds(filters, node.metadata)]
