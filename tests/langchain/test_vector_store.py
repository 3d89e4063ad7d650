"""Our vector store: what it adds to LangChain's contract, and that it says what the core says."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.runnables import RunnableLambda
from langchain_core.structured_query import Comparator, Comparison, StructuredQuery
from langchain_core.vectorstores import VectorStore

from kure_rag import KureEmbeddings, KureIndex, RrfFusion
from kure_rag.config import Config
from kure_rag.errors import EntryError, FilterError, SearchError
from kure_rag.langchain import KureVectorStore
from kure_rag.pipeline.entries import ALL_ENTRIES
from kure_rag.read import Record
from kure_rag.search import SearchOptions

QUERY = "연차휴가는 며칠인가요?"
DOCUMENTS = [
    Document(id="휴가", page_content="연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다.", metadata={"조": 15}),
    Document(
        id="병가", page_content="병가는 진단서를 낸 직원에게 60일까지 허가한다.", metadata={"조": 16, "갈래": "휴가"}
    ),
    Document(id="급여", page_content="급여는 매월 25일에 지급한다.", metadata={"조": 4, "source": "보수규정.pdf"}),
    Document(id="주차", page_content="방문객의 차량은 지하 2층에 세운다.", metadata={"갈래": ["안내", "청사"]}),
    Document(id="보험", page_content="계약자는 15일 안에 청약을 철회할 수 있다.", metadata={"점검": {"해": 2026}}),
]


@pytest.fixture(scope="module")
def embeddings(tiny_model: Path) -> KureEmbeddings:
    return KureEmbeddings(str(tiny_model))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, embeddings: KureEmbeddings) -> Iterator[KureVectorStore]:
    with KureVectorStore.from_path(tmp_path_factory.mktemp("store") / "ix", embeddings=embeddings) as store:
        yield store


@pytest.fixture
def store(shared: KureVectorStore) -> KureVectorStore:
    """The module's store with :data:`DOCUMENTS`."""
    shared.index.delete_entries(set(shared.index.entry_ids()) - {document.id for document in DOCUMENTS})  # type: ignore[arg-type]
    shared.add_documents(DOCUMENTS)
    return shared


@pytest.fixture
def empty(shared: KureVectorStore) -> KureVectorStore:
    shared.delete()
    return shared


def _ids(found: Sequence[Document]) -> list[str | None]:
    return [document.id for document in found]


# Searching


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mode": "lexical"},
        {"fusion": RrfFusion(weight=0.9)},
        {"where": {"조": {"$gte": 15}}},
        {"mmr": 0.3},
        {"options": SearchOptions(mode="lexical")},
    ],
)
async def test_ids_order_and_scores_are_the_core_s(store: KureVectorStore, given: dict[str, Any]) -> None:
    options = given.pop("options", None)
    own = KureVectorStore(store.index, options=options)
    hits = store.index.search(QUERY, k=2, options=options, **given)
    wanted = [(hit.chunk.id, hit.score) for hit in hits]
    found = own.similarity_search_with_score(QUERY, k=2, **given)
    assert [(document.id, score) for document, score in found][: len(wanted)] == wanted
    assert await own.asimilarity_search_with_score(QUERY, k=2, **given) == found


