"""The vector store inside LlamaIndex's own indices, engines, pipelines and memories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.memory import VectorMemory
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import CitationQueryEngine, RetrieverQueryEngine
from llama_index.core.retrievers import VectorIndexRetriever
from llama_index.core.schema import Document, IndexNode, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters

from kure_rag.llama_index import KureEmbedding, KureNodeParser, KurePDFReader, KureRetriever, KureVectorStore

QUERY = "연차휴가는 며칠인가요?"
LEAVE = "제15조(연차휴가) 직원은 1년간 8할 이상 출근하면 15일의 연차휴가를 쓴다."
RULES = f"""취업규정

제3장 휴가

{LEAVE}

제16조(병가) 병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다.
"""
PAY = """보수규정

제2장 급여

제4조(지급일) 급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다.
"""
VISIT = "방문객의 차량은 지하 2층에 세우고 안내대에서 주차권을 받는다."


def documents() -> list[Document]:
    return [
        Document(id_="취업규정", text=RULES, metadata={"file": "취업규정.txt", "year": 2024}),
        Document(id_="보수규정", text=PAY, metadata={"file": "보수규정.txt", "year": 2026}),
        Document(id_="안내", text=VISIT, metadata={"file": "안내.txt", "year": 2026}),
    ]


class Echo(MockLLM):
    """Answers with its prompt, and condenses a conversation to its last question."""

    @classmethod
    def class_name(cls) -> str:
        return "Echo"

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        asked = re.search(r"Follow Up Input: (.+)\n\s*Standalone question:", prompt)
        return CompletionResponse(text=asked[1]) if asked else super().complete(prompt, formatted, **kwargs)


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """The bundled model, and a language model that answers with its prompt."""
    before = (Settings._embed_model, Settings._llm)
    Settings.embed_model, Settings.llm = KureEmbedding("static-ko"), Echo()
    yield
    Settings._embed_model, Settings._llm = before


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KureVectorStore]:
    with KureVectorStore(path=tmp_path / "ix") as made:
        yield made


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureVectorStore]:
    """Holds the documents; not to be changed by a test."""
    with KureVectorStore(path=tmp_path_factory.mktemp("engines") / "ix") as made:
        indexed(made)
        yield made


@pytest.fixture
def index(kept: KureVectorStore) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(kept)


def indexed(store: KureVectorStore, found: list[Document] | None = None, **given: Any) -> VectorStoreIndex:
    context = StorageContext.from_defaults(vector_store=store)
    parser = KureNodeParser(domain="legal")
    return VectorStoreIndex.from_documents(
        found or documents(), storage_context=context, transformations=[parser], **given
    )


def texts(store: KureVectorStore) -> str:
    return "\n".join(node.get_content() for node in store.get_nodes())


def both_legs(store: KureVectorStore, words: str) -> dict[str, list[str]]:
    """What each leg finds, as texts."""
    vector = Settings.embed_model.get_query_embedding(words)
    return {
        "lexical": [hit.chunk.text for hit in store.client.search(words, mode="lexical", k=99)],
        "dense": [hit.chunk.text for hit in store.client.search("", mode="dense", vector=vector, k=99)],
    }


# Indices and retrievers


@pytest.mark.parametrize("use_async", [False, True])
def test_an_index_of_documents_is_kept_in_the_store_alone(store: KureVectorStore, use_async: bool) -> None:
    index = indexed(store, use_async=use_async)
    assert {node.ref_doc_id for node in store.get_nodes()} == {"취업규정", "보수규정", "안내"}
    assert not index.docstore.docs
    for node in store.get_nodes():
        source = next(document for document in documents() if document.id_ == node.ref_doc_id)
        assert isinstance(node, TextNode)
        assert source.text[node.start_char_idx : node.end_char_idx] == node.text
        assert node.metadata["file"] == source.metadata["file"]


@pytest.mark.parametrize("mode", ["default", "sparse", "text_search", "hybrid", "mmr"])
async def test_retrievers_find_the_passage_in_every_mode(index: VectorStoreIndex, mode: str) -> None:
    retriever = index.as_retriever(similarity_top_k=2, vector_store_query_mode=mode)
    found = retriever.retrieve(QUERY)
    assert LEAVE.endswith(found[0].text.splitlines()[-1])
    assert found[0].score is not None
    assert await retriever.aretrieve(QUERY) == found


def test_hybrid_through_an_index_finds_what_our_retriever_finds(index: VectorStoreIndex, kept: KureVectorStore) -> None:
    found = index.as_retriever(similarity_top_k=4, vector_store_query_mode="hybrid").retrieve(QUERY)
    assert KureRetriever(kept.client, similarity_top_k=4).retrieve(QUERY) == found


def test_settings_of_a_retriever_reach_the_store(index: VectorStoreIndex) -> None:
    only = MetadataFilters(filters=[MetadataFilter(key="year", operator=FilterOperator.GTE, value=2026)])
    found = index.as_retriever(similarity_top_k=9, filters=only, doc_ids=["보수규정", "취업규정"]).retrieve(QUERY)
    assert {one.node.ref_doc_id for one in found} == {"보수규정"}
    hybrid: dict[str, Any] = {"vector_store_query_mode": "hybrid", "similarity_top_k": 9}
    by_words = index.as_retriever(**hybrid, alpha=0.0).retrieve(QUERY)
    assert 0 < len(by_words) < len(index.as_retriever(**hybrid, alpha=1.0).retrieve(QUERY))
    kept = index.as_retriever(similarity_top_k=9, vector_store_kwargs={"where": {"file": "안내.txt"}}).retrieve(QUERY)
    assert [one.text for one in kept] == [VISIT]


def test_an_index_over_a_folder_that_is_opened_again_answers_the_same(kept: KureVectorStore, index: Any) -> None:
    wanted = index.as_retriever(similarity_top_k=3).retrieve(QUERY)
    before, Settings._embed_model = Settings._embed_model, None  # nobody says which model
    try:
        with KureVectorStore(path=kept.path) as again:
            model = again.embed_model
            found = VectorStoreIndex.from_vector_store(again, embed_model=model).as_retriever(similarity_top_k=3)
            assert found.retrieve(QUERY) == wanted
            assert model.get_text_embedding(LEAVE) == before.get_text_embedding(LEAVE)
            assert model.to_dict()["fingerprint"]["model"] == kept.client.embedder.name
    finally:
        Settings._embed_model = before


async def test_the_model_of_a_store_embeds_alike_in_threads(kept: KureVectorStore) -> None:
    model = kept.embed_model
    assert await model.aget_query_embedding(QUERY) == model.get_query_embedding(QUERY)
    assert await model.aget_text_embedding(LEAVE) == model.get_text_embedding(LEAVE)
    assert await model.aget_text_embedding_batch([LEAVE, VISIT]) == model.get_text_embedding_batch([LEAVE, VISIT])


def test_an_index_is_changed_through_llama_index(store: KureVectorStore) -> None:
    index = indexed(store)
    index.insert(Document(id_="새 규정", text="제1조(출장) 출장비는 실비로 준다."))
    assert "출장비" in texts(store)
    index.update_ref_doc(Document(id_="새 규정", text="제1조(출장) 여비는 정액으로 준다."))
    assert "출장비" not in texts(store)
    assert "여비" in texts(store)
    index.delete_ref_doc("취업규정")
    assert {node.ref_doc_id for node in store.get_nodes()} == {"보수규정", "안내", "새 규정"}
    for found in both_legs(store, "연차휴가 병가 출장비").values():
        assert not any("연차휴가" in text or "병가" in text or "출장비" in text for text in found)
    index.delete_nodes([node.node_id for node in store.get_nodes() if node.ref_doc_id == "안내"])
    assert VISIT not in texts(store)
    assert store.client.verify().ok


async def test_an_index_is_changed_through_llama_index_asynchronously(store: KureVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store)
    await index.ainsert(Document(id_="새 규정", text="제1조(출장) 출장비는 실비로 준다."))
    await index.ainsert(Document(id_="둘째", text=VISIT))
    await index.aupdate_ref_doc(Document(id_="새 규정", text="제1조(출장) 여비는 정액으로 준다."))
    assert "출장비" not in texts(store)
    await index.adelete_nodes([node.node_id for node in store.get_nodes() if node.ref_doc_id == "둘째"])
    assert {node.ref_doc_id for node in store.get_nodes()} == {"새 규정"}
    await index.adelete_ref_doc("새 규정")
    assert store.get_nodes() == []


def test_an_index_that_was_persisted_is_loaded_over_the_store(store: KureVectorStore, tmp_path: Path) -> None:
    index = indexed(store)
    index.storage_context.persist(str(tmp_path / "llama"))
    loaded = load_index_from_storage(
        StorageContext.from_defaults(vector_store=store, persist_dir=str(tmp_path / "llama"))
    )
    assert loaded.as_retriever().retrieve(QUERY) == index.as_retriever().retrieve(QUERY)


def test_nodes_that_point_elsewhere_are_found_with_the_others(store: KureVectorStore) -> None:
    nodes = [TextNode(id_="text", text=LEAVE), IndexNode(id_="pointer", text="휴가 색인", index_id="휴가")]
    index = VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store))
    found = VectorIndexRetriever(index, similarity_top_k=9).retrieve("휴가")
    assert {one.node_id for one in found} == {"text", "pointer"}
    assert {type(one.node) for one in found} == {TextNode, IndexNode}


# Engines


@pytest.mark.parametrize("mode", ["default", "hybrid", "sparse"])
async def test_a_query_engine_answers_from_the_passages(index: VectorStoreIndex, mode: str) -> None:
    retriever = index.as_retriever(similarity_top_k=2, vector_store_query_mode=mode)
    engine = RetrieverQueryEngine.from_args(retriever)
    answer = engine.query(QUERY)
    assert "15일의 연차휴가를 쓴다" in str(answer)
    assert "15일의 연차휴가를 쓴다" in answer.source_nodes[0].text
    assert str(await engine.aquery(QUERY)) == str(answer)
    assert "15일의 연차휴가를 쓴다" in str(index.as_query_engine(vector_store_query_mode=mode).query(QUERY))


def test_a_citation_engine_numbers_its_sources(index: VectorStoreIndex) -> None:
    engine = CitationQueryEngine.from_args(index, similarity_top_k=2, vector_store_query_mode="hybrid")
    answer = engine.query(QUERY)
    assert "15일의 연차휴가를 쓴다" in str(answer)
    assert [one.text.partition("\n")[0] for one in answer.source_nodes] == ["Source 1:", "Source 2:"]
    assert answer.source_nodes[0].metadata["file"] == "취업규정.txt"
    assert answer.source_nodes[0].node.ref_doc_id == "취업규정"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [(ChatMode.CONDENSE_PLUS_CONTEXT, CondensePlusContextChatEngine), (ChatMode.CONTEXT, ContextChatEngine)],
)
async def test_chat_engines_answer_from_the_passages_over_several_turns(index: VectorStoreIndex, mode, kind) -> None:
    engine = index.as_chat_engine(chat_mode=mode, similarity_top_k=2, vector_store_query_mode="hybrid")
    assert isinstance(engine, kind)
    first = engine.chat(QUERY)
    assert "15일의 연차휴가를 쓴다" in first.source_nodes[0].text
    second = await engine.achat("급여는 언제 주나요?")
    assert any("매월 25일" in one.text for one in second.source_nodes)
    stream = engine.stream_chat(QUERY)
    assert "".join(stream.response_gen)
    assert any("15일의 연차휴가를 쓴다" in one.text for one in stream.source_nodes)
    assert [message.content for message in engine.chat_history if message.role == "user"][:2] == [
        QUERY,
        "급여는 언제 주나요?",
    ]
    engine.reset()
    assert engine.chat_history == []


def test_a_memory_finds_what_was_said(store: KureVectorStore) -> None:
    memory = VectorMemory.from_defaults(vector_store=store, retriever_kwargs={"similarity_top_k": 1})
    for message in (
        ChatMessage.from_str("제 사번은 1234입니다.", "user"),
        ChatMessage.from_str("사번을 기억하겠습니다.", "assistant"),
        ChatMessage.from_str("주차는 지하 2층에 합니다.", "user"),
        ChatMessage.from_str("지하 2층이군요.", "assistant"),
    ):
        memory.put(message)
    assert [message.content for message in memory.get("제 사번이 무엇이죠?")] == [
        "제 사번은 1234입니다.",
        "사번을 기억하겠습니다.",
    ]
    memory.reset()
    assert store.get_nodes() == []


# Pipelines


def pipeline(store: KureVectorStore, strategy: DocstoreStrategy = DocstoreStrategy.UPSERTS) -> IngestionPipeline:
    return IngestionPipeline(
        transformations=[KureNodeParser(domain="legal"), Settings.embed_model],
        docstore=SimpleDocumentStore(),
        docstore_strategy=strategy,
        vector_store=store,
    )


def changed() -> list[Document]:
    """The first document says something else, the second what it said, the third is gone."""
    first, second, _ = documents()
    return [Document(id_=first.id_, text=RULES.replace(LEAVE, "제15조(안식월) 직원은 5년마다 안식월을 쓴다.")), second]


@pytest.mark.parametrize("use_async", [False, True])
async def test_a_changed_document_leaves_nothing_of_the_older_one_in_either_leg(
    store: KureVectorStore, use_async
) -> None:
    made = pipeline(store)

    async def run(found: list[Document]) -> int:
        return len(await made.arun(documents=found) if use_async else made.run(documents=found))

    assert await run(documents()) == len(store.get_nodes())
    assert any("연차휴가" in text for text in both_legs(store, "연차휴가")["lexical"])
    generation = store.client.info()["generation"]
    assert await run(documents()) == 0
    assert store.client.info()["generation"] == generation
    second = {node.node_id for node in store.get_nodes() if node.ref_doc_id == "보수규정"}
    assert await run(changed()) > 0
    for found in both_legs(store, "연차휴가 안식월").values():
        assert not any("연차휴가" in text for text in found)
        assert any("안식월" in text for text in found)
    assert {node.ref_doc_id for node in store.get_nodes()} == {"취업규정", "보수규정", "안내"}
    assert second <= {node.node_id for node in store.get_nodes()}
    assert store.client.verify().ok


@pytest.mark.parametrize("use_async", [False, True])
async def test_a_document_that_is_gone_leaves_with_all_its_nodes(store: KureVectorStore, use_async: bool) -> None:
    made = pipeline(store, DocstoreStrategy.UPSERTS_AND_DELETE)
    for found in (documents(), changed()):
        await made.arun(documents=found) if use_async else made.run(documents=found)
    assert {node.ref_doc_id for node in store.get_nodes()} == {"취업규정", "보수규정"}
    for found in both_legs(store, "방문객의 차량 연차휴가").values():
        assert not any("방문객" in text or "연차휴가" in text for text in found)
    assert store.client.verify().ok


def test_nodes_that_were_cut_from_no_document_are_upserted_by_their_own_ids(store: KureVectorStore) -> None:
    made = IngestionPipeline(
        transformations=[Settings.embed_model],
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        vector_store=store,
    )
    made.run(nodes=[TextNode(id_="a", text="연차휴가는 15일이다."), TextNode(id_="b", text="급여는 25일에 준다.")])
    made.run(nodes=[TextNode(id_="a", text="안식월은 5년마다 쓴다.")])
    assert texts(store) == "안식월은 5년마다 쓴다."


def test_another_splitter_and_the_same_text_twice_keep_both_nodes(store: KureVectorStore) -> None:
    twins = [Document(id_=name, text=VISIT) for name in ("본관", "별관")]
    IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=64, chunk_overlap=0), Settings.embed_model], vector_store=store
    ).run(documents=twins)
    assert sorted(str(node.ref_doc_id) for node in store.get_nodes()) == ["별관", "본관"]
    store.delete("본관")
    assert [node.ref_doc_id for node in store.get_nodes()] == ["별관"]
    assert both_legs(store, "방문객")["lexical"] == [VISIT]


def test_our_reader_and_parser_fill_the_store(store: KureVectorStore, tmp_path: Path) -> None:
    (tmp_path / "규정.txt").write_text(RULES, encoding="utf-8")
    read = KurePDFReader(domain="legal").load_data(tmp_path / "규정.txt")
    index = indexed(store, read)
    of_file = MetadataFilters(filters=[MetadataFilter(key="source", value="규정.txt")])
    assert store.get_nodes(filters=of_file) == store.get_nodes() != []
    found = index.as_retriever(similarity_top_k=1, filters=of_file).retrieve(QUERY)[0].node
    assert found.metadata["breadcrumb"][-1].startswith("제15조")
    assert found.ref_doc_id == read[0].id_
