"""Collections in exactly the shape that langchain-chroma 1.1 and llama-index-vector-stores-chroma 0.6 write."""

import importlib.util
import json
import unicodedata
from collections.abc import Sequence
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from support import HashEmbedder

from kure_rag.errors import FingerprintMismatchError, KureIndexError
from kure_rag.index.rows import NewDocument
from kure_rag.index.take_over import RejectedRow, find_collection, take_over
from kure_rag.index.take_over_rows import embedded_texts, page_numbers, place
from kure_rag.tokenize import WhitespaceTokenizer

TEXTS = (
    "연차휴가는 1년에 15일이다.",
    "휴가는 사흘 전에 신청한다.",
    "임차인은 보증금을 돌려받는다.",
    "이 약은 식후에 먹는다.",
)
EMBEDDER = HashEmbedder()


@pytest.fixture
def client() -> Any:
    made = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    yield made
    for collection in made.list_collections():
        made.delete_collection(collection.name)


def new(client: Any, name: str = "test") -> Any:
    return client.create_collection(name, embedding_function=None)


def fill_as_langchain(collection: Any, texts: Sequence[str], metadatas: Sequence[dict[str, Any]]) -> None:
    """As ``Chroma.add_texts``: ids, documents, metadatas."""
    collection.upsert(
        ids=[f"lc-{i}" for i in range(len(texts))],
        embeddings=EMBEDDER.embed_passages(texts),
        documents=list(texts),
        metadatas=list(metadatas),
    )


def fill_as_llama_index(collection: Any, texts: Sequence[str], metadatas: Sequence[dict[str, Any]]) -> None:
    """As ``node_to_metadata_dict(node, remove_text=True, flat_metadata=True)``: vectors are of metadata and text."""
    held, vectors = [], []
    for i, (text, metadata) in enumerate(zip(texts, metadatas, strict=True)):
        parent = f"document-{metadata['file_name']}"
        node = {
            "id_": f"node-{i}",
            "embedding": None,
            "metadata": metadata,
            "excluded_embed_metadata_keys": ["file_path"],
            "excluded_llm_metadata_keys": [],
            "relationships": {"1": {"node_id": parent, "node_type": "4", "metadata": metadata}},
            "metadata_template": "{key}: {value}",
            "metadata_separator": "\n",
            "text": "",
            "start_char_idx": 100 * i,
            "end_char_idx": 100 * i + len(text),
            "text_template": "{metadata_str}\n\n{content}",
            "class_name": "TextNode",
        }
        inner = {"_node_content": json.dumps(node, ensure_ascii=False), "_node_type": "TextNode"}
        held.append({**metadata, **inner, "document_id": parent, "doc_id": parent, "ref_doc_id": parent})
        lines = "\n".join(f"{key}: {value}" for key, value in metadata.items() if key != "file_path")
        vectors.append(EMBEDDER.embed_passages([f"{lines}\n\n{text}"])[0])
    collection.add(
        ids=[f"node-{i}" for i in range(len(texts))],
        embeddings=np.stack(vectors),
        documents=list(texts),
        metadatas=held,
    )


def taken(collection: Any, **settings: Any) -> tuple[list[NewDocument], list[RejectedRow]]:
    found = list(take_over(collection, **{"embeddings": EMBEDDER, "tokenizer": WhitespaceTokenizer(), **settings}))
    for item in found:
        if isinstance(item, NewDocument):
            check(item)
    documents = [item for item in found if isinstance(item, NewDocument)]
    return documents, [item for item in found if isinstance(item, RejectedRow)]


def check(item: NewDocument) -> None:
    for i, chunk in enumerate(item.chunks):
        assert item.document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.ordinal == i
        assert chunk.document_id == item.document.id
    assert len(item.chunks) == len(item.terms) == len(item.vectors)
    assert len({chunk.id for chunk in item.chunks}) == len(item.chunks)
    assert all(words for words in item.terms)


