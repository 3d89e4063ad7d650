"""What LangChain's `dumps` writes of our objects, and what its `loads` makes of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.load import dumpd, dumps, loads
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.structured_query import Comparator, Comparison, StructuredQuery
from langchain_core.tracers.base import AsyncBaseTracer
from langchain_core.tracers.schemas import Run
from support import HashEmbedder

from kure_rag import ConvexFusion, KureEmbeddings, KureIndex, KureRetriever, RrfFusion
from kure_rag.embed import EmbedSettings
from kure_rag.errors import IndexNotFoundError
from kure_rag.index.dense_settings import DenseSettings
from kure_rag.index.rank_bm25 import Bm25Settings
from kure_rag.langchain import (
    KureDocumentIndex,
    KurePDFLoader,
    KurePDFParser,
    KureReranker,
    KureTextSplitter,
    KureVectorStore,
)
from kure_rag.langchain.filters import to_where
from kure_rag.langchain.store_retriever import KureVectorStoreRetriever
from kure_rag.pipeline.lazy import _OPENED, LazyIndex
from kure_rag.pipeline.opening import Opening
from kure_rag.read import ReadLimits, ReadSettings
from kure_rag.search import ExpandSettings, MmrSettings, RerankSettings, SearchOptions
from kure_rag.search.tops import TopFusion
from kure_rag.tokenize.user_dictionary import UserWord

pytestmark = pytest.mark.filterwarnings("ignore:The function `loads` is in beta")

QUERY = "연차휴가는 며칠인가요?"
KEY = "sk-1234"
OURS = (
    KureDocumentIndex,
    KureEmbeddings,
    KurePDFLoader,
    KurePDFParser,
    KureReranker,
    KureRetriever,
    KureTextSplitter,
    KureVectorStore,
    KureVectorStoreRetriever,
)


def again(given: Any, **more: Any) -> Any:
    """What is read of what is written; written once more, it is the same."""
    text = dumps(given)
    made = loads(text, allowed_objects=list(OURS), valid_namespaces=["kure_rag"], **more)
    assert type(made) is type(given)
    assert dumps(made) == text
    return made


def refused(given: Any) -> bool:
    """Whether it is written as what cannot be read."""
    written = dumpd(given)
    assert KEY not in json.dumps(written)
    return bool(written["type"] == "not_implemented" and written["id"][-1] == type(given).__name__)


@pytest.fixture(scope="module")
def path(small_index: KureIndex) -> Path:
    return small_index.path


@pytest.fixture(scope="module")
def index(path: Path, tiny_model: Path) -> Iterator[KureIndex]:
    with KureIndex.open(path, embeddings=str(tiny_model), synonyms=[["연차휴가", "연가"]]) as opened:
        yield opened


# Retrievers


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"k": 2, "mode": "lexical", "score_threshold": 0.0, "tags": ["규정"], "metadata": {"누가": "인사"}},
        {"fusion": RrfFusion(weight=0.9), "expand": "section", "where": {"title": {"$in": ["취업규정", "약관"]}}},
        {"fusion": ConvexFusion(weight=0.3), "where": {"kind": "RrfFusion", "weight": 1}},
        {"fusion": TopFusion(weight=0.3, dense_top=3), "expand": ExpandSettings(by=2)},
        {"options": SearchOptions(k=2, mode="lexical", highlight=True, where={"kind": "record"})},
        {"k": 3, "where": None, "options": SearchOptions(mmr=MmrSettings(candidates=9), where={"article": "제4조"})},
        {"where": {}, "score_threshold": 0.0, "options": SearchOptions(where={"article": "제4조"})},
        {"options": SearchOptions(candidates=20, lexical="rank-bm25", bm25=Bm25Settings(k1=0.9)), "rerank": None},
    ],
)
@pytest.mark.parametrize("kind", [KureRetriever, KureDocumentIndex])
def test_a_retriever_that_is_read_finds_the_same(
    index: KureIndex, kind: type[KureRetriever], settings: dict[str, Any]
) -> None:
    retriever = kind(index=index, **settings)
    made = again(retriever)
    assert isinstance(made.index, LazyIndex)
    assert not made.index.is_open, "it may be read where the index is not"
    with made.index:
        assert made.invoke("연가") == retriever.invoke("연가")
        assert made.index.is_open
        same = {"index": index, "where": to_where(retriever.where)}
        assert {**made.__dict__, **same} == {**retriever.__dict__, **same}
        assert made.where == same["where"]
        assert made._settings({}) == retriever._settings({})


async def test_it_is_opened_beside_the_event_loop_and_once_for_all_copies(
    index: KureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = KureIndex.open

    def noted(*given: Any, **more: Any) -> KureIndex:
        opened.append(threading.current_thread().name)
        return real(*given, **more)

    made = again(KureRetriever(index=index, k=2))
    monkeypatch.setattr(KureIndex, "open", noted)
    with made.index:
        batches = await made.abatch([QUERY, "급여", "병가"])
        assert [len(found) for found in batches] == [2, 2, 2]
        assert len(await made.with_config(tags=["가"]).ainvoke(QUERY)) == 2
    assert len(opened) == 1
    assert opened[0] != threading.main_thread().name


async def test_every_asynchronous_method_of_a_store_opens_it_beside_the_event_loop(
    index: KureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[threading.Thread] = []
    real = KureIndex.open
    vector = index.embedder.embed_queries([QUERY])[0].tolist()

    def noted(*given: Any, **more: Any) -> KureIndex:
        opened.append(threading.current_thread())
        return real(*given, **more)

    monkeypatch.setattr(KureIndex, "open", noted)
    calls: list[Callable[[KureVectorStore], Awaitable[Any]]] = [
        lambda store: store.asimilarity_search(QUERY),
        lambda store: store.asimilarity_search_with_score(QUERY),
        lambda store: store.asimilarity_search_with_relevance_scores(QUERY),
        lambda store: store.asimilarity_search_by_vector(vector),
        lambda store: store.asimilarity_search_with_score_by_vector(vector),
        lambda store: store.amax_marginal_relevance_search(QUERY),
        lambda store: store.amax_marginal_relevance_search_by_vector(vector),
        lambda store: store.aget_by_ids(["없음"]),
        lambda store: store.adelete([]),
        lambda store: store.as_retriever().ainvoke(QUERY),
    ]
    for number, call in enumerate(calls, 1):
        made = again(KureVectorStore(index))
        with made:
            await call(made)
        assert len(opened) == number
        assert opened[-1] is not threading.main_thread(), f"call {number} opened it on the event loop's own thread"


def test_an_index_that_is_opened_later_has_all_that_an_open_one_has(index: KureIndex) -> None:
    lazy = LazyIndex(index.path, Opening())
    assert set(vars(lazy)) - {"_opens"} | _OPENED == set(vars(index))


async def test_a_search_of_the_core_opens_it_too(index: KureIndex) -> None:
    for _ in range(2):
        made = again(KureRetriever(index=index))
        with made.index as lazy:
            assert await lazy.asearch(QUERY, k=2) == index.search(QUERY, k=2)
            assert await lazy.asearch_batch([QUERY], k=2) == index.search_batch([QUERY], k=2)
            assert lazy.info()["documents"] == index.info()["documents"]


def test_what_is_not_there_is_said_when_it_is_asked(index: KureIndex, tmp_path: Path) -> None:
    text = dumps(KureRetriever(index=index)).replace(json.dumps(str(index.path))[1:-1], str(tmp_path / "weg"))
    made = loads(text, allowed_objects=[KureRetriever], valid_namespaces=["kure_rag"])
    assert "weg" in str(made.index.path)
    for _ in range(2):
        with pytest.raises(IndexNotFoundError):
            made.invoke(QUERY)
    made.index.close()
    with pytest.raises(AttributeError, match="serach"):
        made.index.serach  # noqa: B018


def test_the_model_is_written_as_it_was_given(path: Path, tiny_model: Path) -> None:
    own = KureEmbeddings(str(tiny_model), device="cpu")
    for given in (str(tiny_model), own, own.kure_embedder):
        with KureIndex.open(path, embeddings=given) as index:
            made = again(KureRetriever(index=index))
            wanted = given if isinstance(given, str) else own.model_dump()
            found = made.index.opened_with.embeddings
            assert (found if isinstance(found, str) else found.model_dump()) == wanted
    with KureIndex.open(
        path, embeddings=str(tiny_model), embed_settings={"device": "cpu", "cache": Path("벡터")}
    ) as index:
        made = again(KureRetriever(index=index))
        assert made.index.opened_with.embed_settings == {"device": "cpu", "cache": "벡터"}


class Foreign(Embeddings):
    """A model object of a user's own."""

    def __init__(self) -> None:
        self._core = HashEmbedder()

    def embed_query(self, text: str) -> list[float]:
        return self._core.embed_queries([text])[0].tolist()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._core.embed_passages(texts).tolist() if texts else []


