"""What LlamaIndex asks of a node postprocessor, without the weights of a model."""

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.postprocessor.kure_rerank import KureRerank


def test_it_is_a_postprocessor_that_round_trips() -> None:
    rerank = KureRerank(model="dragonkue/bge-reranker-v2-m3-ko", top_n=3, settings={"device": "cpu"})
    assert isinstance(rerank, BaseNodePostprocessor)
    assert KureRerank.from_dict(rerank.to_dict()).to_dict() == rerank.to_dict()


async def test_no_nodes_need_no_model() -> None:
    rerank = KureRerank()
    assert rerank.postprocess_nodes([], query_str="연차휴가는 며칠인가요?") == []
    assert await rerank.apostprocess_nodes([], query_str="연차휴가는 며칠인가요?") == []
