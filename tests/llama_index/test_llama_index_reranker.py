"""The cross-encoder as a node postprocessor."""

from __future__ import annotations

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from small_other_models import reranker

from kure_rag import KureIndex, KureReranker
from kure_rag.llama_index import KureRerank, KureRetriever

QUESTION = "휴가는 며칠인가"
TEXTS = ("급여는 매월 준다", "휴가는 며칠 준다", "주차는 지하에 한다")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    letters = "".join(sorted(set(QUESTION + "".join(TEXTS))))
    return str(reranker(tmp_path_factory.mktemp("models") / "reranker", letters))


@pytest.fixture
def nodes() -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(id_=str(i), text=text), score=0.5) for i, text in enumerate(TEXTS)]


def test_order_and_scores_are_those_of_the_core(model: str, nodes: list[NodeWithScore]) -> None:
    wanted = KureReranker(model).rank(QUESTION, TEXTS, top_k=2)
    found = KureRerank(model=model, top_n=2).postprocess_nodes(nodes, query_str=QUESTION)
    assert [(one.node.node_id, one.score) for one in found] == [(str(item.position), item.score) for item in wanted]
    assert [one.score for one in nodes] == [0.5] * 3


async def test_the_loop_gets_the_same(model: str, nodes: list[NodeWithScore]) -> None:
    rerank = KureRerank(model=model)
    there = await rerank.apostprocess_nodes(nodes, query_str=QUESTION)
    assert [one.node.node_id for one in there] == [
        one.node.node_id for one in rerank.postprocess_nodes(nodes, query_str=QUESTION)
    ]


def test_the_score_of_the_retriever_is_kept_on_request(model: str, nodes: list[NodeWithScore]) -> None:
    found = KureRerank(model=model, keep_retrieval_score=True).postprocess_nodes(nodes, query_str=QUESTION)
    assert {one.node.metadata["retrieval_score"] for one in found} == {0.5}
    assert all("retrieval_score" not in one.node.metadata for one in nodes)


def test_what_is_read_is_the_text_below_its_headings(model: str, small_index: KureIndex) -> None:
    found = KureRetriever(small_index, similarity_top_k=3).retrieve("연차휴가")
    hits = small_index.search("연차휴가", k=3)
    wanted = KureReranker(model).rank("연차휴가", [hit.chunk.text for hit in hits])
    kept = KureRerank(model=model).postprocess_nodes(found, query_str="연차휴가")
    assert {one.node.node_id for one in kept} == {hits[item.position].chunk.id for item in wanted}


def test_a_question_is_needed_and_settings_go_through_dictionaries(model: str, nodes: list[NodeWithScore]) -> None:
    with pytest.raises(ValueError, match="needs the question"):
        KureRerank(model=model).postprocess_nodes(nodes)
    again = KureRerank.from_dict(KureRerank(model=model, top_n=1, score_threshold=0.1).to_dict())
    assert (again.model, again.top_n, again.score_threshold) == (model, 1, 0.1)
