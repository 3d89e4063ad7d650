"""The searches that projects put together by hand, over passages and vectors that are ready.

    python benchmarks/stock_search.py FOLDER [--parts langchain,llama-index] [--add-only] [--rankings FILE] [--most 30]

FOLDER is as search_data.py writes it. Run by search_speed.py, add_speed.py and stack_quality.py; needs nothing of
kure-rag, but

    pip install langchain-classic langchain-community langchain-chroma rank-bm25
    pip install llama-index-core llama-index-retrievers-bm25 llama-index-vector-stores-chroma

LangChain: EnsembleRetriever with equal weights over BM25Retriever and Chroma. LlamaIndex: QueryFusionRetriever in its
mode ``reciprocal_rerank`` without queries of its own making, over its BM25Retriever and the same Chroma collection.
Each retriever is asked for ten. All else is as they come: words cut at spaces, Chroma's settings. Embedding takes no
time, for every vector is ready. Chroma's collection is kept in FOLDER and used again. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

K = 10
BATCH = 5_000
WARM = 3  # questions before the clock starts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", default="langchain,llama-index")
    parser.add_argument("--add-only", action="store_true", help="only fill Chroma, in a folder that must not be there")
    parser.add_argument("--rankings", type=Path, help="write the ids that each question finds here")
    parser.add_argument("--most", type=int, default=30, help="questions that are timed")
    options = parser.parse_args()
    lines = (options.folder / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    passages = [json.loads(line) for line in lines]
    vectors = np.load(options.folder / "vectors.npy", mmap_mode="r")
    asked = [json.loads(line) for line in (options.folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    ready = dict(zip((one["text"] for one in asked), np.load(options.folder / "questions.npy"), strict=True))
    said: dict[str, Any] = {}
    store, said["chroma_seconds"] = chroma_of(options.folder / "stock", passages, vectors, ready)
    if not options.add_only:
        for part in options.parts.split(","):
            began = time.perf_counter()
            ask = (langchain if part == "langchain" else llama_index)(store, passages, ready)
            said[f"{part}_ready_seconds"] = time.perf_counter() - began
            if options.rankings:
                found = {one["id"]: ask(one["text"]) for one in asked}
                options.rankings.write_text(json.dumps(found), encoding="utf-8")
            else:
                said[part] = timed(ask, [one["text"] for one in asked][: options.most + WARM])
    json.dump(said, sys.stdout)


def timed(ask: Callable[[str], Sequence[str]], texts: Sequence[str]) -> list[float]:
    """Milliseconds of each question."""
    took = []
    for text in texts:
        began = time.perf_counter()
        ask(text)
        took.append(1e3 * (time.perf_counter() - began))
    return took[WARM:]


def chroma_of(folder: Path, passages: list[dict[str, str]], vectors: Any, ready: dict[str, Any]) -> tuple[Any, float]:
    """LangChain's Chroma with all passages, and the seconds that adding them took: 0 for one that was there."""
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

    class Ready(Embeddings):
        """Vectors that are there already; passages come in their order."""

        def __init__(self) -> None:
            self.at = 0

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            self.at += len(texts)
            return vectors[self.at - len(texts) : self.at].tolist()  # type: ignore[no-any-return]

        def embed_query(self, text: str) -> list[float]:
            return ready[text].tolist()  # type: ignore[no-any-return]

    is_new = not folder.exists()
    store = Chroma(collection_name="stock", embedding_function=Ready(), persist_directory=str(folder))
    if not is_new:
        return store, 0.0
    began = time.perf_counter()
    for i in range(0, len(passages), BATCH):
        part = passages[i : i + BATCH]
        store.add_texts(
            [one["text"] for one in part], [{"id": one["id"]} for one in part], ids=[one["id"] for one in part]
        )
    return store, time.perf_counter() - began


def langchain(store: Any, passages: list[dict[str, str]], ready: dict[str, Any]) -> Callable[[str], list[str]]:
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever

    words = BM25Retriever.from_texts(
        [one["text"] for one in passages], metadatas=[{"id": one["id"]} for one in passages], k=K
    )
    both = EnsembleRetriever(retrievers=[words, store.as_retriever(search_kwargs={"k": K})], weights=[0.5, 0.5])
    return lambda text: [found.metadata["id"] for found in both.invoke(text)]


def llama_index(store: Any, passages: list[dict[str, str]], ready: dict[str, Any]) -> Callable[[str], list[str]]:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.retrievers.bm25 import BM25Retriever
    from llama_index.vector_stores.chroma import ChromaVectorStore

    class Ready(BaseEmbedding):
        """Vectors of questions that are there already."""

        def _get_query_embedding(self, query: str) -> list[float]:
            return ready[query].tolist()  # type: ignore[no-any-return]

        _get_text_embedding = _get_query_embedding

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

    nodes = [TextNode(id_=one["id"], text=one["text"]) for one in passages]
    near = VectorStoreIndex.from_vector_store(ChromaVectorStore(store._collection), embed_model=Ready())
    both = QueryFusionRetriever(
        [near.as_retriever(similarity_top_k=K), BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=K)],
        llm=MockLLM(),
        mode="reciprocal_rerank",
        similarity_top_k=K,
        num_queries=1,
        use_async=False,
    )
    return lambda text: [found.node.node_id for found in both.retrieve(text)]


if __name__ == "__main__":
    main()