async def test_a_search_by_vector_is_that_of_the_query_it_was_made_from(
    store: KureVectorStore, embeddings: KureEmbeddings
) -> None:
    vector = embeddings.embed_query(QUERY)
    scored = store.similarity_search_with_score(QUERY, k=5, mode="dense")
    assert store.similarity_search_with_score_by_vector(vector, k=5) == scored
    assert await store.asimilarity_search_with_score_by_vector(vector, k=5) == scored
    assert store.similarity_search_by_vector(vector, k=2) == [document for document, _ in scored[:2]]
    assert await store.asimilarity_search_by_vector(vector, k=2) == [document for document, _ in scored[:2]]
    unlike = store.max_marginal_relevance_search(QUERY, k=3, lambda_mult=0.2, mode="dense")
    assert store.max_marginal_relevance_search_by_vector(vector, k=3, lambda_mult=0.2) == unlike
    assert await store.amax_marginal_relevance_search_by_vector(vector, k=3, lambda_mult=0.2) == unlike
    assert await store.amax_marginal_relevance_search(QUERY, k=3, lambda_mult=0.2, mode="dense") == unlike


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_k_documents_come_as_long_as_there_are_so_many(store: KureVectorStore, mode: str) -> None:
    found = store.similarity_search_with_score("xyz", k=5, mode=mode)
    assert sorted(document.id or "" for document, _ in found) == sorted(document.id or "" for document in DOCUMENTS)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert len(store.similarity_search("xyz", k=9, mode=mode)) == 5
    assert len(store.similarity_search("xyz", k=9, mode=mode, filter={"조": {"$exists": True}})) == 3
    assert store.similarity_search("xyz", k=9, mode="lexical") == []


def test_what_a_hybrid_search_finds_comes_before_what_only_fills_up(store: KureVectorStore) -> None:
    hits = [hit.chunk.id for hit in store.index.search("주차 차량", k=5)]
    assert hits[0] == "주차"
    assert _ids(store.similarity_search("주차 차량", k=5))[: len(hits)] == hits


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"filter": {"조": 16}}, {"병가"}),
        ({"where": {"갈래": "휴가"}}, {"병가"}),
        ({"filter": {"조": [15, 4]}}, {"휴가", "급여"}),
        ({"filter": {"조": {"$between": [15, 16]}}, "where": {"갈래": "휴가"}}, {"병가"}),
        ({"filter": Comparison(comparator=Comparator.EQ, attribute="source", value="보수규정.pdf")}, {"급여"}),
        ({"filter": {"갈래": "청사"}}, {"주차"}),
        ({"filter": {"점검": {"$exists": True}}}, {"보험"}),
        ({"filter": {}}, {"휴가", "병가", "급여", "주차", "보험"}),
        ({"filter": None}, {"휴가", "병가", "급여", "주차", "보험"}),
    ],
)
async def test_filters_of_langchain_and_ours(store: KureVectorStore, given: dict[str, Any], wanted: set[str]) -> None:
    assert set(_ids(store.similarity_search(QUERY, k=9, **given))) == wanted
    assert set(_ids(await store.asimilarity_search(QUERY, k=9, **given))) == wanted
    relevant = store.similarity_search_with_relevance_scores(QUERY, k=9, **given)
    assert {document.id for document, _ in relevant} == wanted


def test_a_filter_may_be_given_by_place(store: KureVectorStore) -> None:
    assert _ids(store.similarity_search(QUERY, 2, {"조": 16})) == ["병가"]


def test_a_filter_of_the_options_holds_until_a_call_has_one(store: KureVectorStore) -> None:
    own = KureVectorStore(store.index, options=SearchOptions(where={"조": 16}))
    assert _ids(own.similarity_search(QUERY)) == ["병가"]
    assert _ids(own.similarity_search(QUERY, filter={"조": 4})) == ["급여"]
    assert len(own.similarity_search(QUERY, k=9, where=None)) == 5


async def test_relevances_are_the_search_s_own_and_a_threshold_holds(store: KureVectorStore) -> None:
    found = store.similarity_search_with_relevance_scores(QUERY, k=5)
    hits = store.index.search(QUERY, k=5, relevance=True)
    assert [(document.id, score) for document, score in found][: len(hits)] == [
        (hit.chunk.id, hit.relevance) for hit in hits
    ]
    assert all(0 <= score <= 1 for _, score in found)
    assert await store.asimilarity_search_with_relevance_scores(QUERY, k=5) == found
    threshold = max(score for _, score in found)
    best = store.similarity_search_with_relevance_scores(QUERY, k=5, score_threshold=threshold)
    assert best == [pair for pair in found if pair[1] >= threshold]
    assert store.similarity_search_with_relevance_scores("xyz", k=5, score_threshold=0.99) == []