def test_what_no_text_can_say_is_refused(index: KureIndex, tmp_path: Path) -> None:
    def unlike(query: str) -> list[str]:
        return [query]

    assert refused(KureRetriever(index=index, options=SearchOptions(multi_query=unlike)))
    assert refused(KureRetriever(index=index, rerank=RerankSettings(model=HashEmbedder())))  # type: ignore[arg-type]
    assert refused(KureRetriever(index=index, fusion=object()))  # type: ignore[arg-type]
    with KureIndex.open(tmp_path / "ix", embeddings=Foreign()) as other:
        assert refused(KureRetriever(index=other))
        assert refused(KureVectorStore(other))
        assert refused(KureVectorStore(other).as_retriever())
        assert KureRetriever(index=other)._get_ls_params()["ls_embedding_provider"] == "Foreign"
    with pytest.raises(NotImplementedError):
        loads(dumps(KureVectorStore(other)), allowed_objects=list(OURS), valid_namespaces=["kure_rag"])


def test_a_class_that_was_not_allowed_is_not_made(index: KureIndex) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        loads(dumps(KureRetriever(index=index)), allowed_objects=[KureEmbeddings], valid_namespaces=["kure_rag"])


# Secrets


def test_an_endpoint_that_may_hold_a_key_is_a_secret() -> None:
    url = f"https://example.com/embed?key={KEY}"
    embeddings = KureEmbeddings("KURE-v1", backend="remote", endpoint=url)
    text = dumps(embeddings)
    assert KEY not in text
    assert json.loads(text)["kwargs"]["endpoint"] == {"lc": 1, "type": "secret", "id": ["KURE_EMBEDDINGS_ENDPOINT"]}
    assert again(embeddings, secrets_map={"KURE_EMBEDDINGS_ENDPOINT": url}).endpoint == url
    with pytest.raises(ValueError, match="endpoint"):
        loads(text, allowed_objects=[KureEmbeddings], valid_namespaces=["kure_rag"])
    open_one = KureEmbeddings("KURE-v1", backend="remote", endpoint="http://localhost:8080")
    assert again(open_one).endpoint == "http://localhost:8080"


