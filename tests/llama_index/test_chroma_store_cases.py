"""Cases of LlamaIndex's tests of its Chroma store that no other file has; docs/llamaindex-chroma-cases.md lists all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.memory import VectorMemory
from llama_index.core.schema import ImageNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from kure_rag.errors import EntryError
from kure_rag.llama_index import KureVectorStore

PLANE = MockEmbedding(embed_dim=3)  # only says that vectors have three numbers
CHART = "https://example.com/조직도.png"
MORE = 5_461 + 100  # Chroma takes 5,461 at once


def rule(number: int, text: str, **metadata: str) -> TextNode:
    return TextNode(
        id_=f"제{number}조",
        text=text,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="취업규정")},
        metadata=metadata,
        embedding=[float(number == 15), float(number == 16), float(number == 17)],
    )


RULES = [
    rule(15, "연차휴가는 열닷새이다.", chapter="휴가", kind="유급"),
    rule(16, "병가는 예순 날까지이다.", chapter="휴가", kind="무급"),
    rule(17, "급여는 스무닷새에 준다.", chapter="보수"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KureVectorStore]:
    with KureVectorStore(path=tmp_path / "ix", embeddings=PLANE, verify_embeddings=False) as made:
        yield made


@pytest.mark.parametrize("use_async", [False, True])
async def test_nodes_are_added_and_found_by_vector_by_filters_and_by_nested_ones(
    store: KureVectorStore, use_async: bool
) -> None:
    def only(key: str, value: str) -> MetadataFilter:
        return MetadataFilter(key=key, value=value, operator=FilterOperator.EQ)

    kinds = MetadataFilters(filters=[only("kind", "유급"), only("kind", "반급")], condition=FilterCondition.OR)
    queries = {
        "제16조": VectorStoreQuery(query_embedding=[0.0, 1.0, 0.0], similarity_top_k=1),
        "제17조": VectorStoreQuery(filters=MetadataFilters(filters=[only("chapter", "보수")]), similarity_top_k=1),
        "제15조": VectorStoreQuery(
            filters=MetadataFilters(filters=[only("chapter", "휴가"), kinds], condition=FilterCondition.AND)
        ),
    }

    added = await store.async_add(RULES) if use_async else store.add(RULES)

    assert added == ["제15조", "제16조", "제17조"]
    for wanted, query in queries.items():
        found = await store.aquery(query) if use_async else store.query(query)
        assert found.ids == [wanted]


def test_more_nodes_than_chroma_takes_at_once_are_added_and_deleted(store: KureVectorStore) -> None:
    nodes = [
        TextNode(
            id_=str(number), text="같은 글", metadata={"번호": number}, embedding=[1.0, 0.0, float(number == MORE - 1)]
        )
        for number in range(MORE)
    ]

    assert store.add(nodes) == [str(number) for number in range(MORE)]

    assert len(store.client.entry_ids()) == MORE
    last = VectorStoreQuery(query_embedding=[0.0, 0.0, 1.0], similarity_top_k=1)
    assert store.query(last).ids == [str(MORE - 1)]
    after_10 = MetadataFilter(key="번호", value=10, operator=FilterOperator.GTE)
    store.delete_nodes(filters=MetadataFilters(filters=[after_10]))
    assert [node.node_id for node in store.get_nodes()] == [str(number) for number in range(10)]


def test_a_memory_passes_over_nodes_that_are_no_messages(store: KureVectorStore) -> None:
    """Chroma keeps no nested metadata, and LlamaIndex writes a conversation's messages into them."""
    message = ChatMessage.from_str("연차휴가는 며칠인가요?", "user")
    said = {"sub_dicts": [message.model_dump(mode="json")]}
    store.add(RULES)
    store.add([TextNode(id_="말", text="연차휴가는 며칠인가요?", metadata=said, embedding=[0.0, 0.0, 1.0])])
    no_message = MetadataFilter(key="sub_dicts", value=None, operator=FilterOperator.IS_EMPTY)
    messages = MetadataFilters(filters=[no_message], condition=FilterCondition.NOT)

    memory = VectorMemory.from_defaults(
        vector_store=store, embed_model=PLANE, retriever_kwargs={"similarity_top_k": 4, "filters": messages}
    )

    assert memory.get("휴가") == [message]
    assert store.get_nodes(["말"])[0].metadata == said


def test_an_image_comes_back_with_its_address_and_one_without_words_is_refused(store: KureVectorStore) -> None:
    """Half of a search goes by words: where there are none, it says so instead of keeping what it could not find."""
    drawn = ImageNode(id_="조직도", text="회사의 조직도", image_url=CHART, embedding=[0.1, 0.2, 0.3])
    store.add([drawn])

    for found in (
        store.query(VectorStoreQuery(query_embedding=[0.1, 0.2, 0.3], similarity_top_k=1)).nodes,
        store.get_nodes(["조직도"]),
    ):
        assert found is not None
        (image,) = found
        assert isinstance(image, ImageNode)
        assert image.image_url == CHART
    with pytest.raises(EntryError, match=r"'말없는 그림'.*empty"):
        store.add([ImageNode(id_="말없는 그림", text="", image_url=CHART, embedding=[0.1, 0.2, 0.3])])
    assert [node.node_id for node in store.get_nodes()] == ["조직도"]