def test_the_relevance_function_keeps_the_order_within_0_and_1(store: KureVectorStore) -> None:
    squeeze = store._select_relevance_score_fn()
    values = [squeeze(score) for score in (-30.0, -1.0, -0.2, 0.0, 0.3, 1.0, 80.0)]
    assert values == sorted(set(values))
    assert all(0 <= value <= 1 for value in values)


def test_difference_alone_takes_the_one_farthest_from_the_first(store: KureVectorStore) -> None:
    assert _ids(store.max_marginal_relevance_search(QUERY, k=5, fetch_k=5, lambda_mult=1.0)) == _ids(
        store.similarity_search(QUERY, k=5)
    )
    store.add_documents([DOCUMENTS[0].model_copy(update={"id": "휴가 사본"})])
    query = DOCUMENTS[0].page_content
    alike = _ids(store.max_marginal_relevance_search(query, k=2, fetch_k=6, lambda_mult=1.0))
    unlike = _ids(store.max_marginal_relevance_search(query, k=2, fetch_k=6, lambda_mult=0.0))
    assert set(alike) == {"휴가", "휴가 사본"}
    assert len(set(unlike) & {"휴가", "휴가 사본"}) == 1


@pytest.mark.parametrize("query", ["", "  "])
def test_an_empty_query_is_an_error(store: KureVectorStore, query: str) -> None:
    with pytest.raises(SearchError):
        store.similarity_search(query)


def test_what_makes_no_sense_is_said(store: KureVectorStore) -> None:
    with pytest.raises(SearchError, match="k=0: give a whole number"):
        store.similarity_search(QUERY, k=0)
    with pytest.raises(TypeError, match="top_k"):
        store.similarity_search(QUERY, top_k=3)
    with pytest.raises(FilterError):
        store.similarity_search(QUERY, filter={"조": {"$huh": 1}})
    with pytest.raises(SearchError, match="vector has 2 numbers"):
        store.similarity_search_by_vector([1.0, 2.0])
    with pytest.raises(TypeError, match="'refresh'"):
        store.add_texts(["글"], refresh=True)
    with pytest.raises(TypeError, match="'soft'"):
        store.delete(["휴가"], soft=True)


# Keeping


async def test_what_was_put_comes_back_in_the_order_asked(store: KureVectorStore) -> None:
    assert store.get_by_ids(["급여", "없음", "휴가"]) == [DOCUMENTS[2], DOCUMENTS[0]]
    assert await store.aget_by_ids(["보험"]) == [DOCUMENTS[4]]


def test_documents_are_not_changed_by_being_put(empty: KureVectorStore) -> None:
    given = [Document(page_content="글", metadata={"안": {"수": [1]}})]
    [id_] = empty.add_documents(given)
    assert given == [Document(page_content="글", metadata={"안": {"수": [1]}})]
    [found] = empty.get_by_ids([id_])
    found.metadata["안"]["수"].append(2)
    assert empty.get_by_ids([id_])[0].metadata == {"안": {"수": [1]}}


def test_ids_may_be_given_for_some_only(empty: KureVectorStore) -> None:
    ids = empty.add_texts(["하나", "둘"], [None, {"수": 2}], ids=[None, "둘"])
    assert ids[1] == "둘"
    assert ids[0]
    assert [found.page_content for found in empty.get_by_ids(ids)] == ["하나", "둘"]
    assert empty.add_documents([Document(id="셋", page_content="셋"), Document(page_content="넷")])[0] == "셋"
    assert empty.add_texts([]) == []


@pytest.mark.parametrize("batch_size", [None, 1, 2, 9])
def test_a_batch_is_stored_whole_or_not_at_all(empty: KureVectorStore, batch_size: int | None) -> None:
    with pytest.raises(EntryError, match="'빈 글'"):
        empty.add_texts(["하나", "둘", ""], ids=["하나", "둘", "빈 글"], batch_size=batch_size)
    stored = {None: 0, 1: 2, 2: 2, 9: 0}[batch_size]
    assert len(empty.index.entry_ids()) == stored


