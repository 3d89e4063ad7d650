"""One index, three doors: the core, LangChain and LlamaIndex give the same passages, scores and vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kure_rag import Embedder, KureEmbeddings, KureIndex, KureRetriever, RrfFusion
from kure_rag.citation import hit_metadata
from kure_rag.llama_index import KureEmbedding
from kure_rag.llama_index import KureRetriever as LlamaKureRetriever
from kure_rag.types import MODES

QUERIES = ("연차휴가는 며칠인가요?", "약을 먹기 전에 의사와 상담해야 하는 환자", "영업이익은 얼마나 늘었나요?", "주차")
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"where": {"title": {"$in": ["취업규정", "의약품 설명서"]}}},
    {"fusion": RrfFusion(weight=0.7, k=10)},
)


@pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "where", "rrf"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", QUERIES)
async def test_same_ids_order_scores_and_metadata(
    small_index: KureIndex, query: str, mode: Any, settings: dict[str, Any]
) -> None:
    hits = small_index.search(query, k=7, mode=mode, **settings)
    assert hits or (mode == "lexical" and "where" in settings)  # a filter may leave no passage with the query's words
    core = [(hit.chunk.id, hit.chunk.text, hit.score, hit_metadata(hit)) for hit in hits]

    chain = KureRetriever(index=small_index, k=7, mode=mode, **settings)
    for documents in (chain.invoke(query), await chain.ainvoke(query)):
        assert [(d.id, d.page_content, d.metadata["score"], d.metadata) for d in documents] == core

    llama = LlamaKureRetriever(small_index, similarity_top_k=7, mode=mode, **settings)
    for nodes in (llama.retrieve(query), await llama.aretrieve(query)):
        assert [(n.node_id, n.text, n.score, n.metadata) for n in nodes] == core


def test_same_vectors(tiny_model: Path) -> None:
    model = str(tiny_model)
    core, chain, llama = Embedder(model), KureEmbeddings(model), KureEmbedding(model)
    for text in QUERIES:
        vector = core.embed_queries([text])[0]
        assert np.allclose(chain.embed_query(text), vector, rtol=0, atol=0)
        assert np.allclose(llama.get_query_embedding(text), vector, rtol=0, atol=0)
    vectors = core.embed_passages(QUERIES)
    assert np.allclose(chain.embed_documents(list(QUERIES)), vectors, rtol=0, atol=0)
    assert np.allclose(llama.get_text_embedding_batch(list(QUERIES)), vectors, rtol=0, atol=0)


def test_an_index_opens_with_any_of_them(small_index: KureIndex, tiny_model: Path) -> None:
    model = str(tiny_model)
    found = [hit.chunk.id for hit in small_index.search(QUERIES[0])]
    for embeddings in (model, Embedder(model), KureEmbeddings(model), KureEmbedding(model)):
        with KureIndex.open(small_index.path, embeddings=embeddings) as index:
            assert [hit.chunk.id for hit in index.search(QUERIES[0])] == found
