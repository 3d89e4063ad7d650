from __future__ import annotations

import asyncio
import copy
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableField
from langchain_core.structured_query import Comparator, Comparison, StructuredQuery
from langchain_tests.integration_tests import RetrieversIntegrationTests
from pydantic import ValidationError

from kure_rag import Chunk, Hit, KureIndex, KureRetriever, Leg, RrfFusion
from kure_rag.config import Config
from kure_rag.errors import FilterError, IndexNotFoundError
from kure_rag.langchain import KureDocumentIndex, to_document
from kure_rag.search import SearchOptions

QUERY = "연차휴가는 며칠인가요?"


class TestStandard(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _take_index(self, small_index: KureIndex) -> None:
        self.index = small_index

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return KureRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"index": self.index}

    @property
    def retriever_query_example(self) -> str:
        return QUERY


async def _both(retriever: KureRetriever, query: str, **given: Any) -> list[str]:
    """The ids, and that `invoke` and `ainvoke` agree on them."""
    ids = [document.id or "" for document in retriever.invoke(query, **given)]
    assert ids == [document.id for document in await retriever.ainvoke(query, **given)]
    return ids


async def test_a_call_overrides_the_retriever_s_settings(small_index: KureIndex) -> None:
    retriever = KureRetriever(index=small_index, k=2, where={"title": "취업규정"})

    def ids(**given: Any) -> list[str]:
        return [hit.chunk.id for hit in small_index.search(QUERY, **given)]

    own = {"title": "취업규정"}
    assert await _both(retriever, QUERY) == ids(k=2, where=own)
    assert await _both(retriever, QUERY, k=3) == ids(k=3, where=own)
    assert await _both(retriever, QUERY, mode="dense") == ids(k=2, where=own, mode="dense")
    assert await _both(retriever, QUERY, k=5, where={"year": {"$gte": 2025}}) == ids(
        k=5, where={"year": {"$gte": 2025}}
    )
    assert await _both(retriever, QUERY, k=9, where=None) == ids(k=9)
    fusion = RrfFusion(weight=0.9)
    assert await _both(retriever, QUERY, k=9, where=None, fusion=fusion) == ids(k=9, fusion=fusion)
    assert await _both(retriever, QUERY, verbose=True) == await _both(retriever, QUERY)


async def test_settings_of_the_retriever_are_used(small_index: KureIndex) -> None:
    fusion = RrfFusion(weight=0.9)
    retriever = KureRetriever(index=small_index, k=6, fusion=fusion)
    assert await _both(retriever, QUERY) == [hit.chunk.id for hit in small_index.search(QUERY, k=6, fusion=fusion)]
    retriever = KureRetriever(index=small_index, mode="lexical")
    assert all(set(document.metadata["legs"]) == {"lexical"} for document in retriever.invoke(QUERY))


async def test_an_unknown_keyword_is_named(small_index: KureIndex) -> None:
    retriever = KureRetriever(index=small_index)
    with pytest.raises(TypeError, match="'top_k'"):
        retriever.invoke(QUERY, top_k=3)
    with pytest.raises(TypeError, match="'filter'"):
        await retriever.ainvoke(QUERY, filter={})
    with pytest.raises(ValidationError, match="wehre"):
        KureRetriever(index=small_index, wehre={"domain": "legal"})  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        KureRetriever(index=small_index, k=0)
    with pytest.raises(FilterError, match="like"):
        await retriever.ainvoke(QUERY, where={"title": {"$like": "취업"}})


def test_metadata_cites_and_scores(small_index: KureIndex) -> None:
    document = KureRetriever(index=small_index).invoke(QUERY)[0]
    hit = small_index.search(QUERY, k=1)[0]
    assert document.id == hit.chunk.id
    assert document.page_content == hit.chunk.text
    assert document.metadata == {
        "source": "leave",
        "title": "취업규정",
        "domain": "general",
        "pages": [],
        "page": None,
        "breadcrumb": ["취업규정"],
        "start": 0,
        "end": len(hit.chunk.text),
        "citation": "leave 취업규정",
        "chunk_id": hit.chunk.id,
        "document_id": hit.chunk.document_id,
        "kind": "record",
        "lead": "",
        "prev_id": None,
        "next_id": None,
        "score": hit.score,
        "rank": 1,
        "legs": {name: {"rank": leg.rank, "score": leg.score} for name, leg in hit.legs.items()},
        "article": "제15조",
    }
    assert set(document.metadata["legs"]) == {"lexical", "dense"}


