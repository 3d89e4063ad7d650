"""Pools ranked in memory give what a search gives, whatever the settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import HashEmbedder

from kure_rag import ConvexFusion, KureIndex, RrfFusion
from kure_rag.errors import SearchError
from kure_rag.read import Record
from kure_rag.search import Bm25Settings, SearchOptions, limited, rank_pool

TOPICS = ("예금", "보험", "주택", "의약품", "세금", "연금", "계약", "임대")
QUESTIONS = ["예금 이자는 언제 지급하나요?", "임대 계약 기간", "의약품 보관 방법과 기한", "연금 세금"]
FUSIONS = [
    ConvexFusion(weight=0.3, normaliser="spread"),
    ConvexFusion(weight=0.6, normaliser="minmax"),
    ConvexFusion(weight=0.4, scale=30.0),
    RrfFusion(weight=0.5, k=10),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KureIndex]:
    records = [
        Record(
            f"{topic}-{i}", topic, f"{topic} {other} 계약의 {i}번째 이자와 기간, 보관 방법은 {'따로 ' * (i % 3)}정한다."
        )
        for i in range(1, 8)
        for topic, other in zip(TOPICS, (*TOPICS[i:], *TOPICS[:i]), strict=True)
    ]
    with KureIndex.open(tmp_path_factory.mktemp("pools") / "ix", embeddings=HashEmbedder()) as made:
        made.add_records(records, workers=1)
        yield made


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
@pytest.mark.parametrize("candidates", [5, 100])
def test_a_pool_ranks_as_a_search_does(index: KureIndex, mode: str, fusion: ConvexFusion, candidates: int) -> None:
    deep = index.pools(QUESTIONS, options=SearchOptions(candidates=200))
    options = SearchOptions(mode=mode, fusion=fusion, candidates=candidates, k=8)  # type: ignore[arg-type]
    found = [rank_pool(limited(pool, options), options.mode, fusion, 8) for pool in deep]
    wanted = index.search_batch(QUESTIONS, options=options)
    assert [[chunk.id for chunk in some] for some in found] == [[hit.chunk.id for hit in hits] for hits in wanted]


@pytest.mark.parametrize("settings", [None, Bm25Settings(k1=0.4, b=0.0), Bm25Settings(k1=2.0, b=1.0)])
def test_the_other_keyword_engine_has_its_own_pool(index: KureIndex, settings: Bm25Settings | None) -> None:
    options = SearchOptions(lexical="rank-bm25", bm25=settings, fusion=FUSIONS[0], k=8)
    found = [
        rank_pool(limited(pool, options), "hybrid", FUSIONS[0], 8) for pool in index.pools(QUESTIONS, options=options)
    ]
    wanted = index.search_batch(QUESTIONS, options=options)
    assert [[chunk.id for chunk in some] for some in found] == [[hit.chunk.id for hit in hits] for hits in wanted]


def test_vectors_that_are_given_are_not_made_again(index: KureIndex) -> None:
    swapped = HashEmbedder().embed_queries(QUESTIONS)[::-1]
    options = SearchOptions(mode="dense")
    pools = index.pools(QUESTIONS, options=SearchOptions(candidates=200), vectors=swapped)
    found = [rank_pool(limited(pool, options), "dense", FUSIONS[0], 5)[0].id for pool in pools]
    wanted = [hits[0].chunk.id for hits in index.search_batch(QUESTIONS[::-1], mode="dense", k=5)]
    assert found == wanted


def test_k1_and_b_change_what_rank_bm25_says(index: KureIndex) -> None:
    scores = {
        index.search("보관 방법", mode="lexical", lexical="rank-bm25", bm25=Bm25Settings(k1=k1, b=b))[0].score
        for k1, b in ((1.2, 0.75), (0.2, 0.75), (1.2, 0.0))
    }
    assert len(scores) == 3
    plain = index.search("보관 방법", mode="lexical", lexical="rank-bm25")
    assert plain == index.search("보관 방법", mode="lexical", lexical="rank-bm25", bm25=Bm25Settings())


def test_k1_and_b_go_with_their_engine_only(index: KureIndex) -> None:
    with pytest.raises(SearchError, match="those of tantivy are fixed"):
        index.search("보관", bm25=Bm25Settings(k1=1.0))
    with pytest.raises(ValueError, match="k1 is not negative"):
        Bm25Settings(k1=-1)
    with pytest.raises(SearchError, match="give Bm25Settings"):
        index.search("보관", lexical="rank-bm25", bm25=0.9)  # type: ignore[arg-type]
    options = SearchOptions(lexical="rank-bm25", bm25=Bm25Settings(k1=0.5))
    assert index.search("보관 방법", options=options, lexical="tantivy") == index.search("보관 방법")


def test_a_heading_that_stands_alone_is_in_no_ranking(tmp_path: Path) -> None:
    articles = ("제1조(목적) 이 규정은 보관에 필요한 사항을 정한다.", "제2조(보관) 서류는 오 년 동안 보관한다.")
    text = f"제1장 총칙\n\n{articles[0]}\n\n제2장 보관\n\n{articles[1]}\n"
    (tmp_path / "규정.txt").write_text(text, encoding="utf-8")
    with KureIndex.open(tmp_path / "ix", embeddings=HashEmbedder()) as index:
        index.add_paths(tmp_path / "규정.txt", domain="legal", workers=1)
        options = SearchOptions(mode="lexical", k=10)
        (pool,) = index.pools(["보관 총칙"], options=options)
        found = rank_pool(limited(pool, options), "lexical", FUSIONS[0], 10)
        assert [chunk.id for chunk in found] == [hit.chunk.id for hit in index.search("보관 총칙", options=options)]