@pytest.mark.parametrize(
    "given", [{"metadatas": [{}]}, {"ids": ["하나"]}, {"ids": ["하나", "둘", "셋"]}, {"batch_size": 0}]
)
def test_numbers_that_do_not_agree_are_refused(empty: KureVectorStore, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        empty.add_texts(["하나", "둘"], **given)
    assert empty.index.entry_ids() == []


async def test_vectors_that_were_made_already_are_kept(empty: KureVectorStore) -> None:
    ones, other = [1.0] * 32, [1.0] * 31 + [-9.0]
    assert empty.add_embeddings([("하나", ones), ("둘", other)], [{"수": 1}, None], ids=["1", "2"]) == ["1", "2"]
    assert await empty.aadd_embeddings([("셋", other)], ids=["3"]) == ["3"]
    held = empty.index.entries(["1", "2"], vectors=True)
    assert np.array_equal([entry.vector for entry in held], np.array([ones, other], np.float32))
    assert _ids(empty.similarity_search_by_vector(ones, k=1)) == ["1"]
    with pytest.raises(EntryError, match="3 dimensions"):
        empty.add_embeddings([("넷", [1.0, 2.0, 3.0])])


async def test_deleting_says_that_it_was_done(store: KureVectorStore) -> None:
    assert store.delete(["휴가", "없음"]) is True
    assert await store.adelete(["병가"]) is True
    assert store.delete([]) is True
    assert store.delete(["급여"], filter={"조": 99}) is True
    assert store.index.entry_ids() == ["급여", "주차", "보험"]
    assert await store.adelete() is True
    assert store.index.entry_ids() == []


async def test_an_empty_filter_removes_nothing(store: KureVectorStore) -> None:
    empty = StructuredQuery(query="", filter=None, limit=None)
    for given in ({"filter": {}}, {"where": {}}, {"filter": {}, "where": {}}, {"filter": empty}):
        with pytest.raises(ValueError, match="filter is empty"):
            store.delete(**given)
        with pytest.raises(ValueError, match="filter is empty"):
            await store.adelete(**given)
    assert len(store.index.entry_ids()) == len(DOCUMENTS)
    assert store.delete(["휴가"], filter={}) is True
    assert store.delete(filter={"조": 4}, where={}) is True
    assert store.index.entry_ids() == ["병가", "주차", "보험"]


def test_new_metadata_leave_each_of_two_alike_texts_its_own_vector(empty: KureVectorStore) -> None:
    text = DOCUMENTS[0].page_content
    vectors = np.eye(32, dtype=np.float32)[:2]
    empty.add_embeddings([(text, vector.tolist()) for vector in vectors], ids=["1", "2"])
    empty.add_texts([text, text], [{"판": 2}, {"판": 2}], ids=["1", "2"])
    held = empty.index.entries(["1", "2"], vectors=True)
    assert [entry.metadata for entry in held] == [{"판": 2}] * 2
    assert np.array_equal([entry.vector for entry in held], vectors)
    assert _ids(empty.similarity_search_by_vector(vectors[0].tolist(), k=1)) == ["1"]


def test_a_mode_is_as_the_options_or_the_index_say(store: KureVectorStore, embeddings: KureEmbeddings) -> None:
    """Of words that no document has, a lexical search finds nothing."""
    lexical = SearchOptions(mode="lexical", where={"조": {"$exists": True}})
    with KureIndex.open(store.index.path, embeddings=embeddings, config=Config(search=lexical)) as opened:
        for own in (KureVectorStore(opened), KureVectorStore(store.index, options=lexical)):
            assert own.similarity_search("xyz") == []
            assert set(_ids(own.similarity_search("xyz", mode="dense"))) == {"휴가", "병가", "급여"}
        assert len(KureVectorStore(opened, mode="hybrid").similarity_search("xyz")) == 3


def test_files_of_the_same_index_are_found_and_stay(tmp_path: Path, embeddings: KureEmbeddings) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=embeddings) as index:
        index.add_records([Record("leave", "취업규정", DOCUMENTS[0].page_content, {"article": "제15조"})], workers=1)
        store = KureVectorStore(index)
        store.add_documents(DOCUMENTS[1:])
        [found] = store.similarity_search("연차휴가", mode="lexical")
        assert found.metadata["citation"] == "leave 취업규정"
        assert store.get_by_ids([found.id or ""]) == [found]
        store.delete()
        assert _ids(store.similarity_search("연차휴가", k=5)) == [found.id]