def test_metadata_is_json(small_index: KureIndex) -> None:
    for document in KureRetriever(index=small_index, k=12).invoke(QUERY):
        assert json.loads(json.dumps(document.metadata, allow_nan=False)) == document.metadata
        assert json.loads(document.model_dump_json())["metadata"] == document.metadata


def test_pages_and_colliding_names() -> None:
    chunk = Chunk(
        id="c",
        document_id="d",
        text="제15조(연차휴가) ① 직원은 연차휴가를 쓸 수 있다.",
        start=40,
        end=70,
        pages=(3, 4),
        breadcrumb=("제2장 휴가", "제15조(연차휴가)"),
        kind="article",
        prev_id="b",
        next_id="e",
        lead="다음 각 호의 휴가",
        metadata={"article": "제15조", "title": "연차휴가", "source": "남의 값", "score": -1},
    )
    metadata = to_document(Hit(chunk, "규정.pdf", "취업규정", "legal", 0.5, 2, {"dense": Leg(None, 0.25)})).metadata
    assert metadata["citation"] == "규정.pdf p.3-4 제2장 휴가 > 제15조(연차휴가)"
    assert (metadata["pages"], metadata["page"], metadata["start"], metadata["end"]) == ([3, 4], 3, 40, 70)
    assert (metadata["prev_id"], metadata["next_id"], metadata["kind"]) == ("b", "e", "article")
    assert (metadata["source"], metadata["score"], metadata["article"]) == ("규정.pdf", 0.5, "제15조")
    assert metadata["legs"] == {"dense": {"rank": None, "score": 0.25}}
    assert (metadata["title"], metadata["chunk_title"]) == ("취업규정", "연차휴가")
    assert (metadata["chunk_source"], metadata["chunk_score"]) == ("남의 값", -1)
    assert metadata["lead"] == "다음 각 호의 휴가"


