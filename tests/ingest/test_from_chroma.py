"""A collection that somebody else made becomes an index: both legs, metadata, citations, and nothing embedded again."""

from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import FingerprintMismatchError
from kure_rag.ingest import IngestRow

TEXTS = (
    "제15조(연차휴가) 1년간 8할 이상 출근한 직원에게 15일을 준다.",
    "제16조(병가) 의사의 진단서를 낸 직원에게 연간 60일까지 허가한다.",
    "급여는 매월 25일에 지급하고 휴일이면 전날에 지급한다.",
)


@pytest.fixture
def collection(tmp_path: Path) -> object:
    """As langchain-chroma writes one."""
    client = chromadb.PersistentClient(str(tmp_path / "chroma"), settings=Settings(anonymized_telemetry=False))
    made = client.create_collection("langchain", embedding_function=None)
    made.add(
        ids=["a", "b", "c"],
        documents=list(TEXTS),
        metadatas=[
            {"source": "취업규정.pdf", "page": 2, "부서": "인사"},
            {"source": "취업규정.pdf", "page": 3, "부서": "인사"},
            {"source": "보수규정.pdf", "page": 0, "부서": "재무"},
        ],
        embeddings=HashEmbedder().embed_passages(list(TEXTS)),
    )
    return made


class Refusing(HashEmbedder):
    """Says how often it embedded passages."""

    asked = 0

    def embed_passages(self, texts: list[str]) -> np.ndarray:  # type: ignore[override]
        Refusing.asked += len(texts)
        return self.embed_queries(texts)


def test_a_langchain_collection_becomes_an_index(collection: object, tmp_path: Path) -> None:
    rows: list[IngestRow] = []
    with KureIndex.from_chroma(collection, tmp_path / "index", embeddings=HashEmbedder(), on_row=rows.append) as index:
        assert sorted((row.source, row.status, row.chunks) for row in rows) == [
            ("보수규정.pdf", "added", 1),
            ("취업규정.pdf", "added", 2),
        ]
        for mode in ("lexical", "dense", "hybrid"):
            assert index.search("연차휴가는 며칠인가", k=1, mode=mode)[0].chunk.text == TEXTS[0]
        assert index.search("급여", k=1, mode="lexical")[0].source == "보수규정.pdf"
        assert {hit.chunk.text for hit in index.search("직원", where={"부서": "인사"})} == set(TEXTS[:2])
        assert index.verify().ok
        again: list[IngestRow] = []
        index.close()
    with KureIndex.from_chroma(collection, tmp_path / "index", embeddings=HashEmbedder(), on_row=again.append) as index:
        assert {row.status for row in again} == {"unchanged"}


def test_vectors_are_taken_as_they_are(collection: object, tmp_path: Path) -> None:
    Refusing.asked = 0
    with KureIndex.from_chroma(collection, tmp_path / "index", embeddings=Refusing(), verify_embeddings=False) as index:
        assert Refusing.asked == 0
        assert index.search(TEXTS[1], k=1, mode="dense")[0].chunk.text == TEXTS[1]


def test_another_model_is_noticed(collection: object, tmp_path: Path) -> None:
    class Other(HashEmbedder):
        def _vector(self, text: str) -> np.ndarray:
            return super()._vector(text)[::-1].copy()

    with pytest.raises(FingerprintMismatchError):
        KureIndex.from_chroma(collection, tmp_path / "index", embeddings=Other())