def test_an_index_keeps_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KURE_EMBEDDINGS_API_KEY", KEY)
    remote = {"backend": "remote", "endpoint": f"http://localhost:9/?key={KEY}"}
    with KureIndex.open(tmp_path / "a", embeddings="KURE-v1", embed_settings=remote) as index:
        assert refused(KureRetriever(index=index))
    model = KureEmbeddings("KURE-v1", **remote)
    with KureIndex.open(tmp_path / "b", embeddings=model) as index:
        retriever = KureRetriever(index=index)
        assert KEY not in dumps(retriever)
        made = again(retriever, secrets_map={"KURE_EMBEDDINGS_ENDPOINT": remote["endpoint"]})
        assert made.index.opened_with.embeddings.model_dump() == model.model_dump()
    with KureIndex.open(tmp_path / "c", embeddings="static-ko", chroma=DenseSettings(token=KEY)) as index:
        assert refused(KureRetriever(index=index))


# Stores


def test_a_store_and_its_retriever_that_are_read_hold_the_same(tmp_path: Path, tiny_model: Path) -> None:
    model = KureEmbeddings(str(tiny_model))
    with KureVectorStore.from_path(
        tmp_path / "ix", embeddings=model, mode="lexical", options=SearchOptions(candidates=30), wait=3.0
    ) as store:
        store.add_texts(["연차휴가는 15일로 한다.", "급여는 25일에 준다."], [{"조": 1}, {"조": 2}], ids=["가", "나"])
        made = again(store)
        assert not made.index.is_open
        with made:
            assert (made.wait, made.embeddings.model_dump()) == (3.0, model.model_dump())
            assert made.similarity_search("급여") == store.similarity_search("급여")
            made.add_texts(["병가는 60일로 한다."], ids=["다"])
        assert [one.id for one in store.similarity_search("병가 60일", k=1)] == ["다"]
        retriever = store.as_retriever(
            search_type="mmr",
            search_kwargs={
                "k": 2,
                "fusion": RrfFusion(weight=0.2),
                "filter": StructuredQuery(
                    query="", filter=Comparison(comparator=Comparator.LTE, attribute="조", value=1), limit=None
                ),
            },
            tags=["규정"],
        )
        read = again(retriever)
        assert read.invoke("휴가 급여") == retriever.invoke("휴가 급여")
        assert (read.tags, read.search_kwargs["fusion"]) == (["규정"], RrfFusion(weight=0.2))
        read.vectorstore.close()