# Making one


def test_a_store_without_a_folder_leaves_nothing(embeddings: KureEmbeddings) -> None:
    store = KureVectorStore.from_documents(DOCUMENTS, embeddings)
    folder = store.index.path
    assert _ids(store.similarity_search("진단서", k=1)) == ["병가"]
    assert folder.is_dir()
    store.close()
    store.close()
    assert not folder.parent.exists()


def test_a_store_that_nobody_uses_leaves_nothing(embeddings: KureEmbeddings) -> None:
    store = KureVectorStore.from_texts(["글"], embeddings)
    folder = store.index.path
    del store
    gc.collect()
    assert not folder.parent.exists()


async def test_a_store_that_cannot_be_filled_leaves_nothing(
    embeddings: KureEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(EntryError):
        KureVectorStore.from_texts([""], embeddings)
    with pytest.raises(EntryError):
        await KureVectorStore.afrom_texts([""], embeddings)
    with pytest.raises(TypeError):
        KureVectorStore.from_texts(["글"], embeddings, collection_name="이름")
    assert list(tmp_path.iterdir()) == []


async def test_stores_are_made_asynchronously(embeddings: KureEmbeddings, tmp_path: Path) -> None:
    store = await KureVectorStore.afrom_documents(DOCUMENTS, embeddings, path=tmp_path / "ix", mode="lexical")
    assert _ids(await store.asimilarity_search("진단서")) == ["병가"]
    store.close()
    with await KureVectorStore.afrom_texts(["글"], embeddings, ids=["글"], path=tmp_path / "ix") as again:
        assert len(again.index.entry_ids()) == 6


def test_closing_a_store_leaves_an_index_open_that_it_did_not_open(store: KureVectorStore) -> None:
    KureVectorStore(store.index).close()
    assert store.similarity_search(QUERY)


def test_embeddings_are_those_given_or_the_index_s(store: KureVectorStore, embeddings: KureEmbeddings) -> None:
    assert store.embeddings is embeddings
    found = KureVectorStore(store.index).embeddings
    assert isinstance(found, Embeddings)
    assert found.embed_query(QUERY) == embeddings.embed_query(QUERY)
    assert found.embed_documents([QUERY]) == embeddings.embed_documents([QUERY])
    assert found.embed_documents([]) == []


async def test_embeddings_of_an_index_are_asynchronous_too(store: KureVectorStore) -> None:
    found = KureVectorStore(store.index).embeddings
    assert await found.aembed_query(QUERY) == found.embed_query(QUERY)
    assert await found.aembed_documents([QUERY]) == found.embed_documents([QUERY])
    with KureIndex.open(store.index.path, embeddings=found) as opened:
        assert len(opened.entry_ids()) == len(store.index.entry_ids())


# In a chain


@pytest.mark.parametrize(
    ("search_type", "settings"),
    [
        ("similarity", {"k": 2}),
        ("mmr", {"k": 2, "fetch_k": 5, "lambda_mult": 0.4}),
        ("similarity_score_threshold", {"k": 2, "score_threshold": 0.0}),
    ],
)
async def test_retrievers_of_a_store(store: KureVectorStore, search_type: str, settings: dict[str, Any]) -> None:
    retriever = store.as_retriever(search_type=search_type, search_kwargs=settings)
    found = retriever.invoke(QUERY)
    assert found == store.search(QUERY, search_type, **settings)
    assert await retriever.ainvoke(QUERY) == found == await store.asearch(QUERY, search_type, **settings)
    assert retriever.invoke(QUERY, filter={"조": 4})[0].id == "급여"
    joined = retriever | RunnableLambda(lambda documents: "".join(one.page_content for one in documents))
    assert joined.invoke(QUERY) == "".join(one.page_content for one in found)


def test_langsmith_is_told_store_and_model(store: KureVectorStore) -> None:
    retriever = store.as_retriever()
    params = retriever._get_ls_params()
    assert params["ls_vector_store_provider"] == "KureVectorStore"
    assert params["ls_embedding_provider"] == "KureEmbeddings"
    assert params["ls_embedding_model"] == store.index.embedder.name
    assert retriever.tags == ["KureVectorStore", "KureEmbeddings"]
    assert store.as_retriever(tags=["내 것"]).tags == ["내 것"]


@pytest.mark.parametrize("cleanup", ["incremental", "full", "scoped_full", None])
async def test_a_record_manager_keeps_a_store_in_step(empty: KureVectorStore, cleanup: Any) -> None:
    manager = InMemoryRecordManager("규정")
    manager.create_schema()

    async def run(documents: list[Document]) -> dict[str, int]:
        settings = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "blake2b"}
        if len(documents) % 2:
            return dict(index(documents, manager, empty, **settings))
        return dict(await aindex(documents, manager, empty, **settings))

    def of(name: str, *texts: str) -> list[Document]:
        return [Document(page_content=text, metadata={"source": name}) for text in texts]

    def counts(*numbers: int) -> dict[str, int]:
        return dict(zip(("num_added", "num_updated", "num_skipped", "num_deleted"), numbers, strict=True))

    first = of("가.pdf", "휴가는 15일이다.", "병가는 60일이다.") + of("나.pdf", "급여는 25일에 준다.")
    assert await run(first) == counts(3, 0, 0, 0)
    assert await run(first) == counts(0, 0, 3, 0)
    changed = of("가.pdf", "휴가는 16일이다.", "병가는 60일이다.")
    gone = {"incremental": 1, "scoped_full": 1, "full": 2, None: 0}[cleanup]
    assert await run(changed) == counts(1, 0, 1, gone)
    left = {found.page_content for found in empty.get_by_ids(empty.index.entry_ids())}
    assert {"휴가는 16일이다.", "병가는 60일이다."} <= left
    assert ("휴가는 15일이다." in left) == (cleanup is None)
    assert ("급여는 25일에 준다." in left) == (cleanup != "full")