def test_langchain_pages_count_from_zero_and_a_source_is_one_document(client: Any) -> None:
    collection = new(client)
    source = {"source": "/자료/취업규정.pdf", "total_pages": 3}
    fill_as_langchain(
        collection,
        TEXTS,
        [
            {**source, "page": 1, "page_label": "2", "start_index": 0},
            {**source, "page": 0, "page_label": "1", "start_index": 40},
            {**source, "page": 0, "page_label": "1", "start_index": 0},
            {"source": "약.txt"},
        ],
    )
    documents, rejected = taken(collection)
    assert rejected == []
    assert [item.document.source for item in documents] == ["취업규정.pdf", "약.txt"]
    rules = documents[0]
    assert [chunk.text for chunk in rules.chunks] == [TEXTS[2], TEXTS[1], TEXTS[0]]
    assert [chunk.pages for chunk in rules.chunks] == [(1,), (1,), (2,)]
    assert [page.number for page in rules.document.pages] == [1, 2]
    assert rules.document.text == "\n\n".join((TEXTS[2], TEXTS[1], TEXTS[0]))
    assert rules.chunks[0].metadata == {**source, "page": 0, "page_label": "1", "start_index": 0, "chroma_id": "lc-2"}
    assert rules.document.metadata == source
    assert rules.document.title == "취업규정"
    assert documents[1].chunks[0].pages == ()
    np.testing.assert_allclose(rules.vectors[2], EMBEDDER.embed_passages([TEXTS[0]])[0], atol=1e-6)


def test_llama_index_nodes_lose_their_inner_keys_and_are_checked_with_their_metadata(client: Any) -> None:
    collection = new(client)
    metadatas = [
        {"file_path": "/자료/규정.pdf", "file_name": "규정.pdf", "page_label": "2"},
        {"file_path": "/자료/규정.pdf", "file_name": "규정.pdf", "page_label": "1"},
        {"file_path": "/자료/임대차.pdf", "file_name": "임대차.pdf", "page_label": "iv"},
    ]
    fill_as_llama_index(collection, TEXTS[:3], metadatas)
    documents, _ = taken(collection)
    assert [[chunk.text for chunk in item.chunks] for item in documents] == [[TEXTS[1], TEXTS[0]], [TEXTS[2]]]
    assert documents[0].chunks[0].metadata == {**metadatas[1], "chroma_id": "node-1"}
    assert [chunk.pages for item in documents for chunk in item.chunks] == [(1,), (2,), ()]


def test_rows_by_hand_stand_alone_and_rows_without_text_are_rejected(client: Any) -> None:
    collection = new(client)
    vectors = EMBEDDER.embed_passages(TEXTS[:2])
    collection.add(ids=["가", "나"], embeddings=vectors, documents=list(TEXTS[:2]))
    collection.add(ids=["다"], embeddings=vectors[:1])
    collection.add(ids=["라"], embeddings=vectors[:1], documents=["  "], metadatas=[{"source": "빈 글.txt"}])
    collection.add(ids=["마"], embeddings=np.zeros_like(vectors[:1]), documents=["글"])
    documents, rejected = taken(collection)
    assert [item.document.source for item in documents] == ["가", "나"]
    assert {row.id: row.reason.split(",")[0] for row in rejected} == {
        "다": "it has no text",
        "라": "it has no text",
        "마": "its vector is zero or holds values that are no numbers",
    }


