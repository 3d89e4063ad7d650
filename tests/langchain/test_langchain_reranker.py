"""The cross-encoder as a document compressor."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from pydantic import ValidationError
from small_other_models import reranker

from kure_rag import KureIndex
from kure_rag import KureReranker as Core
from kure_rag.langchain import KureReranker, KureRetriever

QUESTION = "휴가는 며칠인가"
TEXTS = ("급여는 매월 준다", "휴가는 며칠 준다", "주차는 지하에 한다")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(
        reranker(tmp_path_factory.mktemp("models") / "reranker", "".join(sorted(set(QUESTION + "".join(TEXTS)))))
    )


@pytest.fixture
def documents() -> list[Document]:
    return [Document(id=str(i), page_content=text, metadata={"n": i}) for i, text in enumerate(TEXTS)]


def test_order_and_scores_are_those_of_the_core(model: str, documents: list[Document]) -> None:
    wanted = Core(model).rank(QUESTION, TEXTS, top_k=2)
    found = KureReranker(model=model, top_n=2).compress_documents(documents, QUESTION)
    assert [(one.metadata["n"], one.metadata["relevance_score"]) for one in found] == [
        (item.position, item.score) for item in wanted
    ]
    assert all("relevance_score" not in one.metadata for one in documents)


async def test_the_loop_gets_the_same(model: str, documents: list[Document]) -> None:
    compressor = KureReranker(model=model)
    there = await compressor.acompress_documents(documents, QUESTION)
    assert [one.id for one in there] == [one.id for one in compressor.compress_documents(documents, QUESTION)]
    assert await compressor.acompress_documents([], QUESTION) == []


def test_documents_below_the_threshold_are_dropped(model: str, documents: list[Document]) -> None:
    scores = [one.score for one in Core(model).rank(QUESTION, TEXTS)]
    between = (scores[0] + scores[1]) / 2
    found = KureReranker(model=model, score_threshold=between).compress_documents(documents, QUESTION)
    assert [one.metadata["relevance_score"] for one in found] == scores[:1]


def test_a_search_of_ours_takes_it(model: str, small_index: KureIndex) -> None:
    hits = small_index.search("연차휴가", k=3, rerank=KureReranker(model=model))
    plain = small_index.search("연차휴가", k=3, rerank=Core(model))
    assert [(hit.chunk.id, hit.legs["rerank"]) for hit in hits] == [(hit.chunk.id, hit.legs["rerank"]) for hit in plain]


def test_it_goes_behind_a_retriever(model: str, small_index: KureIndex) -> None:
    found = KureRetriever(index=small_index, k=5).invoke("연차휴가")
    kept = KureReranker(model=model, top_n=2).compress_documents(found, "연차휴가")
    assert len(kept) == 2
    assert all(one.metadata["citation"] for one in kept)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises((ValidationError, TypeError), match="devize"):
        KureReranker(settings={"devize": "cuda"})
    with pytest.raises(ValidationError):
        KureReranker(top_n=0)
