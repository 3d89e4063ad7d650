"""Our document index: what it adds to LangChain's contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.retrievers import BaseRetriever

from kure_rag.errors import EntryError
from kure_rag.langchain import KureDocumentIndex, KureRetriever, KureVectorStore
from kure_rag.read import Record

LEAVE = "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."
SICK = "병가는 진단서를 낸 직원에게 60일까지 허가한다."


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[KureDocumentIndex]:
    made = KureDocumentIndex.from_path(tmp_path_factory.mktemp("documents") / "ix", embeddings=str(tiny_model), k=3)
    with made.index:
        yield made


@pytest.fixture
def documents(shared: KureDocumentIndex) -> KureDocumentIndex:
    """The module's index without documents."""
    KureVectorStore(shared.index).delete()
    return shared


def test_what_is_put_comes_back_and_is_found_with_its_place_and_scores(documents: KureDocumentIndex) -> None:
    given = [Document(id="휴가", page_content=LEAVE, metadata={"source": "규정.pdf", "pages": [3], "score": "판"})]
    assert documents.upsert(given) == {"succeeded": ["휴가"], "failed": []}
    assert documents.get(["없음", "휴가"]) == given
    [found] = documents.invoke("연차휴가")
    assert (found.id, found.page_content) == ("휴가", LEAVE)
    assert found.metadata["citation"] == "규정.pdf p.3"
    assert found.metadata["pages"] == [3]
    assert isinstance(found.metadata["score"], float), "what the search says keeps its names"
    assert found.metadata["chunk_score"] == "판"


async def test_it_searches_as_a_retriever_does(documents: KureDocumentIndex) -> None:
    documents.upsert([Document(id="휴가", page_content=LEAVE), Document(id="병가", page_content=SICK)])
    retriever = KureRetriever(index=documents.index, k=3)
    assert documents.invoke("직원") == retriever.invoke("직원")
    assert await documents.ainvoke("직원", mode="lexical", k=1) == retriever.invoke("직원", mode="lexical", k=1)
    assert isinstance(documents, BaseRetriever)
    assert documents._get_ls_params() == {**retriever._get_ls_params(), "ls_retriever_name": "kuredocumentindex"}


def test_deleting_says_what_went(documents: KureDocumentIndex) -> None:
    documents.upsert([Document(id="휴가", page_content=LEAVE), Document(id="병가", page_content=SICK)])
    gone = documents.delete(["병가", "없음", "병가"])
    assert gone == {"num_deleted": 1, "succeeded": ["병가"], "num_failed": 0, "failed": []}
    assert [document.id for document in documents.get(["휴가", "병가"])] == ["휴가"]
    with pytest.raises(ValueError, match="which documents"):
        documents.delete()


async def test_asynchronous_methods_say_the_same(documents: KureDocumentIndex) -> None:
    given = [Document(id="휴가", page_content=LEAVE), Document(id="병가", page_content=SICK)]
    assert await documents.aupsert(given) == {"succeeded": ["휴가", "병가"], "failed": []}
    assert await documents.aget(["병가", "휴가"]) == given[::-1]
    assert (await documents.adelete(["휴가"]))["succeeded"] == ["휴가"]
    with pytest.raises(ValueError, match="which documents"):
        await documents.adelete()


def test_a_passage_of_a_file_is_read_and_stays(tmp_path: Path, tiny_model: Path) -> None:
    documents = KureDocumentIndex.from_path(tmp_path / "ix", embeddings=str(tiny_model))
    with documents.index as opened:
        opened.add_records([Record("leave", "취업규정", LEAVE)], workers=1)
        [hit] = opened.search("연차휴가", mode="lexical")
        [passage] = documents.get([hit.chunk.id])
        assert passage.metadata["citation"] == "leave 취업규정"
        assert documents.delete([hit.chunk.id])["num_deleted"] == 0
        with pytest.raises(EntryError, match="another id"):
            documents.upsert([passage])


def test_nothing_of_a_bad_batch_is_stored(documents: KureDocumentIndex) -> None:
    with pytest.raises(EntryError, match="its text is empty"):
        documents.upsert([Document(id="휴가", page_content=LEAVE), Document(id="빈 글", page_content=" ")])
    assert documents.get(["휴가"]) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda documents: documents.upsert([], refresh=True),
        lambda documents: documents.delete(["휴가"], refresh=True),
        lambda documents: documents.get(["휴가"], refresh=True),
    ],
)
def test_an_unknown_keyword_is_named(documents: KureDocumentIndex, call: Any) -> None:
    with pytest.raises(TypeError, match="'refresh'"):
        call(documents)


@pytest.mark.parametrize("cleanup", ["incremental", "full"])
async def test_a_record_manager_keeps_it_in_step(documents: KureDocumentIndex, cleanup: Any) -> None:
    manager = InMemoryRecordManager("규정")
    manager.create_schema()
    settings: dict[str, Any] = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "sha256"}
    first = [Document(page_content=text, metadata={"source": "규정.pdf"}) for text in (LEAVE, SICK)]
    assert index(first, manager, documents, **settings)["num_added"] == 2
    assert (await aindex(first, manager, documents, **settings))["num_skipped"] == 2
    told = await aindex(first[:1], manager, documents, **settings)
    assert (told["num_skipped"], told["num_deleted"]) == (1, 1)
    assert [document.page_content for document in documents.invoke("직원", mode="lexical")] == [LEAVE]