# Beside others


class WaitingEmbeddings(Embeddings):
    """Embeds only once the event loop has gone on."""

    def __init__(self) -> None:
        self.went_on = threading.Event()

    def embed_query(self, text: str) -> list[float]:
        assert self.went_on.wait(20), "the event loop stood still"
        return [1.0, float(len(text))]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


async def test_an_event_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    embeddings = WaitingEmbeddings()
    with KureVectorStore.from_path(tmp_path / "ix", embeddings=embeddings) as store:

        async def beside(work: Any) -> Any:
            embeddings.went_on.clear()
            task = asyncio.ensure_future(work)
            await asyncio.sleep(0)
            embeddings.went_on.set()
            return await task

        assert await beside(store.aadd_texts(["글"], ids=["1"])) == ["1"]
        assert await beside(store.aadd_documents([Document(id="2", page_content="다른 글")])) == ["2"]
        for search in (
            store.asimilarity_search,
            store.asimilarity_search_with_score,
            store.asimilarity_search_with_relevance_scores,
            store.amax_marginal_relevance_search,
        ):
            assert len(await beside(search("글", k=2))) == 2


async def test_many_writers_at_once_wait_for_each_other(empty: KureVectorStore) -> None:
    await asyncio.gather(*(empty.aadd_texts([f"{number}번 글"], ids=[str(number)]) for number in range(8)))
    assert sorted(empty.index.entry_ids()) == [str(number) for number in range(8)]


def test_it_is_a_vector_store_of_langchain(store: KureVectorStore) -> None:
    assert isinstance(store, VectorStore)
    assert store.index.entry_ids(where=ALL_ENTRIES) == store.index.entry_ids()
