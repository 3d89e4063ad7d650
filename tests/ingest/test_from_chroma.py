"""A collection that somebody else made becomes an index: both legs, metadata, citations, and nothing embedded again."""

from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from support import HashEmbedder

from kure_rag import KureIndex
from kure_rag.errors import FingerprintMismatchError, KureIndexError
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
    with pytest.raises(FingerprintMismatchError):
        KureIndex.from_chroma(collection, tmp_path / "index", embeddings=Other())


def again(collection: object, path: Path, **settings: object) -> dict[str, str]:
    """Status by source of one more run."""
    rows: list[IngestRow] = []
    with KureIndex.from_chroma(collection, path, embeddings=HashEmbedder(), on_row=rows.append, **settings) as index:
        assert index.verify().ok, index.verify().problems
    return {row.source: row.status for row in rows}


def test_changed_metadata_takes_the_place_of_the_older_and_is_called_updated(
    collection: chromadb.Collection, tmp_path: Path
) -> None:
    path = tmp_path / "index"
    assert again(collection, path) == {"취업규정.pdf": "added", "보수규정.pdf": "added"}
    collection.update(ids=["b"], metadatas=[{"부서": "총무"}])
    assert again(collection, path) == {"취업규정.pdf": "updated", "보수규정.pdf": "unchanged"}
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        assert {hit.chunk.text for hit in index.search("직원", where={"부서": "총무"})} == {TEXTS[1]}
        assert {hit.chunk.text for hit in index.search("직원", where={"부서": "인사"})} == {TEXTS[0]}
        assert len(index.documents()) == 2
    collection.update(ids=["c"], metadatas=[{"page": 4}])
    assert again(collection, path) == {"취업규정.pdf": "unchanged", "보수규정.pdf": "updated"}


def test_changed_texts_and_vectors_take_the_place_of_the_older(collection: chromadb.Collection, tmp_path: Path) -> None:
    path = tmp_path / "index"
    again(collection, path)
    new = "급여는 매월 21일에 지급한다."
    collection.update(ids=["c"], documents=[new], embeddings=HashEmbedder().embed_passages([new]))
    assert again(collection, path) == {"취업규정.pdf": "unchanged", "보수규정.pdf": "updated"}
    collection.update(ids=["c"], embeddings=HashEmbedder().embed_passages([TEXTS[2]]))
    assert again(collection, path, verify_embeddings=False)["보수규정.pdf"] == "updated"
    assert again(collection, path) == {"취업규정.pdf": "unchanged", "보수규정.pdf": "unchanged"}
    assert again(collection, path, domain="legal") == {"취업규정.pdf": "updated", "보수규정.pdf": "updated"}
    with KureIndex.open(path, embeddings=HashEmbedder()) as index:
        assert sorted(row.source for row in index.documents()) == ["보수규정.pdf", "취업규정.pdf"]
        assert {row.domain for row in index.documents()} == {"legal"}


def test_no_path_of_the_collection_is_kept_as_a_key(tmp_path: Path) -> None:
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    made = client.create_collection("paths", embedding_function=None)
    secret = "/home/김지원/인사팀 비밀/취업규정.pdf"
    made.add(
        ids=["a"],
        documents=[TEXTS[0]],
        metadatas=[{"file_path": secret}],
        embeddings=HashEmbedder().embed_passages([TEXTS[0]]),
    )
    try:
        with KureIndex.from_chroma(made, tmp_path / "index", embeddings=HashEmbedder()) as index:
            [(key, id_)] = index._store.catalog.keys().items()
            assert len(key) == 32
            assert set(key) <= set("0123456789abcdef")
            # What an older version stored under the path itself is found, and is not there twice.
            index._store.catalog.set_place(id_, key=secret, root="")
        made.update(ids=["a"], metadatas=[{"page": 2}])
        assert again(made, tmp_path / "index") == {"취업규정.pdf": "updated"}
        with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
            assert list(index._store.catalog.keys()) == [key]
            assert len(index.documents()) == 1
    finally:
        client.delete_collection("paths")


def test_files_of_one_name_in_two_collections_are_two_documents(tmp_path: Path) -> None:
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    for name, text in (("first", TEXTS[0]), ("second", TEXTS[1])):
        made = client.create_collection(name, embedding_function=None)
        vectors = HashEmbedder().embed_passages([text])
        made.add(ids=["a"], documents=[text], metadatas=[{"source": "규정.pdf"}], embeddings=vectors)
        assert again(made, tmp_path / "index") == {"규정.pdf": "added"}
        client.delete_collection(name)
    with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
        assert len(index.documents()) == 2


def test_rows_that_two_collections_hold_live_as_long_as_one_does(tmp_path: Path) -> None:
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    made = [client.create_collection(f"copy-{name}", embedding_function=None) for name in "ab"]
    try:
        for collection, status in zip(made, ("added", "unchanged"), strict=True):
            vectors = HashEmbedder().embed_passages([TEXTS[0]])
            collection.add(ids=["a"], documents=[TEXTS[0]], metadatas=[{"source": "규정.pdf"}], embeddings=vectors)
            assert again(collection, tmp_path / "index") == {"규정.pdf": status}
        for collection, wanted in zip(made, ({TEXTS[0], TEXTS[1]}, {TEXTS[1]}), strict=True):
            collection.update(ids=["a"], documents=[TEXTS[1]], embeddings=HashEmbedder().embed_passages([TEXTS[1]]))
            again(collection, tmp_path / "index")
            with KureIndex.open(tmp_path / "index", embeddings=HashEmbedder()) as index:
                assert {index.document(row.id).text for row in index.documents()} == wanted  # type: ignore[union-attr]
    finally:
        for collection in made:
            client.delete_collection(collection.name)


class Other(HashEmbedder):
    """The same name and other vectors."""

    def _vector(self, text: str) -> np.ndarray:
        return super()._vector(text)[::-1].copy()


def test_what_is_refused_leaves_no_folder_behind(collection: chromadb.Collection, tmp_path: Path) -> None:
    with pytest.raises(FingerprintMismatchError):
        KureIndex.from_chroma(collection, tmp_path / "new" / "index", embeddings=Other())
    with pytest.raises(KureIndexError, match="no Chroma collection"):
        KureIndex.from_chroma("문서", tmp_path / "new" / "index", embeddings=HashEmbedder())
    assert not (tmp_path / "new").exists()
    path = tmp_path / "index"
    again(collection, path)
    with pytest.raises(FingerprintMismatchError):  # an index that was there before stays
        KureIndex.from_chroma(collection, path, embeddings=Other())
    assert set(again(collection, path).values()) == {"unchanged"}


def test_what_was_stored_before_an_interruption_stays(
    collection: chromadb.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kure_rag.ingest.collections._BATCH", 1)

    def stop(row: IngestRow) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        KureIndex.from_chroma(collection, tmp_path / "index", embeddings=HashEmbedder(), on_row=stop)
    assert sorted(again(collection, tmp_path / "index").values()) == ["added", "unchanged"]