def test_a_store_is_still_an_object_of_its_own(tmp_path: Path) -> None:
    with KureVectorStore.from_texts(["휴가"], KureEmbeddings("static-ko")) as one:
        assert one != KureVectorStore(one.index)
        assert len({one, KureVectorStore(one.index)}) == 2
        assert refused(one), "its folder is gone with it"
        assert refused(one.as_retriever())
        with pytest.raises(TypeError, match="'mod'"):
            KureVectorStore(one.index, mod="dense")
    with pytest.raises(TypeError, match="from_path"):
        KureVectorStore()


def test_a_chain_is_written_with_its_retriever(index: KureIndex) -> None:
    prompt = ChatPromptTemplate.from_template("{context}")
    chain = KureRetriever(index=index, k=1) | prompt
    made = loads(
        dumps(chain),
        allowed_objects=[
            type(chain),
            type(prompt),
            *map(type, prompt.messages),
            type(prompt.messages[0].prompt),
            KureRetriever,
        ],  # type: ignore[union-attr]
        valid_namespaces=["kure_rag"],
    )
    assert made.first.k == 1
    assert isinstance(made.first, KureRetriever)


# What needs no index


@pytest.mark.parametrize(
    "given",
    [
        KureReranker(),
        KureReranker(
            model="dragonkue/bge-reranker-v2-m3-ko", top_n=None, score_threshold=0.5, settings={"device": "cpu"}
        ),
        KureTextSplitter(),
        KureTextSplitter(
            profile="legal",
            target=300,
            longest=500,
            domain="legal",
            markdown=True,
            user_dictionary=[UserWord("중도해지이율"), "돌봄크레딧", ("온누리적금", "NNP", 1.0)],
        ),
        KurePDFLoader("규정.pdf"),
        KurePDFLoader(
            [Path("규정"), "약관.pdf"],
            unit="page",
            skip_errors=True,
            domain="finance",
            read=ReadSettings(tables=False),
            limits=ReadLimits(max_pages=9),
            workers=1,
            file_types=["pdf", "md"],
            user_dictionary=iter(["돌봄크레딧"]),
        ),
        KurePDFParser(unit="file", limits=ReadLimits(max_seconds=3.0)),
    ],
    ids=lambda given: type(given).__name__,
)
def test_settings_come_back(given: Any) -> None:
    made = again(given)
    assert made._keywords() == given._keywords()
    if isinstance(given, KureReranker):
        assert made.model_dump() == given.model_dump()
        assert made._core.settings == EmbedSettings(**given.settings)
    else:
        assert made._settings == given._settings
        assert made != given, "as of all loaders and splitters"


def test_a_splitter_that_is_read_cuts_alike(tmp_path: Path) -> None:
    words = tmp_path / "용어.txt"
    words.write_text("돌봄크레딧\n", encoding="utf-8")
    splitter = KureTextSplitter(profile="legal", target=30, markdown=True, user_dictionary=words)
    text = "# 규정\n\n제1조(목적) 이 규정은 휴가를 정한다. 돌봄크레딧은 따로 정한다.\n제2조(연차휴가) 15일을 준다."
    assert again(splitter).split_documents([Document(page_content=text)]) == splitter.split_documents(
        [Document(page_content=text)]
    )


# Tracing


class Noted(AsyncBaseTracer):
    """What a tracer such as LangSmith's is told of retrievers."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []

    async def _persist_run(self, run: Run) -> None:
        self.runs.append(run)


@pytest.mark.parametrize("kind", ["retriever", "read", "store"])
async def test_a_tracer_is_told_which_retriever_and_model_it_was(index: KureIndex, kind: str, tiny_model: Path) -> None:
    own: BaseRetriever = KureRetriever(index=index)
    retriever = {"retriever": own, "read": again(own), "store": KureVectorStore(index).as_retriever()}[kind]
    tracer = Noted()
    chain = RunnableLambda(lambda text: text) | retriever
    await chain.ainvoke(QUERY, config={"callbacks": [tracer]})
    [run] = tracer.runs
    [searched] = [child for child in run.child_runs if child.run_type == "retriever"]
    told = (searched.extra or {})["metadata"]
    assert told["ls_embedding_model"] == tiny_model.name
    assert told["ls_retriever_name"]
    assert told["ls_vector_store_provider"] == ("KureVectorStore" if kind == "store" else "kure_rag")
    assert (searched.outputs or {})["documents"]
