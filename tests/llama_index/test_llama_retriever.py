from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeRelationship, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters

from kure_rag import Chunk, Hit, KureIndex, Leg, RrfFusion
from kure_rag.errors import FilterError, IndexNotFoundError, SearchError
from kure_rag.llama_index import KureRetriever, to_node
from kure_rag.search import SearchOptions

QUERY = "연차휴가는 며칠인가요?"

HIT = Hit(
    chunk=Chunk(
        id="c",
        document_id="d",
        text="제15조(연차휴가) ① 직원은 연차휴가를 쓸 수 있다.",
        start=40,
        end=70,
        pages=(3, 4),
        breadcrumb=("제2장 휴가", "제15조(연차휴가)"),
        kind="article",
        prev_id="b",
        next_id="e",
        metadata={"article": "제15조"},
    ),
    source="규정.pdf",
    title="취업규정",
    domain="legal",
    score=0.0,
    rank=1,
    legs={"dense": Leg(None, 0.25)},
)


def test_it_is_a_llama_index_retriever(small_index: KureIndex) -> None:
    retriever = KureRetriever(small_index)
    assert isinstance(retriever, BaseRetriever)
    nodes = retriever.retrieve(QUERY)
    assert len(nodes) == 4
    assert all(isinstance(node, NodeWithScore) and isinstance(node.node, TextNode) for node in nodes)
    assert nodes == retriever.retrieve(QueryBundle(QUERY))


async def test_settings_are_used(small_index: KureIndex) -> None:
    fusion = RrfFusion(weight=0.9)
    for given in (
        {"mode": "lexical"},
        {"mode": "dense"},
        {"where": {"title": "취업규정"}},
        {"fusion": fusion},
    ):
        retriever = KureRetriever(small_index, similarity_top_k=3, **given)
        hits = small_index.search(QUERY, k=3, **given)
        wanted = [(hit.chunk.id, hit.score) for hit in hits]
        assert [(node.node_id, node.score) for node in retriever.retrieve(QUERY)] == wanted
        assert [(node.node_id, node.score) for node in await retriever.aretrieve(QUERY)] == wanted


def test_errors_are_the_core_s(small_index: KureIndex) -> None:
    with pytest.raises(SearchError, match="empty"):
        KureRetriever(small_index).retrieve(" ")
    with pytest.raises(FilterError, match="like"):
        KureRetriever(small_index, where={"title": {"$like": "취업"}}).retrieve(QUERY)


def test_a_node_knows_its_place_and_its_neighbours() -> None:
    node = to_node(HIT).node
    assert isinstance(node, TextNode)
    assert (node.id_, node.text, node.start_char_idx, node.end_char_idx) == ("c", HIT.chunk.text, 40, 70)
    assert node.ref_doc_id == "d"
    assert node.prev_node is not None
    assert node.next_node is not None
    assert (node.prev_node.node_id, node.next_node.node_id) == ("b", "e")
    assert node.metadata["citation"] == "규정.pdf p.3-4 제2장 휴가 > 제15조(연차휴가)"
    assert node.metadata["article"] == "제15조"


def test_a_score_of_zero_stays_zero() -> None:
    assert to_node(HIT).score == 0.0


def test_a_record_has_no_neighbours(small_index: KureIndex) -> None:
    node = KureRetriever(small_index).retrieve(QUERY)[0].node
    assert set(node.relationships) == {NodeRelationship.SOURCE}
    assert node.ref_doc_id == node.metadata["document_id"]


def test_a_language_model_sees_the_citation_and_no_ids() -> None:
    node = to_node(HIT).node
    shown = node.get_content(metadata_mode=MetadataMode.LLM)
    for part in ("source: 규정.pdf", "pages: [3, 4]", "제2장 휴가", "citation: 규정.pdf p.3-4", HIT.chunk.text):
        assert part in shown
    for part in ("chunk_id", "document_id", "score", "legs", "prev_id", "article:"):
        assert part not in shown
    embedded = node.get_content(metadata_mode=MetadataMode.EMBED)
    assert "제2장 휴가" in embedded
    assert "규정.pdf" not in embedded


def test_nodes_round_trip_through_json(small_index: KureIndex) -> None:
    for node in [to_node(HIT), *KureRetriever(small_index, similarity_top_k=12).retrieve(QUERY)]:
        assert json.loads(json.dumps(node.node.metadata, allow_nan=False)) == node.node.metadata
        assert TextNode.from_json(node.node.to_json()) == node.node


async def test_the_event_loop_goes_on_while_it_searches(
    small_index: KureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def slow(queries: list[str], *_: Any) -> list[list[Hit]]:
        assert let_go.wait(10), "nothing else ran on the event loop while it searched"
        return [[] for _ in queries]

    monkeypatch.setattr(small_index._searcher, "_run", slow)
    searching = asyncio.create_task(KureRetriever(small_index).aretrieve(QUERY))
    await asyncio.sleep(0.01)
    let_go.set()
    assert await searching == []


def test_from_path(small_index: KureIndex, tiny_model: Path, tmp_path: Path) -> None:
    retriever = KureRetriever.from_path(small_index.path, embeddings=str(tiny_model), similarity_top_k=2)
    assert [n.node_id for n in retriever.retrieve(QUERY)] == [hit.chunk.id for hit in small_index.search(QUERY, k=2)]
    retriever.index.close()
    with pytest.raises(IndexNotFoundError):
        KureRetriever.from_path(tmp_path / "없음")
    with pytest.raises(TypeError, match="top_k"):
        KureRetriever.from_path(small_index.path, embeddings=str(tiny_model), top_k=2)


def test_every_keyword_of_a_search_is_taken(small_index: KureIndex) -> None:
    hits = small_index.search("연차휴가", k=3, highlight=True, relevance=True)
    options = SearchOptions(relevance=True)
    found = KureRetriever(small_index, similarity_top_k=3, highlight=True, options=options).retrieve("연차휴가")
    assert [(one.node.node_id, one.node.metadata["relevance"]) for one in found] == [
        (hit.chunk.id, hit.relevance) for hit in hits
    ]
    assert found[0].node.metadata["highlights"] == [list(span) for span in hits[0].highlights or ()]


def test_a_filter_may_be_llama_index_s(small_index: KureIndex) -> None:
    filters = MetadataFilters(filters=[MetadataFilter(key="article", value="제4조")])
    found = KureRetriever(small_index, filters=filters).retrieve("급여")
    assert [one.node.metadata["source"] for one in found] == ["pay"]
    with pytest.raises(ValueError, match="one of them"):
        KureRetriever(small_index, filters=filters, where={"article": "제4조"})
