"""Whose vectors a store holds, and stores that are written down and opened again."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.embeddings import BaseEmbedding, MockEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import MetadataMode, TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.core.vector_stores.types import VectorStoreQueryMode

from kure_rag import KureIndex
from kure_rag.errors import EntryError, FingerprintMismatchError, IndexNotFoundError, SearchError, UnknownModelError
from kure_rag.llama_index import KureEmbedding, KureVectorStore

TEXTS = [
    "연차휴가는 열닷새이다.",
    "급여는 매월 스무닷새에 준다.",
    "방문객의 차량은 지하에 세운다.",
    "병가는 예순 날까지이다.",
]


class Letters(BaseEmbedding):
    """Another model: counts of code points, by their remainder."""

    embed_dim: int = 32
    shift: int = 0

    def _get_text_embedding(self, text: str) -> list[float]:
        found = [0.0] * self.embed_dim
        for letter in text:
            found[(ord(letter) + self.shift) % self.embed_dim] += 1
        return found

    _get_query_embedding = _get_text_embedding

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@pytest.fixture(autouse=True)
def settings_without_a_model() -> Iterator[None]:
    before, Settings._embed_model = Settings._embed_model, None
    yield
    Settings._embed_model = before


def embedded(model: BaseEmbedding, texts: list[str] = TEXTS, **given: Any) -> list[TextNode]:
    nodes = [TextNode(id_=str(i), text=text, **given) for i, text in enumerate(texts)]
    return [node for node in model(nodes) if isinstance(node, TextNode)]


# Which model


def test_a_new_index_belongs_to_the_model_of_the_settings(tmp_path: Path, tiny_model: Path) -> None:
    Settings.embed_model = KureEmbedding(str(tiny_model))
    with KureVectorStore(path=tmp_path / "ix") as store:
        assert store.client.embedder is Settings.embed_model.kure_embedder  # not loaded twice
        store.add(embedded(Settings.embed_model))
    with KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model)) as index:
        assert len(index.search(TEXTS[0], mode="dense", k=1)) == 1
    Settings.embed_model = MockEmbedding(embed_dim=32)
    with pytest.raises(FingerprintMismatchError, match=r"Settings\.embed_model"):
        KureVectorStore(path=tmp_path / "ix")
    with KureVectorStore(path=tmp_path / "ix", embeddings=str(tiny_model)) as store:  # what is given wins
        assert len(store.get_nodes()) == len(TEXTS)


def test_a_new_index_without_a_model_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Settings\.embed_model first"):
        KureVectorStore(path=tmp_path / "ix")
    assert list(tmp_path.iterdir()) == []
    KureVectorStore(path=tmp_path / "ix", embeddings=MockEmbedding(embed_dim=3)).close()
    with pytest.raises(ValueError, match=r"Settings\.embed_model first"):  # nothing was added: it is nobody's yet
        KureVectorStore(path=tmp_path / "ix")


def test_an_index_of_a_named_model_needs_no_other_word(tmp_path: Path) -> None:
    with KureVectorStore(path=tmp_path / "ix", embeddings="static-ko") as store:
        assert store.embeddings == "static-ko"
        store.add(embedded(KureEmbedding("static-ko")))
    with KureVectorStore(path=tmp_path / "ix") as store:
        query = KureEmbedding("static-ko").get_query_embedding("휴가는 며칠인가요?")
        assert store.query(VectorStoreQuery(query_embedding=query)).ids == ["0"]


def test_an_index_of_an_object_is_opened_without_it_and_takes_vectors_still(tmp_path: Path) -> None:
    model = Letters()
    with KureVectorStore(path=tmp_path / "ix", embeddings=model) as store:
        store.add(embedded(model, TEXTS[:2]))
    with KureVectorStore(path=tmp_path / "ix") as store:
        store.add([TextNode(id_="new", text=TEXTS[2], embedding=model.get_text_embedding(TEXTS[2]))])
        query = VectorStoreQuery(query_embedding=model.get_query_embedding(TEXTS[2]), query_str=TEXTS[2])
        assert store.query(query).ids == ["new"]
        query.mode = VectorStoreQueryMode.HYBRID
        assert store.query(query).ids == ["new"]


def test_a_missing_index_or_a_wrong_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        KureVectorStore.from_path(tmp_path / "ix")
    with pytest.raises(IndexNotFoundError):
        KureVectorStore(path=tmp_path / "ix", embeddings="static-ko", create=False)
    with pytest.raises(UnknownModelError):
        KureVectorStore(path=tmp_path / "ix", embeddings="no such model")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="one of the two"):
        KureVectorStore()


def test_an_open_index_brings_its_model(small_index: KureIndex) -> None:
    with pytest.raises(ValueError, match="its model already"):
        KureVectorStore(small_index, embeddings="static-ko")
    with pytest.raises(ValueError, match="one of the two"):
        KureVectorStore(small_index, path=small_index.path)


# Whether the vectors are that model's


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1]])
def test_vectors_of_another_model_are_refused_before_anything_is_stored(
    tmp_path: Path, tiny_model: Path, texts
) -> None:
    with KureVectorStore(path=tmp_path / "ix", embeddings=str(tiny_model)) as store:
        for _ in range(2):
            with pytest.raises(
                FingerprintMismatchError, match=r"cosine of \d nodes' embeddings.*verify_embeddings=False"
            ):
                store.add(embedded(Letters(), texts))  # as long as the model's
        assert store.get_nodes() == []
        store.add(embedded(KureEmbedding(str(tiny_model)), texts))
        assert len(store.get_nodes()) == len(texts)


def test_vectors_of_another_length_are_refused_by_all(tmp_path: Path, tiny_model: Path) -> None:
    with KureVectorStore(path=tmp_path / "ix", embeddings=str(tiny_model), verify_embeddings=False) as store:
        store.add(embedded(KureEmbedding(str(tiny_model))))
        with pytest.raises(EntryError, match="8 dimensions, and those of the index have 32"):
            store.add([TextNode(id_="new", text="새 규정", embedding=[0.5] * 8)])
        with pytest.raises(SearchError, match="8 numbers and this index's vectors have 32"):
            store.query(VectorStoreQuery(query_embedding=[0.5] * 8))
        assert len(store.get_nodes()) == len(TEXTS)


def test_the_first_vectors_of_another_length_are_refused_too(tmp_path: Path, tiny_model: Path) -> None:
    with (
        KureVectorStore(path=tmp_path / "ix", embeddings=str(tiny_model)) as store,
        pytest.raises(FingerprintMismatchError, match="cosine"),
    ):
        store.add(embedded(Letters(embed_dim=8)))


def test_vectors_are_taken_as_given_where_that_is_said(tmp_path: Path, tiny_model: Path) -> None:
    with KureVectorStore(path=tmp_path / "ix", embeddings=str(tiny_model), verify_embeddings=False) as store:
        nodes = embedded(Letters())
        store.add(nodes)
        found = store.query(VectorStoreQuery(query_embedding=nodes[1].embedding))
        assert (found.ids, found.similarities) == (["1"], [1.0])


def test_texts_are_compared_as_llama_index_embeds_them(tmp_path: Path, tiny_model: Path) -> None:
    model = KureEmbedding(str(tiny_model))
    with KureVectorStore(path=tmp_path / "ix", embeddings=model) as store:
        with_title = embedded(model, metadata={"title": "복무 규정"})
        assert with_title[0].get_content(MetadataMode.EMBED) != with_title[0].text
        store.add(with_title)
    with KureVectorStore(path=tmp_path / "ix", embeddings=model) as store:  # each store compares once
        plain = [TextNode(id_=f"x{i}", text=text, metadata={"title": "규정"}) for i, text in enumerate(TEXTS)]
        for node in plain:
            node.embedding = model.get_text_embedding(node.text)
        store.add(plain)
        assert len(store.get_nodes()) == 2 * len(TEXTS)


# Written down and opened again


def test_a_store_is_written_down_and_opens_the_same_folder(tmp_path: Path) -> None:
    given: dict[str, Any] = {"embeddings": "static-ko", "embed_settings": {"max_tokens": 256}}
    with KureVectorStore(path=tmp_path / "ix", verify_embeddings=False, **given) as store:
        store.add(embedded(KureEmbedding("static-ko", max_tokens=256)))
        kept = json.loads(store.to_json())
        assert kept == {
            "class_name": "KureVectorStore",
            "path": str(tmp_path / "ix"),
            "stores_text": True,
            "is_embedding_query": True,
            "flat_metadata": False,
            "verify_embeddings": False,
            "wait": 10.0,
            **given,
        }
        again = KureVectorStore.from_dict(kept)  # beside the first
        assert again.to_dict() == store.to_dict()
        assert again.get_nodes() == store.get_nodes()
        again.delete_nodes(["0"])
        assert [node.node_id for node in store.get_nodes()] == ["1", "2", "3"]
        again.close()
    from_json = KureVectorStore.from_json(json.dumps(kept))
    assert len(from_json.get_nodes()) == 3
    from_json.close()


def test_the_model_as_an_object_is_not_written_down(tmp_path: Path, tiny_model: Path) -> None:
    model = KureEmbedding(str(tiny_model))
    with KureVectorStore(path=tmp_path / "ix", embeddings=model) as store:
        store.add(embedded(model))
        kept = store.to_dict()
    assert kept["embeddings"] is None
    with KureVectorStore.from_dict(kept) as again:
        query = VectorStoreQuery(query_embedding=model.get_query_embedding(TEXTS[0]))
        assert again.query(query).ids == ["0"]


def test_a_pickled_store_opens_its_folder_again(tmp_path: Path) -> None:
    with KureVectorStore(path=tmp_path / "ix", embeddings="static-ko") as store:
        store.add(embedded(KureEmbedding("static-ko")))
        with pickle.loads(pickle.dumps(store)) as again:  # as LlamaIndex hands components to other processes
            assert again.client is not store.client
            assert again.get_nodes() == store.get_nodes()


def test_a_copy_shares_the_index(tmp_path: Path) -> None:
    with KureVectorStore(path=tmp_path / "ix", embeddings="static-ko") as store:
        assert store.model_copy().client is store.client
        assert IngestionPipeline(transformations=[], vector_store=store).vector_store is store


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    settings = {"backend": "remote", "endpoint": "http://localhost:1/v1?key=geheim"}
    with KureVectorStore(path=tmp_path / "ix", embeddings="nlpai-lab/KURE-v1", embed_settings=settings) as store:
        assert "geheim" not in repr(store)
        assert "geheim" not in str(store)
