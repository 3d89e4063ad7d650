"""What LlamaIndex asks of an embedding model."""

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.embeddings.kure import KureEmbedding


def test_it_is_an_embedding_model_that_round_trips() -> None:
    embedding = KureEmbedding("static-ko", query_prefix="질문: ")
    assert isinstance(embedding, BaseEmbedding)
    assert KureEmbedding.from_dict(embedding.to_dict()).to_dict() == embedding.to_dict()


async def test_queries_and_texts_have_their_own_prefix() -> None:
    embedding = KureEmbedding("static-ko", query_prefix="질문: ")
    text = "연차휴가는 며칠인가요?"
    assert embedding.get_query_embedding(text) == embedding.get_text_embedding(f"질문: {text}")
    assert embedding.get_query_embedding(text) != embedding.get_text_embedding(text)
    assert await embedding.aget_query_embedding(text) == embedding.get_query_embedding(text)
