"""One index under several frameworks: what one keeps for itself is not shown by the others, and is not lost by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.documents import Document
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from support import HashEmbedder

from kure_rag import ConvexFusion, KureIndex, KureRetriever
from kure_rag.citation import LLAMA_NODE, hit_metadata
from kure_rag.config import Config
from kure_rag.langchain import KureDocumentIndex, KureVectorStore, create_kure_tool
from kure_rag.llama_index import KureRetriever as LlamaKureRetriever
from kure_rag.llama_index import KureVectorStore as LlamaKureVectorStore
from kure_rag.search import SearchOptions

LEAVE = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."
ABOUT = {"source": "규정.pdf", "pages": [3], "조": "제15조"}


def node() -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="규정집")}
    [vector] = HashEmbedder().embed_passages([LEAVE]).tolist()
    return TextNode(
        id_="휴가",
        text=LEAVE,
        metadata=ABOUT,
        embedding=vector,
        start_char_idx=7,
        end_char_idx=42,
        relationships=source,
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as opened:
        LlamaKureVectorStore(opened).add([node()])
        yield opened


async def test_what_llama_index_keeps_is_shown_by_nobody_else(index: KureIndex) -> None:
    store, retriever, documents = KureVectorStore(index), KureRetriever(index=index), KureDocumentIndex(index=index)
    own = [*store.similarity_search("연차휴가"), *store.get_by_ids(["휴가"]), *documents.get(["휴가"])]
    assert [one.metadata for one in own] == [ABOUT] * 3
    tool = create_kure_tool(retriever).invoke(
        {"type": "tool_call", "id": "1", "name": "x", "args": {"query": "연차휴가"}}
    )
    cited = [*retriever.invoke("연차휴가"), *await documents.ainvoke("연차휴가"), *tool.artifact]
    [hit] = index.search("연차휴가")
    for about in (hit_metadata(hit), *(one.metadata for one in cited)):
        assert LLAMA_NODE not in json.dumps(about, ensure_ascii=False)
        assert about.items() >= ABOUT.items()


def test_llama_index_gets_its_node_back_whole(index: KureIndex) -> None:
    wanted = node().model_copy(update={"embedding": None})
    store = LlamaKureVectorStore(index)
    [vector] = HashEmbedder().embed_queries(["연차휴가"]).tolist()
    found = store.query(VectorStoreQuery(query_embedding=vector, similarity_top_k=1)).nodes or ()
    for one in (*found, *store.get_nodes(["휴가"]), LlamaKureRetriever(index).retrieve("연차휴가")[0].node):
        assert one == wanted


def test_entries_that_are_copied_into_another_index_keep_it(index: KureIndex, tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "copy", embeddings=HashEmbedder()) as copy:
        copy.put(index.entries(index.entry_ids(), vectors=True))
        assert LlamaKureVectorStore(copy).get_nodes() == LlamaKureVectorStore(index).get_nodes()


def test_what_langchain_puts_in_its_place_is_another_passage(index: KureIndex) -> None:
    store = KureVectorStore(index)
    [document] = store.get_by_ids(["휴가"])
    store.add_documents([Document(id="휴가", page_content=document.page_content, metadata={**ABOUT, "판": 2})])
    [found] = LlamaKureVectorStore(index).get_nodes(["휴가"])
    assert (found.metadata, found.ref_doc_id) == ({**ABOUT, "판": 2}, None)


async def test_all_search_as_the_index_was_opened_to(tmp_path: Path) -> None:
    search = SearchOptions(mode="lexical", highlight=True, fusion=ConvexFusion(weight=0.9), k=9)
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder(), config=Config(search=search)) as index:
        KureVectorStore(index).add_texts([f"{LEAVE} {i}" for i in range(6)])
        hits = index.search("연차휴가", k=4)
        assert all(set(hit.legs) == {"lexical"} and hit.highlights for hit in hits)
        for documents in (
            KureRetriever(index=index).invoke("연차휴가"),
            await KureRetriever(index=index).ainvoke("연차휴가"),
        ):
            assert [one.metadata for one in documents] == [hit_metadata(hit) for hit in hits]
        nodes = LlamaKureRetriever(index).retrieve("연차휴가")
        assert [one.metadata for one in nodes] == [hit_metadata(hit) for hit in hits]
        [document, *_] = KureRetriever(index=index, mode="hybrid", options=SearchOptions()).invoke("연차휴가")
        assert "highlights" not in document.metadata, "options of the retriever's own"
        assert KureVectorStore(index)._search._options({"k": 2}).fusion == search.fusion