async def test_the_event_loop_goes_on_while_it_searches(
    small_index: KureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def slow(queries: list[str], *_: Any) -> list[list[Hit]]:
        assert let_go.wait(10), "nothing else ran on the event loop while it searched"
        return [[] for _ in queries]

    monkeypatch.setattr(small_index._searcher, "_run", slow)
    searching = asyncio.create_task(KureRetriever(index=small_index).ainvoke(QUERY))
    await asyncio.sleep(0.01)
    let_go.set()
    assert await searching == []


async def test_many_at_once(small_index: KureIndex) -> None:
    queries = [QUERY, "급여는 언제 지급하나요?", "약은 어떻게 보관하나요?"] * 6
    retriever = KureRetriever(index=small_index, k=3)
    alone = [[document.id for document in retriever.invoke(query)] for query in queries]
    together = await retriever.abatch(queries)
    assert [[document.id for document in documents] for documents in together] == alone
    assert [[document.id for document in documents] for documents in retriever.batch(queries)] == alone


def test_it_binds_and_configures_as_any_runnable(small_index: KureIndex) -> None:
    retriever = KureRetriever(index=small_index)
    assert len(retriever.bind(k=2).invoke(QUERY)) == 2
    configurable = retriever.configurable_fields(k=ConfigurableField(id="k"))
    assert len(configurable.invoke(QUERY, config={"configurable": {"k": 1}})) == 1


def test_it_says_to_tracing_what_it_searches(small_index: KureIndex, tiny_model: Path) -> None:
    assert KureRetriever(index=small_index)._get_ls_params() == {
        "ls_retriever_name": "kure",
        "ls_vector_store_provider": "kure_rag",
        "ls_embedding_provider": "kure_rag",
        "ls_embedding_model": tiny_model.name,
    }


def test_from_path(small_index: KureIndex, tiny_model: Path, tmp_path: Path) -> None:
    retriever = KureRetriever.from_path(small_index.path, embeddings=str(tiny_model), k=2)
    assert [d.id for d in retriever.invoke(QUERY)] == [hit.chunk.id for hit in small_index.search(QUERY, k=2)]
    retriever.index.close()
    with pytest.raises(IndexNotFoundError):
        KureRetriever.from_path(tmp_path / "없음")
    with pytest.raises(ValidationError):
        KureRetriever.from_path(small_index.path, embeddings=str(tiny_model), k=-1)


async def test_every_keyword_of_a_search_is_taken(small_index: KureIndex) -> None:
    asked: dict[str, Any] = {"k": 3, "highlight": True, "relevance": True, "expand": 1}
    hits = small_index.search("연차휴가", **asked)
    options = SearchOptions(k=9, highlight=True, relevance=True)
    for found in (
        KureRetriever(index=small_index).invoke("연차휴가", **asked),
        await KureRetriever(index=small_index).ainvoke("연차휴가", **asked),
        KureRetriever(index=small_index, k=3, expand=1, options=options).invoke("연차휴가"),
    ):
        assert [one.id for one in found] == [hit.chunk.id for hit in hits]
        for document, hit in zip(found, hits, strict=True):
            assert document.metadata["relevance"] == hit.relevance
            assert document.metadata["context"] == hit.context.text  # type: ignore[union-attr]
            assert document.metadata["highlights"] == [list(span) for span in hit.highlights or ()]


def test_a_threshold_of_the_retriever_holds_and_a_call_may_lift_it(small_index: KureIndex) -> None:
    retriever = KureRetriever(index=small_index, score_threshold=1.0)
    assert retriever.invoke("연차휴가") == []
    assert retriever.invoke("연차휴가", score_threshold=None)


def test_a_filter_may_be_langchain_s(small_index: KureIndex) -> None:
    query = StructuredQuery(
        query="급여", filter=Comparison(comparator=Comparator.EQ, attribute="article", value="제4조"), limit=None
    )
    found = KureRetriever(index=small_index, where=query).invoke("급여")
    assert [one.metadata["source"] for one in found] == ["pay"]


def test_options_without_settings_beside_them_are_kept(small_index: KureIndex) -> None:
    retriever = KureRetriever(index=small_index, options=SearchOptions(k=2, mode="lexical"))
    assert [set(one.metadata["legs"]) for one in retriever.invoke("연차휴가 급여")] == [{"lexical"}] * 2


@pytest.fixture(scope="module", params=["options", "config"])
def said(request: pytest.FixtureRequest, small_index: KureIndex, tiny_model: Path) -> Iterator[dict[str, Any]]:
    """Fields of a retriever over one house's passages only, by its options or by what its index was opened with."""
    search = SearchOptions(where={"title": "취업규정"}, mode="lexical", k=4)
    if request.param == "options":
        yield {"index": small_index, "options": search}
        return
    with KureIndex.open(small_index.path, embeddings=str(tiny_model), config=Config(search=search)) as opened:
        yield {"index": opened}


def _seen(documents: list[Document]) -> tuple[int, set[str], set[str]]:
    """How many, of which titles, by which legs."""
    return (
        len(documents),
        {one.metadata["title"] for one in documents},
        {leg for one in documents for leg in one.metadata["legs"]},
    )


@pytest.mark.parametrize("kind", [KureRetriever, KureDocumentIndex])
async def test_a_filter_and_a_mode_outlive_all_that_langchain_makes_of_a_retriever(
    said: dict[str, Any], kind: type[KureRetriever]
) -> None:
    """A lost filter shows one tenant's passages to another."""
    retriever = kind(**said)
    own = {"취업규정"}
    query = "직원의 급여와 휴가"
    assert _seen(retriever.invoke(query)) == (3, own, {"lexical"})
    configurable = retriever.configurable_fields(k=ConfigurableField(id="k"), mode=ConfigurableField(id="mode"))
    for config in ({"k": 2}, {"k": None}, {"mode": None, "k": 1}):
        wanted = (config["k"] or 3, own, {"lexical"})
        assert _seen(configurable.with_config(configurable=config).invoke(query)) == wanted
        assert _seen(await configurable.ainvoke(query, config={"configurable": config})) == wanted
    assert _seen(configurable.with_config(configurable={"mode": "dense"}).invoke(query))[1:] == (own, {"dense"})
    assert _seen(retriever.bind(k=2).invoke(query)) == (2, own, {"lexical"})
    assert _seen(retriever.with_config(tags=["규정"]).bind(mode="dense", k=1).invoke(query)) == (1, own, {"dense"})
    for copied in (retriever.model_copy(), copy.copy(retriever), kind(**dict(retriever))):
        assert _seen(copied.invoke(query, k=1)) == (1, own, {"lexical"})


def test_a_filter_of_the_options_is_replaced_or_lifted_only_by_another(said: dict[str, Any]) -> None:
    own, all_of_it = {"취업규정"}, 9
    retriever = KureRetriever(where={}, k=all_of_it, **said)
    assert _seen(retriever.invoke("직원의 급여와 휴가"))[1] > own
    retriever = KureRetriever(where={"title": "보수규정"}, **said)
    assert _seen(retriever.invoke("직원의 급여와 휴가"))[1] == {"보수규정"}
    configurable = KureRetriever(**said).configurable_fields(where=ConfigurableField(id="where"))
    for where, titles in (({"title": "보수규정"}, {"보수규정"}), (None, own)):
        assert _seen(configurable.with_config(configurable={"where": where}).invoke("급여와 휴가"))[1] == titles
