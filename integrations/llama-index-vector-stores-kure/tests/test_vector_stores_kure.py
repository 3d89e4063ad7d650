"""What LlamaIndex asks of a vector store."""

from pathlib import Path

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQueryMode
from llama_index.vector_stores.kure import KureVectorStore

TEXTS = ("연차휴가는 15일로 한다.", "급여는 매월 25일에 지급한다.")


async def test_nodes_are_found_and_deleted(tmp_path: Path) -> None:
    store = KureVectorStore(path=tmp_path / "store", embeddings="static-ko")
    assert isinstance(store, BasePydanticVectorStore)
    vectors = store.embed_model.get_text_embedding_batch(list(TEXTS))
    nodes = [TextNode(id_=text[:2], text=text, embedding=vector) for text, vector in zip(TEXTS, vectors, strict=True)]
    assert store.add(nodes) == ["연차", "급여"]
    asked = VectorStoreQuery(query_str="급여", similarity_top_k=1, mode=VectorStoreQueryMode.TEXT_SEARCH)
    assert store.query(asked).ids == (await store.aquery(asked)).ids == ["급여"]
    store.delete_nodes(["급여"])
    assert store.query(asked).ids == []
    store.close()
