"""Searches of a whole index, with every option."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from support import HashEmbedder, write_pdf

from kure_rag import KureIndex
from kure_rag.errors import FilterError, IndexCorruptError, SearchError
from kure_rag.read import Record
from kure_rag.search import ExpandSettings, RerankSettings, Searcher, SearchOptions, convex, rrf
from kure_rag.search.vectors import CatalogVectors
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Hit, Leg

TWICE = "근로자는 1년에 15일의 연차휴가를 쓸 수 있으며, 쓰지 못한 날은 수당으로 받는다."
RULES = [
    "휴가 규정",
    "제1장 총칙",
    "제1조(목적) 이 규정은 직원의 휴가에 관한 사항을 정하는 것을 목적으로 한다.",
    "제2조(적용) 이 규정은 모든 정규 직원에게 적용하고, 시간제 직원에게는 따로 정한다.",
    "제2장 연차휴가",
    "제3조(일수) 직원은 해마다 15일의 연차휴가를 쓰고, 3년마다 하루가 늘어난다.",
    "제4조(신청) 연차휴가를 쓰려는 직원은 사흘 전까지 부서장에게 신청서를 낸다.",
    "제5조(수당) 쓰지 못한 연차휴가는 다음 해 1월에 수당으로 준다.",
]
QUERY = "연차휴가 일수와 수당"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[KureIndex]:
    folder = tmp_path_factory.mktemp("searching")
    write_pdf(folder / "휴가규정.pdf", [RULES])
    records = [Record(f"copy-{i}", "취업규칙", TWICE, {"year": 2020 + i}) for i in range(4)]
    records += [
        Record(f"other-{i}", "보수규정", f"급여는 매월 {i + 1}일에 지급한다.", {"year": 2020}) for i in range(20)
    ]
    with KureIndex.open(folder / "ix", embeddings=str(tiny_model)) as made:
        made.add_paths(folder / "휴가규정.pdf", domain="legal", workers=1)
        made.add_records(records, workers=1)
        yield made


@pytest.fixture(scope="module")
def searcher(index: KureIndex) -> Iterator[Searcher]:
    made = Searcher(index._store, KiwiTokenizer(), index.embedder)
    yield made
    made.close()


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.chunk.id for hit in hits]


# Legs and fusion


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_every_engine_finds_the_same(searcher: Searcher, mode: str) -> None:
    found = [searcher.search(QUERY, mode=mode, dense=engine) for engine in ("chroma", "exact", "quantized")]  # type: ignore[arg-type]
    assert found[0] == found[1] == found[2]
    assert found[0]


def test_the_catalog_answers_as_the_matrix_does(index: KureIndex, searcher: Searcher) -> None:
    vector = index.embedder.embed_queries([QUERY])[0]
    with index._store.views() as views:
        assert views.matrix is not None
        slow = CatalogVectors(index._store.catalog, views.visible)
        assert slow.rows().tolist() == views.matrix.rows().tolist()
        for allowed in (None, slow.rows()[::2]):
            ours, theirs = (s.search(vector[None], 7, allowed=allowed)[0] for s in (slow, views.matrix))
            assert ours[0].tolist() == theirs[0].tolist()
            assert ours[1].tolist() == theirs[1].tolist()


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
@pytest.mark.parametrize("fusion", [None, convex(0.3, "minmax"), rrf()])
def test_the_parts_of_a_hit_add_up_to_its_score(searcher: Searcher, mode: str, fusion) -> None:
    hits = searcher.search(QUERY, k=30, mode=mode, fusion=fusion)  # type: ignore[arg-type]
    assert hits
    for hit in hits:
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
        assert hit.legs.keys() == hit.parts.keys() or mode == "hybrid"
        assert all(leg.rank is None or leg.rank > 0 for leg in hit.legs.values())
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_a_fusion_of_ones_own_is_asked_and_explained(searcher: Searcher) -> None:
    class Keywords:
        def fuse(self, legs):
            return {row: said["lexical"].score for row, said in legs.items() if "lexical" in said}

    hits = searcher.search(QUERY, fusion=Keywords())
    assert ids(hits) == ids(searcher.search(QUERY, mode="lexical"))
    assert all(hit.parts == {"fusion": hit.score} for hit in hits)


def test_equal_passages_are_ordered_by_id_wherever_the_list_is_cut(searcher: Searcher) -> None:
    whole = [hit for hit in searcher.search(TWICE, k=10) if hit.chunk.text == TWICE]
    assert len(whole) == 4
    assert len({hit.score for hit in whole}) == 1
    assert ids(whole) == sorted(ids(whole))
    for k in range(1, 4):
        assert ids(searcher.search(TWICE, k=k)) == ids(whole)[:k]


def test_a_batch_answers_as_its_queries_one_by_one(searcher: Searcher) -> None:
    queries = [QUERY, TWICE, "급여 지급일", "QUERY without any match 가나다라"]
    for engine in ("chroma", "quantized"):
        batch = searcher.search_batch(queries, dense=engine)  # type: ignore[arg-type]
        assert batch == [searcher.search(query, dense=engine) for query in queries]  # type: ignore[arg-type]
    assert searcher.search_batch([]) == []


@pytest.mark.parametrize(
    "queries",
    ["휴가", [""], [" \n"], ["휴가\ud800"], [None]],  # type: ignore[list-item]
)
def test_what_is_no_list_of_queries_is_an_error(searcher: Searcher, queries) -> None:
    with pytest.raises(SearchError):
        searcher.search_batch(queries)


# Filters

years = st.lists(st.integers(2020, 2023), max_size=3)
stages = st.fixed_dictionaries(
    {},
    optional={
        "fold": st.booleans(),
        "mmr": st.sampled_from([0.0, 0.5]),
        "group_by": st.just("document"),
        "dense": st.sampled_from(["chroma", "exact", "quantized"]),
        "relevance": st.just(True),
        "multi_query": st.just(lambda query: [query + " 규정", "급여"]),
        "k": st.integers(1, 30),
    },
)


@run_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(years, stages, st.sampled_from(["hybrid", "lexical", "dense"]))
def test_a_filter_never_leaks(searcher: Searcher, wanted, given_, mode) -> None:
    hits = searcher.search(f"{TWICE} 급여", mode=mode, where={"year": {"$in": wanted}}, **given_)
    allowed = {f"copy-{year - 2020}" for year in wanted} | (
        {f"other-{i}" for i in range(20)} if 2020 in wanted else set()
    )
    assert {one.source for hit in hits for one in (hit, *hit.duplicates)} <= allowed
    assert len(hits) <= given_.get("k", 10)
    if mode == "dense" and allowed and not given_:
        assert hits


def test_a_filter_that_breaks_the_grammar_is_an_error(searcher: Searcher) -> None:
    with pytest.raises(FilterError):
        searcher.search(QUERY, where={"$nor": []})


# Stages


def test_folding_cites_every_copy(searcher: Searcher) -> None:
    first, *others = searcher.search(TWICE, fold=True, k=5)
    assert {first.source, *(copy.source for copy in first.duplicates)} == {f"copy-{i}" for i in range(4)}
    assert all(copy.citation().startswith("copy-") for copy in first.duplicates)
    assert TWICE not in [hit.chunk.text for hit in others]
    assert not any(hit.duplicates for hit in searcher.search("급여 지급일", fold=True))  # they differ in a number


class ByLength:
    """A reranker: the longest passage first."""

    def __init__(self, wait: threading.Event | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.wait = wait

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        self.asked += pairs
        if self.wait is not None:
            self.wait.wait(20)
        return np.array([len(passage) for _, passage in pairs], dtype=np.float32)


def test_reranking_orders_the_first_candidates_and_keeps_what_the_legs_said(searcher: Searcher) -> None:
    model = ByLength()
    plain = {hit.chunk.id: hit for hit in searcher.search(QUERY, k=7)}
    hits = searcher.search(QUERY, k=3, rerank=RerankSettings(model=model, candidates=7, batch=2))
    assert len(model.asked) == 7
    assert all(query == QUERY for query, _ in model.asked)
    lengths = [len(hit.chunk.contextualized()) for hit in hits]
    assert [hit.score for hit in hits] == lengths == sorted((len(p) for _, p in model.asked), reverse=True)[:3]
    for rank, hit in enumerate(hits, 1):
        before = plain[hit.chunk.id]
        assert hit.legs == {**before.legs, "rerank": Leg(rank, hit.score)}
        assert sum(hit.parts.values()) == pytest.approx(before.score)
        assert not hit.warnings


def test_a_reranker_that_is_too_slow_leaves_the_fused_order_and_a_warning(searcher, caplog) -> None:
    free = threading.Event()
    slow = RerankSettings(model=ByLength(free), time_limit=0.05)
    hits = searcher.search(QUERY, rerank=slow)
    free.set()
    plain = searcher.search(QUERY, k=20)[:10]
    assert [dataclasses.replace(hit, warnings=()) for hit in hits] == plain
    assert all("longer than its limit of 0.05 s" in hit.warnings[0] for hit in hits)
    assert QUERY in caplog.text


def test_a_reranker_that_fails_leaves_the_fused_order_and_a_warning(searcher) -> None:
    class Away:
        def scores(self, pairs):
            raise ConnectionError("the server is away")

    hits = searcher.search(QUERY, rerank=Away())
    assert [dataclasses.replace(hit, warnings=()) for hit in hits] == searcher.search(QUERY, k=20)[:10]
    assert all("failed with ConnectionError: the server is away" in hit.warnings[0] for hit in hits)
    with pytest.raises(ConnectionError):
        searcher.search(QUERY, rerank=RerankSettings(model=Away(), fall_back=False))


def test_mmr_brings_another_subject_up(searcher: Searcher) -> None:
    plain = [hit.chunk.text for hit in searcher.search(TWICE, k=4)]
    diverse = [hit.chunk.text for hit in searcher.search(TWICE, k=4, mmr=0.1)]
    assert plain == [TWICE] * 4
    assert diverse[0] == TWICE
    assert len(set(diverse)) == 4
    assert ids(searcher.search(TWICE, k=4, mmr=1.0)) == ids(searcher.search(TWICE, k=4))


def test_grouping_keeps_documents_together_and_short(searcher: Searcher) -> None:
    hits = searcher.search(QUERY, k=10, group_by="document", per_group=2)
    documents = [hit.chunk.document_id for hit in hits]
    assert documents == sorted(documents, key=documents.index)
    assert max(documents.count(document) for document in documents) == 2
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


@pytest.mark.parametrize("expand", [1, 3, "section", ExpandSettings(by=2, limit=60)])
def test_a_context_is_a_span_of_the_document_around_the_hit(index: KureIndex, searcher: Searcher, expand) -> None:
    for hit in searcher.search("연차휴가 신청", k=8, expand=expand, where={"source": "휴가규정.pdf"}):
        document = index.document(hit.chunk.document_id)
        assert document is not None
        assert hit.context is not None
        assert document.text[hit.context.start : hit.context.end] == hit.context.text
        assert hit.chunk.text[:60] in hit.context.text
        by_id = {chunk.id: chunk for chunk in index.chunks(document.id)}
        around = [by_id[id_] for id_ in hit.context.chunk_ids]
        if expand == 1:
            assert [c.ordinal for c in around] == [
                c.ordinal for c in by_id.values() if abs(c.ordinal - hit.chunk.ordinal) <= 1
            ]
        if expand == "section":
            assert {chunk.breadcrumb for chunk in around} == {hit.chunk.breadcrumb}
        if isinstance(expand, ExpandSettings):
            assert len(hit.context.text) <= 60


def test_a_context_reads_its_part_of_the_text_only_and_that_must_hold_the_hit(tmp_path: Path) -> None:
    lines = [
        f"제{i}조(보관) 보관 책임자는 {i}번 서고의 문서를 {i}년 동안 보관하고 목록을 만든다." for i in range(1, 200)
    ]
    (tmp_path / "보관규정.txt").write_text("\n".join(lines), encoding="utf-8")
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        index.add_paths(tmp_path / "보관규정.txt", domain="legal", workers=1)
        asked = {"mode": "lexical", "k": 1, "expand": 1}
        (hit,) = index.search("100번 서고", **asked)  # type: ignore[arg-type]
        assert hit.context is not None
        database = sqlite3.connect(tmp_path / "ix/catalog.sqlite3")
        with database:  # far behind the hit: a reading of the whole text would see that
            database.execute("UPDATE documents SET text = substr(text, 1, length(text) - 40) || '훼손'")
        assert index.search("100번 서고", **asked) == [hit]  # type: ignore[arg-type]
        with database:
            database.execute("UPDATE documents SET text = '밀림' || text")
        with pytest.raises(IndexCorruptError, match=hit.chunk.id):
            index.search("100번 서고", **asked)  # type: ignore[arg-type]
        database.close()


def test_highlights_mark_words_of_the_query(searcher: Searcher) -> None:
    hits = searcher.search("연차휴가 수당", highlight=True, where={"source": {"$contains": "copy"}})
    assert [hits[0].chunk.text[a:b] for a, b in hits[0].highlights or ()] == ["연차휴가", "수당"]
    assert searcher.search(QUERY)[0].highlights is None


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_a_threshold_keeps_the_hits_of_at_least_that_relevance(searcher: Searcher, mode: str) -> None:
    hits = searcher.search(TWICE, k=100, mode=mode, relevance=True)  # type: ignore[arg-type]
    values = [hit.relevance for hit in hits]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert max(v for v in values if v is not None) == hits[0].relevance
    limit = sorted(v for v in values if v is not None)[len(values) // 2]
    wanted = [hit.chunk.id for hit in hits if hit.relevance is not None and hit.relevance >= limit]
    for k in (1, 3, 100):  # a hit that has it comes up where a better one has not
        assert ids(searcher.search(TWICE, k=k, mode=mode, score_threshold=limit)) == wanted[:k]  # type: ignore[arg-type]


# Hooks


def test_several_ways_to_ask_are_fused(searcher: Searcher) -> None:
    hits = searcher.search("휴가", k=30, multi_query=lambda query: [query, "급여 지급일"])
    assert any("급여" in hit.chunk.text for hit in hits)
    for hit in hits:
        assert hit.parts.keys() == {"query 1", "query 2"}
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
    assert searcher.search(QUERY, multi_query=lambda query: []) == searcher.search(QUERY)


def test_a_hypothetical_answer_moves_the_dense_leg(searcher: Searcher) -> None:
    plain = searcher.search("무엇을 받나요", mode="dense", k=1)
    moved = searcher.search("무엇을 받나요", mode="dense", k=1, hyde=lambda query: TWICE)
    assert moved[0].chunk.text == TWICE
    assert moved[0].score > plain[0].score or plain[0].chunk.text == TWICE


@pytest.mark.parametrize(
    "given_", [{"multi_query": lambda q: "급여"}, {"multi_query": lambda q: [""]}, {"hyde": lambda q: ""}]
)
def test_a_hook_that_gives_no_text_is_an_error(searcher: Searcher, given_) -> None:
    with pytest.raises(SearchError, match="hook"):
        searcher.search(QUERY, **given_)


# Async


def test_an_event_loop_goes_on_while_a_search_waits(searcher: Searcher) -> None:
    free = threading.Event()

    async def both() -> list[Hit]:
        search = asyncio.create_task(searcher.asearch(QUERY, rerank=ByLength(free)))
        await asyncio.sleep(0.2)
        assert not search.done()
        free.set()  # the loop was free to do this: else the search would wait for ever
        return await search

    assert asyncio.run(both())[0].legs["rerank"].rank == 1


def test_a_cancelled_search_ends_its_work(searcher: Searcher) -> None:
    free, model = threading.Event(), ByLength()
    model.wait = free

    async def cancel() -> None:
        search = asyncio.create_task(
            searcher.asearch(QUERY, rerank=RerankSettings(model=model, candidates=10, batch=1))
        )
        while not model.asked:
            await asyncio.sleep(0.01)
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
        free.set()

    began = time.monotonic()
    asyncio.run(cancel())
    assert time.monotonic() - began < 15
    assert len(model.asked) == 1


def test_options_can_be_kept_and_overridden(searcher: Searcher) -> None:
    options = SearchOptions(k=2, mode="lexical")
    assert ids(searcher.search(QUERY, options=options)) == ids(searcher.search(QUERY, k=2, mode="lexical"))
    assert len(searcher.search(QUERY, options=options, k=3)) == 3


def test_an_empty_index_has_no_hits(tmp_path: Path, tiny_model: Path) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings=str(tiny_model)) as index:
        empty = Searcher(index._store, KiwiTokenizer(), index.embedder)
        for mode in ("hybrid", "lexical", "dense"):
            assert empty.search_batch([QUERY, TWICE], mode=mode, relevance=True) == [[], []]  # type: ignore[arg-type]
