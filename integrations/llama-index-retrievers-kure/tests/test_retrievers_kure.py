"""What LlamaIndex asks of a retriever."""

from pathlib import Path

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.retrievers.kure import KureRetriever

from kure_rag import KureIndex
from kure_rag.read import Record

RECORDS = (
    Record("leave", "취업규정", "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."),
    Record("pay", "보수규정", "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다."),
)


async def test_it_finds_what_the_index_holds(tmp_path: Path) -> None:
    with KureIndex.open(tmp_path / "index", embeddings="static-ko") as index:
        index.add_records(RECORDS, workers=1)
        retriever = KureRetriever(index, similarity_top_k=1)
        assert isinstance(retriever, BaseRetriever)
        (found,) = retriever.retrieve("급여는 언제 지급하나요?")
        assert found.metadata["source"] == "pay"
        assert await retriever.aretrieve("급여는 언제 지급하나요?") == [found]
