"""The cross-encoder as a node postprocessor."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode
from small_other_models import reranker
from support import HashEmbedder

from kure_rag import KureIndex, KureReranker
from kure_rag.langchain import KureReranker as ChainReranker
from kure_rag.langchain import KureRetriever as ChainRetriever
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


def test_a_search_that_reranks_and_rerankers_after_it_give_the_same_scores(model: str, tmp_path: Path) -> None:
    """Headings and leads, which a passage's metadata have, are read as the search's own stage reads them."""
    rules = tmp_path / "규정.md"
    sections = [f"## {text[:2]}\n\n{text}." for text in TEXTS]
    rules.write_text("\n\n".join(["# 취업규정", *sections]), encoding="utf-8")
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        index.add_paths(rules, file_types=("md",), workers=1)
        searched = index.search(QUESTION, k=3, rerank=model)
        assert len(searched) > 1
        assert all(hit.chunk.breadcrumb for hit in searched)
        wanted = [(hit.chunk.id, pytest.approx(hit.score)) for hit in searched]
        nodes = KureRetriever(index, similarity_top_k=3).retrieve(QUESTION)
        kept = KureRerank(model=model).postprocess_nodes(nodes, query_str=QUESTION)
        assert [(one.node_id, one.score) for one in kept] == wanted
        documents = ChainRetriever(index=index, k=3).invoke(QUESTION)
        compressed = ChainReranker(model=model).compress_documents(documents, QUESTION)
        assert [(one.id, one.metadata["relevance_score"]) for one in compressed] == wanted


def test_of_nodes_that_are_not_ours_what_llama_index_embeds_is_read(model: str) -> None:
    nodes = [TextNode(id_=str(i), text=text, metadata={"표제": "휴가"}) for i, text in enumerate(TEXTS)]
    nodes.append(TextNode(id_="3", text="휴가는 준다", metadata={"breadcrumb": "휴가 > 급여"}))  # another's, a text
    read = [node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
    wanted = [(str(item.position), item.score) for item in KureReranker(model).rank(QUESTION, read)]
    found = KureRerank(model=model).postprocess_nodes([NodeWithScore(node=node) for node in nodes], query_str=QUESTION)
    assert [(one.node_id, one.score) for one in found] == wanted


def test_a_question_is_needed_and_settings_go_through_dictionaries(model: str, nodes: list[NodeWithScore]) -> None:
    with pytest.raises(ValueError, match="needs the question"):
        KureRerank(model=model).postprocess_nodes(nodes)
    again = KureRerank.from_dict(KureRerank(model=model, top_n=1, score_threshold=0.1).to_dict())
    assert (again.model, again.top_n, again.score_threshold) == (model, 1, 0.1)