def test_other_embeddings_are_refused_with_the_figure_unless_told_otherwise(client: Any) -> None:
    collection = new(client)
    fill_as_langchain(collection, TEXTS, [{"source": "가.txt"}] * 4)

    class Other(HashEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Any:
            return super().embed_passages([text[::-1] + "다른" for text in texts])

    with pytest.raises(FingerprintMismatchError, match=r"cosine.*at least 0\.99") as caught:
        taken(collection, embeddings=Other())
    [(_, figure)] = caught.value.differences.values()
    assert isinstance(figure, float)
    assert figure < 0.99
    assert len(taken(collection, embeddings=None, verify_embeddings=False)[0]) == 1
    with pytest.raises(ValueError, match="verify_embeddings=False"):
        take_over(collection)


def test_another_dimension_is_refused(client: Any) -> None:
    collection = new(client)
    collection.add(ids=["a"], embeddings=[[1.0, 2.0]], documents=["글"])
    with pytest.raises(FingerprintMismatchError, match="dimension"):
        taken(collection)


def test_texts_become_nfc_and_vectors_are_checked_with_the_text_as_it_was(client: Any) -> None:
    collection = new(client)
    apart = unicodedata.normalize("NFD", TEXTS[0])
    fill_as_langchain(collection, [apart], [{"source": unicodedata.normalize("NFD", "규정.pdf")}])
    [item], _ = taken(collection)
    assert item.document.text == TEXTS[0]
    assert item.document.source == "규정.pdf"


def test_a_collection_of_many_pages_is_read_whole_and_in_parts_of_a_document(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kure_rag.index.take_over._PAGE", 7)
    monkeypatch.setattr("kure_rag.index.take_over._MOST", 20)
    collection = new(client)
    texts = [f"제{i}행 값은 {i * 3}원이다." for i in range(50)]
    fill_as_langchain(collection, texts, [{"source": "표.csv", "row": i} for i in range(50)])
    told: list[tuple[int, int, str]] = []
    documents, _ = taken(collection, progress=lambda *said: told.append(said))
    assert [len(item.chunks) for item in documents] == [20, 20, 10]
    assert [chunk.text for item in documents for chunk in item.chunks] == texts
    assert [item.key for item in documents] == ["표.csv", "표.csv#2", "표.csv#3"]
    assert len({item.document.id for item in documents}) == 3
    assert told == [(20, 50, "표.csv"), (40, 50, "표.csv"), (50, 50, "표.csv")]


def test_taking_over_twice_gives_the_same_ids(client: Any) -> None:
    collection = new(client)
    fill_as_langchain(collection, TEXTS, [{"source": f"{i % 2}.txt"} for i in range(4)])
    once, twice = taken(collection)[0], taken(collection)[0]
    assert [item.document for item in once] == [item.document for item in twice]
    assert [item.chunks for item in once] == [item.chunks for item in twice]


def test_an_empty_collection_gives_nothing(client: Any) -> None:
    assert taken(new(client)) == ([], [])


def test_a_store_or_a_client_around_one_collection_will_do(client: Any) -> None:
    collection = new(client, "one")

    class Store:  # both libraries keep it in `_collection`
        _collection = collection

    assert find_collection(Store()).name == "one"
    assert find_collection(client).name == "one"
    new(client, "two")
    with pytest.raises(KureIndexError, match=r"2 collections.*get_collection"):
        find_collection(client)
    with pytest.raises(KureIndexError, match="str is no Chroma collection"):
        find_collection("documents")


@pytest.mark.parametrize(
    ("metadata", "from_zero", "expected"),
    [
        ({"page": 0}, True, (1,)),
        ({"page": 4, "page_label": "v"}, True, (5,)),
        ({"page": 4}, False, (4,)),
        ({"page": 9, "total_pages": 5}, True, ()),
        ({"page": "three"}, False, ()),
        ({"page": True}, False, ()),
        ({"page_label": "12"}, False, (12,)),
        ({"page_label": "-1"}, False, ()),
        ({"pages": [3, 2, 3]}, False, (2, 3)),
        ({}, False, ()),
    ],
)
def test_pages_are_taken_where_they_make_sense(
    metadata: dict[str, Any], from_zero: bool, expected: tuple[int, ...]
) -> None:
    assert page_numbers(place(metadata), metadata, from_zero=from_zero) == expected


def test_a_node_that_is_no_json_is_only_metadata() -> None:
    metadata = {"_node_content": "{", "document_id": "d", "file_name": "가.pdf"}
    assert place(metadata).source == "가.pdf"
    assert embedded_texts("글", metadata) == ["글"]


@pytest.mark.skipif(importlib.util.find_spec("langchain_chroma") is None, reason="langchain-chroma is not installed")
def test_a_collection_that_langchain_chroma_itself_made(client: Any) -> None:
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    class Same(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return EMBEDDER.embed_passages(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return EMBEDDER.embed_queries([text])[0].tolist()

    store = Chroma("rules", Same(), client=client)
    store.add_documents([Document(text, metadata={"source": "규정.pdf", "page": i}) for i, text in enumerate(TEXTS)])
    [item], _ = taken(store)
    assert [chunk.pages for chunk in item.chunks] == [(1,), (2,), (3,), (4,)]


@pytest.mark.skipif(
    importlib.util.find_spec("llama_index") is None
    or importlib.util.find_spec("llama_index.vector_stores") is None
    or importlib.util.find_spec("llama_index.vector_stores.chroma") is None,
    reason="llama-index-vector-stores-chroma is not installed",
)
def test_a_collection_that_llama_index_itself_made(client: Any) -> None:
    from llama_index.core.schema import MetadataMode, NodeRelationship, RelatedNodeInfo, TextNode
    from llama_index.vector_stores.chroma import ChromaVectorStore

    nodes = []
    for i, text in enumerate(TEXTS):
        node = TextNode(text=text, metadata={"file_name": "규정.pdf", "page_label": str(i + 1)})
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"page-{i}")
        node.embedding = EMBEDDER.embed_passages([node.get_content(MetadataMode.EMBED)])[0].tolist()
        nodes.append(node)
    store = ChromaVectorStore(chroma_collection=new(client))
    store.add(nodes)
    [item], _ = taken(store)
    assert [chunk.text for chunk in item.chunks] == list(TEXTS)
    assert [chunk.pages for chunk in item.chunks] == [(1,), (2,), (3,), (4,)]
    assert item.chunks[0].metadata["chroma_id"] == nodes[0].node_id
